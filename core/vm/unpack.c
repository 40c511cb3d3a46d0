/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

#define CHUNK_SIZE 65536

struct source {
	const struct unpack *unpack;
	uint64_t at;
	char chunk[CHUNK_SIZE];
};

static void cleanup_archive(struct archive **archive)
{
	if (*archive)
		(void)archive_read_free(*archive); /* only read from */
}

#define _cleanup_archive_ __attribute__((cleanup(cleanup_archive)))

static la_ssize_t source_read(struct archive *archive, void *arg, const void **ret)
{
	struct source *source = arg;
	uint64_t left = source->unpack->length - source->at;
	size_t wanted = left < sizeof(source->chunk) ? (size_t)left : sizeof(source->chunk);
	ssize_t got;

	do {
		got = pread(source->unpack->fd, source->chunk, wanted,
			    (off_t)(source->unpack->offset + source->at));
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		archive_set_error(archive, errno, "%s", strerror(errno));
		return -1;
	}
	source->at += (uint64_t)got;
	*ret = source->chunk;
	return got;
}

/* Not archive_read_support_filter_all(): that would run other programs for some methods. */
static int support_filters(struct archive *archive)
{
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
		archive_read_support_filter_xz,	  archive_read_support_filter_lzma,
		archive_read_support_filter_lz4,  archive_read_support_filter_zstd,
	};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		/* ARCHIVE_WARN: this libarchive would run a program for it. */
		if (filters[i](archive) == ARCHIVE_FATAL)
			return -ENOMEM;
	}
	return 0;
}

static int fail_archive(struct ktstr_error *err, struct archive *archive)
{
	const char *why = archive_error_string(archive);

	return ktstr_fail(err, -EBADMSG, "cannot unpack it: %s", why ? why : "damaged");
}

/* The current entry of @archive, to its end. */
static int write_entry(struct archive *archive, int out_fd, uint64_t max, uint64_t *ret_length,
		       struct ktstr_error *err)
{
	_cleanup_free_ char *chunk = malloc(CHUNK_SIZE);
	uint64_t length = 0;

	if (!chunk)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (;;) {
		la_ssize_t got = archive_read_data(archive, chunk, CHUNK_SIZE);
		int code;

		if (got < 0)
			return fail_archive(err, archive);
		if (got == 0)
			break;
		length += (uint64_t)got;
		if (length > max)
			return ktstr_fail(err, -EFBIG,
					  "it unpacks to more than the %llu MiB allowed",
					  (unsigned long long)(max >> 20));
		code = io_write_all(out_fd, chunk, (size_t)got);
		if (code)
			return ktstr_fail(err, code, "cannot write what it unpacks to: %s",
					  strerror(-code));
	}
	*ret_length = length;
	return 0;
}

int unpack_stream(const struct unpack *unpack, int out_fd, uint64_t *ret_length,
		  struct ktstr_error *err)
{
	_cleanup_archive_ struct archive *archive = archive_read_new();
	_cleanup_free_ struct source *source = calloc(1, sizeof(*source));
	struct archive_entry *entry;

	if (!archive || !source || support_filters(archive) ||
	    archive_read_support_format_raw(archive) != ARCHIVE_OK)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	source->unpack = unpack;
	if (archive_read_open(archive, source, NULL, source_read, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return fail_archive(err, archive);
	if (archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE)
		return ktstr_fail(err, -ENOTSUP, "the way it is packed is not known");
	return write_entry(archive, out_fd, unpack->output_max, ret_length, err);
}

static la_ssize_t member_read(struct archive *archive, void *arg, const void **ret)
{
	struct archive *deb = arg;
	la_int64_t offset;
	size_t length = 0;
	int code = archive_read_data_block(deb, ret, &length, &offset);

	if (code == ARCHIVE_EOF)
		return 0;
	if (code != ARCHIVE_OK) {
		archive_set_error(archive, EIO, "%s", archive_error_string(deb));
		return -1;
	}
	return (la_ssize_t)length;
}

static int walk_tar(struct archive *deb, uint64_t max, unpack_take take, void *arg,
		    struct ktstr_error *err)
{
	_cleanup_archive_ struct archive *tar = archive_read_new();
	struct archive_entry *entry;
	int code;

	if (!tar || support_filters(tar) || archive_read_support_format_tar(tar) != ARCHIVE_OK)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (archive_read_open(tar, deb, NULL, member_read, NULL) != ARCHIVE_OK)
		return fail_archive(err, tar);
	while ((code = archive_read_next_header(tar, &entry)) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);
		uint64_t length;
		int fd;

		if (!path || archive_entry_filetype(entry) != AE_IFREG)
			continue;
		fd = take(arg, str_starts(path, "./") ? path + 2 : path);
		if (fd < 0)
			continue;
		code = write_entry(tar, fd, max, &length, err);
		if (code)
			return code;
	}
	return code == ARCHIVE_EOF ? 0 : fail_archive(err, tar);
}

int unpack_deb(const struct unpack *unpack, unpack_take take, void *arg, struct ktstr_error *err)
{
	_cleanup_archive_ struct archive *deb = archive_read_new();
	_cleanup_free_ struct source *source = calloc(1, sizeof(*source));
	struct archive_entry *entry;
	int code;

	if (!deb || !source || archive_read_support_format_ar(deb) != ARCHIVE_OK)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	source->unpack = unpack;
	if (archive_read_open(deb, source, NULL, source_read, NULL) != ARCHIVE_OK)
		return fail_archive(err, deb);
	while ((code = archive_read_next_header(deb, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name && str_starts(name, "data.tar"))
			return walk_tar(deb, unpack->output_max, take, arg, err);
	}
	return code == ARCHIVE_EOF ? ktstr_fail(err, -EBADMSG, "it holds no data.tar")
				   : fail_archive(err, deb);
}
