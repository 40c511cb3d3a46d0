/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "wire/crc_file.h"
#include "wire/frame.h"

/* The longest text of a kept checksum: a path and some numbers. */
#define TEXT_MAX 8192
/* A file that changed so lately could change again without another time. */
#define SETTLED_NS (2 * NS_PER_S)

static uint64_t time_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

/* What a kept checksum begins with while the file is the same. NULL when out of memory. */
static char *identity_of(const char *path, const struct stat *status)
{
	return str_format("%s\n%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", path,
			  (uint64_t)status->st_size, time_ns(&status->st_mtim),
			  time_ns(&status->st_ctim), (uint64_t)status->st_ino,
			  (uint64_t)status->st_dev);
}

static bool find_kept(const char *kept_path, const char *identity, uint32_t *ret)
{
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored; /* then it is read */
	char *end;
	unsigned long crc;

	if (io_read_file(kept_path, TEXT_MAX, &text, NULL, &ignored) < 0 ||
	    !str_starts(text, identity))
		return false;
	crc = strtoul(text + strlen(identity), &end, 16);
	if (strcmp(end, "\n") != 0 || crc > UINT32_MAX)
		return false;
	*ret = (uint32_t)crc;
	return true;
}

static void keep(const char *cache, const char *kept_path, const char *identity, uint32_t crc)
{
	_cleanup_free_ char *folder = str_format("%s/checksums", cache);
	_cleanup_free_ char *text = str_format("%s%08" PRIx32 "\n", identity, crc);
	struct ktstr_error ignored; /* it is read again next time */

	if (folder && text && strlen(text) < TEXT_MAX && io_make_dirs(folder, &ignored) == 0)
		(void)io_replace_file(kept_path, text, strlen(text), &ignored);
}

static bool is_settled(const struct stat *status)
{
	uint64_t now_ns = clock_now_ns(CLOCK_REALTIME);

	return time_ns(&status->st_mtim) + SETTLED_NS < now_ns &&
	       time_ns(&status->st_ctim) + SETTLED_NS < now_ns;
}

int checksum_file(const char *cache, const char *path, uint32_t *ret, struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *identity = NULL;
	_cleanup_free_ char *kept_path = NULL;
	struct stat status;
	int rc;

	if (fd < 0 || fstat(fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot read '%s': %s", path, strerror(errno));
	identity = identity_of(path, &status);
	kept_path = cache ? str_format("%s/checksums/%08" PRIx32, cache,
				       wire_crc32(0, path, (uint32_t)strlen(path)))
			  : NULL;
	if (!identity || (cache && !kept_path))
		return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", path);
	if (cache && find_kept(kept_path, identity, ret))
		return 0;
	rc = crc_file(fd, UINT64_MAX, ret, NULL);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot read '%s': %s", path, strerror(-rc));
	if (cache && is_settled(&status))
		keep(cache, kept_path, identity, *ret);
	return 0;
}
