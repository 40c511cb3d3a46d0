/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/sched_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "runfile/reader.h"
#include "wire/payload.h"

/* One file that grows; opened when there is something to write. */
struct target {
	char *path;
	int fd;
	uint64_t length;
};

static char *path_beside(const char *run_path, const char *name)
{
	const char *slash = strrchr(run_path, '/');

	return str_format("%.*s%s", slash ? (int)(slash + 1 - run_path) : 0, run_path, name);
}

static int target_add(struct target *target, const void *bytes, size_t length,
		      struct ktstr_error *err)
{
	int rc;

	if (length == 0 || target->length >= SCHED_FILES_MAX)
		return 0;
	if (target->fd < 0) {
		target->fd = open(target->path,
				  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (target->fd < 0)
			return ktstr_fail(err, -errno, "cannot write '%s': %s", target->path,
					  strerror(errno));
	}
	if (length > SCHED_FILES_MAX - target->length)
		length = SCHED_FILES_MAX - target->length;
	rc = io_write_all(target->fd, bytes, length);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write '%s': %s", target->path, strerror(-rc));
	target->length += length;
	return 0;
}

/* An exit's dump is part of its frame. */
static int add_exit(struct target *dump, const void *payload, uint32_t length,
		    struct ktstr_error *err)
{
	struct wire_scx_texts texts;
	struct ktstr_scx_exit left;

	if (wire_decode_scx_exit(payload, length, &left, &texts) < 0)
		return 0;
	return target_add(dump, texts.dump, left.dump_length, err);
}

static int write_all(struct runfile_reader *reader, struct target *log, struct target *dump,
		     struct ktstr_error *err)
{
	struct runfile_record record;
	const void *payload;
	int rc = 0;

	while (rc == 0 && runfile_next(reader, &record, &payload) == 1) {
		if (record.kind != RUNFILE_FRAME || !(record.flags & KTSTR_FRAME_CRC_OK))
			continue;
		if (record.tag == KTSTR_MSG_SCHED_LOG)
			rc = target_add(log, payload, record.length, err);
		else if (record.tag == KTSTR_MSG_SCX_DUMP)
			rc = target_add(dump, payload, record.length, err);
		else if (record.tag == KTSTR_MSG_SCX_EXIT)
			rc = add_exit(dump, payload, record.length, err);
	}
	return rc;
}

static int target_done(struct target *target, int rc, struct ktstr_error *err)
{
	if (target->fd >= 0 && close(target->fd) < 0 && rc == 0)
		rc = ktstr_fail(err, -errno, "cannot write '%s': %s", target->path,
				strerror(errno));
	free(target->path);
	return rc;
}

int sched_files_write(int runfile_fd, const char *run_path, struct ktstr_error *err)
{
	struct target log = { .path = path_beside(run_path, SCHED_FILES_LOG), .fd = -1 };
	struct target dump = { .path = path_beside(run_path, SCHED_FILES_DUMP), .fd = -1 };
	struct runfile_reader *reader = NULL;
	int rc = 0;

	if (!log.path || !dump.path)
		rc = ktstr_fail(err, -ENOMEM,
				"cannot write what the scheduler said: out of "
				"memory");
	if (rc == 0)
		rc = runfile_open_fd(runfile_fd, run_path, &reader, err);
	if (rc == 0)
		rc = write_all(reader, &log, &dump, err);
	runfile_reader_free(reader);
	rc = target_done(&log, rc, err);
	return target_done(&dump, rc, err);
}

/* 0, also where there is none; or -ENOMEM. */
static int find(const char *run_path, const char *name, char **ret)
{
	char *path = path_beside(run_path, name);

	if (!path)
		return -ENOMEM;
	if (access(path, R_OK) == 0)
		*ret = steal_ptr(path);
	free(path);
	return 0;
}

int sched_files_find(const char *run_path, struct sched_files *ret)
{
	struct sched_files files = { 0 };

	if (find(run_path, SCHED_FILES_LOG, &files.log_path) < 0 ||
	    find(run_path, SCHED_FILES_DUMP, &files.dump_path) < 0) {
		sched_files_done(&files);
		return -ENOMEM;
	}
	*ret = files;
	return 0;
}

void sched_files_done(struct sched_files *files)
{
	free(files->log_path);
	free(files->dump_path);
	*files = (struct sched_files){ 0 };
}
