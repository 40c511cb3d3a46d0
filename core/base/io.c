/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static int wait_writable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

int io_write_all(int fd, const void *data, size_t length)
{
	const char *at = data;
	int rc;

	while (length > 0) {
		ssize_t n = write(fd, at, length);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			rc = wait_writable(fd);
			if (rc < 0)
				return rc;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n == 0) {
			return -EIO;
		}
	}
	return 0;
}

int io_read_all(int fd, void *data, size_t length)
{
	char *at = data;

	while (length > 0) {
		ssize_t n = read(fd, at, length);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
		} else if (n == 0) {
			return -ENODATA;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int io_read_file(const char *path, size_t max, char **ret_data, size_t *ret_length,
		 struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t length = 0, size = 0;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	for (;;) {
		ssize_t n;

		if (length + 1 >= size) {
			char *more;

			size = size ? size * 2 : 4096;
			more = realloc(data, size);
			if (!more)
				return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory",
						  path);
			data = more;
		}
		n = read(fd, data + length, size - length - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ktstr_fail(err, -errno, "cannot read '%s': %s", path,
					  strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
		if (length > max)
			return ktstr_fail(err, -EFBIG, "cannot read '%s': larger than %zu bytes",
					  path, max);
	}
	data[length] = '\0';
	*ret_data = steal_ptr(data);
	if (ret_length)
		*ret_length = length;
	return 0;
}

int io_replace_file(const char *path, const void *data, size_t length, struct ktstr_error *err)
{
	_cleanup_free_ char *temporary = str_format("%s.XXXXXX", path);
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int rc;

	if (!temporary)
		return ktstr_fail(err, -ENOMEM, "cannot write '%s': out of memory", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot write '%s': %s", path, strerror(errno));
	mask = umask(0);
	(void)umask(mask);
	rc = io_write_all(fd, data, length);
	if (rc == 0 && fchmod(fd, 0644 & ~mask) < 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(temporary); /* the first error is the one to tell */
		return ktstr_fail(err, rc, "cannot write '%s': %s", path, strerror(-rc));
	}
	return 0;
}

int io_make_dirs(const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return ktstr_fail(err, -ENOMEM, "cannot create '%s': out of memory", path);
	for (char *slash = copy + 1; *copy;) {
		char *end = strchr(slash, '/');

		if (end)
			*end = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return ktstr_fail(err, -errno, "cannot create folder '%s': %s", copy,
					  strerror(errno));
		if (!end)
			break;
		*end = '/';
		slash = end + 1;
	}
	return 0;
}

int io_memfd(const char *name, const void *data, size_t length, struct ktstr_error *err)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot create '%s' in memory: %s", name,
				  strerror(errno));
	rc = io_write_all(fd, data, length);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write '%s' into memory: %s", name,
				  strerror(-rc));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return ktstr_fail(err, -errno, "cannot rewind '%s': %s", name, strerror(errno));
	return steal_fd(&fd);
}

char *io_find_program(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
		size_t length = strcspn(at, ":");
		_cleanup_free_ char *file =
			str_format("%.*s%s%s", (int)length, at, length > 0 ? "/" : "", name);

		if (file && access(file, X_OK) == 0)
			return steal_ptr(file);
		at += length + (at[length] == ':');
	}
	return NULL;
}

void io_drain(int fd)
{
	char bytes[4096];

	(void)!recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}
