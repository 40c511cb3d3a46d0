/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vm/kernel_build_run.h"
#include "vm/kernel_list.h"

#define PACKAGE "linux-source"
#define READ_BYTES (1u << 20)
/* A bound on what a tarball can make of the disk: kernels have some 100 000 files, 2 GB in all. */
#define UNPACKED_BYTES_MAX (INT64_C(16) << 30)

static const char *const tree_files[] = { "Makefile", "Kconfig",
					  "scripts/kconfig/merge_config.sh" };

/* By these, make knows that the tree was built in. */
static const char *const build_results[] = { ".config", "include/config",
					     "arch/x86/include/generated" };

uint64_t build_hash(uint64_t seed, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		seed = (seed ^ bytes[i]) * UINT64_C(0x100000001b3);
	return seed;
}

/* With the NUL, so that "ab", "c" is not "a", "bc". */
uint64_t build_hash_text(uint64_t seed, const char *text)
{
	return build_hash(seed, text, strlen(text) + 1);
}

int build_source_check_tree(const char *folder, struct ktstr_error *err)
{
	/* make refuses them: it could not tell them from the borders of words. */
	if (strpbrk(folder, " \t:'\"$\\"))
		return ktstr_fail(err, -EINVAL,
				  "no kernel can be built in '%s': the path has a character that "
				  "make cannot take",
				  folder);
	for (size_t i = 0; i < ARRAY_SIZE(tree_files); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", folder, tree_files[i]);

		if (path && access(path, R_OK))
			return ktstr_fail(err, -EINVAL,
					  "'%s' is no source tree of a kernel: it has no '%s'",
					  folder, tree_files[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(build_results); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", folder, build_results[i]);

		if (path && !access(path, F_OK))
			return ktstr_fail(
				err, -EBUSY,
				"the tree '%s' was built in ('%s' is there), and can then "
				"not be built elsewhere: keep its .config if you need it "
				"and run 'make mrproper' there, or give another checkout "
				"('git worktree add')",
				folder, build_results[i]);
	}
	return 0;
}

/* "linux-source", or that with a version. */
static bool is_package(const char *text)
{
	if (!str_starts(text, PACKAGE))
		return false;
	text += strlen(PACKAGE);
	return !*text || (*text == '-' && text[1] && !text[1 + strspn(text + 1, "0123456789.")]);
}

int build_source_init(struct build_source *ret, const char *text, struct ktstr_error *err)
{
	struct build_source source = { 0 };
	struct stat status;
	int code = 0;

	source.place = realpath(text, NULL);
	if (!source.place && errno == ENOENT && is_package(text)) {
		source.kind = BUILD_SOURCE_PACKAGE;
		source.place = strdup(text);
		if (!source.place)
			return ktstr_fail(err, -ENOMEM, "out of memory");
	} else if (!source.place && errno == ENOENT) {
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is not there: give a kernel's tree, its tarball, or the name "
			"of Debian's package, such as 'linux-source-7.2'",
			text);
	} else if (!source.place || stat(source.place, &status)) {
		code = ktstr_fail(err, -errno, "cannot look at '%s': %s", text, strerror(errno));
	} else if (S_ISDIR(status.st_mode)) {
		source.kind = BUILD_SOURCE_TREE;
		code = build_source_check_tree(source.place, err);
	} else if (S_ISREG(status.st_mode)) {
		source.kind = BUILD_SOURCE_TARBALL;
	} else {
		code = ktstr_fail(err, -EINVAL, "'%s' is neither a folder nor a file", text);
	}
	if (code)
		build_source_done(&source);
	else
		*ret = source;
	return code;
}

void build_source_done(struct build_source *source)
{
	free(source->place);
	free(source->package);
	free(source->version);
	*source = (struct build_source){ 0 };
}

static uint64_t hash_status(uint64_t seed, const struct stat *status)
{
	const uint64_t numbers[] = { (uint64_t)status->st_size, (uint64_t)status->st_mtim.tv_sec,
				     (uint64_t)status->st_mtim.tv_nsec };

	return build_hash(seed, numbers, sizeof(numbers));
}

/* By what make goes, too. Hidden files (git's, an editor's) are no part of a kernel. */
static int look_at_tree(const char *place, uint64_t *ret, struct ktstr_error *err)
{
	char *const paths[] = { (char *)place, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t length = strlen(place);
	uint64_t sum = 0;
	FTSENT *entry;
	int code = 0;

	if (!tree)
		return ktstr_fail(err, -errno, "cannot read '%s': %s", place, strerror(errno));
	errno = 0;
	while (!code && (entry = fts_read(tree))) {
		if (entry->fts_level > 0 && entry->fts_name[0] == '.')
			(void)fts_set(tree, entry,
				      FTS_SKIP); /* fails for no value but a wrong one */
		else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			code = ktstr_fail(err, -entry->fts_errno, "cannot read '%s': %s",
					  entry->fts_path, strerror(entry->fts_errno));
		else if (entry->fts_info == FTS_F || entry->fts_info == FTS_SL)
			/* A sum, since folders do not list their files in an order. */
			sum += hash_status(
				build_hash_text(BUILD_HASH_SEED, entry->fts_path + length),
				entry->fts_statp);
		errno = 0;
	}
	if (!code && errno)
		code = ktstr_fail(err, -errno, "cannot read '%s': %s", place, strerror(errno));
	(void)fts_close(tree); /* only read from */
	if (!code)
		*ret = sum;
	return code;
}

int build_source_look(struct build_source *source, struct ktstr_error *err)
{
	struct stat status;

	if (source->kind == BUILD_SOURCE_TREE)
		return look_at_tree(source->place, &source->content, err);
	if (stat(source->place, &status))
		return ktstr_fail(err, -errno, "cannot look at '%s': %s", source->place,
				  strerror(errno));
	source->content = hash_status(BUILD_HASH_SEED, &status);
	return 0;
}

static int fail_archive(struct ktstr_error *err, struct archive *archive, const char *path)
{
	const char *why = archive_error_string(archive);

	return ktstr_fail(err, -EBADMSG, "cannot unpack '%s': %s", path, why ? why : "damaged");
}

/* Not archive_read_support_filter_all(): that would run other programs for some methods. */
static int open_tarball(const char *path, struct archive **ret, struct ktstr_error *err)
{
	struct archive *archive = archive_read_new();

	/* A filter for which this libarchive would run a program is a warning. */
	if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) == ARCHIVE_FATAL ||
	    archive_read_support_filter_bzip2(archive) == ARCHIVE_FATAL ||
	    archive_read_support_filter_xz(archive) == ARCHIVE_FATAL ||
	    archive_read_support_filter_zstd(archive) == ARCHIVE_FATAL) {
		if (archive)
			(void)archive_read_free(archive); /* nothing was opened */
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	if (archive_read_open_filename(archive, path, READ_BYTES) != ARCHIVE_OK) {
		int code = fail_archive(err, archive, path);

		(void)archive_read_free(archive); /* only read from */
		return code;
	}
	*ret = archive;
	return 0;
}

/* Below @folder, whatever the tarball says of itself. */
static int place_entry(struct archive_entry *entry, const char *folder)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, archive_entry_pathname(entry));
	const char *link = archive_entry_hardlink(entry);
	_cleanup_free_ char *target = link ? str_format("%s/%s", folder, link) : NULL;

	if (!path || (link && !target))
		return -ENOMEM;
	archive_entry_set_pathname(entry, path);
	if (link)
		archive_entry_set_hardlink(entry, target);
	return 0;
}

static int copy_data(struct archive *in, struct archive *out, int64_t *left)
{
	const void *block;
	la_int64_t offset;
	size_t length;
	int code;

	while ((code = archive_read_data_block(in, &block, &length, &offset)) == ARCHIVE_OK) {
		*left -= (int64_t)length;
		if (*left < 0)
			return -EFBIG;
		if (archive_write_data_block(out, block, length, offset) < ARCHIVE_OK)
			return -EIO;
	}
	return code == ARCHIVE_EOF ? 0 : -EBADMSG;
}

static int unpack_entries(struct archive *in, struct archive *out, const char *path,
			  const char *folder, int interrupt_fd, struct ktstr_error *err)
{
	int64_t left = UNPACKED_BYTES_MAX;
	struct archive_entry *entry;
	int code;

	while ((code = archive_read_next_header(in, &entry)) == ARCHIVE_OK) {
		if (build_is_interrupted(interrupt_fd))
			return ktstr_fail(err, -EINTR, "interrupted");
		if (!archive_entry_pathname(entry))
			continue;
		if (place_entry(entry, folder))
			return ktstr_fail(err, -ENOMEM, "out of memory");
		if (archive_write_header(out, entry) != ARCHIVE_OK)
			return fail_archive(err, out, path);
		code = copy_data(in, out, &left);
		if (code == -EFBIG)
			return ktstr_fail(err, code, "'%s' unpacks to more than a kernel has",
					  path);
		if (code)
			return fail_archive(err, code == -EIO ? out : in, path);
	}
	return code == ARCHIVE_EOF ? 0 : fail_archive(err, in, path);
}

int build_source_unpack(const char *path, const char *folder, int interrupt_fd,
			struct ktstr_error *err)
{
	/* As root, too, the files are to be ours. Times tell make what is newer. */
	const int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
			  ARCHIVE_EXTRACT_SECURE_NODOTDOT;
	struct archive *in = NULL, *out;
	int code = open_tarball(path, &in, err);

	if (code)
		return code;
	out = archive_write_disk_new();
	if (!out || archive_write_disk_set_options(out, flags) != ARCHIVE_OK)
		code = ktstr_fail(err, -ENOMEM, "out of memory");
	else
		code = unpack_entries(in, out, path, folder, interrupt_fd, err);
	if (out && archive_write_close(out) != ARCHIVE_OK && !code)
		code = fail_archive(err, out, path);
	if (out)
		(void)archive_write_free(out); /* closed above */
	(void)archive_read_free(in);	       /* only read from */
	return code;
}

int build_source_root(const char *folder, char **ret, struct ktstr_error *err)
{
	char **names = NULL;
	size_t count = 0;
	int code = kernel_list_names(folder, &names, &count);
	char *root = NULL;

	if (!code && count == 1)
		root = str_format("%s/%s", folder, names[0]);
	kernel_list_free_names(names, count);
	if (code)
		return ktstr_fail(err, code, "cannot read '%s': %s", folder, strerror(-code));
	if (count != 1)
		return ktstr_fail(err, -EINVAL,
				  "it is no kernel's tarball: it holds %zu things, not one folder",
				  count);
	if (!root)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	*ret = root;
	return 0;
}

void build_remove_tree(const char *folder)
{
	char *const paths[] = { (char *)folder, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	while (tree && (entry = fts_read(tree))) {
		if (entry->fts_info == FTS_DP)
			(void)rmdir(entry->fts_accpath); /* or it stays, as promised */
		else if (entry->fts_info != FTS_D)
			(void)unlink(entry->fts_accpath); /* the same */
	}
	if (tree)
		(void)fts_close(tree); /* only read from */
}
