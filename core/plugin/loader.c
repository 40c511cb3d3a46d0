/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "param/bind.h"
#include "param/table.h"
#include "plugin/image.h"
#include "wire/crc_file.h"

#define OPS_SIZE_MIN 8u
#define OPS_SIZE_MAX 4096u

static const struct {
	const char *name;
	const char *ops_struct;
} kinds[] = {
	[KTSTR_KIND_SCHEDULER] = { "scheduler", "ktstr_scheduler_ops" },
	[KTSTR_KIND_SCENARIO] = { "scenario", "ktstr_scenario_ops" },
	[KTSTR_KIND_WORKLOAD] = { "workload", "ktstr_workload_ops" },
	[KTSTR_KIND_CHECKER] = { "checker", "ktstr_checker_ops" },
};

#define REQUIRED(KIND, NAME, OP)                                                                   \
	{                                                                                          \
		.kind = KIND, .op = #OP, .offset = offsetof(struct ktstr_##NAME##_ops, OP)         \
	}

static const struct {
	uint32_t kind;
	const char *op;
	size_t offset;
} required_ops[] = {
	REQUIRED(KTSTR_KIND_SCHEDULER, scheduler, start),
	REQUIRED(KTSTR_KIND_SCHEDULER, scheduler, stop),
	REQUIRED(KTSTR_KIND_SCENARIO, scenario, needs),
	REQUIRED(KTSTR_KIND_SCENARIO, scenario, run),
	REQUIRED(KTSTR_KIND_WORKLOAD, workload, run),
	REQUIRED(KTSTR_KIND_CHECKER, checker, observe),
	REQUIRED(KTSTR_KIND_CHECKER, checker, finish),
};

const char *plugin_kind_name(uint32_t kind)
{
	return kind < ARRAY_SIZE(kinds) && kinds[kind].name ? kinds[kind].name : "unknown";
}

static int check_frozen(const struct ktstr_plugin *d, const char *path, struct ktstr_error *err)
{
	if (d->magic != KTSTR_PLUGIN_MAGIC)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is no ktstr plugin: its magic is 0x%08x, want 0x%08x; define "
			"the descriptor with KTSTR_PLUGIN_DEFINE",
			path, d->magic, KTSTR_PLUGIN_MAGIC);
	if (d->abi_major < KTSTR_ABI_MAJOR)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' was built for plugin ABI %u.%u, this ktstr has %u.%u; rebuild "
			"the plugin",
			path, d->abi_major, d->abi_minor, KTSTR_ABI_MAJOR, KTSTR_ABI_MINOR);
	if (d->abi_major > KTSTR_ABI_MAJOR || d->abi_minor > KTSTR_ABI_MINOR)
		return ktstr_fail(err, -EINVAL,
				  "'%s' needs plugin ABI %u.%u, this ktstr has %u.%u; update ktstr",
				  path, d->abi_major, d->abi_minor, KTSTR_ABI_MAJOR,
				  KTSTR_ABI_MINOR);
	if (d->size < KTSTR_PLUGIN_SIZE_1_0)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' has a descriptor of %u bytes, want at least %u; define it with "
			"KTSTR_PLUGIN_DEFINE",
			path, d->size, KTSTR_PLUGIN_SIZE_1_0);
	return 0;
}

static int check_kind(const struct ktstr_plugin *d, uint32_t kind, const char *path,
		      struct ktstr_error *err)
{
	if (d->kind < KTSTR_KIND_SCHEDULER || d->kind > KTSTR_KIND_CHECKER)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is of kind %u, which this ktstr does not know; update ktstr", path,
			d->kind);
	if (kind != 0 && d->kind != kind)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is a %s, but is used as a %s; name a %s, or use it as a %s",
				  path, plugin_kind_name(d->kind), plugin_kind_name(kind),
				  plugin_kind_name(kind), plugin_kind_name(d->kind));
	return 0;
}

static bool is_name(const char *name)
{
	size_t length = strnlen(name, KTSTR_NAME_MAX + 1);

	return length > 0 && length <= KTSTR_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static int check_texts(const struct ktstr_plugin *d, const char *path, struct ktstr_error *err)
{
	char safe[64];

	if (!d->name || !is_name(d->name))
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is named '%s', want [a-z][a-z0-9_]* of at most %u characters; "
			"set .name",
			path,
			str_copy_safe(safe, sizeof(safe), d->name ? d->name : "",
				      d->name ? strnlen(d->name, sizeof(safe)) : 0),
			KTSTR_NAME_MAX);
	if (!d->version)
		return ktstr_fail(err, -EINVAL, "'%s' has no version; set .version", path);
	if (!d->summary)
		return ktstr_fail(err, -EINVAL, "'%s' has no summary; set .summary", path);
	return 0;
}

/* Every ops table starts with its size; @what is "" or names a table within the table. */
static int check_ops(const void *ops, uint32_t kind, const char *what, const char *path,
		     struct ktstr_error *err)
{
	uint32_t size;

	memcpy(&size, ops, sizeof(size));
	if (size < OPS_SIZE_MIN || size > OPS_SIZE_MAX)
		return ktstr_fail(err, -EINVAL,
				  "'%s': %sops table says it has %u bytes; set .size = "
				  "sizeof(struct %s)",
				  path, what, size, kinds[kind].ops_struct);
	for (size_t i = 0; i < ARRAY_SIZE(required_ops); i++) {
		size_t end = required_ops[i].offset + sizeof(void (*)(void));
		const void *op = NULL;

		if (required_ops[i].kind != kind)
			continue;
		if (size >= end)
			memcpy(&op, (const char *)ops + required_ops[i].offset, sizeof(op));
		if (!op)
			return ktstr_fail(
				err, -EINVAL,
				"'%s': %srequired op '%s' is missing; set .%s in its struct "
				"%s",
				path, what, required_ops[i].op, required_ops[i].op,
				kinds[kind].ops_struct);
	}
	return 0;
}

static int check_wants(const struct ktstr_checker_ops *ops, const char *path,
		       struct ktstr_error *err)
{
	if (ops->wants_count > 0 && !ops->wants)
		return ktstr_fail(err, -EINVAL,
				  "'%s' wants %u types of frames, but names none; set .wants", path,
				  ops->wants_count);
	return 0;
}

static int check_tables(const struct ktstr_plugin *d, const char *path, struct ktstr_error *err)
{
	int rc;

	if (!d->ops)
		return ktstr_fail(err, -EINVAL, "'%s' has no ops table; set .%s", path,
				  plugin_kind_name(d->kind));
	rc = check_ops(d->ops, d->kind, "", path, err);
	if (rc == 0 && d->kind == KTSTR_KIND_CHECKER)
		rc = check_wants(d->checker, path, err);
	if (rc == 0 && d->kind == KTSTR_KIND_SCENARIO && KTSTR_HAS(d->scenario, judgement)) {
		rc = check_ops(d->scenario->judgement, KTSTR_KIND_CHECKER, "judgement: ", path,
			       err);
		if (rc == 0)
			rc = check_wants(d->scenario->judgement, path, err);
	}
	return rc;
}

static int check_params(const struct ktstr_plugin *d, const char *path, struct ktstr_error *err)
{
	if (!d->params)
		return 0;
	if (d->param_size < PARAM_STRIDE_MIN || d->param_size > PARAM_STRIDE_MAX ||
	    d->param_size % sizeof(void *) != 0)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' has parameter rows of %u bytes, want at least %u; define the "
			"descriptor with KTSTR_PLUGIN_DEFINE",
			path, d->param_size, PARAM_STRIDE_MIN);
	if (params_check(d->params, d->param_size, err) < 0)
		return ktstr_prefix(err, "'%s' has a bad parameter table", path);
	return 0;
}

int plugin_check(const struct ktstr_plugin *descriptor, uint32_t kind, const char *path,
		 struct ktstr_error *err)
{
	int rc;

	rc = check_frozen(descriptor, path, err);
	if (rc == 0)
		rc = check_kind(descriptor, kind, path, err);
	if (rc == 0)
		rc = check_texts(descriptor, path, err);
	if (rc == 0)
		rc = check_tables(descriptor, path, err);
	if (rc == 0)
		rc = check_params(descriptor, path, err);
	return rc;
}

/* What to do about the commonest complaints of dlopen(). */
static const struct {
	const char *complaint;
	const char *advice;
} advices[] = {
	{ "undefined symbol", "; link the library that has it" },
	{ "cannot open shared object file", "; install that library" },
	{ "version `", "; build the plugin on this system" },
};

static const char *advice_on(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (strstr(text, advices[i].complaint))
			return advices[i].advice;
	return "";
}

/* What dlopen() said, without the path that it puts first. */
static const char *dl_text(const char *path)
{
	const char *text = dlerror();
	size_t length = strlen(path);

	if (!text)
		return "unknown reason";
	if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
		text += length + 2;
	return text;
}

/* Leak reports of AddressSanitizer lose their names once the object is gone. */
static void unload(void *handle)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)handle;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	(void)handle;
#else
	(void)dlclose(handle); /* nothing can be done about a failure */
#endif
#else
	(void)dlclose(handle); /* nothing can be done about a failure */
#endif
}

static int file_crc32(int fd, const char *path, uint32_t *ret, struct ktstr_error *err)
{
	int rc = crc_file(fd, UINT64_MAX, ret, NULL);

	if (rc == -ENOMEM)
		return ktstr_fail(err, rc, "out of memory");
	return rc < 0 ? ktstr_fail(err, rc, "cannot read '%s': %s", path, strerror(-rc)) : 0;
}

int plugin_file_crc32(const char *path, uint32_t *ret, struct ktstr_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	return file_crc32(fd, path, ret, err);
}

/* All that is known before any of the file is mapped executable. */
static int examine(const char *path, struct plugin *plugin, struct ktstr_error *err)
{
	struct image *image;
	int rc;

	rc = image_open_shared(path, &image, err);
	if (rc < 0)
		return rc;
	rc = file_crc32(image->fd, path, &plugin->crc32, err);
	memcpy(plugin->build_id, image->build_id, sizeof(plugin->build_id));
	image_free(image);
	if (rc < 0)
		return rc;
	plugin->path = realpath(path, NULL);
	return plugin->path
		       ? 0
		       : ktstr_fail(err, -errno, "cannot resolve '%s': %s", path, strerror(errno));
}

static int load(const char *path, uint32_t kind, struct plugin *plugin, struct ktstr_error *err)
{
	int rc;

	rc = examine(path, plugin, err);
	if (rc < 0)
		return rc;
	plugin->handle = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->handle) {
		const char *text = dl_text(plugin->path);

		return ktstr_fail(err, -EINVAL, "cannot load '%s': %s%s", path, text,
				  advice_on(text));
	}
	plugin->descriptor = dlsym(plugin->handle, KTSTR_PLUGIN_SYMBOL);
	if (!plugin->descriptor)
		return ktstr_fail(err, -EINVAL,
				  "'%s' does not export '" KTSTR_PLUGIN_SYMBOL
				  "'; end one of its files with KTSTR_PLUGIN_DEFINE",
				  path);
	return plugin_check(plugin->descriptor, kind, path, err);
}

int plugin_load(const char *path, uint32_t kind, struct plugin **ret, struct ktstr_error *err)
{
	struct plugin *plugin = calloc(1, sizeof(*plugin));
	int rc;

	if (!plugin)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = load(path, kind, plugin, err);
	if (rc < 0) {
		/* The text in @err is a copy: nothing points into the object any more. */
		if (plugin->handle)
			unload(plugin->handle);
		plugin_free(plugin);
		return rc;
	}
	*ret = plugin;
	return 0;
}

void plugin_free(struct plugin *plugin)
{
	if (!plugin)
		return;
	free(plugin->path);
	free(plugin);
}
