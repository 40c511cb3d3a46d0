/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/base_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "wire/frame.h"

#define KEY_MAX ((size_t)64 * 1024)
#define SEAL_MAX ((size_t)16 * 1024)
#define NEW_PREFIX ".new-"
/* CRCs are taken of so much at once, so that holes cost no memory. */
#define PIECE ((size_t)4 << 20)

void base_init(struct base *base)
{
	*base = (struct base){ .state_fd = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(base->memory_fds); i++)
		base->memory_fds[i] = -1;
}

void base_done(struct base *base)
{
	for (size_t i = 0; i < ARRAY_SIZE(base->memory_fds); i++)
		cleanup_close(&base->memory_fds[i]);
	cleanup_close(&base->state_fd);
	free(base->folder);
	base_init(base);
}

struct vm_files base_files(const struct base *base, bool is_saved)
{
	return (struct vm_files){ .is_saved = is_saved,
				  .memory_fds = base->memory_fds,
				  .state_fd = base->state_fd };
}

/* FNV-1a. Not secret: the key itself is compared. */
static uint64_t hash(const char *key)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		value = (value ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
	return value;
}

static char *folder_of(const char *store, const char *key)
{
	return str_format("%s/%016" PRIx64, store, hash(key));
}

/* Remove a folder with files in it. */
static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0); /* or rmdir() fails */
	if (dir)
		(void)closedir(dir);
	(void)rmdir(folder); /* what is left is passed over, and tried again */
}

static int file_crc(int fd, uint64_t size, uint32_t *ret)
{
	uint32_t crc = 0;

	for (uint64_t at = 0; at < size; at += PIECE) {
		size_t length = size - at < PIECE ? (size_t)(size - at) : PIECE;
		void *piece = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)at);

		if (piece == MAP_FAILED)
			return -errno;
		crc = wire_crc32(crc, piece, (uint32_t)length);
		(void)munmap(piece, length);
	}
	*ret = crc;
	return 0;
}

static uint64_t time_of(const struct stat *status)
{
	return (uint64_t)status->st_mtim.tv_sec * NS_PER_S + (uint64_t)status->st_mtim.tv_nsec;
}

/* The seal's lines, "NAME SIZE MTIME CRC": one file. */
static int seal_file(int fd, const char *name, struct str *seal)
{
	struct stat status;
	uint32_t crc;
	int rc = fstat(fd, &status) < 0 ? -errno : 0;

	if (rc == 0)
		rc = file_crc(fd, (uint64_t)status.st_size, &crc);
	if (rc == 0)
		rc = str_addf(seal, "%s %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n", name,
			      (uint64_t)status.st_size, time_of(&status), crc);
	return rc;
}

/* Is the file as it was sealed? The CRC is only taken of one whose time has changed. */
static bool fits_seal(int fd, const char *name, const char *seal)
{
	_cleanup_free_ char *start = str_format("\n%s ", name);
	const char *line = start ? strstr(seal, start) : NULL;
	uint64_t size, mtime;
	struct stat status;
	uint32_t crc, found;

	if (!line || sscanf(line + strlen(start), "%" SCNu64 " %" SCNu64 " %" SCNx32, &size, &mtime,
			    &crc) != 3)
		return false;
	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size != size)
		return false;
	return time_of(&status) == mtime || (file_crc(fd, size, &found) == 0 && found == crc);
}

static int open_in(const char *folder, const char *name, int flags)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	int fd = path ? open(path, flags | O_CLOEXEC, 0600) : -1;

	return fd >= 0 ? fd : path ? -errno : -ENOMEM;
}

static char *read_in(const char *folder, const char *name, size_t max)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	struct ktstr_error ignored;
	char *text = NULL;

	if (path && io_read_file(path, max, &text, NULL, &ignored) < 0)
		return NULL;
	return text;
}

static void memory_name(uint32_t node, char name[16])
{
	(void)snprintf(name, 16, "ram%" PRIu32, node);
}

/* Open the files with @flags. */
static int open_files(struct base *base, uint32_t nodes, int flags)
{
	char name[16];

	base->nodes = nodes;
	for (uint32_t i = 0; i < nodes; i++) {
		memory_name(i, name);
		base->memory_fds[i] = open_in(base->folder, name, flags);
		if (base->memory_fds[i] < 0)
			return base->memory_fds[i];
	}
	base->state_fd = open_in(base->folder, "state", flags);
	return base->state_fd < 0 ? base->state_fd : 0;
}

static bool is_whole(const struct base *base, const char *key)
{
	_cleanup_free_ char *found = read_in(base->folder, "key", KEY_MAX);
	_cleanup_free_ char *seal = read_in(base->folder, "seal", SEAL_MAX);
	bool fits = found && seal && strcmp(found, key) == 0 &&
		    fits_seal(base->state_fd, "state", seal);
	char name[16];

	for (uint32_t i = 0; i < base->nodes && fits; i++) {
		memory_name(i, name);
		fits = fits_seal(base->memory_fds[i], name, seal);
	}
	return fits;
}

int base_open(const char *store, const char *key, uint32_t nodes, struct base *ret,
	      struct ktstr_error *err)
{
	struct base base;

	base_init(&base);
	base.folder = folder_of(store, key);
	if (!base.folder)
		return ktstr_fail(err, -ENOMEM, "cannot look for a saved VM: out of memory");
	if (access(base.folder, F_OK) == 0) {
		/* QEMU opens them for writing, though it never writes. */
		if (open_files(&base, nodes, O_RDWR) == 0 && is_whole(&base, key)) {
			(void)utimensat(AT_FDCWD, base.folder, NULL, 0); /* used */
			*ret = base;
			return 0;
		}
		remove_folder(base.folder);
	}
	base_done(&base);
	return ktstr_fail(err, -ENOENT, "there is no saved VM of this kind");
}

static int make_store(const char *store, struct ktstr_error *err)
{
	_cleanup_free_ char *path = strdup(store);

	if (!path)
		return ktstr_fail(err, -ENOMEM, "cannot keep saved VMs: out of memory");
	for (char *at = path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return ktstr_fail(err, -errno, "cannot make the folder '%s': %s", path,
					  strerror(errno));
		*at = end;
		if (end == '\0')
			return 0;
	}
}

int base_lock(const char *store, const char *key, void (*waiting)(void *arg), void *arg,
	      struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/.%016" PRIx64, store, hash(key));
	_cleanup_close_ int fd = -1;
	int rc = path ? make_store(store, err)
		      : ktstr_fail(err, -ENOMEM, "cannot keep saved VMs: out of memory");

	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return steal_fd(&fd);
	if (errno == EWOULDBLOCK && waiting)
		waiting(arg);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return ktstr_fail(err, -errno, "cannot lock '%s': %s", path,
					  strerror(errno));
	return steal_fd(&fd);
}

/* What a ktstr that was killed left half made. */
static void remove_abandoned(const char *store)
{
	DIR *dir = opendir(store);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;
		pid_t pid;

		if (!str_starts(entry->d_name, NEW_PREFIX))
			continue;
		pid = (pid_t)strtol(entry->d_name + strlen(NEW_PREFIX), NULL, 10);
		path = str_format("%s/%s", store, entry->d_name);
		if (path && pid > 0 && pid != getpid() && access("/proc/self", F_OK) == 0) {
			char process[32];

			(void)snprintf(process, sizeof(process), "/proc/%d", pid);
			if (access(process, F_OK) < 0)
				remove_folder(path);
		}
	}
	if (dir)
		(void)closedir(dir);
}

int base_begin(const char *store, const char *key, const uint64_t *node_bytes, uint32_t nodes,
	       struct base *ret, struct ktstr_error *err)
{
	struct base base;
	int rc = 0, key_fd;

	base_init(&base);
	remove_abandoned(store);
	base.folder = str_format("%s/" NEW_PREFIX "%d", store, getpid());
	if (!base.folder)
		return ktstr_fail(err, -ENOMEM, "cannot keep a saved VM: out of memory");
	remove_folder(base.folder); /* of another process that had our number */
	if (mkdir(base.folder, 0700) < 0)
		rc = -errno;
	key_fd = rc == 0 ? open_in(base.folder, "key", O_WRONLY | O_CREAT | O_EXCL) : -1;
	if (rc == 0)
		rc = key_fd < 0 ? key_fd : io_write_all(key_fd, key, strlen(key));
	if (key_fd >= 0 && close(key_fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0)
		rc = open_files(&base, nodes, O_RDWR | O_CREAT | O_EXCL);
	for (uint32_t i = 0; i < nodes && rc == 0; i++)
		if (ftruncate(base.memory_fds[i], (off_t)node_bytes[i]) < 0)
			rc = -errno;
	if (rc < 0) {
		(void)ktstr_fail(err, rc, "cannot keep a saved VM in '%s': %s", base.folder,
				 strerror(-rc));
		base_discard(&base);
		return rc;
	}
	*ret = base;
	return 0;
}

static int write_seal(const struct base *base)
{
	struct str seal = { 0 };
	int rc = str_addf(&seal, "sealed by ktstr\n"), fd = -1;
	char name[16];

	for (uint32_t i = 0; i < base->nodes && rc == 0; i++) {
		memory_name(i, name);
		rc = seal_file(base->memory_fds[i], name, &seal);
	}
	if (rc == 0)
		rc = seal_file(base->state_fd, "state", &seal);
	if (rc == 0)
		fd = rc = open_in(base->folder, "seal", O_WRONLY | O_CREAT | O_EXCL);
	if (rc >= 0)
		rc = io_write_all(fd, seal.data, seal.length);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = -errno;
	str_done(&seal);
	return rc;
}

int base_commit(const char *store, const char *key, struct base *base, struct ktstr_error *err)
{
	_cleanup_free_ char *folder = folder_of(store, key);
	int rc = folder ? write_seal(base) : -ENOMEM;

	if (rc == 0) {
		remove_folder(folder); /* one that cannot be trusted */
		if (rename(base->folder, folder) < 0)
			rc = -errno;
	}
	if (rc < 0) {
		(void)ktstr_fail(err, rc, "cannot keep a saved VM in '%s': %s", store,
				 strerror(-rc));
		base_discard(base);
		return rc;
	}
	base_done(base);
	return 0;
}

void base_discard(struct base *base)
{
	if (base->folder)
		remove_folder(base->folder);
	base_done(base);
}

static uint64_t disk_bytes(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat status;

	while (dir && (entry = readdir(dir)))
		if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)status.st_blocks * 512;
	if (dir)
		(void)closedir(dir);
	return bytes;
}

static int read_entry(const char *store, const char *name, struct base_entry *ret)
{
	_cleanup_free_ char *folder = str_format("%s/%s", store, name);
	struct stat status;

	if (!folder)
		return -ENOMEM;
	if (stat(folder, &status) < 0)
		return 0; /* it went just now */
	*ret = (struct base_entry){
		.name = strdup(name),
		.key = read_in(folder, "key", KEY_MAX),
		.bytes = disk_bytes(folder),
		.used_ns = time_of(&status),
	};
	if (!ret->key)
		ret->key = strdup("");
	if (!ret->name || !ret->key)
		return -ENOMEM;
	if (ret->key[0]) {
		_cleanup_free_ char *seal = read_in(folder, "seal", SEAL_MAX);

		ret->is_whole = seal != NULL;
	}
	return 1;
}

static int by_use(const void *a, const void *b)
{
	const struct base_entry *x = a, *y = b;

	return x->used_ns < y->used_ns ? 1 : x->used_ns > y->used_ns ? -1 : 0;
}

int base_list(const char *store, struct base_entry **ret, size_t *ret_count,
	      struct ktstr_error *err)
{
	DIR *dir = opendir(store);
	struct base_entry *entries = NULL;
	struct dirent *entry;
	size_t count = 0;
	int rc = 0;

	while (dir && rc >= 0 && (entry = readdir(dir))) {
		struct base_entry *more;

		if (entry->d_name[0] == '.')
			continue;
		more = realloc(entries, (count + 1) * sizeof(*entries));
		if (!more) {
			rc = -ENOMEM;
			break;
		}
		entries = more;
		entries[count] = (struct base_entry){ 0 };
		rc = read_entry(store, entry->d_name, &entries[count]);
		count += rc != 0;
	}
	if (dir)
		(void)closedir(dir);
	if (rc < 0) {
		base_list_free(entries, count);
		return ktstr_fail(err, rc, "cannot list saved VMs: %s", strerror(-rc));
	}
	if (count > 0)
		qsort(entries, count, sizeof(*entries), by_use);
	*ret = entries;
	*ret_count = count;
	return 0;
}

void base_list_free(struct base_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].name);
		free(entries[i].key);
	}
	free(entries);
}

int base_prune(const char *store, uint64_t bytes_max, struct ktstr_error *err)
{
	struct base_entry *entries = NULL;
	uint64_t bytes = 0;
	size_t count = 0;
	int removed = 0, rc = base_list(store, &entries, &count, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *folder = NULL;

		bytes += entries[i].bytes;
		if (bytes <= bytes_max)
			continue;
		folder = str_format("%s/%s", store, entries[i].name);
		if (folder) {
			remove_folder(folder);
			removed++;
		}
	}
	base_list_free(entries, count);
	return removed;
}
