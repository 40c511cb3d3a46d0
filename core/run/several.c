/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/several.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/scenario.h"
#include "judge/verdict.h"
#include "run/record.h"

int several_choose_folder(const char *scenario, const struct run_options *options, char **ret,
			  int *ret_exit_code, struct ktstr_error *err)
{
	const char *given = options->run_folder;
	struct scenario_spec *spec = NULL;
	struct record record;
	char *folder = NULL;
	int rc = scenario_load(scenario, &spec, err);

	*ret_exit_code = rc == -ENOMEM ? EXIT_ERROR : EXIT_USAGE;
	if (rc < 0)
		return rc;
	if (given) {
		folder = strdup(given);
		rc = folder ? record_open(given, spec->name, 0, 0, &record, err)
			    : ktstr_fail(err, -ENOMEM, "cannot record the runs: out of memory");
		if (rc == 0)
			record_discard(&record);
	} else {
		rc = record_new_folder(spec->name, clock_now_ns(CLOCK_REALTIME), &folder, err);
	}
	*ret_exit_code = rc == -ENOTDIR || rc == -ENOTEMPTY ? EXIT_USAGE : EXIT_ERROR;
	scenario_free(spec);
	if (rc < 0)
		free(folder);
	else
		*ret = folder;
	return rc;
}

size_t several_option_words(char *const *words, size_t count, const char *option, size_t shortest,
			    bool has_argument)
{
	size_t length = strcspn(words[0], "=");

	if (length < shortest || length > strlen(option) || strncmp(words[0], option, length) != 0)
		return 0;
	return has_argument && words[0][length] != '=' && count > 1 ? 2 : 1;
}
