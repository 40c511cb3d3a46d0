/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/job.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/crc_file.h"
#include "wire/frame.h"
#include "wire/freeze.h"
#include "wire/job_area.h"

#define MIB (UINT64_C(1) << 20)

static const struct job_area empty = { .magic = JOB_AREA_MAGIC,
				       .version = JOB_AREA_VERSION,
				       .stop_after = JOB_AREA_NEVER };

static int write_head(int fd, const struct job_area *head, struct ktstr_error *err)
{
	if (ftruncate(fd, (off_t)JOB_AREA_BYTES) < 0 ||
	    pwrite(fd, head, sizeof(*head), (off_t)JOB_AREA_AT) != (ssize_t)sizeof(*head))
		return ktstr_fail(err, -errno, "cannot keep the job in memory: %s",
				  strerror(errno));
	return 0;
}

int job_archive_check(struct job_archive *archive, struct ktstr_error *err)
{
	uint64_t there = 0;
	int rc = crc_file(archive->fd, archive->length, &archive->crc32, &there);

	if (rc == 0 && there < archive->length)
		rc = -ENODATA;
	return rc < 0 ? ktstr_fail(err, rc, "cannot read the archive of the job: %s", strerror(-rc))
		      : 0;
}

/* Copy it to @offset of @fd, and say in @head that it is there. */
static int add_archive(int fd, const struct job_archive *archive, uint64_t offset,
		       struct job_area_part *ret, struct ktstr_error *err)
{
	uint64_t end = archive->length;
	off_t at = 0;

	if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
		return ktstr_fail(err, -errno, "cannot keep the job in memory: %s",
				  strerror(errno));
	while ((uint64_t)at < end) {
		ssize_t n = sendfile(fd, archive->fd, &at, (size_t)(end - (uint64_t)at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ktstr_fail(err, n < 0 ? -errno : -ENODATA,
					  "cannot keep the job in memory: %s",
					  strerror(n < 0 ? errno : ENODATA));
	}
	*ret = (struct job_area_part){
		.offset = offset, .length = end, .crc32 = archive->crc32, .is_there = 1
	};
	return 0;
}

int job_publish(const struct job_archive *scenario, const struct job_archive *scheduler,
		uint64_t seed, struct ktstr_error *err)
{
	uint64_t offset = (scenario->length + JOB_AREA_PAGE - 1) / JOB_AREA_PAGE * JOB_AREA_PAGE;
	uint64_t length = scenario->length + scheduler->length;
	struct job_area head = empty;
	int rc;

	if (length > JOB_AREA_ARCHIVE_MAX)
		return ktstr_fail(err, -EFBIG,
				  "the plugins and files of this run have %" PRIu64
				  " MiB, at most %" PRIu64 " MiB can be sent to the VM",
				  length / MIB + 1, JOB_AREA_ARCHIVE_MAX / MIB);
	head.seed = seed;
	head.parts[JOB_AREA_SCENARIO] = (struct job_area_part){ .length = scenario->length,
								.crc32 = scenario->crc32,
								.is_there = 1 };
	rc = add_archive(scenario->fd, scheduler, offset, &head.parts[JOB_AREA_SCHEDULER], err);
	return rc == 0 ? write_head(scenario->fd, &head, err) : rc;
}

static int read_head(int fd, struct job_area *ret)
{
	return pread(fd, ret, sizeof(*ret), (off_t)JOB_AREA_AT) == (ssize_t)sizeof(*ret) ? 0 : -EIO;
}

int job_show_scheduler(int fd, bool is_there, struct ktstr_error *err)
{
	struct job_area head;

	if (read_head(fd, &head) < 0)
		return ktstr_fail(err, -EIO, "cannot read the job");
	head.parts[JOB_AREA_SCHEDULER].is_there = is_there;
	return write_head(fd, &head, err);
}

int job_show_freeze_port(int fd, struct ktstr_error *err)
{
	struct job_area head;

	if (read_head(fd, &head) < 0)
		return ktstr_fail(err, -EIO, "cannot read the job");
	head.freeze_port = WIRE_FREEZE_PORT;
	return write_head(fd, &head, err);
}

int job_stop_after(int fd, uint64_t frames, struct ktstr_error *err)
{
	struct job_area head;

	if (read_head(fd, &head) < 0)
		return ktstr_fail(err, -EIO, "cannot read the job");
	head.stop_after = frames;
	return write_head(fd, &head, err);
}

int job_checksum(int fd, uint32_t *ret)
{
	uint32_t crcs[JOB_AREA_PARTS];
	struct job_area head;
	int rc = read_head(fd, &head);

	for (size_t i = 0; i < JOB_AREA_PARTS; i++)
		crcs[i] = head.parts[i].crc32;
	if (rc == 0)
		*ret = wire_crc32(0, crcs, sizeof(crcs));
	return rc;
}

int job_new(const struct job_archive *scheduler, int *ret_fd, struct ktstr_error *err)
{
	_cleanup_close_ int fd = memfd_create("ktstr-job", MFD_CLOEXEC);
	struct job_area head = empty;
	int rc = 0;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot make memory for the job: %s",
				  strerror(errno));
	if (scheduler)
		rc = add_archive(fd, scheduler, 0, &head.parts[JOB_AREA_SCHEDULER], err);
	if (rc == 0)
		rc = write_head(fd, &head, err);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

uint32_t job_state(int fd)
{
	struct job_area head;

	return read_head(fd, &head) == 0 ? head.state : 0;
}

int job_answer(int fd, uint32_t number, const void *frames, size_t length, struct ktstr_error *err)
{
	const struct job_replies head = { .number = number, .length = (uint32_t)length };

	if (length > JOB_REPLIES_MAX)
		return ktstr_fail(err, -EFBIG, "the answers have %zu bytes, at most %zu fit",
				  length, (size_t)JOB_REPLIES_MAX);
	if (pwrite(fd, frames, length, (off_t)(JOB_REPLIES_AT + sizeof(head))) != (ssize_t)length ||
	    pwrite(fd, &head, sizeof(head), (off_t)JOB_REPLIES_AT) != (ssize_t)sizeof(head))
		return ktstr_fail(err, -EIO, "cannot write into the memory of the job");
	return 0;
}
