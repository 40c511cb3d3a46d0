/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <fcntl.h>
#include <search.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/elf.h"

#define PAGE_BYTES UINT64_C(4096)
/* Longer than any path of the kernel's own limit. */
#define PATH_BYTES_MAX 4096
/* Files longer than this have no place in a root folder that lies in memory. */
#define FILE_BYTES_MAX (UINT64_C(1) << 31)
#define COPY_BYTES (256U << 10)
/* Writes to the memory file come in blocks of this size, the last one in the size that the kernel
 * asks of what follows it. */
#define BLOCK_BYTES (64 << 10)
#define LAST_BLOCK_BYTES 512

/* The folders that dynamic linkers search by themselves, on the distributions that there are. */
static const char *const library_folders[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

struct path {
	char *name;
	uint32_t mode; /* with the file type */
};

struct initramfs {
	struct archive *archive; /* NULL: finished */
	int fd;
	void *paths; /* tsearch tree of struct path */
	const struct initramfs *below;
	uint64_t unpacked_bytes;
	/* Where libraries go that no linker would find where they are on the host. */
	char *library_folder;
};

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct path *)a)->name, ((const struct path *)b)->name);
}

static void free_path(void *node)
{
	struct path *path = node;

	free(path->name);
	free(path);
}

static int archive_error(struct archive *archive, struct ktstr_error *err)
{
	return ktstr_fail(err, -EIO, "cannot build the initramfs: %s",
			  archive_error_string(archive));
}

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot build the initramfs: out of memory");
}

int initramfs_new(struct initramfs **ret, struct ktstr_error *err)
{
	struct initramfs *initramfs = calloc(1, sizeof(*initramfs));
	int rc;

	if (!initramfs)
		return no_memory(err);
	initramfs->fd = memfd_create("ktstr-initramfs", MFD_CLOEXEC);
	if (initramfs->fd < 0) {
		rc = ktstr_fail(err, -errno, "cannot build the initramfs in memory: %s",
				strerror(errno));
		goto free_initramfs;
	}
	initramfs->archive = archive_write_new();
	if (!initramfs->archive) {
		rc = no_memory(err);
		goto free_initramfs;
	}
	if (archive_write_set_format_cpio_newc(initramfs->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(initramfs->archive, BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(initramfs->archive, LAST_BLOCK_BYTES) !=
		    ARCHIVE_OK ||
	    archive_write_open_fd(initramfs->archive, initramfs->fd) != ARCHIVE_OK) {
		rc = archive_error(initramfs->archive, err);
		goto free_initramfs;
	}
	*ret = initramfs;
	return 0;

free_initramfs:
	initramfs_free(initramfs);
	return rc;
}

void initramfs_free(struct initramfs *initramfs)
{
	if (!initramfs)
		return;
	if (initramfs->archive)
		(void)archive_write_free(initramfs->archive); /* given up: nothing to report */
	if (initramfs->fd >= 0)
		(void)close(initramfs->fd); /* nothing is written through it any more */
	tdestroy(initramfs->paths, free_path);
	free(initramfs->library_folder);
	free(initramfs);
}

void initramfs_set_below(struct initramfs *initramfs, const struct initramfs *below)
{
	initramfs->below = below;
}

/* What is at @name, here or below; NULL: nothing. */
static const struct path *find_path(const struct initramfs *initramfs, const char *name)
{
	const struct path key = { .name = (char *)name };

	for (; initramfs; initramfs = initramfs->below) {
		struct path *const *found = tfind(&key, &initramfs->paths, compare_paths);

		if (found)
			return *found;
	}
	return NULL;
}

static int remember_path(struct initramfs *initramfs, const char *name, uint32_t mode)
{
	struct path *path = calloc(1, sizeof(*path));

	if (!path)
		return -ENOMEM;
	path->mode = mode;
	path->name = strdup(name);
	if (!path->name || !tsearch(path, &initramfs->paths, compare_paths)) {
		free_path(path);
		return -ENOMEM;
	}
	return 0;
}

/* Absolute, and made of plain names: "/a/b", no "//", no "." or "..", no slash at the end. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
		return false;
	for (const char *name = path; *name;) {
		size_t length = strcspn(++name, "/");

		if (length == 0 || (length == 1 && name[0] == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		name += length;
	}
	return true;
}

/* Write the header of an entry; @target is that of a link, or NULL. */
static int write_header(struct initramfs *initramfs, const char *path, uint32_t mode,
			uint64_t length, const char *target, struct ktstr_error *err)
{
	struct archive_entry *entry = archive_entry_new();
	int rc = 0;

	if (!entry)
		return no_memory(err);
	archive_entry_set_pathname(entry, path + 1);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (int64_t)length);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_mtime(entry, 0, 0);
	if (target)
		archive_entry_set_symlink(entry, target);
	if (archive_write_header(initramfs->archive, entry) != ARCHIVE_OK)
		rc = archive_error(initramfs->archive, err);
	else if (remember_path(initramfs, path, mode) < 0)
		rc = no_memory(err);
	archive_entry_free(entry);
	return rc;
}

static int add_parents(struct initramfs *initramfs, const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *parent = strdup(path);
	int rc = 0;

	if (!parent)
		return no_memory(err);
	for (char *slash = strchr(parent + 1, '/'); slash && rc == 0;
	     slash = strchr(slash + 1, '/')) {
		const struct path *there;

		*slash = '\0';
		there = find_path(initramfs, parent);
		if (!there)
			rc = write_header(initramfs, parent, S_IFDIR | 0755, 0, NULL, err);
		else if (!S_ISDIR(there->mode))
			rc = ktstr_fail(err, -ENOTDIR,
					"cannot add '%s' to the initramfs: '%s' is no folder there",
					path, parent);
		*slash = '/';
	}
	return rc;
}

/* Check @path, add the folders on the way to it, and begin its entry. */
static int begin_entry(struct initramfs *initramfs, const char *path, uint32_t mode,
		       uint64_t length, const char *target, struct ktstr_error *err)
{
	int rc;

	if (!initramfs->archive)
		return ktstr_fail(err, -EINVAL,
				  "cannot add '%s' to the initramfs: it is closed already", path);
	if (!is_plain_path(path))
		return ktstr_fail(err, -EINVAL,
				  "cannot add '%s' to the initramfs: not an absolute path without "
				  "'.' and '..'",
				  path);
	if (find_path(initramfs, path))
		return ktstr_fail(err, -EEXIST,
				  "cannot add '%s' to the initramfs: it is there already", path);
	rc = add_parents(initramfs, path, err);
	if (rc == 0)
		rc = write_header(initramfs, path, mode, length, target, err);
	return rc;
}

static int write_data(struct initramfs *initramfs, const void *data, size_t length,
		      struct ktstr_error *err)
{
	if (archive_write_data(initramfs->archive, data, length) != (ssize_t)length)
		return archive_error(initramfs->archive, err);
	return 0;
}

static void count_bytes(struct initramfs *initramfs, uint64_t length)
{
	initramfs->unpacked_bytes += (length + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

int initramfs_add_data(struct initramfs *initramfs, const char *path, uint32_t mode,
		       const void *data, size_t length, struct ktstr_error *err)
{
	int rc;

	if (length > FILE_BYTES_MAX)
		return ktstr_fail(err, -EFBIG,
				  "cannot add '%s' to the initramfs: larger than 2 GiB", path);
	rc = begin_entry(initramfs, path, S_IFREG | (mode & 07777), length, NULL, err);
	if (rc == 0 && length > 0)
		rc = write_data(initramfs, data, length, err);
	if (rc == 0)
		count_bytes(initramfs, length);
	return rc;
}

/* Exactly @length bytes, which the header has promised. */
static int copy_from(struct initramfs *initramfs, int fd, uint64_t length, const char *host_path,
		     struct ktstr_error *err)
{
	_cleanup_free_ char *buffer = malloc(COPY_BYTES);
	int rc = 0;

	if (!buffer)
		return no_memory(err);
	while (length > 0 && rc == 0) {
		ssize_t n = read(fd, buffer, length < COPY_BYTES ? (size_t)length : COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ktstr_fail(err, -errno, "cannot read '%s': %s", host_path,
					  strerror(errno));
		if (n == 0)
			return ktstr_fail(err, -EIO,
					  "cannot read '%s': it became shorter while it was read",
					  host_path);
		rc = write_data(initramfs, buffer, (size_t)n, err);
		length -= (uint64_t)n;
	}
	return rc;
}

int initramfs_add_file(struct initramfs *initramfs, const char *path, const char *host_path,
		       struct ktstr_error *err)
{
	/* Non-blocking: a FIFO is refused below, and must not hold us up before. */
	_cleanup_close_ int fd = open(host_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	int rc;

	if (fd < 0 || fstat(fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", host_path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return ktstr_fail(err, S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL,
				  "cannot add '%s' to the initramfs: not a regular file",
				  host_path);
	if ((uint64_t)status.st_size > FILE_BYTES_MAX)
		return ktstr_fail(err, -EFBIG,
				  "cannot add '%s' to the initramfs: larger than 2 GiB", host_path);
	rc = begin_entry(initramfs, path, S_IFREG | (status.st_mode & 0777),
			 (uint64_t)status.st_size, NULL, err);
	if (rc == 0)
		rc = copy_from(initramfs, fd, (uint64_t)status.st_size, host_path, err);
	if (rc == 0)
		count_bytes(initramfs, (uint64_t)status.st_size);
	return rc;
}

int initramfs_add_link(struct initramfs *initramfs, const char *path, const char *target,
		       struct ktstr_error *err)
{
	if (!target[0] || strlen(target) >= PATH_BYTES_MAX)
		return ktstr_fail(err, -EINVAL,
				  "cannot add '%s' to the initramfs: a link needs a target of 1 to "
				  "%d bytes",
				  path, PATH_BYTES_MAX - 1);
	return begin_entry(initramfs, path, S_IFLNK | 0777, 0, target, err);
}

int initramfs_add_dir(struct initramfs *initramfs, const char *path, uint32_t mode,
		      struct ktstr_error *err)
{
	const struct path *there = find_path(initramfs, path);

	mode = S_IFDIR | (mode & 07777);
	if (there && there->mode == mode)
		return 0;
	return begin_entry(initramfs, path, mode, 0, NULL, err);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The folder of @path when dynamic linkers search it by themselves, or NULL. */
static const char *library_folder_of(const char *path)
{
	size_t length = (size_t)(base_name(path) - path);

	for (size_t i = 0; i < ARRAY_SIZE(library_folders); i++)
		if (strlen(library_folders[i]) + 1 == length &&
		    strncmp(library_folders[i], path, length - 1) == 0)
			return library_folders[i];
	return NULL;
}

/* Is a library called @name where a linker will find it? */
static int has_library(const struct initramfs *initramfs, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(library_folders); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", library_folders[i], name);

		if (!path)
			return -ENOMEM;
		if (find_path(initramfs, path))
			return 1;
	}
	return 0;
}

/* The folder of the C library in @closure: the one that its linker searches for sure. */
static int choose_library_folder(struct initramfs *initramfs, char *const *closure)
{
	const char *folder = initramfs->below ? initramfs->below->library_folder : NULL;

	if (initramfs->library_folder)
		return 0;
	for (; *closure && !folder; closure++)
		if (str_starts(base_name(*closure), "libc.so."))
			folder = library_folder_of(*closure);
	if (!folder)
		return 0;
	initramfs->library_folder = strdup(folder);
	return initramfs->library_folder ? 0 : -ENOMEM;
}

static int add_library(struct initramfs *initramfs, const char *host_path, struct ktstr_error *err)
{
	const char *name = base_name(host_path);
	const char *folder = library_folder_of(host_path);
	_cleanup_free_ char *path = NULL;
	int rc = has_library(initramfs, name);

	if (rc < 0)
		return no_memory(err);
	if (rc > 0)
		return 0;
	if (!folder)
		folder = initramfs->library_folder;
	if (!folder)
		folder = library_folders[0];
	path = str_format("%s/%s", folder, name);
	if (!path)
		return no_memory(err);
	return initramfs_add_file(initramfs, path, host_path, err);
}

int initramfs_add_elf(struct initramfs *initramfs, const char *path, const char *host_path,
		      struct ktstr_error *err)
{
	struct elf_info *info = NULL;
	char **closure = NULL;
	int rc = elf_read(host_path, &info, err);

	if (rc < 0)
		return rc;
	rc = elf_closure(host_path, &closure, err);
	if (rc < 0)
		goto free_info;
	rc = initramfs_add_file(initramfs, path, host_path, err);
	if (rc == 0 && info->interpreter && !find_path(initramfs, info->interpreter))
		rc = initramfs_add_file(initramfs, info->interpreter, info->interpreter, err);
	if (rc == 0 && choose_library_folder(initramfs, closure) < 0)
		rc = no_memory(err);
	for (char **library = closure; *library && rc == 0; library++)
		rc = add_library(initramfs, *library, err);
	for (char **library = closure; *library; library++)
		free(*library);
	free(closure);
free_info:
	elf_free(info);
	return rc;
}

int initramfs_finish(struct initramfs *initramfs, int *ret_fd, uint64_t *ret_length,
		     struct ktstr_error *err)
{
	struct stat status;

	if (initramfs->archive) {
		struct archive *archive = initramfs->archive;
		int rc = 0;

		if (archive_write_close(archive) != ARCHIVE_OK)
			rc = archive_error(archive, err);
		initramfs->archive = NULL;
		(void)archive_write_free(archive); /* closed: only its memory is left */
		if (rc < 0)
			return rc;
	}
	if (fstat(initramfs->fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot measure the initramfs: %s", strerror(errno));
	*ret_fd = initramfs->fd;
	if (ret_length)
		*ret_length = (uint64_t)status.st_size;
	return 0;
}

uint64_t initramfs_unpacked_bytes(const struct initramfs *initramfs)
{
	return initramfs->unpacked_bytes;
}
