/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kernel_apt.h"
#include "vm/kernel_build_job.h"
#include "vm/kernel_build_run.h"
#include "vm/kernel_cache.h"
#include "vm/unpack.h"

#define ARCHITECTURE "amd64"
#define PACKAGES_PREFIX "linux-source-"
/* linux-source depends on linux-source-7.2, which holds it. */
#define PACKAGES_MAX 3
#define TARBALL_BYTES_MAX (UINT64_C(2) << 30)

static void say_waiting(void *arg, const char *line)
{
	build_say(arg, "source", "%s", line);
}

/* apt's folder is shared with those who fetch kernels, so the lock of the cache goes with it. */
static int begin_apt(struct build_job *job, struct kernel_apt *apt, int *ret_lock,
		     struct ktstr_error *err)
{
	_cleanup_free_ char *folder = str_format("%s/apt", job->host->cache);
	_cleanup_close_ int lock = -1;
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	lock = kernel_cache_lock(job->host->cache, say_waiting, job, err);
	if (lock < 0)
		return lock;
	code = kernel_apt_init(apt, folder, job->host->keyring, ARCHITECTURE, err);
	if (!code)
		*ret_lock = steal_fd(&lock);
	return code;
}

/* What the host's mirror does not carry, Debian's own may. */
static int read_lists(struct build_job *job, const struct kernel_apt *apt, struct ktstr_error *err)
{
	_cleanup_free_ char *mirror = kernel_apt_mirror();
	struct ktstr_error second;
	int code;

	if (!mirror)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	build_say(job, "source", "reading the package lists of %s", mirror);
	code = kernel_apt_update(apt, mirror, err);
	if (!code || code == -ENOENT || strcmp(mirror, KERNEL_APT_DEBIAN) == 0)
		return code;
	build_say(job, "source", "reading the package lists of %s", KERNEL_APT_DEBIAN);
	return kernel_apt_update(apt, KERNEL_APT_DEBIAN, &second) ? code : 0;
}

static char *next_package(const struct kernel_package *package)
{
	for (char **name = package->depends; *name; name++)
		if (str_starts(*name, PACKAGES_PREFIX))
			return strdup(*name);
	return NULL;
}

/* Follow dependencies to the package that depends on no other one with a source. */
static int find_package(struct build_job *job, const struct kernel_apt *apt,
			struct ktstr_error *err)
{
	_cleanup_free_ char *name = strdup(job->source.place);
	int code = name ? 0 : ktstr_fail(err, -ENOMEM, "out of memory");

	for (int i = 0; !code && i < PACKAGES_MAX; i++) {
		struct kernel_package package = { 0 };
		uint64_t hash = build_hash_text(BUILD_HASH_SEED, name);
		char *next;

		code = kernel_apt_show(apt, name, &package, err);
		if (code)
			return code;
		next = next_package(&package);
		if (!next) {
			hash = build_hash_text(hash, package.version);
			hash = build_hash_text(hash, package.sha256 ? package.sha256 : "");
			job->source.content = hash;
			job->source.version = steal_ptr(package.version);
			job->source.package = steal_ptr(name);
			kernel_package_done(&package);
			return 0;
		}
		free(name);
		name = next;
		kernel_package_done(&package);
	}
	return code ? code
		    : ktstr_fail(err, -ELOOP, "package '%s' holds no kernel's source",
				 job->source.place);
}

int build_obtain_version(struct build_job *job, struct ktstr_error *err)
{
	struct kernel_apt apt = { 0 };
	_cleanup_close_ int lock = -1;
	int code = begin_apt(job, &apt, &lock, err);

	if (!code)
		code = read_lists(job, &apt, err);
	if (!code)
		code = build_go_on(job, err);
	if (!code)
		code = find_package(job, &apt, err);
	kernel_apt_done(&apt);
	return code;
}

struct taking {
	const char *path;
	int fd;
};

static int take_tarball(void *arg, const char *path)
{
	struct taking *taking = arg;

	if (taking->fd >= 0 || !str_starts(path, "usr/src/linux-source-") || !strstr(path, ".tar."))
		return -1;
	taking->fd = open(taking->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return taking->fd;
}

/* The tarball out of the package @deb. */
static int unpack_package(const char *deb, const char *package, const char *tarball,
			  struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(deb, O_RDONLY | O_CLOEXEC);
	struct unpack unpack = { .fd = fd, .output_max = TARBALL_BYTES_MAX };
	struct taking taking = { .path = tarball, .fd = -1 };
	struct stat status;
	int code;

	if (fd < 0 || fstat(fd, &status))
		return ktstr_fail(err, -errno, "cannot open '%s': %s", deb, strerror(errno));
	unpack.length = (uint64_t)status.st_size;
	code = unpack_deb(&unpack, take_tarball, &taking, err);
	if (!code && taking.fd < 0)
		code = ktstr_fail(err, -ENODATA, "package '%s' holds no kernel's source", package);
	if (taking.fd >= 0 && close(taking.fd) && !code)
		code = ktstr_fail(err, -errno, "cannot write '%s': %s", tarball, strerror(errno));
	return code;
}

static int download(struct build_job *job, const char *tarball, struct ktstr_error *err)
{
	_cleanup_free_ char *deb = NULL;
	struct kernel_apt apt = { 0 };
	_cleanup_close_ int lock = -1;
	int code = begin_apt(job, &apt, &lock, err);

	if (!code) {
		build_say(job, "source", "downloading %s %s", job->source.package,
			  job->source.version);
		code = kernel_apt_download(&apt, job->source.package, &deb, err);
	}
	if (!code)
		code = unpack_package(deb, job->source.package, tarball, err);
	if (deb)
		(void)unlink(deb); /* the next download removes it as well */
	kernel_apt_done(&apt);
	return code;
}

/* Unpack the source below @folder, which gets its name when it is whole. */
static int unpack_source(struct build_job *job, const char *folder, struct ktstr_error *err)
{
	_cleanup_free_ char *half = str_format("%s/unpacking", job->work);
	_cleanup_free_ char *tarball = str_format("%s/source.tar", job->work);
	bool is_package = job->source.kind == BUILD_SOURCE_PACKAGE;
	int code = 0;

	if (!half || !tarball)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	build_remove_tree(half);
	code = io_make_dirs(half, err);
	if (!code && is_package)
		code = download(job, tarball, err);
	if (!code)
		code = build_go_on(job, err);
	if (!code) {
		build_say(job, "source", "unpacking %s",
			  is_package ? job->source.package : job->source.place);
		code = build_source_unpack(is_package ? tarball : job->source.place, half,
					   job->watch->interrupt_fd, err);
	}
	(void)unlink(tarball); /* of a package; there may be none */
	if (!code && rename(half, folder))
		code = ktstr_fail(err, -errno, "cannot rename '%s' to '%s': %s", half, folder,
				  strerror(errno));
	if (code)
		build_remove_tree(half);
	return code;
}

/* A tree unpacked by an earlier build is taken as it is; objects of another one would mislead make,
 * as files of a tarball are older than they. */
static int obtain_unpacked(struct build_job *job, struct ktstr_error *err)
{
	_cleanup_free_ char *folder =
		str_format("%s/source-%016" PRIx64, job->work, job->source.content);
	struct stat status;
	int code = 0;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (stat(folder, &status)) {
		(void)close(steal_fd(&job->log_fd)); /* nothing is in it */
		build_remove_tree(job->work);
		code = io_make_dirs(job->work, err);
		if (!code)
			code = unpack_source(job, folder, err);
		if (code)
			return code;
		job->log_fd = open(job->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (job->log_fd < 0)
			return ktstr_fail(err, -errno, "cannot make '%s': %s", job->log,
					  strerror(errno));
	}
	code = build_source_root(folder, &job->tree, err);
	if (!code)
		code = build_source_check_tree(job->tree, err);
	return code ? ktstr_prefix(err, "'%s'", job->source.place) : 0;
}

int build_obtain(struct build_job *job, struct ktstr_error *err)
{
	int code;

	job->objects = str_format("%s/objects", job->work);
	if (!job->objects)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (job->source.kind == BUILD_SOURCE_TREE) {
		job->tree = strdup(job->source.place);
		code = job->tree ? 0 : ktstr_fail(err, -ENOMEM, "out of memory");
	} else {
		code = obtain_unpacked(job, err);
	}
	return code ? code : io_make_dirs(job->objects, err);
}
