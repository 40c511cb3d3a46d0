/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kernel_config.h"
#include "vm/kernel_image.h"

#define FORMAT 1
#define DESCRIPTION "kernel.json"
#define DESCRIPTION_MAX 65536

enum {
	FILE_VMLINUZ,
	FILE_VMLINUX,
	FILE_CONFIG,
	FILE_BTF,
	FILE_COUNT,
};

static const struct {
	const char *name;
	bool is_needed;
} files[FILE_COUNT] = {
	[FILE_VMLINUZ] = { "vmlinuz", true },
	[FILE_VMLINUX] = { "vmlinux", false },
	[FILE_CONFIG] = { "config", true },
	[FILE_BTF] = { "btf", false },
};

void kernel_source_done(struct kernel_source *source)
{
	if (!source)
		return;
	free(source->package);
	free(source->version);
	free(source->source);
	free(source->sha256);
	*source = (struct kernel_source){ 0 };
}

static bool copy_text(char **target, const char *text)
{
	if (!text)
		return true;
	*target = strdup(text);
	return *target;
}

struct kernel *kernel_new(const char *image, const char *boot, const char *release,
			  const char *config, const char *btf, const char *origin)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return NULL;
	kernel->origin = origin;
	if (!copy_text(&kernel->image, image) || !copy_text(&kernel->boot, boot) ||
	    !copy_text(&kernel->release, release) || !copy_text(&kernel->config, config) ||
	    !copy_text(&kernel->btf, btf)) {
		kernel_free(kernel);
		return NULL;
	}
	return kernel;
}

void kernel_entry_remove(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *file;
	DIR *dir;

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd); /* only read from */
		return;
	}
	/* What cannot be removed stays behind, is not used, and is tried again next time. */
	while ((file = readdir(dir)))
		(void)unlinkat(fd, file->d_name, 0);
	(void)closedir(dir);
	(void)rmdir(folder);
}

static int open_in(const char *folder, const char *name, int flags, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	int fd;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	fd = open(path, flags | O_CLOEXEC, 0644);
	return fd >= 0 ? fd
		       : ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
}

/* Close a file that was written; a full disk may show only now. */
static int close_written(int fd, const char *folder, const char *name, struct ktstr_error *err)
{
	int code = fsync(fd) ? -errno : 0;

	if (close(fd) && !code)
		code = -errno;
	return code ? ktstr_fail(err, code, "cannot write '%s/%s': %s", folder, name,
				 strerror(-code))
		    : 0;
}

static int write_btf(const char *folder, const struct kernel_image *vmlinux,
		     struct ktstr_error *err)
{
	int code;
	int fd;

	if (!vmlinux->btf_length)
		return 0;
	fd = open_in(folder, files[FILE_BTF].name, O_WRONLY | O_CREAT | O_TRUNC, err);
	if (fd < 0)
		return fd;
	code = kernel_image_btf(vmlinux, fd, err);
	if (code) {
		(void)close(fd); /* failed already */
		return code;
	}
	return close_written(fd, folder, files[FILE_BTF].name, err);
}

/* vmlinux and BTF, where the way the image is packed is known. */
static int unpack_into(const char *folder, const struct kernel_image *image,
		       struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, files[FILE_VMLINUX].name);
	struct kernel_image vmlinux = { .fd = -1 };
	int code;
	int fd;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	fd = open_in(folder, files[FILE_VMLINUX].name, O_WRONLY | O_CREAT | O_TRUNC, err);
	if (fd < 0)
		return fd;
	code = kernel_image_unpack(image, fd, err);
	if (code) {
		(void)close(fd); /* failed already */
		(void)unlink(path);
		return code == -ENOTSUP ? 0 : ktstr_prefix(err, "kernel %s", image->release);
	}
	code = close_written(fd, folder, files[FILE_VMLINUX].name, err);
	if (code)
		return code;
	code = kernel_image_open(path, &vmlinux, err);
	if (!code)
		code = write_btf(folder, &vmlinux, err);
	/* QEMU cannot start a vmlinux without that note; its bzImage it can. */
	if (!code && !vmlinux.has_pvh && unlink(path))
		code = ktstr_fail(err, -errno, "cannot remove '%s': %s", path, strerror(errno));
	kernel_image_done(&vmlinux);
	return code;
}

static json_t *sizes_new(const char *folder)
{
	json_t *sizes = json_object();

	for (int i = 0; sizes && i < FILE_COUNT; i++) {
		_cleanup_free_ char *path = str_format("%s/%s", folder, files[i].name);
		struct stat status;

		if (path && !stat(path, &status) &&
		    json_object_set_new(sizes, files[i].name, json_integer(status.st_size))) {
			json_decref(sizes);
			return NULL;
		}
	}
	return sizes;
}

static int write_description(const char *folder, const char *release,
			     const struct kernel_source *source, struct ktstr_error *err)
{
	time_t now = time(NULL);
	_cleanup_free_ char *path = str_format("%s/%s", folder, DESCRIPTION);
	_cleanup_free_ char *text = NULL;
	char when[32] = "";
	struct tm utc;
	json_t *json;
	int code;

	if (gmtime_r(&now, &utc))
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json = json_pack("{s:i, s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:o}", "format", FORMAT,
			 "release", release, "package", source->package, "version", source->version,
			 "source", source->source, "sha256", source->sha256, "fetched_at", when,
			 "files", sizes_new(folder));
	if (json)
		text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	if (!path || !text)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = io_replace_file(path, text, strlen(text), err);
	return code;
}

static int sync_folder(const char *folder)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}

/* The old entry, if any, leaves in the same step. */
static int give_name(const char *folder, const char *target, struct ktstr_error *err)
{
	int code = sync_folder(folder);

	if (code)
		return ktstr_fail(err, code, "cannot write '%s': %s", folder, strerror(-code));
	if (!renameat2(AT_FDCWD, folder, AT_FDCWD, target, RENAME_NOREPLACE))
		return 0;
	if (errno == EEXIST && !renameat2(AT_FDCWD, folder, AT_FDCWD, target, RENAME_EXCHANGE)) {
		kernel_entry_remove(folder);
		return 0;
	}
	if (errno == EINVAL || errno == ENOSYS) { /* not every file system can do these */
		kernel_entry_remove(target);
		if (!rename(folder, target))
			return 0;
	}
	return ktstr_fail(err, -errno, "cannot rename '%s' to '%s': %s", folder, target,
			  strerror(errno));
}

int kernel_entry_commit(const char *kernels, const char *folder, const struct kernel_source *source,
			struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *vmlinuz = str_format("%s/%s", folder, files[FILE_VMLINUZ].name);
	_cleanup_free_ char *target = NULL;
	struct kernel_image image;
	int code;

	if (!vmlinuz)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = kernel_image_open(vmlinuz, &image, err);
	if (code)
		return code;
	if (image.is_elf || !image.release[0] || image.release[0] == '.')
		code = ktstr_fail(err, -ENOEXEC, "'%s' is no bzImage with a release", vmlinuz);
	else
		code = unpack_into(folder, &image, err);
	if (!code)
		code = write_description(folder, image.release, source, err);
	if (!code) {
		target = str_format("%s/%s", kernels, image.release);
		code = target ? give_name(folder, target, err)
			      : ktstr_fail(err, -ENOMEM, "out of memory");
	}
	kernel_image_done(&image);
	return code ? code : kernel_entry_load(target, ret, NULL, err);
}

static int fail_damaged(struct ktstr_error *err, const char *folder, const char *what)
{
	return ktstr_fail(err, -EBADMSG,
			  "the cached kernel '%s' is damaged: %s; remove it and run 'ktstr kernel "
			  "fetch'",
			  folder, what);
}

/* Paths of the files that are there as described; NULL for those that never were. */
static int check_files(const char *folder, json_t *sizes, char *paths[FILE_COUNT],
		       struct ktstr_error *err)
{
	for (int i = 0; i < FILE_COUNT; i++) {
		json_t *size = json_object_get(sizes, files[i].name);
		struct stat status;
		char what[64];

		if (!size && !files[i].is_needed)
			continue;
		paths[i] = str_format("%s/%s", folder, files[i].name);
		if (!paths[i])
			return ktstr_fail(err, -ENOMEM, "out of memory");
		if (json_is_integer(size) && !stat(paths[i], &status) && S_ISREG(status.st_mode) &&
		    status.st_size == json_integer_value(size))
			continue;
		(void)snprintf(what, sizeof(what), "'%s' is not what was put there", files[i].name);
		return fail_damaged(err, folder, what);
	}
	return 0;
}

static int load_kernel(const char *folder, const char *release, char *const paths[FILE_COUNT],
		       struct kernel **ret, struct ktstr_error *err)
{
	struct kernel *kernel = NULL;
	struct kernel_image image;
	int has;
	int code;

	code = kernel_image_open(paths[FILE_VMLINUZ], &image, err);
	if (code)
		return code;
	has = kernel_config_file_has(paths[FILE_CONFIG], "SCHED_CLASS_EXT");
	if (strcmp(image.release, release) != 0)
		code = fail_damaged(err, folder, "the image is of another release");
	else if (has < 0)
		code = fail_damaged(err, folder, "its config cannot be read");
	else
		kernel = kernel_new(paths[FILE_VMLINUZ],
				    paths[FILE_VMLINUX] ? paths[FILE_VMLINUX] : paths[FILE_VMLINUZ],
				    release, paths[FILE_CONFIG], paths[FILE_BTF], "cache");
	if (!code && !kernel)
		code = ktstr_fail(err, -ENOMEM, "out of memory");
	if (!code) {
		kernel->has_sched_ext = has;
		kernel->has_btf = paths[FILE_BTF] != NULL;
		kernel->is_config_known = true;
		kernel->init_size = image.init_size;
		*ret = kernel;
	}
	kernel_image_done(&image);
	return code;
}

static int read_source(json_t *json, struct kernel_source *ret)
{
	const struct {
		const char *key;
		char **target;
	} texts[] = {
		{ "package", &ret->package },
		{ "version", &ret->version },
		{ "source", &ret->source },
		{ "sha256", &ret->sha256 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!copy_text(texts[i].target,
			       json_string_value(json_object_get(json, texts[i].key)))) {
			kernel_source_done(ret);
			return -ENOMEM;
		}
	}
	return 0;
}

static int load_described(const char *folder, json_t *json, struct kernel **ret,
			  struct kernel_source *ret_source, struct ktstr_error *err)
{
	const char *release = json_string_value(json_object_get(json, "release"));
	struct kernel_source source = { 0 };
	char *paths[FILE_COUNT] = { 0 };
	int code;

	if (json_integer_value(json_object_get(json, "format")) != FORMAT || !release)
		return fail_damaged(err, folder, "its kernel.json is of another format");
	code = check_files(folder, json_object_get(json, "files"), paths, err);
	if (!code && ret_source && read_source(json, &source))
		code = ktstr_fail(err, -ENOMEM, "out of memory");
	if (!code)
		code = load_kernel(folder, release, paths, ret, err);
	if (!code && ret_source)
		*ret_source = source;
	else
		kernel_source_done(&source);
	for (int i = 0; i < FILE_COUNT; i++)
		free(paths[i]);
	return code;
}

int kernel_entry_load(const char *folder, struct kernel **ret, struct kernel_source *ret_source,
		      struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, DESCRIPTION);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error why;
	size_t length;
	json_t *json;
	int code;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (io_read_file(path, DESCRIPTION_MAX, &text, &length, &why))
		return fail_damaged(err, folder, "its kernel.json cannot be read");
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json))
		code = fail_damaged(err, folder, "its kernel.json is no JSON object");
	else
		code = load_described(folder, json, ret, ret_source, err);
	json_decref(json);
	return code;
}
