/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A BPF scheduler whose BPF half is in order, and whose user half is not: what does the agent do
 * about it, and who schedules then?
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/scx.h"

/* More than a run may keep of it. */
#define FLOOD_MIB 100

enum {
	P_HOW
};

enum {
	HOW_HANG_START,
	HOW_HANG_ALIVE,
	HOW_CRASH_ALIVE,
	HOW_FLOOD,
	HOW_HANG_STOP
};

static const char *const hows[] = { "hang_start", "hang_alive", "crash_alive",
				    "flood",	  "hang_stop",	NULL };

static const struct ktstr_param params[] = {
	[P_HOW] = { .key = "how",
		    .help = "what its user half does",
		    .type = KTSTR_PARAM_ENUM,
		    .fallback = "flood",
		    .choices = hows },
	{ .key = NULL },
};

/* What one process has of a run: the library hands no values to the hooks. */
static int64_t how;
static int ticks;

static void hang(void)
{
	for (;;)
		(void)pause();
}

static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	how = values[P_HOW].i;
	if (how == HOW_HANG_START)
		hang();
	return ktstr_scx_set_int(scx, "flag", 0, err);
}

/* In a child: a scheduler's program, that goes on with its work meanwhile. */
static void flood(int fd)
{
	static char bytes[1 << 20];

	if (fork() != 0)
		return;
	memset(bytes, '.', sizeof(bytes));
	for (int i = 0; i < FLOOD_MIB; i++)
		if (write(fd, bytes, sizeof(bytes)) < 0)
			_exit(1);
	_exit(0);
}

static int tick(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	(void)scx;
	(void)err;
	if (ticks++)
		return 0;
	if (how == HOW_HANG_ALIVE)
		hang();
	if (how == HOW_CRASH_ALIVE)
		abort();
	if (how == HOW_FLOOD)
		flood(ktstr_scheduler_log(g));
	return 0;
}

static void before_stop(struct ktstr_guest *g, struct ktstr_scx *scx)
{
	const struct timespec longer_than_is_good = { .tv_sec = 3 };

	(void)g;
	(void)scx;
	if (how == HOW_HANG_STOP)
		hang();
	if (how == HOW_FLOOD)
		(void)nanosleep(&longer_than_is_good, NULL);
}

KTSTR_SCX_OBJECT(bad_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "bad_scheduler",
	.ops = "sample",
	.object = bad_object,
	.object_end = bad_object_end,
	.configure = configure,
	.tick = tick,
	.before_stop = before_stop,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "bad_scheduler", .version = "1.0",
			.summary = "its user half is not in order", .params = params,
			.license = "GPL-2.0-only");
