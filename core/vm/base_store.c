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
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/base_folder.h"
#include "vm/base_seal.h"
#include "wire/crc_file.h"

#define KEY_MAX ((size_t)64 * 1024)

void base_init(struct base *base)
{
	*base = (struct base){ .state_fd = -1, .stream_fd = -1 };
	for (size_t i = 0; i < ARRAY_SIZE(base->memory_fds); i++)
		base->memory_fds[i] = -1;
}

void base_done(struct base *base)
{
	for (size_t i = 0; i < ARRAY_SIZE(base->memory_fds); i++)
		cleanup_close(&base->memory_fds[i]);
	cleanup_close(&base->state_fd);
	cleanup_close(&base->stream_fd);
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
uint64_t base_key_hash(const char *key)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (; *key; key++)
		value = (value ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
	return value;
}

char *base_folder(const char *store, const char *key)
{
	return str_format("%s/%016" PRIx64, store, base_key_hash(key));
}

void base_folder_remove(const char *folder)
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

static int open_in(const char *folder, const char *name, int flags)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	int fd = path ? open(path, flags | O_CLOEXEC, 0600) : -1;

	return fd >= 0 ? fd : path ? -errno : -ENOMEM;
}

int base_key_read(const char *folder, char **ret)
{
	_cleanup_free_ char *path = str_format("%s/" BASE_KEY, folder);
	struct ktstr_error ignored;

	return path ? io_read_file(path, KEY_MAX, ret, NULL, &ignored) : -ENOMEM;
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
	base->state_fd = open_in(base->folder, BASE_STATE, flags);
	base->stream_fd = open_in(base->folder, BASE_STREAM, flags);
	return base->state_fd < 0 ? base->state_fd : base->stream_fd < 0 ? base->stream_fd : 0;
}

#define FILES_MAX (BASE_NODES_MAX + 2)

/* All that the seal is of. Returns how many. */
static size_t list_files(const struct base *base, struct base_file files[FILES_MAX])
{
	for (uint32_t i = 0; i < base->nodes; i++) {
		memory_name(i, files[i].name);
		files[i].fd = base->memory_fds[i];
	}
	files[base->nodes] = (struct base_file){ .name = BASE_STATE, .fd = base->state_fd };
	files[base->nodes + 1] = (struct base_file){ .name = BASE_STREAM, .fd = base->stream_fd };
	return base->nodes + 2;
}

static int check_files(const struct base *base, const char *key)
{
	_cleanup_free_ char *found = NULL;
	struct base_file files[FILES_MAX];
	int rc = base_key_read(base->folder, &found);

	if (rc < 0)
		return rc;
	if (strcmp(found, key) != 0)
		return -EBADMSG;
	return base_seal_check(base->folder, files, list_files(base, files), false);
}

/* Open what is there, and look at it. */
static int open_whole(struct base *base, const char *key, uint32_t nodes, struct ktstr_error *err)
{
	/* QEMU opens them for writing, though it never writes. */
	int rc = open_files(base, nodes, O_RDWR);

	if (rc == 0)
		rc = check_files(base, key);
	if (rc < 0 && base_seal_is_passing(rc))
		return ktstr_fail(err, rc, "cannot read the saved VM '%s': %s", base->folder,
				  strerror(-rc));
	return rc == 0 ? 0
		       : ktstr_fail(err, -EBADMSG, "the saved VM '%s' is damaged", base->folder);
}

int base_open(const char *store, const char *key, uint32_t nodes, struct base *ret,
	      struct ktstr_error *err)
{
	struct base base;
	int rc;

	base_init(&base);
	base.folder = base_folder(store, key);
	if (!base.folder)
		return ktstr_fail(err, -ENOMEM, "cannot look for a saved VM: out of memory");
	if (access(base.folder, F_OK) < 0)
		rc = ktstr_fail(err, -ENOENT, "there is no saved VM of this kind");
	else
		rc = open_whole(&base, key, nodes, err);
	if (rc < 0) {
		base_done(&base);
		return rc;
	}
	(void)utimensat(AT_FDCWD, base.folder, NULL, 0); /* used */
	*ret = base;
	return 0;
}

int base_id(const struct base *base, char **ret)
{
	const char *slash = strrchr(base->folder, '/');
	uint64_t length = 0;
	uint32_t crc = 0;
	int rc = crc_file(base->state_fd, UINT64_MAX, &crc, &length);

	if (rc < 0)
		return rc;
	/* The state has the clock of the moment in which it was saved. */
	*ret = str_format("%s-%08" PRIx32, slash ? slash + 1 : base->folder, crc);
	return *ret ? 0 : -ENOMEM;
}

bool base_is_damaged(const struct base *base)
{
	struct base_file files[FILES_MAX];

	return base_seal_check(base->folder, files, list_files(base, files), true) == -EBADMSG;
}

static int make_store(const char *store, struct ktstr_error *err)
{
	int rc = 0;

	if (access(store, F_OK) == 0)
		return 0;
	rc = io_make_dirs(store, err);
	/* A guest's memory is nobody else's business. */
	return rc == 0 && chmod(store, 0700) < 0
		       ? ktstr_fail(err, -errno, "cannot use the folder '%s': %s", store,
				    strerror(errno))
		       : rc;
}

/* The lock that lies at @path. */
static int take_lock(const char *path, struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return ktstr_fail(err, -EBUSY, "another one makes this saved VM");
		if (errno != EINTR)
			return ktstr_fail(err, -errno, "cannot lock '%s': %s", path,
					  strerror(errno));
	}
	return steal_fd(&fd);
}

int base_lock(const char *store, const char *key, struct ktstr_error *err)
{
	_cleanup_free_ char *path =
		str_format("%s/" BASE_LOCK_PREFIX "%016" PRIx64, store, base_key_hash(key));
	int rc = path ? make_store(store, err)
		      : ktstr_fail(err, -ENOMEM, "cannot keep saved VMs: out of memory");

	return rc < 0 ? rc : take_lock(path, err);
}

int base_begin(const char *store, const char *key, const uint64_t *node_bytes, uint32_t nodes,
	       struct base *ret, struct ktstr_error *err)
{
	struct base base;
	int rc = 0, key_fd;

	base_init(&base);
	base_remove_abandoned(store);
	base.folder = str_format("%s/" BASE_NEW_PREFIX "%016" PRIx64, store, base_key_hash(key));
	if (!base.folder)
		return ktstr_fail(err, -ENOMEM, "cannot keep a saved VM: out of memory");
	base_folder_remove(base.folder); /* of another one that was killed */
	if (mkdir(base.folder, 0700) < 0)
		rc = -errno;
	key_fd = rc == 0 ? open_in(base.folder, BASE_KEY, O_WRONLY | O_CREAT | O_EXCL) : -1;
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

int base_commit(const char *store, const char *key, struct base *base, struct ktstr_error *err)
{
	_cleanup_free_ char *folder = base_folder(store, key);
	struct base_file files[FILES_MAX];
	struct stat status = { 0 };
	int rc = folder ? 0 : -ENOMEM;

	/* Where the state could not be written whole there is none. */
	if (rc == 0 && fstat(base->state_fd, &status) == 0 && status.st_size == 0)
		rc = -ENOSPC;
	if (rc == 0)
		rc = base_seal_write(base->folder, files, list_files(base, files));
	if (rc == 0) {
		base_folder_remove(folder); /* one that cannot be trusted */
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
		base_folder_remove(base->folder);
	base_done(base);
}

/* Does what was opened stand there still, and not one that was made since? */
static bool is_in_place(const struct base *base)
{
	_cleanup_free_ char *path = str_format("%s/" BASE_STATE, base->folder);
	struct stat there, own;

	return path && stat(path, &there) == 0 && fstat(base->state_fd, &own) == 0 &&
	       there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

void base_remove(struct base *base)
{
	const char *name = strrchr(base->folder, '/') + 1;
	int store = (int)(name - base->folder);
	_cleanup_free_ char *lock_path =
		str_format("%.*s" BASE_LOCK_PREFIX "%s", store, base->folder, name);
	_cleanup_free_ char *aside =
		str_format("%.*s" BASE_NEW_PREFIX "%s", store, base->folder, name);
	struct ktstr_error ignored;
	/* Who makes one anew has the lock, and then there is nothing to remove. */
	_cleanup_close_ int lock = lock_path && aside ? take_lock(lock_path, &ignored) : -1;

	if (lock >= 0 && is_in_place(base)) {
		/* Nobody is to find a part of it. What is there is of one that was killed. */
		base_folder_remove(aside);
		if (rename(base->folder, aside) == 0)
			base_folder_remove(aside);
	}
	base_done(base);
}
