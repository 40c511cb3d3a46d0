/* SPDX-License-Identifier: GPL-2.0-only */
#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a killed program may take to be gone. */
#define COLLECT_MS 1000

/* Between fork and exec: only what may be called there. */
__attribute__((noreturn)) static void become(char *const *argv, char *const *envp, int output_fd,
					     pid_t parent, int failure_fd)
{
	int input_fd = open("/dev/null", O_RDONLY);
	sigset_t none;
	int code;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	/* The agent blocks and ignores signals that the program has to see. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if ((input_fd >= 0 && dup2(input_fd, STDIN_FILENO) < 0) ||
	    (output_fd >= 0 &&
	     (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0)))
		code = errno;
	else
		code = execve(argv[0], argv, envp) < 0 ? errno : 0;
	/* Cannot fail: the pipe is empty. */
	(void)!write(failure_fd, &code, sizeof(code));
	_exit(127);
}

static void kill_now(struct child *child)
{
	(void)kill(child->pid, SIGKILL); /* it is our child, so the pid is its own */
	(void)waitpid(child->pid, NULL, 0);
}

int child_start(struct child *child, char *const *argv, char *const *envp, int output_fd,
		struct ktstr_error *err)
{
	struct child started = { .pidfd = -1 };
	pid_t parent = getpid();
	int pipe_fds[2], code = 0;
	ssize_t length;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return ktstr_fail(err, -errno, "cannot make a pipe: %s", strerror(errno));
	started.pid = fork();
	if (started.pid == 0)
		become(argv, envp, output_fd, parent, pipe_fds[1]);
	code = errno;
	(void)close(pipe_fds[1]); /* nothing is written through it here */
	if (started.pid < 0) {
		(void)close(pipe_fds[0]);
		return ktstr_fail(err, -code, "cannot fork: %s", strerror(code));
	}
	(void)setpgid(started.pid, started.pid); /* whoever comes first */
	do
		length = read(pipe_fds[0], &code, sizeof(code));
	while (length < 0 && errno == EINTR);
	(void)close(pipe_fds[0]);
	if (length == (ssize_t)sizeof(code)) {
		kill_now(&started);
		return ktstr_fail(err, -code, "cannot run '%s': %s%s", argv[0], strerror(code),
				  code == ENOENT ? "; a script needs its interpreter shipped too"
						 : "");
	}
	started.pidfd = pidfd_open(started.pid, 0);
	if (started.pidfd < 0) {
		code = errno;
		kill_now(&started);
		return ktstr_fail(err, -code, "cannot watch '%s': %s", argv[0], strerror(code));
	}
	*child = started;
	return 0;
}

bool child_wait(const struct child *child, int other_fd, int timeout_ms)
{
	struct pollfd poll_fds[] = {
		{ .fd = child->pidfd, .events = POLLIN },
		{ .fd = other_fd, .events = POLLIN },
	};

	return poll(poll_fds, 2, timeout_ms) > 0 && (poll_fds[0].revents & POLLIN) != 0;
}

const char *child_end_text(const struct child *child, char *text, size_t size)
{
	siginfo_t info = { 0 };
	const char *name;

	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		(void)snprintf(text, size, "ended");
	else if (info.si_code == CLD_EXITED)
		(void)snprintf(text, size, "exited with code %d", info.si_status);
	else if ((name = sigabbrev_np(info.si_status)))
		(void)snprintf(text, size, "was killed by SIG%s", name);
	else
		(void)snprintf(text, size, "was killed by signal %d", info.si_status);
	return text;
}

void child_signal(const struct child *child, int number)
{
	(void)pidfd_send_signal(child->pidfd, number, NULL, 0); /* fails when it has ended */
}

void child_done(struct child *child)
{
	siginfo_t info;

	if (child->pidfd < 0)
		return;
	/* Its own children first: once it is collected, the group's number may be another's. */
	(void)kill(-child->pid, SIGKILL);
	/* What the kernel does not let run cannot end either; whoever is left is PID 1's. */
	(void)child_wait(child, -1, COLLECT_MS);
	(void)waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG); /* or it was before */
	(void)close(child->pidfd); /* nothing is written through it */
	child->pidfd = -1;
}
