/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "judge/request.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

/* Above every descriptor that the program gets, so that none is overwritten while they move. */
#define FD_ASIDE 32

struct child_fds {
	int fds[REQUEST_FD_COUNT];
};

static void set_limit(int resource, uint64_t value)
{
	const struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

	(void)setrlimit((__rlimit_resource_t)resource, &limit); /* a lower one is there already */
}

/* In the child, between fork and exec: only calls that are safe there. */
static void become_judge(const char *program, struct child_fds *child, uint64_t memory_bytes,
			 pid_t parent)
{
	char *const argv[] = { (char *)"ktstr-judge", NULL };
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN); /* a write to a file fails instead */
	for (int i = 0; i < REQUEST_FD_COUNT; i++) {
		child->fds[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, FD_ASIDE);
		if (child->fds[i] < 0)
			_exit(127);
	}
	for (int i = 0; i < REQUEST_FD_COUNT; i++)
		if (dup2(child->fds[i], i) < 0)
			_exit(127);
	(void)close_range(REQUEST_FD_COUNT, ~0u, 0);
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_FSIZE, 0);
	if (memory_bytes > 0 && !IS_SANITIZED)
		set_limit(RLIMIT_AS, memory_bytes);
	(void)execv(program, argv);
	_exit(127);
}

static int make_pipe(int *ret_read, int *ret_write)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = pair[0];
	*ret_write = pair[1];
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int spawn_judge(const char *program, int runfile_fd, int request_fd, uint64_t memory_bytes,
		struct spawned *ret, struct ktstr_error *err)
{
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int result_read = -1, result_write = -1;
	_cleanup_close_ int output_read = -1, output_write = -1;
	pid_t parent = getpid(), pid;
	int rc = null_fd < 0 ? -errno : 0;

	if (rc == 0)
		rc = make_pipe(&result_read, &result_write);
	if (rc == 0)
		rc = make_pipe(&output_read, &output_write);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot make pipes for '%s': %s", program,
				  strerror(-rc));
	if (access(program, X_OK) < 0)
		return ktstr_fail(err, -errno, "cannot run '%s': %s; is ktstr installed whole?",
				  program, strerror(errno));
	pid = fork();
	if (pid == 0) {
		struct child_fds child = { .fds = {
						   [STDIN_FILENO] = null_fd,
						   [STDOUT_FILENO] = output_write,
						   [STDERR_FILENO] = output_write,
						   [REQUEST_FD_RUNFILE] = runfile_fd,
						   [REQUEST_FD_REQUEST] = request_fd,
						   [REQUEST_FD_RESULT] = result_write,
					   } };

		become_judge(program, &child, memory_bytes, parent);
	}
	if (pid < 0)
		return ktstr_fail(err, -errno, "cannot start '%s': %s", program, strerror(errno));
	(void)setpgid(pid, pid); /* whoever comes first */
	*ret = (struct spawned){ .pid = pid, .result_fd = -1, .output_fd = -1 };
	ret->pid_fd = pidfd_open(pid, 0);
	if (ret->pid_fd < 0) {
		rc = -errno;
		(void)spawn_collect(ret);
		return ktstr_fail(err, rc, "cannot watch '%s': %s", program, strerror(-rc));
	}
	ret->result_fd = steal_fd(&result_read);
	ret->output_fd = steal_fd(&output_read);
	return 0;
}

int spawn_collect(struct spawned *spawned)
{
	int status = 0;

	/* The process is not collected yet, so the number of its group is still its own. */
	(void)kill(-spawned->pid, SIGKILL);
	(void)kill(spawned->pid, SIGKILL);
	while (waitpid(spawned->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (spawned->pid_fd >= 0)
		(void)close(spawned->pid_fd);
	spawned->pid_fd = -1;
	return status;
}
