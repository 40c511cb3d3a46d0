/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/environment.h"

struct child {
	char *const *argv;
	char *const *environment;
	const int *keep;
	size_t count;
	int null_fd;
	int stderr_fd;
	int report_fd;
	pid_t parent;
};

/* Everything that a program inherits and that was meant for us only. Async-signal-safe. */
static int set_up_child(const struct child *child)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setpgid(0, 0) < 0)
		return -errno;
	/* The parent may have gone before its death could be asked for. */
	if (getppid() != child->parent)
		return -ESRCH;
	if (dup2(child->null_fd, STDIN_FILENO) < 0 || dup2(child->null_fd, STDOUT_FILENO) < 0 ||
	    dup2(child->stderr_fd, STDERR_FILENO) < 0)
		return -errno;
	/* Ours are close-on-exec; this is for what we inherited. Kernels before 5.11 do without. */
	(void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < child->count; i++)
		if (fcntl(child->keep[i], F_SETFD, 0) < 0)
			return -errno;
	(void)setrlimit(RLIMIT_CORE, &no_core); /* a core of guest memory helps nobody */
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* fails for SIGKILL and SIGSTOP, as it should */
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static _Noreturn void run_child(const struct child *child)
{
	int rc = set_up_child(child);

	if (rc == 0) {
		(void)execvpe(child->argv[0], child->argv, child->environment);
		rc = -errno;
	}
	(void)!write(child->report_fd, &rc, sizeof(rc)); /* nobody is left to be told */
	_exit(127);
}

/* What the child says through its close-on-exec pipe: nothing once the program runs. */
static int read_report(int fd)
{
	int reported = 0;
	int rc = io_read_all(fd, &reported, sizeof(reported));

	if (rc == -ENODATA)
		return 0;
	return rc < 0 ? rc : reported;
}

/* The environment that has @preload before what LD_PRELOAD says already, in *ret_variable. */
static int preload_first(const char *preload, char **ret_variable, char ***ret)
{
	static const char *const dropped[] = { "LD_PRELOAD=", NULL };
	const char *before = getenv("LD_PRELOAD");

	*ret_variable =
		str_format("LD_PRELOAD=%s%s%s", preload, before ? ":" : "", before ? before : "");
	if (*ret_variable)
		*ret = environment_new(dropped, *ret_variable);
	return *ret ? 0 : -ENOMEM;
}

static bool has_standard_fd(const int *keep, size_t count, int stderr_fd)
{
	for (size_t i = 0; i < count; i++)
		if (keep[i] <= STDERR_FILENO)
			return true;
	return stderr_fd <= STDERR_FILENO;
}

int spawn_bound(char *const *argv, const char *preload, const int *keep, size_t count,
		int stderr_fd, pid_t *ret_pid, int *ret_pid_fd)
{
	_cleanup_free_ char *variable = NULL;
	_cleanup_free_ char **environment = NULL;
	_cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int read_fd = -1, write_fd = -1, pid_fd = -1;
	sigset_t all, before;
	int ends[2], rc;
	pid_t pid;

	if (null_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_fd = ends[0];
	write_fd = ends[1];
	if (has_standard_fd(keep, count, stderr_fd) || null_fd <= STDERR_FILENO ||
	    write_fd <= STDERR_FILENO)
		return -EBADF;
	rc = preload ? preload_first(preload, &variable, &environment) : 0;
	if (rc < 0)
		return rc;
	const struct child child = {
		.argv = argv,
		.environment = environment ? environment : environ,
		.keep = keep,
		.count = count,
		.null_fd = null_fd,
		.stderr_fd = stderr_fd,
		.report_fd = write_fd,
		.parent = getpid(),
	};

	/* No handler of ours may run in the child. */
	(void)sigfillset(&all);
	rc = -pthread_sigmask(SIG_SETMASK, &all, &before);
	if (rc < 0)
		return rc;
	pid = fork();
	if (pid == 0)
		run_child(&child);
	rc = pid < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc < 0)
		return rc;
	(void)close(steal_fd(&write_fd)); /* or the end of the report would never be seen */
	pid_fd = (int)syscall(SYS_pidfd_open, pid, 0U);
	rc = pid_fd < 0 ? -errno : read_report(read_fd);
	if (rc < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return rc;
	}
	*ret_pid = pid;
	*ret_pid_fd = steal_fd(&pid_fd);
	return 0;
}
