/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "vm/environment.h"

/* How much of stderr is kept: its end says why. */
#define TAIL_MAX 600

struct running {
	pid_t pid;
	int pidfd;
	int out;
	int error;
	struct str output;
	char tail[TAIL_MAX];
	size_t tail_length;
};

/* The file actions and attributes of the child: our end of everything stays closed in it. */
static int spawn_with(const struct command *command, int out, int error, pid_t *ret)
{
	static const char *const dropped[] = { "LC_ALL=", "LANGUAGE=", NULL };
	_cleanup_free_ char **environment = environment_new(dropped, "LC_ALL=C");
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigset_t usual;
	int code;

	if (!environment)
		return -ENOMEM;
	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)sigaddset(&usual, SIGINT);
	(void)sigaddset(&usual, SIGCHLD);
	if (posix_spawn_file_actions_init(&actions))
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes)) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!code)
		code = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (!code)
		code = posix_spawn_file_actions_adddup2(&actions, error, 2);
	if (!code && command->folder)
		code = posix_spawn_file_actions_addchdir_np(&actions, command->folder);
	if (!code)
		code = posix_spawnattr_setsigmask(&attributes, &none);
	if (!code)
		code = posix_spawnattr_setsigdefault(&attributes, &usual);
	if (!code)
		code = posix_spawnattr_setflags(&attributes,
						POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!code)
		code = posix_spawnp(ret, command->argv[0], &actions, &attributes,
				    (char *const *)command->argv, environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -code;
}

static void keep_tail(struct running *running, const char *data, size_t length)
{
	size_t room = sizeof(running->tail) - running->tail_length;

	if (length > sizeof(running->tail)) {
		data += length - sizeof(running->tail);
		length = sizeof(running->tail);
	}
	if (length > room) {
		size_t drop = length - room;

		memmove(running->tail, running->tail + drop, running->tail_length - drop);
		running->tail_length -= drop;
	}
	memcpy(running->tail + running->tail_length, data, length);
	running->tail_length += length;
}

/* Take what is there. 0: maybe more later; 1: the end of the pipe. */
static int drain(struct running *running, int fd, size_t output_max)
{
	char chunk[4096];
	ssize_t got;

	for (;;) {
		got = read(fd, chunk, sizeof(chunk));
		if (got == 0)
			return 1;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (fd == running->error) {
			keep_tail(running, chunk, (size_t)got);
			continue;
		}
		if (running->output.length + (size_t)got > output_max)
			return -EFBIG;
		if (str_add_bytes(&running->output, chunk, (size_t)got))
			return -ENOMEM;
	}
}

/* Until the program itself is gone: its children may keep the pipes open. */
static int follow(struct running *running, const struct command *command)
{
	uint64_t deadline = clock_monotonic_ns() + command->timeout_ms * NS_PER_MS;
	struct pollfd polls[3] = {
		{ .fd = running->pidfd, .events = POLLIN },
		{ .fd = running->out, .events = POLLIN },
		{ .fd = running->error, .events = POLLIN },
	};

	for (;;) {
		uint64_t now = clock_monotonic_ns();
		bool is_gone;

		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(polls, ARRAY_SIZE(polls), (int)((deadline - now) / NS_PER_MS) + 1) < 0 &&
		    errno != EINTR)
			return -errno;
		is_gone = polls[0].revents;
		for (int i = 1; i < 3; i++) {
			int code = polls[i].fd >= 0
					   ? drain(running, polls[i].fd, command->output_max)
					   : 0;

			if (code < 0)
				return code;
			if (code > 0)
				polls[i].fd = -1;
		}
		if (is_gone)
			return 0;
	}
}

/* The end of stderr as one line: "; " between its lines. */
static void tail_text(const struct running *running, char *text, size_t size)
{
	size_t length = running->tail_length;

	while (length && running->tail[length - 1] == '\n')
		length--;
	str_copy_safe(text, size, running->tail, length);
	for (char *c = text; *c; c++) {
		if (*c == '\n')
			*c = ';';
	}
}

static int judge(const struct command *command, struct running *running, int code, int status,
		 struct ktstr_error *err)
{
	const char *name = command->argv[0];
	char tail[TAIL_MAX + 1];

	tail_text(running, tail, sizeof(tail));
	if (code == -ETIMEDOUT)
		return ktstr_fail(err, code, "'%s' was stopped after %.1f s%s%s", name,
				  command->timeout_ms / 1000.0, *tail ? ": " : "", tail);
	if (code == -EFBIG)
		return ktstr_fail(err, code, "'%s' printed more than %zu bytes", name,
				  command->output_max);
	if (code)
		return ktstr_fail(err, code, "cannot read from '%s': %s", name, strerror(-code));
	if (WIFSIGNALED(status))
		return ktstr_fail(err, -EIO, "'%s' died of signal %d%s%s", name, WTERMSIG(status),
				  *tail ? ": " : "", tail);
	if (WEXITSTATUS(status) != 0)
		return ktstr_fail(err, -EIO, "'%s' failed with status %d%s%s", name,
				  WEXITSTATUS(status), *tail ? ": " : "", tail);
	return 0;
}

static int run(const struct command *command, struct running *running, struct ktstr_error *err)
{
	int status = 0;
	int code;

	running->pidfd = pidfd_open(running->pid, 0);
	code = running->pidfd < 0 ? -errno : follow(running, command);
	if (code)
		(void)kill(running->pid, SIGKILL); /* it is ours and not yet reaped */
	while (waitpid(running->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return ktstr_fail(err, -errno, "cannot wait for '%s': %s", command->argv[0],
					  strerror(errno));
	}
	return judge(command, running, code, status, err);
}

int command_run(const struct command *command, char **ret_output, struct ktstr_error *err)
{
	struct running running = { .pidfd = -1 };
	int out[2] = { -1, -1 };
	int error[2] = { -1, -1 };
	int code = 0;

	if (pipe2(out, O_CLOEXEC) || pipe2(error, O_CLOEXEC) ||
	    fcntl(out[0], F_SETFL, O_NONBLOCK) || fcntl(error[0], F_SETFL, O_NONBLOCK)) {
		code = ktstr_fail(err, -errno, "cannot make a pipe: %s", strerror(errno));
		goto close_pipes;
	}
	running.out = out[0];
	running.error = error[0];
	code = spawn_with(command, out[1], error[1], &running.pid);
	if (code) {
		code = ktstr_fail(err, code, "cannot run '%s': %s", command->argv[0],
				  strerror(-code));
		goto close_pipes;
	}
	(void)close(steal_fd(&out[1]));
	(void)close(steal_fd(&error[1]));
	code = run(command, &running, err);
	if (!code && ret_output) {
		if (!running.output.data && str_add(&running.output, ""))
			code = ktstr_fail(err, -ENOMEM, "out of memory");
		else
			*ret_output = steal_ptr(running.output.data);
	}

close_pipes:
	cleanup_close(&running.pidfd);
	for (int i = 0; i < 2; i++) {
		cleanup_close(&out[i]);
		cleanup_close(&error[i]);
	}
	str_done(&running.output);
	return code;
}
