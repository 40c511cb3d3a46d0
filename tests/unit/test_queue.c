/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/queue.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static char folder[64];
static int folder_fd = -1;
static struct ktstr_error err;

static void setup(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/ktstr-queue-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folder_fd, 0);
}

static void teardown(void)
{
	char command[100];

	(void)close(folder_fd);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(queue, .init = setup, .fini = teardown, .timeout = 30);

static struct queue *new_queue(void)
{
	struct queue *queue = NULL;

	cr_assert_eq(queue_open(folder_fd, &queue, &err), 0, "%s", err.text);
	return queue;
}

static void lock(struct queue *queue)
{
	cr_assert_eq(queue_lock(queue, &err), 0, "%s", err.text);
}

/* Somebody of the size @threads; its ticket. */
static uint64_t enter(struct queue *queue, uint32_t threads)
{
	struct queue_entry entry = { .threads = threads, .pid = (int32_t)getpid() };

	lock(queue);
	cr_assert_eq(queue_enter(queue, &entry, &err), 0, "%s", err.text);
	queue_unlock(queue);
	return entry.ticket;
}

static size_t look(struct queue *queue, struct queue_entry entries[QUEUE_PLACES])
{
	size_t count;

	lock(queue);
	count = queue_read(queue, entries);
	queue_unlock(queue);
	return count;
}

/* A process that takes a place, says so, and stays. */
static pid_t start_holder(uint32_t threads)
{
	int ends[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct queue_entry entry = { .threads = threads, .pid = (int32_t)getpid() };
		struct queue *queue;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (queue_open(folder_fd, &queue, &err) < 0 || queue_lock(queue, &err) < 0 ||
		    queue_enter(queue, &entry, &err) < 0)
			_exit(9);
		queue_unlock(queue);
		if (write(ends[1], "x", 1) != 1)
			_exit(9);
		for (;;)
			(void)pause();
	}
	(void)close(ends[1]);
	cr_assert_eq(read(ends[0], &byte, 1), 1, "the holder has no place");
	(void)close(ends[0]);
	return pid;
}

static void kill_holder(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(queue, shows_others_in_the_order_in_which_they_came)
{
	struct queue *queues[4];
	struct queue_entry entries[QUEUE_PLACES];
	uint64_t last = 0;

	for (uint32_t i = 0; i < 4; i++) {
		uint64_t ticket;

		queues[i] = new_queue();
		ticket = enter(queues[i], i + 1);
		cr_assert_gt(ticket, last);
		last = ticket;
	}
	/* The second leaves, and a new one takes its place in the file, but not in the order. */
	queue_free(queues[1]);
	queues[1] = new_queue();
	cr_assert_gt(enter(queues[1], 5), last);
	cr_assert_eq(look(queues[0], entries), 3);
	cr_assert_eq(entries[0].threads, 3);
	cr_assert_eq(entries[1].threads, 4);
	cr_assert_eq(entries[2].threads, 5);
	for (uint32_t i = 0; i < 4; i++)
		queue_free(queues[i]);
}

Test(queue, has_nobody_at_first_and_nobody_at_last)
{
	struct queue_entry entries[QUEUE_PLACES];
	struct queue *queue = new_queue();
	struct queue *other = new_queue();

	cr_assert_eq(look(queue, entries), 0);
	(void)enter(other, 1);
	cr_assert_eq(look(queue, entries), 1);
	queue_free(other);
	cr_assert_eq(look(queue, entries), 0);
	queue_free(queue);
	queue_free(NULL);
}

Test(queue, shows_what_others_write)
{
	struct queue_entry entries[QUEUE_PLACES], entry = { .threads = 1 };
	struct queue *queue = new_queue(), *other = new_queue();

	lock(other);
	cr_assert_eq(queue_enter(other, &entry, &err), 0, "%s", err.text);
	entry.is_running = true;
	entry.vm_pid = 77;
	entry.memory_bytes = 1234;
	cr_assert_eq(queue_update(other, &entry, &err), 0, "%s", err.text);
	queue_unlock(other);
	cr_assert_eq(look(queue, entries), 1);
	cr_assert_eq(memcmp(&entries[0], &entry, sizeof(entry)), 0);
	queue_free(other);
	queue_free(queue);
}

Test(queue, forgets_processes_that_were_killed)
{
	struct queue_entry entries[QUEUE_PLACES];
	struct queue *queue = new_queue();
	pid_t first = start_holder(1), second = start_holder(2);

	cr_assert_eq(look(queue, entries), 2);
	cr_assert_eq(entries[0].pid, first);
	kill_holder(first);
	cr_assert_eq(look(queue, entries), 1);
	cr_assert_eq(entries[0].pid, second);
	kill_holder(second);
	cr_assert_eq(look(queue, entries), 0);
	queue_free(queue);
}

Test(queue, is_for_one_at_a_time)
{
	struct queue *queue = new_queue(), *other = new_queue();

	lock(queue);
	cr_assert_eq(queue_lock(other, &err), -EAGAIN);
	queue_unlock(queue);
	lock(other);
	queue_free(other); /* as when it is killed at that moment */
	lock(queue);
	queue_unlock(queue);
	queue_free(queue);
}

Test(queue, has_an_end)
{
	struct queue *queues[QUEUE_PLACES], *late = new_queue();
	struct queue_entry entry = { 0 };

	for (uint32_t i = 0; i < QUEUE_PLACES; i++) {
		queues[i] = new_queue();
		(void)enter(queues[i], 1);
	}
	lock(late);
	cr_assert_eq(queue_enter(late, &entry, &err), -ENOSPC);
	cr_assert_str_eq(err.text, "more than 256 VMs run or wait already");
	queue_unlock(late);
	queue_free(queues[100]);
	queues[100] = NULL;
	(void)enter(late, 1);
	queue_free(late);
	for (uint32_t i = 0; i < QUEUE_PLACES; i++)
		queue_free(queues[i]);
}

static void write_file(const void *bytes, size_t length)
{
	_cleanup_close_ int fd =
		openat(folder_fd, "vms-1", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
}

Test(queue, works_with_a_file_that_was_damaged)
{
	struct queue_entry entries[QUEUE_PLACES];
	struct queue *queue = new_queue(), *other = new_queue();
	char garbage[3000];

	memset(garbage, 0xff, sizeof(garbage));
	write_file(garbage, sizeof(garbage));
	cr_assert_eq(look(queue, entries), 0, "nobody holds these places");
	cr_assert_eq(enter(other, 3), 1);
	write_file("", 0);
	cr_assert_eq(look(queue, entries), 0, "what it was is gone");
	cr_assert_eq(enter(queue, 1), 1);
	queue_free(other);
	queue_free(queue);
}

/* What the environment says, what is usual, and where there is neither. */
static int open_folder(const char *named, const char *usual, const char *fallback)
{
	const char *const folders[QUEUE_RUNTIME_FOLDERS] = { named, usual };

	return queue_open_folder(folders, fallback, &err);
}

Test(queue, prefers_the_runtime_folder)
{
	char usual[100], fallback[100];
	int fd;

	(void)snprintf(usual, sizeof(usual), "%s/usual", folder);
	(void)snprintf(fallback, sizeof(fallback), "%s/fallback", folder);
	cr_assert_eq(mkdir(usual, 0700), 0);
	fd = open_folder(folder, usual, fallback);
	cr_assert_geq(fd, 0, "%s", err.text);
	(void)close(fd);
	cr_assert_eq(faccessat(folder_fd, "ktstr", F_OK, 0), 0);
	cr_assert_lt(faccessat(folder_fd, "usual/ktstr", F_OK, 0), 0);
	cr_assert_lt(faccessat(folder_fd, "fallback", F_OK, 0), 0);
}

Test(queue, finds_the_usual_folder_without_the_variable)
{
	const char *missing[] = { NULL, "", "relative", "/does/not/exist", "/dev/null" };
	char fallback[100];

	(void)snprintf(fallback, sizeof(fallback), "%s/fallback", folder);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		int fd = open_folder(missing[i], folder, fallback);

		cr_assert_geq(fd, 0, "%s", err.text);
		(void)close(fd);
		cr_assert_eq(unlinkat(folder_fd, "ktstr", AT_REMOVEDIR), 0);
		cr_assert_lt(faccessat(folder_fd, "fallback", F_OK, 0), 0);
	}
}

Test(queue, does_without_a_runtime_folder)
{
	const char *missing[] = { NULL, "", "relative", "/does/not/exist", "/dev/null" };
	char fallback[100];

	(void)snprintf(fallback, sizeof(fallback), "%s/fallback", folder);
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		int fd = open_folder(missing[i], missing[i], fallback);

		cr_assert_geq(fd, 0, "%s", err.text);
		(void)close(fd);
		cr_assert_eq(unlinkat(folder_fd, "fallback", AT_REMOVEDIR), 0);
	}
}

Test(queue, trusts_no_folder_that_others_may_write_to)
{
	char path[100];

	(void)snprintf(path, sizeof(path), "%s/open", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(open_folder(NULL, NULL, path), -EPERM);
	cr_assert(strstr(err.text, "open' may be written by others"), "%s", err.text);
}

Test(queue, follows_no_link)
{
	char path[100];

	(void)snprintf(path, sizeof(path), "%s/link", folder);
	cr_assert_eq(symlink(folder, path), 0);
	cr_assert_lt(open_folder(NULL, NULL, path), 0);
	cr_assert(strstr(err.text, "cannot open folder '"), "%s", err.text);
	cr_assert_eq(symlinkat("/etc/passwd", folder_fd, "vms-1"), 0);
	cr_assert_eq(queue_open(folder_fd, &(struct queue *){ NULL }, &err), -ELOOP);
}

Test(queue, trusts_no_folder_of_somebody_else)
{
	char path[100];

	if (geteuid() != 0)
		cr_skip("only root can give a folder away");
	(void)snprintf(path, sizeof(path), "%s/other", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(chown(path, 65534, 65534), 0);
	cr_assert_eq(open_folder(NULL, NULL, path), -EPERM);
	cr_assert(strstr(err.text, "other' belongs to user 65534"), "%s", err.text);
}
