/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario that goes wrong in the way it is told to, for the tests of what ktstr then says. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/types.h>
#include <unistd.h>

#include "ktstr/scenario.h"

enum {
	P_HOW,
	P_DURATION,
	P_WORKLOAD,
};

enum how {
	HOW_NOT,
	HOW_CRASH,
	HOW_HANG,
	HOW_ERROR,
	HOW_SKIP,
	HOW_PANIC,
	HOW_KILL_AGENT,
	HOW_POWER_OFF,
	HOW_NOISE,
	HOW_OVERRUN,
	HOW_POSITIVE,
	HOW_IGNORE_DEATH,
	HOW_SPIN,
	HOW_HANG_SETUP,
	HOW_HANG_TEARDOWN,
	HOW_STARVE_INIT,
};

static const char *const hows[] = { "not",   "crash",	   "hang",	    "error",
				    "skip",  "panic",	   "kill_agent",    "power_off",
				    "noise", "overrun",	   "positive",	    "ignore_death",
				    "spin",  "hang_setup", "hang_teardown", "starve_init",
				    NULL };

static const struct ktstr_param params[] = {
	[P_HOW] = { .key = "how",
		    .help = "what goes wrong",
		    .type = KTSTR_PARAM_ENUM,
		    .fallback = "not",
		    .choices = hows },
	[P_DURATION] = { .key = "duration",
			 .help = "how long to hold before it does",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "200ms" },
	[P_WORKLOAD] = { .key = "workload",
			 .help = "what a worker does whose death is ignored",
			 .type = KTSTR_PARAM_PLUGIN,
			 .fallback = "bad_worker",
			 .min = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)err;
	needs->duration_ns = (uint64_t)values[P_DURATION].i;
	return 0;
}

static void hang(void)
{
	for (;;)
		pause();
}

static void spin(void)
{
	for (volatile int i = 0;; i++)
		;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* Nobody below the highest priority runs any more on any CPU, and no clock that it could read. */
static void starve_init(void)
{
	const struct sched_param highest = { .sched_priority = 99 };

	write_to("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	if (sched_setscheduler(0, SCHED_FIFO, &highest) < 0)
		abort();
	for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 1; i--)
		if (fork() == 0)
			spin();
	spin();
}

static int panic_kernel(struct ktstr_error *err)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "c", 1) != 1)
		return ktstr_fail(err, -errno, "cannot write /proc/sysrq-trigger: %s",
				  strerror(errno));
	close(fd);
	return 0;
}

static int ignore_death(struct ktstr_guest *g, const struct ktstr_value *workload,
			struct ktstr_error *err)
{
	struct ktstr_spawn_spec spec = { .size = sizeof(spec), .workload = workload, .workers = 1 };
	struct ktstr_error ignored = { 0 };
	uint32_t group;
	int rc = ktstr_spawn(g, &spec, &group, err);

	if (rc < 0)
		return rc;
	while (rc != -ECHILD && !ktstr_stopping(g))
		rc = ktstr_hold(g, 100000000, &ignored);
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	int rc;

	(void)state;
	rc = ktstr_step(g, "misbehave", 1, 1, (uint64_t)values[P_DURATION].i, err);
	if (rc < 0)
		return rc;
	rc = ktstr_hold(g, (uint64_t)values[P_DURATION].i, err);
	if (rc < 0 && rc != -ECANCELED)
		return rc;
	switch ((enum how)values[P_HOW].i) {
	case HOW_NOT:
		return 0;
	case HOW_CRASH:
		raise(SIGSEGV);
		return 0;
	case HOW_HANG:
		hang();
		return 0;
	case HOW_ERROR:
		return ktstr_fail(err, -EIO, "the scenario was told to fail");
	case HOW_SKIP:
		return ktstr_fail(err, -EOPNOTSUPP, "the scenario was told that it does not apply");
	case HOW_PANIC:
		return panic_kernel(err);
	case HOW_KILL_AGENT:
		kill(1, SIGSEGV);
		for (;;)
			pause();
	case HOW_POWER_OFF:
		reboot(RB_POWER_OFF);
		for (;;)
			pause();
	case HOW_NOISE:
		for (int i = 0; i < 20000; i++)
			printf("noise %d \033[31mred\n", i);
		fflush(stdout);
		return 0;
	case HOW_OVERRUN:
		while (!ktstr_stopping(g))
			(void)ktstr_hold(g, 100000000, err);
		return 0;
	case HOW_POSITIVE:
		return 7;
	case HOW_IGNORE_DEATH:
		return ignore_death(g, &values[P_WORKLOAD], err);
	case HOW_SPIN:
		spin();
		return 0;
	case HOW_STARVE_INIT:
		starve_init();
		return 0;
	case HOW_HANG_SETUP:
	case HOW_HANG_TEARDOWN:
		return 0;
	}
	return 0;
}

static int setup(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		 struct ktstr_error *err)
{
	(void)g;
	(void)err;
	if (values[P_HOW].i == HOW_HANG_SETUP)
		hang();
	*ret_state = values[P_HOW].i == HOW_HANG_TEARDOWN ? (void *)"hang" : NULL;
	return 0;
}

static void teardown(struct ktstr_guest *g, void *state)
{
	(void)g;
	if (state)
		hang();
}

static const struct ktstr_scenario_ops ops = {
	.size = sizeof(ops), .needs = needs, .setup = setup, .run = run, .teardown = teardown
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "misbehave", .version = "1.0",
		    .summary = "go wrong in a chosen way", .params = params, .scenario = &ops,
		    .license = "GPL-2.0-only");
