/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/queue.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* The number changes with the layout: who knows another one must not read this file. */
#define FILE_NAME "vms-1"
#define NO_PLACE UINT32_MAX
/* Bytes that are locked lie far behind those that are written: that of the file, then of places. */
#define LOCK_ALL ((off_t)1 << 32)
#define LOCK_PLACE (LOCK_ALL + 1)

static_assert(sizeof(struct queue_entry) == 48, "entries have no holes");

struct table {
	struct queue_entry places[QUEUE_PLACES];
};

struct queue {
	int fd;
	uint32_t place;
	bool is_locked;
	struct table table; /* as it was when the queue was locked */
};

static int file_error(struct ktstr_error *err, int error)
{
	return ktstr_fail(err, -error, "cannot use the list of running VMs: %s", strerror(error));
}

/* Nobody else may write there, or put something else in its place. */
static int check_owner(int fd, const char *what, struct ktstr_error *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return file_error(err, errno);
	if (status.st_uid != geteuid())
		return ktstr_fail(err, -EPERM, "'%s' belongs to user %u", what, status.st_uid);
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return ktstr_fail(err, -EPERM, "'%s' may be written by others", what);
	return 0;
}

static int open_folder(const char *path, struct ktstr_error *err)
{
	_cleanup_close_ int fd = -1;
	int rc;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ktstr_fail(err, -errno, "cannot make folder '%s': %s", path,
				  strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open folder '%s': %s", path,
				  strerror(errno));
	rc = check_owner(fd, path, err);
	return rc < 0 ? rc : steal_fd(&fd);
}

static bool is_ours(const char *path)
{
	struct stat status;

	return path && path[0] == '/' && stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
	       status.st_uid == geteuid();
}

int queue_open_folder(const char *const runtime_folders[QUEUE_RUNTIME_FOLDERS],
		      const char *fallback, struct ktstr_error *err)
{
	for (size_t i = 0; i < QUEUE_RUNTIME_FOLDERS; i++) {
		_cleanup_free_ char *path = NULL;
		int fd;

		if (!is_ours(runtime_folders[i]))
			continue;
		path = str_format("%s/ktstr", runtime_folders[i]);
		if (!path)
			return file_error(err, ENOMEM);
		fd = open_folder(path, err);
		if (fd >= 0)
			return fd;
	}
	return open_folder(fallback, err);
}

int queue_open(int folder_fd, struct queue **ret, struct ktstr_error *err)
{
	_cleanup_close_ int fd = openat(
		folder_fd, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct queue *queue;
	int rc;

	if (fd < 0)
		return file_error(err, errno);
	rc = check_owner(fd, FILE_NAME, err);
	if (rc < 0)
		return rc;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return file_error(err, ENOMEM);
	queue->fd = steal_fd(&fd);
	queue->place = NO_PLACE;
	*ret = queue;
	return 0;
}

static int set_lock(const struct queue *queue, int command, short type, off_t at)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(queue->fd, command, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? 1 : 0;
}

static bool is_alive(const struct queue *queue, uint32_t place)
{
	return set_lock(queue, F_OFD_GETLK, F_WRLCK, LOCK_PLACE + place) != 0;
}

int queue_lock(struct queue *queue, struct ktstr_error *err)
{
	struct table *table = &queue->table;
	int rc = set_lock(queue, F_OFD_SETLK, F_WRLCK, LOCK_ALL);
	ssize_t n;

	if (rc < 0)
		return file_error(err, -rc);
	queue->is_locked = true;
	/* What is missing is empty: the first one finds nothing. */
	memset(table, 0, sizeof(*table));
	n = pread(queue->fd, table, sizeof(*table), 0);
	if (n >= 0)
		return 0;
	rc = file_error(err, errno);
	queue_unlock(queue);
	return rc;
}

void queue_unlock(struct queue *queue)
{
	/* It can only fail for a descriptor that is none. */
	(void)set_lock(queue, F_OFD_SETLK, F_UNLCK, LOCK_ALL);
	queue->is_locked = false;
}

static int by_ticket(const void *a, const void *b)
{
	const struct queue_entry *first = a, *second = b;

	return (first->ticket > second->ticket) - (first->ticket < second->ticket);
}

size_t queue_read(struct queue *queue, struct queue_entry ret[QUEUE_PLACES])
{
	size_t count = 0;

	assert(queue->is_locked);
	for (uint32_t i = 0; i < QUEUE_PLACES; i++)
		if (i != queue->place && queue->table.places[i].ticket != 0 && is_alive(queue, i))
			ret[count++] = queue->table.places[i];
	qsort(ret, count, sizeof(*ret), by_ticket);
	return count;
}

static int write_at(const struct queue *queue, const void *bytes, size_t length, size_t at,
		    struct ktstr_error *err)
{
	ssize_t n = pwrite(queue->fd, bytes, length, (off_t)at);

	if (n == (ssize_t)length)
		return 0;
	return file_error(err, n < 0 ? errno : ENOSPC);
}

int queue_enter(struct queue *queue, struct queue_entry *entry, struct ktstr_error *err)
{
	uint64_t last = 0;
	uint32_t place = 0;
	int rc;

	assert(queue->is_locked && queue->place == NO_PLACE);
	while (place < QUEUE_PLACES && is_alive(queue, place))
		place++;
	if (place == QUEUE_PLACES)
		return ktstr_fail(err, -ENOSPC, "more than %u VMs run or wait already",
				  QUEUE_PLACES);
	for (uint32_t i = 0; i < QUEUE_PLACES; i++)
		if (queue->table.places[i].ticket > last && is_alive(queue, i))
			last = queue->table.places[i].ticket;
	rc = set_lock(queue, F_OFD_SETLK, F_WRLCK, LOCK_PLACE + place);
	if (rc < 0)
		return file_error(err, -rc);
	queue->place = place;
	entry->ticket = last < UINT64_MAX ? last + 1 : last;
	return queue_update(queue, entry, err);
}

int queue_update(struct queue *queue, const struct queue_entry *entry, struct ktstr_error *err)
{
	assert(queue->is_locked && queue->place != NO_PLACE);
	return write_at(queue, entry, sizeof(*entry), offsetof(struct table, places[queue->place]),
			err);
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	/* Closing alone would not do where a child has the descriptor, too, before it runs its
	 * program. What was written need not last. */
	if (queue->place != NO_PLACE)
		(void)set_lock(queue, F_OFD_SETLK, F_UNLCK, LOCK_PLACE + queue->place);
	if (queue->is_locked)
		queue_unlock(queue);
	(void)close(queue->fd);
	free(queue);
}
