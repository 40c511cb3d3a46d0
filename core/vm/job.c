/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/job.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/crc_file.h"
#include "wire/job_area.h"

#define MIB (UINT64_C(1) << 20)

static int write_head(int fd, const struct job_area *head, struct ktstr_error *err)
{
	if (ftruncate(fd, (off_t)JOB_AREA_BYTES) < 0 ||
	    pwrite(fd, head, sizeof(*head), (off_t)JOB_AREA_AT) != (ssize_t)sizeof(*head))
		return ktstr_fail(err, -errno, "cannot keep the job in memory: %s",
				  strerror(errno));
	return 0;
}

int job_publish(int fd, uint64_t length, uint64_t seed, struct ktstr_error *err)
{
	struct job_area head = { .magic = JOB_AREA_MAGIC,
				 .version = JOB_AREA_VERSION,
				 .has_job = 1,
				 .length = length,
				 .seed = seed };
	uint64_t there = 0;
	int rc;

	if (length > JOB_AREA_ARCHIVE_MAX)
		return ktstr_fail(err, -EFBIG,
				  "the plugins and files of this run have %" PRIu64
				  " MiB, at most %" PRIu64 " MiB can be sent to the VM",
				  length / MIB + 1, JOB_AREA_ARCHIVE_MAX / MIB);
	rc = crc_file(fd, length, &head.crc32, &there);
	if (rc == 0 && there < length)
		rc = -ENODATA;
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot read the archive of the job: %s", strerror(-rc));
	return write_head(fd, &head, err);
}

static int read_head(int fd, struct job_area *ret)
{
	ssize_t n = pread(fd, ret, sizeof(*ret), (off_t)JOB_AREA_AT);

	return n == (ssize_t)sizeof(*ret) ? 0 : n < 0 ? -errno : -ENODATA;
}

int job_checksum(int fd, uint32_t *ret)
{
	struct job_area head;
	int rc = read_head(fd, &head);

	if (rc == 0)
		*ret = head.crc32;
	return rc;
}

int job_new_empty(int *ret_fd, struct ktstr_error *err)
{
	const struct job_area head = { .magic = JOB_AREA_MAGIC, .version = JOB_AREA_VERSION };
	_cleanup_close_ int fd = memfd_create("ktstr-job", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot make memory for the job: %s",
				  strerror(errno));
	rc = write_head(fd, &head, err);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

bool job_is_awaited(int fd)
{
	struct job_area head;

	return read_head(fd, &head) == 0 && head.is_ready == 1;
}
