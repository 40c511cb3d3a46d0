/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kernel_build_job.h"
#include "vm/kernel_build_needs.h"
#include "vm/kernel_build_run.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_entry.h"

#define MACHINE "x86_64"
/* In kernel.json, in place of a package's name. */
#define PACKAGE "ktstr kernel build"
#define NAME_MAX_BYTES 32
#define FRAGMENT_MAX (1u << 20)
/* Objects with debugging information, and beside them a source that is yet to be unpacked. */
#define OBJECTS_ROOM (UINT64_C(3) << 30)
#define SOURCE_ROOM (UINT64_C(3) << 30)
#define UNUSED_S (30 * 24 * 3600)
#define LOCK_TRY_MS 100

void build_say(struct build_job *job, const char *phase, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!job->watch->phase)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	job->watch->phase(job->watch->arg, phase, line);
}

int build_go_on(const struct build_job *job, struct ktstr_error *err)
{
	return build_is_interrupted(job->watch->interrupt_fd)
		       ? ktstr_fail(err, -EINTR, "interrupted")
		       : 0;
}

static int add_fragment(struct build_job *job, const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	int code = io_read_file(path, FRAGMENT_MAX, &text, NULL, err);

	if (code)
		return code;
	job->config_hash = build_hash_text(job->config_hash, text);
	return build_options_add(&job->wanted, path, text, err);
}

static int read_fragments(struct build_job *job, struct ktstr_error *err)
{
	int code = build_options_add(&job->wanted, BUILD_CONFIG_OWN, build_config_own(), err);

	job->config_hash = build_hash_text(BUILD_HASH_SEED, build_config_own());
	for (size_t i = 0; !code && i < job->build->fragment_count; i++)
		code = add_fragment(job, job->build->fragments[i], err);
	return code;
}

static int check_request(const struct build_job *job, struct ktstr_error *err)
{
	const char *name = job->build->name;

	if (strcmp(job->host->machine, MACHINE) != 0)
		return ktstr_fail(err, -ENOTSUP,
				  "kernels are built on x86-64 only, not on a machine of type '%s'",
				  job->host->machine);
	if (!name)
		return 0;
	if (!*name || strlen(name) > NAME_MAX_BYTES || *name == '-' || *name == '.' ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return ktstr_fail(err, -EINVAL,
				  "the name '%s' cannot end a kernel's release: take at most %d "
				  "letters, digits, '.', '_' and '-'",
				  name, NAME_MAX_BYTES);
	return 0;
}

/* The name that the result has, and the stamp by which it is known again. */
static void name_result(struct build_job *job)
{
	uint64_t hash = build_hash_text(job->config_hash, job->source.place);

	if (job->build->name)
		(void)snprintf(job->suffix, sizeof(job->suffix), "-%s", job->build->name);
	else
		(void)snprintf(job->suffix, sizeof(job->suffix), "-ktstr-%08" PRIx32,
			       (uint32_t)(hash ^ hash >> 32));
	hash = build_hash(hash, &job->source.content, sizeof(job->source.content));
	hash = build_hash_text(hash, job->suffix);
	(void)snprintf(job->stamp, sizeof(job->stamp), "%016" PRIx64, hash);
}

static int lock_file(struct build_job *job, const char *path, struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return steal_fd(&fd);
	build_say(job, "build", "waiting for another ktstr that builds it");
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		struct pollfd interrupt = { .fd = job->watch->interrupt_fd, .events = POLLIN };

		if (errno != EWOULDBLOCK && errno != EINTR)
			return ktstr_fail(err, -errno, "cannot lock '%s': %s", path,
					  strerror(errno));
		/* flock() cannot wait for two things. */
		if (poll(&interrupt, 1, LOCK_TRY_MS) == 1)
			return build_go_on(job, err);
	}
	return steal_fd(&fd);
}

/* Those of @builds whose lock was taken last a month ago, and is free. */
static void remove_unused(const char *builds)
{
	DIR *dir = opendir(builds);
	time_t now = time(NULL);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *folder = NULL, *lock = NULL;
		_cleanup_close_ int fd = -1;
		struct stat status;

		if (entry->d_name[0] == '.')
			continue;
		folder = str_format("%s/%s", builds, entry->d_name);
		lock = str_format("%s/.%s", builds, entry->d_name);
		if (!folder || !lock || stat(lock, &status) || status.st_mtime > now - UNUSED_S)
			continue;
		fd = open(lock, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			build_remove_tree(folder);
	}
	if (dir)
		(void)closedir(dir); /* only read from */
}

static int check_room(const char *folder, uint64_t needed, struct ktstr_error *err)
{
	struct statvfs room;

	if (statvfs(folder, &room))
		return ktstr_fail(err, -errno, "cannot look at '%s': %s", folder, strerror(errno));
	if ((uint64_t)room.f_bavail * room.f_frsize >= needed)
		return 0;
	return ktstr_fail(err, -ENOSPC,
			  "the disk of '%s' is too full: %" PRIu64 " MiB are free, %" PRIu64
			  " MiB are needed",
			  folder, (uint64_t)room.f_bavail * room.f_frsize >> 20, needed >> 20);
}

/* The folder to work in, under its lock, which goes to @ret_lock. */
static int enter_work(struct build_job *job, int *ret_lock, struct ktstr_error *err)
{
	uint64_t key = build_hash_text(BUILD_HASH_SEED, job->source.place);
	_cleanup_free_ char *builds = str_format("%s/builds", job->host->cache);
	_cleanup_free_ char *lock_path = NULL, *real = NULL;
	_cleanup_close_ int lock = -1;
	struct stat status;
	int code;

	key = build_hash_text(key, job->build->name ? job->build->name : "");
	code = builds ? io_make_dirs(builds, err) : ktstr_fail(err, -ENOMEM, "out of memory");
	if (code)
		return code;
	remove_unused(builds);
	/* Without links in it, or unpacking would not trust it. */
	real = realpath(builds, NULL);
	lock_path = real ? str_format("%s/.%016" PRIx64, real, key) : NULL;
	job->work = real ? str_format("%s/%016" PRIx64, real, key) : NULL;
	job->log = job->work ? str_format("%s/log", job->work) : NULL;
	if (!lock_path || !job->log)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	lock = lock_file(job, lock_path, err);
	if (lock < 0)
		return lock;
	(void)futimens(lock, NULL); /* at worst it is removed too early */
	if (stat(job->work, &status)) {
		code = check_room(real,
				  OBJECTS_ROOM +
					  (job->source.kind == BUILD_SOURCE_TREE ? 0 : SOURCE_ROOM),
				  err);
		if (!code)
			code = io_make_dirs(job->work, err);
	}
	if (!code)
		*ret_lock = steal_fd(&lock);
	return code;
}

static int open_log(struct build_job *job, struct ktstr_error *err)
{
	job->log_fd = open(job->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return job->log_fd < 0
		       ? ktstr_fail(err, -errno, "cannot make '%s': %s", job->log, strerror(errno))
		       : 0;
}

static int copy_file(const char *from, const char *folder, const char *name,
		     struct ktstr_error *err)
{
	_cleanup_free_ char *to = str_format("%s/%s", folder, name);
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	ssize_t got;
	int code = 0;

	if (!to)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (in < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", from, strerror(errno));
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0)
		return ktstr_fail(err, -errno, "cannot make '%s': %s", to, strerror(errno));
	do {
		char chunk[65536];

		got = read(in, chunk, sizeof(chunk));
		code = got < 0 ? -errno : io_write_all(out, chunk, (size_t)got);
	} while (got > 0 && !code);
	if (!code && (fsync(out) || close(steal_fd(&out))))
		code = -errno;
	return code ? ktstr_fail(err, code, "cannot copy '%s' to '%s': %s", from, to,
				 strerror(-code))
		    : 0;
}

static int fill_entry(struct build_job *job, const char *folder, struct ktstr_error *err)
{
	const struct {
		char *from;
		const char *name;
	} files[] = {
		{ str_format("%s/arch/x86/boot/bzImage", job->objects), "vmlinuz" },
		{ str_format("%s/.config", job->objects), "config" },
		{ strdup(job->log), "build.log" },
	};
	int code = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!code)
			code = files[i].from ? copy_file(files[i].from, folder, files[i].name, err)
					     : ktstr_fail(err, -ENOMEM, "out of memory");
		free(files[i].from);
	}
	return code;
}

static int install(struct build_job *job, struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *kernels = kernel_cache_kernels(job->host->cache);
	_cleanup_free_ char *folder = NULL;
	_cleanup_close_ int lock = -1;
	struct kernel_source source = { .package = strdup(PACKAGE),
					.version = strdup(job->stamp),
					.source = job->source.version
							  ? str_format("%s %s", job->source.package,
								       job->source.version)
							  : strdup(job->source.place) };
	int code = 0;

	build_say(job, "install", "into the cache");
	if (!kernels || !source.package || !source.version || !source.source)
		code = ktstr_fail(err, -ENOMEM, "out of memory");
	else
		lock = kernel_cache_lock(job->host->cache, NULL, NULL, err);
	if (!code && lock < 0)
		code = lock;
	if (!code)
		code = kernel_cache_begin(job->host->cache, &folder, err);
	if (!code)
		code = fill_entry(job, folder, err);
	if (!code)
		code = build_go_on(job, err);
	if (!code)
		code = kernel_entry_commit(kernels, folder, &source, ret, err);
	if (code && folder)
		kernel_entry_remove(folder);
	kernel_source_done(&source);
	return code;
}

static int build_there(struct build_job *job, struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_close_ int lock = -1;
	int code = enter_work(job, &lock, err);

	if (!code && !kernel_cache_find(job->host->cache, PACKAGE, job->stamp, ret))
		return 0; /* it was built while we waited */
	if (!code)
		code = open_log(job, err);
	if (!code)
		code = build_obtain(job, err);
	if (!code)
		code = build_configure(job, err);
	if (!code)
		code = build_compile(job, err);
	if (!code)
		code = install(job, ret, err);
	if (!code && job->source.kind != BUILD_SOURCE_TREE)
		build_remove_tree(job->work);
	return code;
}

/* What can be known without the work. */
static int prepare(struct build_job *job, struct ktstr_error *err)
{
	int code = check_request(job, err);

	if (!code)
		code = read_fragments(job, err);
	if (!code)
		code = build_source_init(&job->source, job->build->source, err);
	if (code)
		return code;
	code = job->source.kind == BUILD_SOURCE_PACKAGE ? build_obtain_version(job, err)
							: build_source_look(&job->source, err);
	if (!code)
		name_result(job);
	return code;
}

int kernel_build_for(const struct kernel_build *build, const struct kernel_build_host *host,
		     const struct kernel_build_watch *watch, struct kernel **ret,
		     struct ktstr_error *err)
{
	struct build_job job = { .build = build, .host = host, .watch = watch, .log_fd = -1 };
	struct kernel *kernel = NULL;
	int code = prepare(&job, err);

	if (!code && kernel_cache_find(host->cache, PACKAGE, job.stamp, &kernel)) {
		code = build_needs_check(err);
		if (!code)
			code = build_there(&job, &kernel, err);
	}
	if (!code)
		*ret = kernel;
	cleanup_close(&job.log_fd);
	free(job.work);
	free(job.tree);
	free(job.objects);
	free(job.log);
	build_options_done(&job.wanted);
	build_source_done(&job.source);
	return code;
}

int kernel_build(const struct kernel_build *build, const struct kernel_build_watch *watch,
		 struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *cache = NULL;
	struct kernel_build_host host = { 0 };
	struct utsname name;
	int code = kernel_cache_dir(&cache, err);

	if (code)
		return code;
	if (uname(&name))
		return ktstr_fail(err, -errno, "cannot ask for the machine's type: %s",
				  strerror(errno));
	host.cache = cache;
	host.machine = name.machine;
	return kernel_build_for(build, &host, watch, ret, err);
}
