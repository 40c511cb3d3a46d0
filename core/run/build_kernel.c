/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "judge/verdict.h"
#include "run/finish.h"
#include "run/list.h"
#include "run/observe.h"
#include "run/signals.h"
#include "vm/kernel_build.h"

/* Where lines are plain, how far it is gets one so often. */
#define LINE_NS (60 * NS_PER_S)

struct showing {
	struct observe observe;
	char phase[16];
	uint64_t line_ns;
	bool has_worked;
};

static void show_phase(void *arg, const char *phase, const char *detail)
{
	struct showing *showing = arg;

	(void)snprintf(showing->phase, sizeof(showing->phase), "%s", phase);
	showing->line_ns = clock_monotonic_ns();
	showing->has_worked |= strcmp(phase, "install") == 0;
	observe_phase(&showing->observe, phase, detail);
}

static void show_update(void *arg, const char *detail)
{
	struct showing *showing = arg;
	uint64_t now = clock_monotonic_ns();

	if (now - showing->line_ns < LINE_NS) {
		live_update(showing->observe.live, detail);
		return;
	}
	showing->line_ns = now;
	live_phase(showing->observe.live, showing->phase, detail);
}

static void show_problem(void *arg, const char *line)
{
	(void)arg;
	log_error("%s", line);
}

/* Is @built what runs take from now on? If not, how to get it. */
static void note_use(const struct kernel *built)
{
	struct ktstr_error ignored = { 0 };
	struct kernel *taken = NULL;

	if (kernel_find(NULL, &taken, &ignored) == 0 && strcmp(taken->image, built->image) == 0)
		log_note("a run that asks for no kernel takes this one from now on");
	else
		log_note("take it by --kernel %s", built->release);
	kernel_free(taken);
}

static int show_built(const struct kernel *kernel, struct showing *showing,
		      const struct run_options *options)
{
	live_done(showing->observe.live, true);
	if (!showing->has_worked)
		log_note("kernel %s is there already", kernel->release);
	note_use(kernel);
	if (options->is_json)
		return list_show_document(options, "kernels", EXIT_PASS,
					  json_pack("[o]", list_kernel_json(kernel)));
	(void)fprintf(options->out, "%s\n", kernel->image);
	return EXIT_PASS;
}

/* What its user can mend; the rest the machine lacks. */
static int exit_code_of(int code)
{
	return code == -EINVAL || code == -EBUSY ? EXIT_USAGE : EXIT_ERROR;
}

int run_build_kernel(const struct kernel_build *build, const struct run_options *options)
{
	struct ktstr_error err = { 0 };
	struct signals signals = { .fd = -1 };
	struct showing showing = { .phase = "source" };
	struct kernel_build_watch watch = {
		.phase = show_phase, .update = show_update, .problem = show_problem, .arg = &showing
	};
	struct kernel *kernel = NULL;
	int exit_code, rc;

	if (signals_watch(&signals, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	watch.interrupt_fd = signals.fd;
	observe_init(&showing.observe, options);
	rc = kernel_build(build, &watch, &kernel, &err);
	/* A program that the terminal interrupted as well may have been what failed. */
	if (rc < 0 && signals_have_come(&signals))
		(void)ktstr_fail(&err, -EINTR,
				 "interrupted; what was compiled stays for the next build of it");
	if (rc < 0) {
		live_done(showing.observe.live, false);
		exit_code = finish_error(options, exit_code_of(err.code), &err);
	} else {
		exit_code = show_built(kernel, &showing, options);
	}
	kernel_free(kernel);
	observe_done(&showing.observe, exit_code == EXIT_PASS);
	signals_done(&signals);
	return exit_code;
}
