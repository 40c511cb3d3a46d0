/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/rest.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "guest/entropy.h"
#include "guest/job_area.h"

/* How often the rest is looked for, and how many of those looks are between two at the scheduler:
 * who died must not be saved. */
#define LOOK_NS (1 * NS_PER_MS)
#define LOOKS_PER_CHECK 16u

static int await(uint8_t *area, const struct session_status *status, struct life *life,
		 struct ktstr_error *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };

	for (uint32_t looks = 0;; looks++) {
		int rc = looks % LOOKS_PER_CHECK == 0 ? life_check(life, err) : 0;

		if (rc < 0)
			return rc;
		if (job_area_has_scenario(area))
			return 0;
		if (status->is_stopping)
			return ktstr_fail(err, -ECANCELED, "the run is to end early");
		(void)nanosleep(&pause, NULL);
	}
}

int rest_take(const struct session_spec *spec, const struct session_status *status,
	      struct life *life, uint64_t *ret_seed, struct ktstr_error *err)
{
	uint8_t *area = NULL;
	int rc = job_area_map(spec->pci, &area, err);

	if (rc == 0)
		rc = await(area, status, life, err);
	if (rc == 0)
		rc = job_area_take_scenario(area, spec->root, ret_seed, err);
	job_area_unmap(area);
	if (rc == 0)
		entropy_seed(*ret_seed);
	return rc;
}
