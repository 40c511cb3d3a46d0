/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kernel_entry.h"

#define BEGUN ".new-"
#define UNPACKED_KEPT 4
/* A folder in the making that is older than this was left by somebody who died. */
#define BEGUN_MAX_AGE_S 3600

char *kernel_cache_kernels(const char *cache)
{
	return str_format("%s/kernels", cache);
}

int kernel_cache_lock(const char *cache, kernel_progress waiting, void *arg,
		      struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/lock", cache);
	_cleanup_close_ int fd = -1;
	int code;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = io_make_dirs(cache, err);
	if (code)
		return code;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return steal_fd(&fd);
	if (errno == EWOULDBLOCK && waiting)
		waiting(arg, "waiting for another ktstr that works on the kernel cache");
	while (flock(fd, LOCK_EX)) {
		if (errno != EINTR)
			return ktstr_fail(err, -errno, "cannot lock '%s': %s", path,
					  strerror(errno));
	}
	return steal_fd(&fd);
}

/* Remove what was begun in @parent at least @age_s ago and never got its name. */
static void remove_begun(const char *parent, time_t age_s)
{
	DIR *dir = opendir(parent);
	time_t now = time(NULL);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;
		struct stat status;

		if (!str_starts(entry->d_name, BEGUN))
			continue;
		path = str_format("%s/%s", parent, entry->d_name);
		if (path && !stat(path, &status) && status.st_mtime <= now - age_s)
			kernel_entry_remove(path);
	}
	if (dir)
		(void)closedir(dir);
}

static int begin_in(const char *parent, char **ret_folder, struct ktstr_error *err)
{
	_cleanup_free_ char *folder = str_format("%s/" BEGUN "XXXXXX", parent);
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = io_make_dirs(parent, err);
	if (code)
		return code;
	if (!mkdtemp(folder))
		return ktstr_fail(err, -errno, "cannot make a folder in '%s': %s", parent,
				  strerror(errno));
	/* Others may boot from it, as from everything that the umask lets them read. */
	if (chmod(folder, 0755))
		return ktstr_fail(err, -errno, "cannot make '%s' readable: %s", folder,
				  strerror(errno));
	*ret_folder = steal_ptr(folder);
	return 0;
}

int kernel_cache_begin(const char *cache, char **ret_folder, struct ktstr_error *err)
{
	_cleanup_free_ char *kernels = kernel_cache_kernels(cache);

	if (!kernels)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	remove_begun(kernels, 0);
	return begin_in(kernels, ret_folder, err);
}

static bool came_from(const struct kernel_source *source, const char *package, const char *version)
{
	return source->package && source->version && strcmp(source->package, package) == 0 &&
	       strcmp(source->version, version) == 0;
}

int kernel_cache_find(const char *cache, const char *package, const char *version,
		      struct kernel **ret)
{
	_cleanup_free_ char *kernels = kernel_cache_kernels(cache);
	struct kernel *found = NULL;
	char **names = NULL;
	size_t count = 0;
	int code;

	if (!kernels)
		return -ENOMEM;
	code = kernel_list_names(kernels, &names, &count);
	if (code)
		return code;
	for (size_t i = 0; !found && i < count; i++) {
		_cleanup_free_ char *folder = str_format("%s/%s", kernels, names[i]);
		struct kernel_source source = { 0 };
		struct kernel *kernel = NULL;
		struct ktstr_error unused;

		if (!folder || kernel_entry_load(folder, &kernel, &source, &unused))
			continue;
		if (came_from(&source, package, version))
			found = steal_ptr(kernel);
		kernel_free(kernel);
		kernel_source_done(&source);
	}
	kernel_list_free_names(names, count);
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

static bool is_ending(const char *release, const char *name)
{
	size_t length = strlen(release), end = strlen(name);

	return end > 0 && length > end && release[length - end - 1] == '-' &&
	       strcmp(release + length - end, name) == 0;
}

char *kernel_cache_named(const char *cache, const char *name)
{
	_cleanup_free_ char *kernels = kernel_cache_kernels(cache);
	const char *found = NULL;
	char **names = NULL;
	char *folder = NULL;
	size_t count = 0;

	if (!kernels || kernel_list_names(kernels, &names, &count))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			found = names[i];
	}
	for (size_t i = 0; !found && i < count; i++) {
		if (is_ending(names[i], name))
			found = names[i];
	}
	if (found)
		folder = str_format("%s/%s", kernels, found);
	kernel_list_free_names(names, count);
	return folder;
}

/* An entry that cannot be used, with the reason. NULL when out of memory. */
static struct kernel *damaged_entry(const char *folder, const char *name,
				    const struct ktstr_error *why)
{
	_cleanup_free_ char *image = str_format("%s/vmlinuz", folder);
	struct kernel *kernel = image ? kernel_new(image, image, name, NULL, NULL, "cache") : NULL;

	if (kernel)
		kernel->problem = strdup(why->text);
	if (kernel && !kernel->problem) {
		kernel_free(kernel);
		return NULL;
	}
	return kernel;
}

int kernel_cache_list(const char *cache, struct kernel_list *list, struct ktstr_error *err)
{
	_cleanup_free_ char *kernels = kernel_cache_kernels(cache);
	char **names = NULL;
	size_t count = 0;
	int code;

	if (!kernels)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = kernel_list_names(kernels, &names, &count);
	if (code)
		return ktstr_fail(err, code, "cannot read '%s': %s", kernels, strerror(-code));
	for (size_t i = 0; !code && i < count; i++) {
		_cleanup_free_ char *folder = str_format("%s/%s", kernels, names[i]);
		struct kernel *kernel = NULL;
		struct ktstr_error damaged;

		if (!folder)
			code = ktstr_fail(err, -ENOMEM, "out of memory");
		else if (kernel_entry_load(folder, &kernel, NULL, &damaged))
			kernel = damaged_entry(folder, names[i], &damaged);
		if (!code && (!kernel || kernel_list_add(list, kernel)))
			code = ktstr_fail(err, -ENOMEM, "out of memory");
	}
	kernel_list_free_names(names, count);
	return code;
}

/* One folder more than UNPACKED_KEPT: the one that was not used for longest goes. */
static void forget_unused(const char *parent)
{
	_cleanup_free_ char *oldest = NULL;
	struct timespec oldest_time = { 0 };
	char **names = NULL;
	size_t count = 0;

	remove_begun(parent, BEGUN_MAX_AGE_S);
	if (kernel_list_names(parent, &names, &count))
		return;
	for (size_t i = 0; count > UNPACKED_KEPT && i < count; i++) {
		_cleanup_free_ char *path = str_format("%s/%s", parent, names[i]);
		struct stat status;

		if (!path || stat(path, &status))
			continue;
		if (!oldest || status.st_mtim.tv_sec < oldest_time.tv_sec ||
		    (status.st_mtim.tv_sec == oldest_time.tv_sec &&
		     status.st_mtim.tv_nsec < oldest_time.tv_nsec)) {
			free(oldest);
			oldest = steal_ptr(path);
			oldest_time = status.st_mtim;
		}
	}
	if (oldest)
		kernel_entry_remove(oldest);
	kernel_list_free_names(names, count);
}

/* A file that is changed or replaced gets another key. */
static char *unpacked_key(const struct kernel_image *image)
{
	struct stat status;

	if (fstat(image->fd, &status))
		return NULL;
	return str_format("%llx-%llx-%llx-%llx.%lx", (unsigned long long)status.st_dev,
			  (unsigned long long)status.st_ino, (unsigned long long)status.st_size,
			  (unsigned long long)status.st_mtim.tv_sec,
			  (unsigned long)status.st_mtim.tv_nsec);
}

static int unpack_file(const char *folder, const char *name,
		       int (*write_it)(const struct kernel_image *, int, struct ktstr_error *),
		       const struct kernel_image *image, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	int code;
	int fd;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot make '%s': %s", path, strerror(errno));
	code = write_it(image, fd, err);
	if (!code && fsync(fd))
		code = ktstr_fail(err, -errno, "cannot write '%s': %s", path, strerror(errno));
	if (close(fd) && !code)
		code = ktstr_fail(err, -errno, "cannot write '%s': %s", path, strerror(errno));
	if (code)
		(void)unlink(path);
	return code;
}

static int unpack_into(const char *folder, const struct kernel_image *image,
		       struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/vmlinux", folder);
	struct kernel_image vmlinux;
	int code;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = unpack_file(folder, "vmlinux", kernel_image_unpack, image, err);
	if (!code)
		code = kernel_image_open(path, &vmlinux, err);
	if (code)
		return code;
	code = unpack_file(folder, "config", kernel_image_config, &vmlinux, err);
	kernel_image_done(&vmlinux);
	return code == -ENODATA ? 0 : code;
}

int kernel_cache_unpacked(const char *cache, const struct kernel_image *image, bool may_unpack,
			  char **ret_folder, struct ktstr_error *err)
{
	_cleanup_free_ char *parent = str_format("%s/unpacked", cache);
	_cleanup_free_ char *key = unpacked_key(image);
	_cleanup_free_ char *folder = parent && key ? str_format("%s/%s", parent, key) : NULL;
	_cleanup_free_ char *begun = NULL;
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!utimensat(AT_FDCWD, folder, NULL, 0)) { /* it is there, and was used last */
		*ret_folder = steal_ptr(folder);
		return 0;
	}
	if (!may_unpack)
		return ktstr_fail(err, -ENOENT, "the image was not unpacked yet");
	code = begin_in(parent, &begun, err);
	if (code)
		return code;
	code = unpack_into(begun, image, err);
	if (!code && rename(begun, folder) && errno != EEXIST && errno != ENOTEMPTY)
		code = ktstr_fail(err, -errno, "cannot rename '%s' to '%s': %s", begun, folder,
				  strerror(errno));
	kernel_entry_remove(begun); /* not there any more unless something failed */
	if (code)
		return code;
	forget_unused(parent);
	*ret_folder = steal_ptr(folder);
	return 0;
}
