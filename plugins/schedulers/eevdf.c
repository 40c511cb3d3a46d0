/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own fair class: EEVDF since Linux 6.6, CFS before.
 *
 * There is nothing to start, but something to prove: that no sched_ext scheduler is in charge, at
 * the start and for as long as the run lasts.
 */
#include <sys/utsname.h>
#include <unistd.h>

#include "ktstr/scheduler.h"
#include "sched_ext_state.h"

/* -EBUSY when a sched_ext scheduler is in charge. */
static int fair_class_check(struct ktstr_error *err)
{
	char state[SCHED_EXT_STATE_MAX];
	int code;

	/* Without sysfs, the absence of the file would prove nothing. */
	if (access("/sys/kernel", F_OK) < 0)
		return ktstr_fail(err, -errno, "cannot ask for sched_ext: no '/sys/kernel': %s",
				  strerror(errno));
	code = sched_ext_state_read(SCHED_EXT_STATE_PATH, state, err);
	if (code < 0)
		return code;
	if (strcmp(state, "disabled") != 0)
		return ktstr_fail(err, -EBUSY, "a sched_ext scheduler is in charge: '%s' says '%s'",
				  SCHED_EXT_STATE_PATH, state);
	return 0;
}

static int start(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		 struct ktstr_error *err)
{
	struct utsname system;
	int code;

	(void)values;
	code = fair_class_check(err);
	if (code < 0)
		return code;
	if (uname(&system) == 0)
		ktstr_log(g, KTSTR_LOG_INFO, "the fair class of Linux %s schedules",
			  system.release);
	*ret_state = NULL;
	return 0;
}

static int alive(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	int code = fair_class_check(err);

	(void)g;
	(void)state;
	if (code == -EBUSY)
		err->code = code = -ESRCH;
	return code;
}

static int stop(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	/* The last proof that the whole run was the fair class's. */
	return alive(g, state, err);
}

static const struct ktstr_scheduler_ops ops = {
	.size = sizeof(ops),
	.start = start,
	.alive = alive,
	.stop = stop,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCHEDULER, .name = "eevdf", .version = "1.0",
		    .summary = "the kernel's own fair class (CFS before Linux 6.6)",
		    .scheduler = &ops, .license = "GPL-2.0-only");
