/* SPDX-License-Identifier: GPL-2.0-only */
/* A workload that turns against the session that started it. */
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/types.h>
#include <unistd.h>

#include "ktstr/workload.h"
#include "villain/forge.h"

static int sched_exit(struct ktstr_worker *w)
{
	uint8_t bytes[FORGE_FRAME_MAX];

	(void)w;
	return forge_publish(getppid(), bytes, forge_sched_exit(bytes), 0);
}

/* The same by the descriptors of the session. */
static int steal_fd(struct ktstr_worker *w)
{
	int session = pidfd_open(getppid(), 0);

	(void)w;
	for (int fd = 0; fd < 64; fd++)
		if (pidfd_getfd(session, fd, 0) >= 0)
			return 0;
	return -errno;
}

static int kill_session(struct ktstr_worker *w)
{
	(void)w;
	return kill(getppid(), SIGKILL) < 0 ? -errno : 0;
}

static int stop_session(struct ktstr_worker *w)
{
	(void)w;
	return kill(getppid(), SIGSTOP) < 0 ? -errno : 0;
}

static int kill_all(struct ktstr_worker *w)
{
	(void)w;
	return kill(-1, SIGKILL) < 0 ? -errno : 0;
}

/* What the session reads of this worker lies behind what the worker sees of itself. */
static int forge_report(struct ktstr_worker *w)
{
	memset((char *)w + sizeof(*w), 0xff, sizeof(struct ktstr_worker_report));
	return 0;
}

static int panic_text(struct ktstr_worker *w)
{
	(void)w;
	return forge_line("/dev/ttyS0", "Kernel panic - not syncing: says a worker\n");
}

static int flood_output(struct ktstr_worker *w)
{
	static char text[65536];

	memset(text, '\n', sizeof(text));
	while (!ktstr_worker_stopping(w))
		if (write(STDERR_FILENO, text, sizeof(text)) < 0)
			return -errno;
	return 0;
}

static const struct {
	const char *name;
	int (*play)(struct ktstr_worker *w);
} tricks[] = {
	{ "sched_exit", sched_exit },	  { "steal_fd", steal_fd },
	{ "kill_session", kill_session }, { "stop_session", stop_session },
	{ "kill_all", kill_all },	  { "forge_report", forge_report },
	{ "panic_text", panic_text },	  { "flood_output", flood_output },
};

static const struct ktstr_param params[] = {
	{ .key = "trick",
	  .help = "what it does to the session",
	  .type = KTSTR_PARAM_STRING,
	  .flags = KTSTR_PARAM_REQUIRED,
	  .min = 1,
	  .max = 64 },
	{ .key = NULL },
};

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	const char *name = w->values[0].s;
	size_t i = 0;
	int rc = 0;

	while (i < sizeof(tricks) / sizeof(tricks[0]) && strcmp(name, tricks[i].name) != 0)
		i++;
	if (i == sizeof(tricks) / sizeof(tricks[0]))
		return ktstr_fail(err, -EINVAL, "there is no trick '%s'", name);
	if (w->index == 0)
		rc = tricks[i].play(w);
	if (rc < 0)
		return ktstr_fail(err, rc, "the trick '%s' does not work: %s", name, strerror(-rc));
	while (!ktstr_worker_stopping(w))
		ktstr_worker_progress(w, 1024);
	return 0;
}

static const struct ktstr_workload_ops ops = { .size = sizeof(ops), .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "saboteur", .version = "1.0",
		    .summary = "turn against the session from a worker", .params = params,
		    .workload = &ops, .license = "GPL-2.0-only");
