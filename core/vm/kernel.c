/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_config.h"
#include "vm/kernel_entry.h"
#include "vm/kernel_find.h"
#include "vm/kernel_image.h"

void kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	free(kernel->image);
	free(kernel->boot);
	free(kernel->release);
	free(kernel->config);
	free(kernel->btf);
	free(kernel->problem);
	free(kernel);
}

int kernel_config_has(const struct kernel *kernel, const char *option)
{
	int has = kernel->config ? kernel_config_file_has(kernel->config, option) : -ENODATA;

	return has < 0 ? -ENODATA : has;
}

int kernel_cache_dir(char **ret, struct ktstr_error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char *dir;

	/* The XDG rules: a path that is not absolute does not count. */
	if (cache && cache[0] == '/')
		dir = str_format("%s/ktstr", cache);
	else if (home && home[0] == '/')
		dir = str_format("%s/.cache/ktstr", home);
	else
		return ktstr_fail(err, -ENOENT,
				  "no place for the kernel cache: set HOME or XDG_CACHE_HOME");
	if (!dir)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	*ret = dir;
	return 0;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Where the config of an image may lie; %s of folder, modules and boot, and its release. */
enum config_base {
	BESIDE,
	MODULES,
	BOOT
};

static const struct {
	enum config_base base;
	const char *before; /* between the base and the release */
	const char *after;  /* NULL: no release in the name */
} config_places[] = {
	{ BESIDE, "config-", "" },
	{ BESIDE, "config", NULL },
	{ BESIDE, "../config-", "" },
	{ BESIDE, ".config", NULL },
	{ BESIDE, "../../../.config", NULL }, /* arch/x86/boot of a build tree */
	{ BOOT, "config-", "" },
	{ MODULES, "", "/config" },
};

static char *config_near(const struct kernel_places *places, const char *image, const char *release)
{
	_cleanup_free_ char *folder = folder_of(image);
	const char *bases[] = {
		[BESIDE] = folder, [MODULES] = places->modules, [BOOT] = places->boot
	};

	for (size_t i = 0; folder && i < ARRAY_SIZE(config_places); i++) {
		const char *base = bases[config_places[i].base];
		const char *after = config_places[i].after;
		_cleanup_free_ char *path = NULL;

		if (after && !release[0])
			continue;
		path = str_format("%s/%s%s%s", base, config_places[i].before, after ? release : "",
				  after ? after : "");
		if (path && kernel_config_file_has(path, "64BIT") >= 0)
			return steal_ptr(path);
	}
	return NULL;
}

/* What the vmlinux says by itself. */
static void learn_from_elf(struct kernel *kernel, const struct kernel_image *elf)
{
	kernel->has_btf = elf->btf_length > 0;
	if (!kernel->is_config_known)
		kernel->has_sched_ext = kernel_image_has_sched_ext_type(elf);
}

/* An unpacked copy is a gain, not a need: without a cache to write to, the image boots as it is. */
static int learn_from_unpacked(const struct kernel_places *places, struct kernel *kernel,
			       const struct kernel_image *image, bool may_unpack)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *vmlinux = NULL;
	_cleanup_free_ char *config = NULL;
	struct kernel_image elf;
	struct ktstr_error unused;

	if (!places->cache ||
	    kernel_cache_unpacked(places->cache, image, may_unpack, &folder, &unused))
		return 0;
	vmlinux = str_format("%s/vmlinux", folder);
	config = str_format("%s/config", folder);
	if (!vmlinux || !config)
		return -ENOMEM;
	if (kernel_image_open(vmlinux, &elf, &unused))
		return 0;
	if (!kernel->config && kernel_config_file_has(config, "64BIT") >= 0)
		kernel->config = steal_ptr(config);
	kernel->is_config_known = kernel->config != NULL;
	learn_from_elf(kernel, &elf);
	if (elf.has_pvh) {
		free(kernel->boot);
		kernel->boot = steal_ptr(vmlinux);
	}
	kernel_image_done(&elf);
	return 0;
}

static int learn(const struct kernel_places *places, struct kernel *kernel,
		 const struct kernel_image *image, bool may_unpack)
{
	int code = 0;

	kernel->init_size = image->init_size;
	kernel->config = config_near(places, kernel->image, image->release);
	kernel->is_config_known = kernel->config != NULL;
	if (image->is_elf)
		learn_from_elf(kernel, image);
	else
		code = learn_from_unpacked(places, kernel, image, may_unpack);
	if (kernel->is_config_known) {
		kernel->has_sched_ext = kernel_config_has(kernel, "SCHED_CLASS_EXT") == 1;
		kernel->has_btf |= kernel_config_has(kernel, "DEBUG_INFO_BTF") == 1;
	}
	return code;
}

/* What is there under that name; else a word is the name of an entry of the cache. */
static char *named(const struct kernel_places *places, const char *path)
{
	char *folder = NULL;

	if (places->cache && !strchr(path, '/') && access(path, F_OK))
		folder = kernel_cache_named(places->cache, path);
	return folder ? folder : strdup(path);
}

/* A folder stands for the image in it. */
static char *image_in(const char *path)
{
	static const char *const names[] = { "vmlinuz", "arch/x86/boot/bzImage", "bzImage",
					     "vmlinux" };
	struct stat status;

	if (stat(path, &status) || !S_ISDIR(status.st_mode))
		return strdup(path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *file = str_format("%s/%s", path, names[i]);

		if (!file || !stat(file, &status))
			return file;
		free(file);
	}
	return strdup(path);
}

static int load_path(const struct kernel_places *places, const char *path, const char *origin,
		     bool may_unpack, struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *place = named(places, path);
	_cleanup_free_ char *file = place ? image_in(place) : NULL;
	_cleanup_free_ char *folder = file ? folder_of(file) : NULL;
	struct kernel_image image;
	struct ktstr_error unused;
	struct kernel *kernel;
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!kernel_entry_load(folder, &kernel, NULL, &unused)) {
		kernel->origin = origin;
		*ret = kernel;
		return 0;
	}
	code = kernel_image_open(file, &image, err);
	if (code)
		return code;
	kernel = kernel_new(file, file, image.release, NULL, NULL, origin);
	if (image.is_elf && !image.has_pvh)
		code = ktstr_fail(err, -ENOEXEC,
				  "QEMU cannot start the vmlinux '%s': it was built without "
				  "CONFIG_PVH=y; give the bzImage instead",
				  file);
	else if (!kernel || learn(places, kernel, &image, may_unpack))
		code = ktstr_fail(err, -ENOMEM, "out of memory");
	kernel_image_done(&image);
	if (code)
		kernel_free(kernel);
	else
		*ret = kernel;
	return code;
}

/*
 * What the search saw. Looking for one kernel it ends at the first that will do, and remembers one
 * that it could not read; listing them, it keeps all.
 */
struct search {
	const struct kernel_places *places;
	bool is_listing;
	bool is_settled; /* the kernel that is taken was seen, or none can be */
	struct kernel_list list;
	struct ktstr_error unreadable;
};

static bool is_done(const struct search *search)
{
	return !search->is_listing && search->list.count;
}

static bool is_listed(const struct search *search, const char *image)
{
	for (size_t i = 0; i < search->list.count; i++) {
		if (strcmp(search->list.kernels[i]->image, image) == 0)
			return true;
	}
	return false;
}

/* Keep @kernel (taken; NULL is -ENOMEM) where it will do, or where all are wanted. */
static int offer(struct search *search, struct kernel *kernel, bool will_do,
		 struct ktstr_error *err)
{
	if (!kernel)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!will_do && !search->is_listing) {
		kernel_free(kernel);
		return 0;
	}
	kernel->is_taken = will_do && !search->is_settled;
	search->is_settled |= will_do;
	return kernel_list_add(&search->list, kernel) ? ktstr_fail(err, -ENOMEM, "out of memory")
						      : 0;
}

/* What is known of an image that cannot be booted. NULL when out of memory. */
static struct kernel *problem_new(const char *image, const char *release, const char *config,
				  const char *origin, const struct ktstr_error *why)
{
	struct kernel *kernel = kernel_new(image, image, release, config, NULL, origin);

	if (!kernel)
		return NULL;
	kernel->problem = strdup(why->text);
	if (!kernel->problem) {
		kernel_free(kernel);
		return NULL;
	}
	kernel->is_config_known = config != NULL;
	kernel->has_sched_ext = kernel_config_has(kernel, "SCHED_CLASS_EXT") == 1;
	kernel->has_btf = kernel_config_has(kernel, "DEBUG_INFO_BTF") == 1;
	return kernel;
}

/* One image of the host. *ret_is_settled: there is no need to look at others of its release. */
static int search_host_image(struct search *search, const char *path, const char *release,
			     struct kernel **ret_problem, bool *ret_is_settled,
			     struct ktstr_error *err)
{
	_cleanup_free_ char *config = config_near(search->places, path, release);
	bool has_sched_ext = config && kernel_config_file_has(config, "SCHED_CLASS_EXT") == 1;
	struct ktstr_error why = { 0 };
	struct kernel *kernel = NULL;
	struct stat status;
	int code;

	if (stat(path, &status) || (!has_sched_ext && !search->is_listing))
		return 0;
	code = load_path(search->places, path, "host", !search->is_listing, &kernel, &why);
	if (!code) {
		*ret_is_settled = true;
		return offer(search, kernel, has_sched_ext, err);
	}
	if (has_sched_ext && !search->unreadable.code)
		search->unreadable = why;
	if (search->is_listing && !*ret_problem) {
		*ret_problem = problem_new(path, release, config, "host", &why);
		if (!*ret_problem)
			return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* The running release is looked at first, so its folder and its image come along again later. */
static int search_host_release(struct search *search, const char *release, struct ktstr_error *err)
{
	const struct kernel_places *places = search->places;
	_cleanup_free_ char *in_modules = str_format("%s/%s/vmlinuz", places->modules, release);
	_cleanup_free_ char *in_boot = str_format("%s/vmlinuz-%s", places->boot, release);
	const char *paths[] = { in_modules, in_boot };
	struct kernel *problem = NULL;
	bool is_settled = false;
	int code = 0;

	if (!in_modules || !in_boot)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (is_listed(search, paths[i]))
			return 0;
	}
	for (size_t i = 0; !code && !is_settled && i < ARRAY_SIZE(paths); i++)
		code = search_host_image(search, paths[i], release, &problem, &is_settled, err);
	if (!code && !is_settled && problem)
		return offer(search, problem, false, err);
	kernel_free(problem);
	return code;
}

/* The releases that @folder knows by names that begin with @prefix. */
static int search_host_folder(struct search *search, const char *folder, const char *prefix,
			      struct ktstr_error *err)
{
	char **names = NULL;
	size_t count = 0;
	int code = kernel_list_names(folder, &names, &count);

	if (code)
		return ktstr_fail(err, code, "cannot read '%s': %s", folder, strerror(-code));
	for (size_t i = 0; !code && !is_done(search) && i < count; i++) {
		if (str_starts(names[i], prefix))
			code = search_host_release(search, names[i] + strlen(prefix), err);
	}
	kernel_list_free_names(names, count);
	return code;
}

static int search_host(struct search *search, struct ktstr_error *err)
{
	const struct kernel_places *places = search->places;
	int code = search_host_release(search, places->running, err);

	if (!code && !is_done(search))
		code = search_host_folder(search, places->modules, "", err);
	if (!code && !is_done(search))
		code = search_host_folder(search, places->boot, "vmlinuz-", err);
	return code;
}

static int search_environment(struct search *search, struct ktstr_error *err)
{
	const struct kernel_places *places = search->places;
	struct kernel *kernel = NULL;
	struct ktstr_error why;

	if (!places->environment || !places->environment[0])
		return 0;
	/* It would be unpacked by the next run anyway. */
	if (!load_path(places, places->environment, "KTSTR_KERNEL", true, &kernel, &why))
		return offer(search, kernel, true, err);
	if (!search->is_listing) {
		*err = why;
		return ktstr_prefix(err, "KTSTR_KERNEL");
	}
	/* What was asked for is never replaced: a run takes none then. */
	search->is_settled = true;
	return offer(search, problem_new(places->environment, NULL, NULL, "KTSTR_KERNEL", &why),
		     false, err);
}

static int search_cache(struct search *search, struct ktstr_error *err)
{
	struct kernel_list cached = { 0 };
	int code = 0;

	if (search->places->cache)
		code = kernel_cache_list(search->places->cache, &cached, err);
	for (size_t i = 0; !code && i < cached.count; i++) {
		struct kernel *kernel = steal_ptr(cached.kernels[i]);

		code = offer(search, kernel, !kernel->problem && kernel->has_sched_ext, err);
	}
	kernel_list_done(&cached);
	return code;
}

static int search_all(struct search *search, struct ktstr_error *err)
{
	int (*const steps[])(struct search *, struct ktstr_error *) = { search_environment,
									search_cache, search_host };
	int code = 0;

	for (size_t i = 0; !code && !is_done(search) && i < ARRAY_SIZE(steps); i++)
		code = steps[i](search, err);
	if (code)
		kernel_list_done(&search->list);
	return code;
}

int kernel_list_in(const struct kernel_places *places, struct kernel ***ret, size_t *ret_count,
		   struct ktstr_error *err)
{
	struct search search = { .places = places, .is_listing = true };
	int code = search_all(&search, err);

	if (code)
		return code;
	*ret = search.list.kernels;
	*ret_count = search.list.count;
	return 0;
}

int kernel_find_in(const struct kernel_places *places, const char *wanted, struct kernel **ret,
		   struct ktstr_error *err)
{
	struct search search = { .places = places };
	int code;

	if (wanted)
		return load_path(places, wanted, "--kernel", true, ret, err);
	code = search_all(&search, err);
	if (code)
		return code;
	if (search.list.count) {
		*ret = steal_ptr(search.list.kernels[0]);
		kernel_list_done(&search.list);
		return 0;
	}
	return ktstr_fail(err, -ENOENT,
			  "no kernel with sched_ext: get one by 'ktstr kernel fetch', or give one "
			  "that was built with CONFIG_SCHED_CLASS_EXT=y by --kernel PATH%s%s",
			  search.unreadable.code ? "; " : "",
			  search.unreadable.code ? search.unreadable.text : "");
}

/* The places of this host. Without a home there is no cache, and still all the others. */
static int host_places(struct kernel_places *places, struct utsname *host, char **cache,
		       struct ktstr_error *err)
{
	struct ktstr_error unused;

	if (uname(host))
		return ktstr_fail(err, -errno, "cannot ask for the running kernel: %s",
				  strerror(errno));
	(void)kernel_cache_dir(cache, &unused);
	*places = (struct kernel_places){
		.environment = getenv("KTSTR_KERNEL"),
		.cache = *cache,
		.modules = "/usr/lib/modules",
		.boot = "/boot",
		.running = host->release,
	};
	return 0;
}

int kernel_find(const char *wanted, struct kernel **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *cache = NULL;
	struct kernel_places places;
	struct utsname host;
	int code = host_places(&places, &host, &cache, err);

	return code ? code : kernel_find_in(&places, wanted, ret, err);
}

int kernel_list(struct kernel ***ret, size_t *ret_count, struct ktstr_error *err)
{
	_cleanup_free_ char *cache = NULL;
	struct kernel_places places;
	struct utsname host;
	int code = host_places(&places, &host, &cache, err);

	return code ? code : kernel_list_in(&places, ret, ret_count, err);
}
