/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for QEMU in test_vm.c and others: takes the same command line, and what it does is the
 * word that it gets as the kernel's command line (-append), or, when it is to be restored, as
 * FAKE_QEMU in its environment. What stands in it behind a | is what a guest writes where it stands
 * still; with "+work" at its end the main thread has something to do after it told the registers.
 * "record" and "failing" write to COM1 all that they are told. "ends:" ends over a machine
 * that comes in, with the words behind it, or by a signal where there are none.
 */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake {
	const char *mode;
	bool is_recorder;
	const char *initrd;
	int qmp_fd;
	char **argv;
};

static bool is_mode(const struct fake *fake, const char *mode)
{
	return strcmp(fake->mode, mode) == 0;
}

/* The descriptor of "-chardev socket,id=@id,fd=N". */
static int channel(const struct fake *fake, const char *id)
{
	char start[64];
	size_t length;

	(void)snprintf(start, sizeof(start), "socket,id=%s,fd=", id);
	length = strlen(start);
	for (char **word = fake->argv; *word; word++)
		if (strncmp(*word, start, length) == 0)
			return (int)strtol(*word + length, NULL, 10);
	return -1;
}

static void say_event(const struct fake *fake, const char *name, const char *reason)
{
	dprintf(fake->qmp_fd,
		"{\"timestamp\": {\"seconds\": 1}, \"event\": \"%s\", \"data\": {\"reason\": "
		"\"%s\"}}\r\n",
		name, reason);
}

/* A machine comes and goes in two steps. */
static void answer_migration(const struct fake *fake, const char *command, long long id)
{
	static bool has_begun;
	const char *status = strcmp(command, "query-status") == 0
				     ? (has_begun ? "paused" : "inmigrate")
				     : (has_begun ? "completed" : "active");

	if (is_mode(fake, "failing") && has_begun)
		status = strcmp(command, "query-status") == 0 ? "internal-error" : "failed";
	has_begun = true;
	dprintf(fake->qmp_fd,
		"{\"return\": {\"status\": \"%s\", \"error-desc\": \"no luck\"}, \"id\": %lld}\r\n",
		status, id);
}

/* Long enough to be seen. */
static void work(void)
{
	const struct timespec pause = { .tv_nsec = 150000000 };

	(void)nanosleep(&pause, NULL);
}

static void answer(const struct fake *fake, const json_t *message)
{
	const char *command = json_string_value(json_object_get(message, "execute"));
	long long id = json_integer_value(json_object_get(message, "id"));

	if (strcmp(command, "stop") == 0 && strcmp(fake->mode, "refuse") == 0) {
		dprintf(fake->qmp_fd, "{\"error\": {\"desc\": \"not now\"}, \"id\": %lld}\r\n", id);
		return;
	}
	if (strcmp(command, "migrate-incoming") == 0 && strncmp(fake->mode, "ends:", 5) == 0) {
		if (!fake->mode[5])
			(void)raise(SIGKILL);
		fprintf(stderr, "%s\n", fake->mode + 5);
		exit(1);
	}
	if (strcmp(command, "stop") == 0)
		say_event(fake, "STOP", "");
	if (strcmp(command, "quit") == 0)
		say_event(fake, "SHUTDOWN", "host-qmp-quit");
	if (fake->is_recorder && strncmp(command, "query-", 6) == 0)
		answer_migration(fake, command, id);
	else if (strcmp(command, "query-status") == 0)
		dprintf(fake->qmp_fd, "{\"return\": {\"status\": \"%s\"}, \"id\": %lld}\r\n",
			fake->mode + strlen("status:"), id);
	else if (strcmp(command, "human-monitor-command") == 0 &&
		 strncmp(fake->mode, "human:", 6) == 0)
		dprintf(fake->qmp_fd, "{\"return\": \"%.*s\\r\\n\", \"id\": %lld}\r\n",
			(int)strcspn(fake->mode + strlen("human:"), "|"),
			fake->mode + strlen("human:"), id);
	else
		dprintf(fake->qmp_fd, "{\"return\": {}, \"id\": %lld}\r\n", id);
	if (strcmp(command, "human-monitor-command") == 0 && strstr(fake->mode, "+work"))
		work();
	if (strcmp(command, "qmp_capabilities") == 0 && strncmp(fake->mode, "status:", 7) == 0)
		say_event(fake, "STOP", "");
	if (strcmp(command, "qmp_capabilities") == 0 && strncmp(fake->mode, "reason:", 7) == 0)
		say_event(fake, "SHUTDOWN", fake->mode + 7);
	if (strcmp(command, "qmp_capabilities") == 0 && strncmp(fake->mode, "event:", 6) == 0)
		say_event(fake, fake->mode + 6, "");
	if (strcmp(command, "qmp_capabilities") == 0 && strcmp(fake->mode, "garbage") == 0)
		dprintf(fake->qmp_fd, "garbage\n");
	if (strcmp(command, "quit") == 0)
		exit(0);
}

/* As QEMU's main thread does: in ppoll(). */
static bool next_line(FILE *in, char *line, int size)
{
	struct pollfd poll_fd = { .fd = fileno(in), .events = POLLIN };

	return ppoll(&poll_fd, 1, NULL, NULL) > 0 && fgets(line, size, in);
}

static void serve(const struct fake *fake)
{
	FILE *in = fdopen(fake->qmp_fd, "r");
	char line[4096];

	/* Nothing of the next one is read yet. */
	setvbuf(in, NULL, _IONBF, 0);
	dprintf(fake->qmp_fd, "{\"QMP\": {\"version\": %s, \"capabilities\": []}}\r\n",
		is_mode(fake, "record 10") ? "{\"qemu\": {\"major\": 10}}" : "{}");
	while (next_line(in, line, sizeof(line))) {
		if (fake->is_recorder)
			dprintf(channel(fake, "com1"), "%s", line);
		json_t *message = json_loads(line, 0, NULL);

		answer(fake, message);
		json_decref(message);
	}
}

static void copy_initrd(const struct fake *fake)
{
	int from = open(fake->initrd, O_RDONLY), to = channel(fake, "bulk");
	char bytes[4096];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			exit(9);
}

/* A guest that stands still: its one thread writes to a port, and waits where nobody reads. */
static void *stand_still(void *arg)
{
	const struct fake *fake = arg;
	int fd = channel(fake, "freeze");
	const char *bytes = strchr(fake->mode, '|') + 1;

	for (int i = 0;; i++) {
		struct iovec part = { .iov_base = (void *)(uintptr_t)(*bytes ? bytes : "."),
				      .iov_len = 1 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

		if (i == 100 || *bytes == '!' || sendmsg(fd, &message, MSG_NOSIGNAL) != 1)
			return NULL;
		bytes += *bytes != '\0';
	}
}

/* What a program inherits, as a line of words on the bulk port. */
static void report(const struct fake *fake)
{
	struct sigaction action;
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64] = "";
	sigset_t mask;
	int fds = 0;

	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)sigaction(SIGINT, NULL, &action);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && atol(entry->d_name) != dirfd(folder))
			fds++;
	(void)!readlink("/proc/self/fd/0", target, sizeof(target) - 1);
	dprintf(channel(fake, "bulk"), "group=%s blocked=%d ignored=%d fds=%d stdin=%s\n",
		getpgrp() == getpid() ? "own" : "other", sigismember(&mask, SIGTERM),
		action.sa_handler == SIG_IGN, fds, target);
}

int main(int argc, char **argv)
{
	static const char *const ids[] = { "com1", "com2", "console", "bulk", "stats" };
	struct fake fake = { .argv = argv };
	pthread_t thread;

	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "-append") == 0)
			fake.mode = argv[i + 1];
		if (strcmp(argv[i], "-initrd") == 0)
			fake.initrd = argv[i + 1];
	}
	if (!fake.mode)
		fake.mode = getenv("FAKE_QEMU") ? getenv("FAKE_QEMU") : "";
	fake.is_recorder = is_mode(&fake, "record") || is_mode(&fake, "record 10") ||
			   is_mode(&fake, "failing");
	fake.qmp_fd = channel(&fake, "qmp");
	if (strcmp(fake.mode, "bad option") == 0) {
		fprintf(stderr, "fake: \033bad option\nfake: see its manual\n");
		return 1;
	}
	if (strcmp(fake.mode, "silent") == 0)
		return 3;
	if (strcmp(fake.mode, "killed") == 0)
		(void)raise(SIGKILL);
	if (strcmp(fake.mode, "hang up") == 0)
		(void)close(fake.qmp_fd);
	if (strcmp(fake.mode, "channels") == 0)
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
			dprintf(channel(&fake, ids[i]), "this is %s\n", ids[i]);
	if (strcmp(fake.mode, "initrd") == 0)
		copy_initrd(&fake);
	if (strcmp(fake.mode, "report") == 0)
		report(&fake);
	if (channel(&fake, "freeze") >= 0 && strchr(fake.mode, '|'))
		(void)pthread_create(&thread, NULL, stand_still, &fake);
	if (strcmp(fake.mode, "idle") != 0 && strcmp(fake.mode, "hang up") != 0)
		serve(&fake);
	for (;;)
		(void)pause();
}
