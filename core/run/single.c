/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/single.h"

#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "run/finish.h"

struct report_spec single_report(const struct single *single, const struct run_options *options)
{
	return (struct report_spec){
		.run_fd = single->run_fd,
		.run_path = single->run_path,
		.console_path = single->console_path,
		.has_colour = options->has_out_colour,
		.is_verbose = options->is_verbose,
		.has_timings = options->has_timings,
		.judging_ns = single->judging_ns,
		.took_ns = single->took_ns,
	};
}

int single_show(const struct single *single, const struct run_options *options)
{
	const struct report_spec spec = single_report(single, options);
	struct ktstr_error err;

	if (!single->has_verdict)
		return finish_error(options, single->exit_code, &single->err);
	if (finish_report(options, &single->verdict, &spec, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	return single->exit_code;
}

void single_inputs_done(struct single_inputs *inputs)
{
	free(inputs->booted_base);
	free(inputs->attached_base);
	*inputs = (struct single_inputs){ 0 };
}

void single_done(struct single *single)
{
	if (!single)
		return;
	verdict_done(&single->verdict);
	json_decref(single->stop);
	if ((single->has_verdict || single->is_stopped) && single->run_fd >= 0)
		(void)close(single->run_fd); /* only read */
	free(single->run_path);
	free(single->console_path);
	*single = (struct single){ .run_fd = -1 };
}
