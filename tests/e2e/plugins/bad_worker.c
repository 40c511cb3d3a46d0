/* SPDX-License-Identifier: GPL-2.0-only */
/* A workload that goes wrong in a chosen way. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <unistd.h>

#include "ktstr/workload.h"

enum how {
	HOW_CRASH,
	HOW_EXIT,
	HOW_ERROR,
	HOW_STUCK,
	HOW_IDLE,
	HOW_LATE,
	HOW_PRY,
};

static const char *const hows[] = {
	"crash", "exit", "error", "stuck", "idle", "late", "pry", NULL
};

static const struct ktstr_param params[] = {
	{ .key = "how",
	  .help = "what goes wrong",
	  .type = KTSTR_PARAM_ENUM,
	  .fallback = "crash",
	  .choices = hows },
	{ .key = NULL },
};

/* Be held up for 1.5 s while asleep, once. */
static void sleep_too_long(struct ktstr_worker *w)
{
	pid_t self = getpid();

	if (fork() == 0) {
		usleep(100000);
		kill(self, SIGSTOP);
		usleep(1500000);
		kill(self, SIGCONT);
		_exit(0);
	}
	ktstr_worker_sleep_ns(w, 300000000);
}

/* Get at the memory and the fds of the agent; 0: it was refused. */
static int pry(struct ktstr_error *err)
{
	const pid_t pids[] = { 1, getppid() };

	for (int i = 0; i < 2; i++) {
		for (int fd = -1; fd < 32; fd++) {
			char path[64];

			(void)snprintf(path, sizeof(path),
				       fd < 0 ? "/proc/%d/mem" : "/proc/%d/fd/%d", (int)pids[i],
				       fd);
			if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
				return ktstr_fail(err, -EPERM, "a worker can open '%s'", path);
		}
		if (ptrace(PTRACE_SEIZE, pids[i], 0, 0) == 0)
			return ktstr_fail(err, -EPERM, "a worker can trace %d", (int)pids[i]);
	}
	return 0;
}

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	switch ((enum how)w->values[0].i) {
	case HOW_CRASH:
		raise(SIGSEGV);
		return 0;
	case HOW_EXIT:
		_exit(7);
	case HOW_ERROR:
		return ktstr_fail(err, -EIO, "the worker was told to fail");
	case HOW_STUCK:
		for (;;)
			pause();
	case HOW_IDLE:
		while (!ktstr_worker_stopping(w))
			ktstr_worker_sleep_ns(w, 10000000);
		return 0;
	case HOW_PRY:
		if (pry(err) < 0)
			return err->code;
		ktstr_worker_progress(w, 1);
		return 0;
	case HOW_LATE:
		sleep_too_long(w);
		while (!ktstr_worker_stopping(w)) {
			ktstr_worker_sleep_ns(w, 10000000);
			ktstr_worker_progress(w, 1024);
		}
		return 0;
	}
	return 0;
}

static const struct ktstr_workload_ops ops = { .size = sizeof(ops), .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "bad_worker", .version = "1.0",
		    .summary = "go wrong in a chosen way", .params = params, .workload = &ops,
		    .license = "GPL-2.0-only");
