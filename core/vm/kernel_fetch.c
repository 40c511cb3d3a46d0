/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_fetch.h"

#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vm/kernel_apt.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_entry.h"
#include "vm/kernel_image.h"
#include "vm/unpack.h"

/* For the package lists, and for package, image, vmlinux and BTF, with room to spare. */
#define LISTS_ROOM (UINT64_C(64) << 20)
#define KERNEL_ROOM (UINT64_C(192) << 20)
#define PACKAGES_MAX 8
#define FILE_MAX (UINT64_C(512) << 20)

/* The metapackage that depends on the newest kernel. */
static const struct {
	const char *machine;
	const char *architecture;
	const char *package;
} machines[] = {
	{ "x86_64", "amd64", "linux-image-cloud-amd64" },
};

/* Where a package may have what we look for; newer kernels have all below their modules. */
static const struct {
	const char *pattern;
	bool is_config;
} wanted_files[] = {
	{ "usr/lib/modules/*/vmlinuz", false },
	{ "boot/vmlinuz-*", false },
	{ "usr/lib/modules/*/config", true },
	{ "boot/config-*", true },
};

struct fetch {
	const struct kernel_fetch_host *host;
	struct kernel_apt apt;
	char *folder; /* of the entry in the making */
	int image_fd;
	int config_fd;
	struct ktstr_error *err;
};

__attribute__((format(printf, 2, 3))) static void say(const struct kernel_fetch_host *host,
						      const char *format, ...)
{
	char line[512];
	va_list args;

	if (!host->progress)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	host->progress(host->arg, line);
}

static int open_new(struct fetch *fetch, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", fetch->folder, name);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		(void)ktstr_fail(fetch->err, -errno, "cannot make '%s/%s': %s", fetch->folder, name,
				 strerror(errno));
	return fd;
}

static int take_file(void *arg, const char *path)
{
	struct fetch *fetch = arg;

	for (size_t i = 0; i < ARRAY_SIZE(wanted_files); i++) {
		bool is_config = wanted_files[i].is_config;
		int *fd = is_config ? &fetch->config_fd : &fetch->image_fd;

		if (*fd >= 0 || fnmatch(wanted_files[i].pattern, path, FNM_PATHNAME) != 0)
			continue;
		*fd = open_new(fetch, is_config ? "config" : "vmlinuz");
		return *fd;
	}
	return -1;
}

/* Download @package and take image and config out of it, where it has them. */
static int fetch_package(struct fetch *fetch, const char *package, struct ktstr_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct unpack unpack = { .output_max = FILE_MAX };
	struct stat status;
	int code;

	code = kernel_apt_download(&fetch->apt, package, &path, err);
	if (code)
		return code;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status))
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (status.st_size > 65536)
		say(fetch->host, "unpacking %s (%.1f MB)", package, (double)status.st_size / 1e6);
	unpack.fd = fd;
	unpack.length = (uint64_t)status.st_size;
	*fetch->err = (struct ktstr_error){ 0 };
	code = unpack_deb(&unpack, take_file, fetch, err);
	(void)unlink(path); /* not needed any more; the next download removes it as well */
	if (code)
		return ktstr_prefix(err, "package '%s'", package);
	if (fetch->err->code) {
		*err = *fetch->err;
		return err->code;
	}
	return 0;
}

static bool may_hold_image(const char *package)
{
	return str_starts(package, "linux-image-") || str_starts(package, "linux-binary-");
}

/* Follow dependencies from the metapackage to the package that holds the image. */
static int fetch_image(struct fetch *fetch, const char *meta, struct kernel_source *source,
		       struct ktstr_error *err)
{
	char *queue[PACKAGES_MAX] = { strdup(meta) };
	size_t count = 1;
	int code = queue[0] ? 0 : ktstr_fail(err, -ENOMEM, "out of memory");

	for (size_t at = 0; !code && fetch->image_fd < 0 && at < count; at++) {
		struct kernel_package package = { 0 };

		code = kernel_apt_show(&fetch->apt, queue[at], &package, err);
		if (!code && at > 0)
			code = fetch_package(fetch, queue[at], err);
		if (!code && fetch->image_fd >= 0)
			source->sha256 = steal_ptr(package.sha256);
		for (char **name = package.depends; !code && name && *name; name++) {
			if (may_hold_image(*name) && count < PACKAGES_MAX)
				queue[count++] = steal_ptr(*name), *name = strdup("");
		}
		kernel_package_done(&package);
	}
	if (!code && fetch->image_fd < 0)
		code = ktstr_fail(err, -ENODATA,
				  "no package that '%s' depends on holds a kernel image; give a "
				  "kernel by --kernel PATH, built with CONFIG_SCHED_CLASS_EXT=y",
				  meta);
	for (size_t i = 0; i < count; i++)
		free(queue[i]);
	return code;
}

/* Where the config is not beside the image, it is in a package of the same release. */
static int fetch_config(struct fetch *fetch, struct ktstr_error *err)
{
	_cleanup_free_ char *vmlinuz = str_format("%s/vmlinuz", fetch->folder);
	_cleanup_free_ char *package = NULL;
	struct kernel_image image;
	int code;

	if (fetch->config_fd >= 0)
		return 0;
	if (!vmlinuz)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = kernel_image_open(vmlinuz, &image, err);
	if (code)
		return code;
	package = str_format("linux-base-%s", image.release);
	kernel_image_done(&image);
	if (!package)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = fetch_package(fetch, package, err);
	if (!code && fetch->config_fd < 0)
		code = ktstr_fail(err, -ENODATA, "package '%s' holds no kernel config", package);
	return code;
}

static int close_synced(int *fd, struct ktstr_error *err)
{
	int code = fsync(*fd) ? -errno : 0;

	if (close(steal_fd(fd)) && !code)
		code = -errno;
	return code ? ktstr_fail(err, code, "cannot write the kernel: %s", strerror(-code)) : 0;
}

static int check_room(const char *cache, uint64_t needed, struct ktstr_error *err)
{
	struct statvfs room;
	uint64_t bytes;

	if (statvfs(cache, &room))
		return ktstr_fail(err, -errno, "cannot look at '%s': %s", cache, strerror(errno));
	bytes = (uint64_t)room.f_bavail * room.f_frsize;
	if (bytes < needed)
		return ktstr_fail(err, -ENOSPC,
				  "the disk of '%s' is too full: %llu MiB are free, %llu MiB are "
				  "needed",
				  cache, (unsigned long long)(bytes >> 20),
				  (unsigned long long)(needed >> 20));
	return 0;
}

/* Something else than the host's mirror is tried when that one does not carry it. */
static int read_lists(struct fetch *fetch, struct ktstr_error *err)
{
	_cleanup_free_ char *mirror = kernel_apt_mirror();
	struct ktstr_error second;
	int code;

	if (!mirror)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	say(fetch->host, "reading the package lists of %s", mirror);
	code = kernel_apt_update(&fetch->apt, mirror, err);
	if (!code || code == -ENOENT || strcmp(mirror, KERNEL_APT_DEBIAN) == 0)
		return code;
	say(fetch->host, "reading the package lists of %s", KERNEL_APT_DEBIAN);
	return kernel_apt_update(&fetch->apt, KERNEL_APT_DEBIAN, &second) ? code : 0;
}

static int fetch_new(struct fetch *fetch, const char *meta, struct kernel_source *source,
		     struct kernel **ret, struct ktstr_error *err)
{
	const char *cache = fetch->host->cache;
	_cleanup_free_ char *kernels = kernel_cache_kernels(cache);
	int code;

	if (!kernels)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = check_room(cache, KERNEL_ROOM, err);
	if (!code)
		code = kernel_cache_begin(cache, &fetch->folder, err);
	if (code)
		return code;
	say(fetch->host, "fetching %s %s", meta, source->version);
	code = fetch_image(fetch, meta, source, err);
	if (!code)
		code = fetch_config(fetch, err);
	if (!code)
		code = close_synced(&fetch->image_fd, err);
	if (!code)
		code = close_synced(&fetch->config_fd, err);
	if (!code)
		code = kernel_entry_commit(kernels, fetch->folder, source, ret, err);
	if (code)
		kernel_entry_remove(fetch->folder);
	return code;
}

/* Under the lock of the cache. */
static int fetch_locked(struct fetch *fetch, const char *meta, struct kernel **ret,
			struct ktstr_error *err)
{
	struct kernel_source source = { 0 };
	struct kernel_package package = { 0 };
	struct kernel *kernel = NULL;
	int code;

	code = check_room(fetch->host->cache, LISTS_ROOM, err);
	if (!code)
		code = read_lists(fetch, err);
	if (!code)
		code = kernel_apt_show(&fetch->apt, meta, &package, err);
	if (code)
		return code;
	if (kernel_cache_find(fetch->host->cache, meta, package.version, &kernel) == 0) {
		say(fetch->host, "kernel %s is there already", kernel->release);
	} else {
		source.package = strdup(meta);
		source.version = steal_ptr(package.version);
		source.source = steal_ptr(package.source);
		code = source.package ? fetch_new(fetch, meta, &source, &kernel, err)
				      : ktstr_fail(err, -ENOMEM, "out of memory");
		if (!code)
			say(fetch->host, "kernel %s is in the cache", kernel->release);
	}
	kernel_package_done(&package);
	kernel_source_done(&source);
	if (!code)
		*ret = kernel;
	return code;
}

static int find_machine(const char *machine, size_t *ret, struct ktstr_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (strcmp(machines[i].machine, machine) == 0) {
			*ret = i;
			return 0;
		}
	}
	return ktstr_fail(err, -ENOTSUP, "there is no kernel to fetch for a machine of type '%s'",
			  machine);
}

int kernel_fetch_for(const struct kernel_fetch_host *host, struct kernel **ret,
		     struct ktstr_error *err)
{
	_cleanup_free_ char *folder = str_format("%s/apt", host->cache);
	struct ktstr_error taking = { 0 };
	struct fetch fetch = { .host = host, .image_fd = -1, .config_fd = -1, .err = &taking };
	_cleanup_close_ int lock = -1;
	size_t machine;
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = find_machine(host->machine, &machine, err);
	if (code)
		return code;
	lock = kernel_cache_lock(host->cache, host->progress, host->arg, err);
	if (lock < 0)
		return lock;
	code = kernel_apt_init(&fetch.apt, folder, host->keyring, machines[machine].architecture,
			       err);
	if (code)
		return code;
	code = fetch_locked(&fetch, machines[machine].package, ret, err);
	kernel_apt_done(&fetch.apt);
	cleanup_close(&fetch.image_fd);
	cleanup_close(&fetch.config_fd);
	free(fetch.folder);
	return code;
}

int kernel_fetch(kernel_progress progress, void *arg, struct kernel **ret, struct ktstr_error *err)
{
	struct kernel_fetch_host host = { .progress = progress, .arg = arg };
	_cleanup_free_ char *cache = NULL;
	struct utsname name;
	int code = kernel_cache_dir(&cache, err);

	if (code)
		return code;
	if (uname(&name))
		return ktstr_fail(err, -errno, "cannot ask for the machine's type: %s",
				  strerror(errno));
	host.cache = cache;
	host.machine = name.machine;
	return kernel_fetch_for(&host, ret, err);
}
