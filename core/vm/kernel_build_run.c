/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/environment.h"

/* What make and the compilers get to clean up after themselves. */
#define GRACE_NS (5 * NS_PER_S)
#define TICK_MS 1000
#define LINE_MAX_BYTES 1024

/* By these an outer make, a packager's or a kernel developer's shell steers a kernel's build. */
static const char *const dropped[] = {
	"MAKEFLAGS=",
	"MFLAGS=",
	"MAKELEVEL=",
	"MAKEOVERRIDES=",
	"GNUMAKEFLAGS=",
	"MAKEFILES=",
	"KBUILD_",
	"KCONFIG_",
	"CONFIG_",
	"ARCH=",
	"SUBARCH=",
	"SRCARCH=",
	"srctree=",
	"objtree=",
	"O=",
	"V=",
	"W=",
	"C=",
	"M=",
	"KCFLAGS=",
	"KAFLAGS=",
	"KCPPFLAGS=",
	"LOCALVERSION=",
	"CROSS_COMPILE=",
	"LC_ALL=",
	"LANGUAGE=",
	NULL,
};

struct following {
	const struct build_run *run;
	pid_t pid;
	int pid_fd;
	int output_fd;
	char line[LINE_MAX_BYTES + 1];
	size_t length;
};

bool build_is_interrupted(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&poll_fd, 1, 0) == 1;
}

struct child {
	const struct build_run *run;
	char **environment;
	int null_fd;
	int output_fd;
	int report_fd;
	pid_t parent;
};

/* Between fork() and exec(): only what is async-signal-safe. */
static int set_up_child(const struct child *child)
{
	sigset_t none;

	/* make hands SIGTERM on to what it has started, which SIGKILL would not reach. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || setpgid(0, 0) < 0)
		return -errno;
	if (getppid() != child->parent)
		return -ESRCH;
	if (dup2(child->null_fd, STDIN_FILENO) < 0 || dup2(child->output_fd, STDOUT_FILENO) < 0 ||
	    dup2(child->output_fd, STDERR_FILENO) < 0)
		return -errno;
	if (child->run->folder && chdir(child->run->folder) < 0)
		return -errno;
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* fails for SIGKILL and SIGSTOP, as it should */
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static _Noreturn void run_child(const struct child *child)
{
	int code = set_up_child(child);

	if (code == 0) {
		(void)execvpe(child->run->argv[0], (char *const *)child->run->argv,
			      child->environment);
		code = -errno;
	}
	(void)!write(child->report_fd, &code, sizeof(code)); /* nobody is left to be told */
	_exit(127);
}

/* @report_fd says nothing once the program runs. */
static int fork_child(struct child *child, int report_fd, pid_t *ret)
{
	sigset_t all, before;
	int reported = 0, code;
	pid_t pid;

	(void)sigfillset(&all);
	code = -pthread_sigmask(SIG_SETMASK, &all, &before);
	if (code)
		return code;
	pid = fork();
	if (pid == 0)
		run_child(child);
	code = pid < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)close(steal_fd(&child->report_fd)); /* or the end of the report would not be seen */
	if (code)
		return code;
	code = io_read_all(report_fd, &reported, sizeof(reported));
	if (code == -ENODATA) {
		*ret = pid;
		return 0;
	}
	(void)waitpid(pid, NULL, 0);
	return code ? code : reported;
}

static int start(const struct build_run *run, pid_t *ret_pid, int *ret_output)
{
	_cleanup_free_ char **environment = environment_new(dropped, "LC_ALL=C");
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int output_read = -1, output_write = -1, report_read = -1;
	struct child child = { .run = run,
			       .environment = environment,
			       .null_fd = null_fd,
			       .report_fd = -1,
			       .parent = getpid() };
	int ends[2];
	int code;

	if (!environment)
		return -ENOMEM;
	if (null_fd < 0 || pipe2(ends, O_CLOEXEC))
		return -errno;
	output_read = ends[0];
	output_write = ends[1];
	if (fcntl(output_read, F_SETFL, O_NONBLOCK) || pipe2(ends, O_CLOEXEC))
		return -errno;
	report_read = ends[0];
	child.report_fd = ends[1];
	child.output_fd = output_write;
	code = fork_child(&child, report_read, ret_pid);
	cleanup_close(&child.report_fd);
	if (!code)
		*ret_output = steal_fd(&output_read);
	return code;
}

static void take_line(struct following *f)
{
	char text[sizeof(f->line)];

	if (f->run->line && f->length > 0)
		f->run->line(f->run->arg, str_copy_line(text, sizeof(text), f->line, f->length));
	f->length = 0;
}

/* What does not fit into a line any more is only in the log. */
static void take_bytes(struct following *f, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			take_line(f);
		else if (f->length < LINE_MAX_BYTES)
			f->line[f->length++] = bytes[i];
	}
}

/* 1: that was the end. */
static int drain(struct following *f)
{
	char chunk[8192];

	for (;;) {
		ssize_t got = read(f->output_fd, chunk, sizeof(chunk));
		int code;

		if (got == 0)
			return 1;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		code = io_write_all(f->run->log_fd, chunk, (size_t)got);
		if (code)
			return code;
		take_bytes(f, chunk, (size_t)got);
	}
}

/* Until the program itself is gone: others may keep the pipe open. */
static int follow(struct following *f)
{
	struct pollfd polls[] = {
		{ .fd = f->pid_fd, .events = POLLIN },
		{ .fd = f->output_fd, .events = POLLIN },
		{ .fd = f->run->interrupt_fd, .events = POLLIN },
	};

	for (;;) {
		int ready = poll(polls, ARRAY_SIZE(polls), TICK_MS);
		int code;

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && polls[2].revents)
			return -EINTR;
		code = polls[1].fd >= 0 ? drain(f) : 0;
		if (code < 0)
			return code;
		if (code > 0)
			polls[1].fd = -1;
		if (ready > 0 && polls[0].revents)
			return 0;
		if (ready == 0 && f->run->line)
			f->run->line(f->run->arg, NULL);
	}
}

/* Ask first, so that make removes what is half done. The pipe is emptied, or nobody could end. */
static void end_group(struct following *f)
{
	uint64_t deadline = clock_monotonic_ns() + GRACE_NS;
	struct pollfd polls[] = {
		{ .fd = f->pid_fd, .events = POLLIN },
		{ .fd = f->output_fd, .events = POLLIN },
	};

	(void)kill(-f->pid, SIGTERM);
	while (!polls[0].revents && clock_monotonic_ns() < deadline) {
		if (poll(polls, ARRAY_SIZE(polls), 100) > 0 && polls[1].revents && drain(f) != 0)
			polls[1].fd = -1;
	}
}

int build_run(const struct build_run *run, struct ktstr_error *err)
{
	struct following f = { .run = run, .pid_fd = -1, .output_fd = -1 };
	const char *name = run->argv[0];
	int status = 0;
	int code = start(run, &f.pid, &f.output_fd);

	if (code)
		return ktstr_fail(err, code, "cannot run '%s': %s", name, strerror(-code));
	f.pid_fd = pidfd_open(f.pid, 0);
	code = f.pid_fd < 0 ? -errno : follow(&f);
	if (code)
		end_group(&f);
	/* The group has its number as long as its first process is not reaped. */
	(void)kill(-f.pid, SIGKILL);
	while (waitpid(f.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!code)
		(void)drain(&f); /* the last words; there may be none */
	take_line(&f);
	cleanup_close(&f.pid_fd);
	cleanup_close(&f.output_fd);
	if (code == -EINTR)
		return ktstr_fail(err, code, "'%s' was interrupted", name);
	if (code)
		return ktstr_fail(err, code, "cannot follow '%s': %s", name, strerror(-code));
	if (WIFSIGNALED(status))
		return ktstr_fail(err, -EIO, "'%s' died of signal %d", name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return ktstr_fail(err, -EIO, "'%s' failed with status %d", name,
				  WEXITSTATUS(status));
	return 0;
}
