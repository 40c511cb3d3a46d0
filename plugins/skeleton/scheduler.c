/* SPDX-License-Identifier: MIT */
/*
 * A scheduler plugin to start from: it runs a sched_ext scheduler that is a program of its own, as
 * those of the scx project are, and says so when it fails to start, dies or lets go.
 *
 * It is the template for what needs a user half of its own in the guest. To run a program as it is,
 * take the plugin `exec`, which ktstr has; for a scheduler whose BPF half is in the plugin itself,
 * see ktstr/scx.h.
 *
 *	scheduler:
 *	  plugin: my_scheduler
 *	  program: /usr/bin/scx_simple
 *	  args: [-f]
 *
 * The same .so is loaded twice: on the host, where needs() is called before the VM starts, and in
 * the guest, where start(), alive() and stop() are. Nothing is shared between the two but the
 * parameters, which both get.
 */
#include "ktstr/scheduler.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 62
#define GUEST_PROGRAM "/payload/my_scheduler/program"
#define STATE_PATH "/sys/kernel/sched_ext/state"
/* How often the state is looked at while the program starts, and how long it may take to end. */
#define LOOK_MS 20
#define STOP_MS 5000

/*
 * The parameters. The table types what stands in the scenario file: by the time an op is called,
 * `values` has one entry for each row, checked against its type and range, with the fallback where
 * the file said nothing. An enum in the order of the table keeps the two together.
 */
enum {
	P_PROGRAM,
	P_ARGS,
	P_TIMEOUT,
};

/* The elements of `args`: a table of one row, whose key is only for messages. */
static const struct ktstr_param arg_fields[] = {
	{ .key = "arg", .help = "one argument", .type = KTSTR_PARAM_STRING },
	{ .key = NULL },
};

static const struct ktstr_param params[] = {
	[P_PROGRAM] = { .key = "program",
			.help = "the scheduler's program, a path on the host",
			.type = KTSTR_PARAM_STRING,
			.flags = KTSTR_PARAM_REQUIRED,
			.min = 1,
			.max = 4095 },
	[P_ARGS] = { .key = "args",
		     .help = "its arguments",
		     .type = KTSTR_PARAM_LIST,
		     .min = 0,
		     .max = ARGS_MAX,
		     .fields = arg_fields },
	[P_TIMEOUT] = { .key = "timeout",
			.help = "how long it may take to come up",
			.type = KTSTR_PARAM_DURATION,
			.fallback = "10s",
			.min = 1000000,
			.max = INT64_C(600000000000) },
	{ .key = NULL },
};

/* What start() made and the later ops work with. No globals: the state travels by pointer. */
struct scheduler {
	pid_t pid;
	int pidfd;
};

/* Host: what the VM must have. This is asked before anything starts, so a host that cannot give it
 * refuses the run at once, with the sentence in @err. */
static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	int code;

	code = ktstr_need_kernel_config(needs, "CONFIG_SCHED_CLASS_EXT", err);
	if (code < 0)
		return code;
	/* The program's shared libraries come along by themselves. */
	return ktstr_need_file(needs, values[P_PROGRAM].s, GUEST_PROGRAM, err);
}

/* Is a sched_ext scheduler in charge? */
static int is_enabled(void)
{
	static const char want[] = "enabled";
	char state[32] = "";
	int fd = open(STATE_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, state, sizeof(state) - 1);
	(void)close(fd); /* it was only read */
	return n > 0 && strncmp(state, want, sizeof(want) - 1) == 0;
}

/* Wait at most @timeout_ms for the program's end; true when it has ended. A pidfd tells that
 * without a signal handler, which a plugin must not install, and whoever collects the status. */
static int has_ended(const struct scheduler *s, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = s->pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* Say how the program ended. The agent may have collected the status before: then it is not known
 * any more. -ESRCH makes it the scheduler's own fault, and the run a FAIL; with any other code it
 * would be an ERROR. */
static int fail_ended(const struct scheduler *s, const char *when, struct ktstr_error *err)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return ktstr_fail(err, -ESRCH, "the scheduler ended %s", when);
	if (info.si_code == CLD_EXITED)
		return ktstr_fail(err, -ESRCH, "the scheduler exited with code %d %s",
				  info.si_status, when);
	return ktstr_fail(err, -ESRCH, "the scheduler was killed by signal %d %s", info.si_status,
			  when);
}

/* End the program if it still runs, collect it, and free the state. True when it had to be
 * killed. */
static int take_down(struct scheduler *s)
{
	siginfo_t info;
	int is_killed = 0;

	(void)pidfd_send_signal(s->pidfd, SIGTERM, NULL, 0); /* fails when it has ended */
	if (!has_ended(s, STOP_MS)) {
		is_killed = 1;
		(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0); /* likewise */
		(void)has_ended(s, -1);
	}
	(void)waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED); /* fails when collected before */
	(void)close(s->pidfd);				       /* nothing is written through it */
	free(s);
	return is_killed;
}

static void exec_program(const struct ktstr_value *args, int log_fd)
{
	char *argv[ARGS_MAX + 2] = { (char *)GUEST_PROGRAM };
	sigset_t none;

	/* Should the agent's process die, this must not live on. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* What it prints is kept in the run's scheduler.log. An old agent has no such service. */
	if (log_fd >= 0 && (dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0))
		_exit(127);
	/* The agent blocks signals that the program has to see. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The table's own max bounds the count; a plugin need not check it again. */
	for (uint32_t i = 0; i < args->count; i++)
		argv[i + 1] = (char *)args->items[i].s;
	(void)execv(GUEST_PROGRAM, argv); /* returns only on failure */
	_exit(127);
}

/* 0 once the scheduler schedules. Time comes from the agent, never from the machine: that is what
 * lets a run be played again. */
static int wait_enabled(struct ktstr_guest *g, const struct scheduler *s, uint64_t timeout_ns,
			struct ktstr_error *err)
{
	uint64_t start_ns = ktstr_now_ns(g);

	while (!is_enabled()) {
		if (has_ended(s, LOOK_MS))
			return fail_ended(s, "before it was in charge", err);
		if (ktstr_now_ns(g) - start_ns >= timeout_ns)
			return ktstr_fail(err, -ETIMEDOUT,
					  "the scheduler is not in charge after %llu ms; raise "
					  "'timeout', or see its own messages",
					  (unsigned long long)(timeout_ns / 1000000));
	}
	return 0;
}

/* Guest: bring it up. After a failure nothing may be left behind: stop() is not called then. */
static int start(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		 struct ktstr_error *err)
{
	struct scheduler *s = calloc(1, sizeof(*s));
	int log_fd = ktstr_scheduler_log(g), code;

	if (!s)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	s->pid = fork();
	if (s->pid == 0)
		exec_program(&values[P_ARGS], log_fd);
	if (s->pid < 0) {
		code = ktstr_fail(err, -errno, "cannot fork: %s", strerror(errno));
		free(s);
		return code;
	}
	s->pidfd = pidfd_open(s->pid, 0);
	if (s->pidfd < 0) {
		code = ktstr_fail(err, -errno, "cannot watch the scheduler: %s", strerror(errno));
		(void)kill(s->pid, SIGKILL); /* it is our child, so the pid is its own */
		(void)waitpid(s->pid, NULL, 0);
		free(s);
		return code;
	}
	code = wait_enabled(g, s, (uint64_t)values[P_TIMEOUT].i, err);
	if (code < 0) {
		(void)take_down(s);
		return code;
	}
	ktstr_log(g, KTSTR_LOG_INFO, "'%s' schedules", values[P_PROGRAM].s);
	*ret_state = s;
	return 0;
}

/* Guest: asked often, so it must be quick. -ESRCH with the reason once it is dead: a program that
 * runs on but was thrown out by the kernel is dead too. */
static int alive(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	const struct scheduler *s = state;

	(void)g;
	if (has_ended(s, 0))
		return fail_ended(s, "during the run", err);
	if (!is_enabled())
		return ktstr_fail(
			err, -ESRCH,
			"the kernel threw the scheduler out: '%s' no longer says 'enabled'",
			STATE_PATH);
	return 0;
}

/* Guest: called once after a start() that returned 0, whatever happened since. */
static int stop(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	(void)g;
	if (take_down(state))
		return ktstr_fail(err, -ETIMEDOUT,
				  "the scheduler ignored SIGTERM for %d ms and was killed",
				  STOP_MS);
	return 0;
}

/* The size tells the host which ops this plugin knows of. */
static const struct ktstr_scheduler_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.start = start,
	.alive = alive,
	.stop = stop,
};

/* The one exported symbol. */
KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCHEDULER, .name = "my_scheduler", .version = "1.0",
		    .summary = "runs a sched_ext scheduler that is a program", .params = params,
		    .scheduler = &ops, .license = "MIT");
