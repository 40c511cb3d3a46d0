/* SPDX-License-Identifier: GPL-2.0-only */
/* The build of a kernel, with a tree of the tests whose Makefile does as a kernel's does. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "support/fake_kernel.h"
#include "vm/kernel_build.h"
#include "vm/kernel_build_config.h"
#include "vm/kernel_build_needs.h"
#include "vm/kernel_build_run.h"
#include "vm/kernel_build_source.h"
#include "vm/kernel_cache.h"

#define RELEASE "7.2.0-ktstr-fake"

static char *root;
static char cache[256];
static char tree[256];
static struct str told;

static const char makefile[] = "all:\n"
			       "tinyconfig:\n"
			       "\t@echo tinyconfig >>.calls\n"
			       "\t@echo 'CONFIG_TINY=y' >$(O)/.config\n"
			       "olddefconfig:\n"
			       "\t@grep -v -f dropped $(O)/.config >$(O)/new || :\n"
			       "\t@mv $(O)/new $(O)/.config\n"
			       "bzImage:\n"
			       "\t@echo 'bzImage $(LOCALVERSION) $(ARCH) $(MAKEFLAGS)' >>.calls\n"
			       "\t@echo '  CC      kernel/fork.o'\n"
			       "\t@sh ./body\n"
			       "\t@mkdir -p $(O)/arch/x86/boot\n"
			       "\t@cp image $(O)/arch/x86/boot/bzImage\n";

static const char merge[] = "# as the kernel's own: -m -O FOLDER CONFIG FRAGMENT...\n"
			    "config=$4\n"
			    "shift 4\n"
			    "cat \"$@\" >>$config\n";

static const char *at(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void put_program(const char *name, const char *script)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "bin/%s", name);
	fake_write_text(root, path, script);
	cr_assert_eq(chmod(at(path), 0755), 0);
}

static void put_tree(const char *folder)
{
	const struct fake_kernel fake = { .release = RELEASE, .btf = "types" };
	struct bytes image = fake_bzimage(&fake);

	fake_write_text(folder, "Makefile", makefile);
	fake_write_text(folder, "Kconfig", "config TINY\n\tbool \"Tiny\"\n\tdepends on SMALL\n");
	fake_write_text(folder, "scripts/kconfig/merge_config.sh", merge);
	fake_write_text(folder, "dropped", "CONFIG_NONE=\n");
	fake_write_text(folder, "body", "exit 0\n");
	fake_write(folder, "image", image);
	bytes_free(&image);
}

static void begin(void)
{
	static const char *const programs[] = { "gcc", "ld",   "flex", "bison",
						"bc",  "perl", "gzip", "pahole" };
	_cleanup_free_ char *path = NULL;

	root = fake_folder();
	(void)snprintf(cache, sizeof(cache), "%s/cache", root);
	(void)snprintf(tree, sizeof(tree), "%s/tree", root);
	put_tree(tree);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		put_program(programs[i], "#!/bin/sh\nexit 0\n");
	path = str_format("%s:%s", at("bin"), getenv("PATH"));
	cr_assert_eq(setenv("PATH", path, 1), 0);
}

static void end(void)
{
	fake_folder_remove(root);
	free(root);
	str_done(&told);
}

TestSuite(kernel_build, .init = begin, .fini = end);

static void tell_phase(void *arg, const char *phase, const char *detail)
{
	(void)arg;
	cr_assert_eq(str_addf(&told, "%s: %s\n", phase, detail), 0);
}

static void tell(void *arg, const char *line)
{
	(void)arg;
	cr_assert_eq(str_addf(&told, "%s\n", line), 0);
}

static int build_with(const struct kernel_build *build, int interrupt_fd, struct kernel **ret,
		      struct ktstr_error *err)
{
	const struct kernel_build_host host = { .cache = cache, .machine = "x86_64" };
	const struct kernel_build_watch watch = {
		.phase = tell_phase, .update = tell, .problem = tell, .interrupt_fd = interrupt_fd
	};

	return kernel_build_for(build, &host, &watch, ret, err);
}

/* The build must work; the release of what it made is RELEASE. */
static void assert_built(const struct kernel_build *build)
{
	struct kernel *kernel = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(build_with(build, -1, &kernel, &err), 0, "%s", err.text);
	cr_expect_str_eq(kernel->release, RELEASE);
	cr_expect(kernel->has_sched_ext && kernel->has_btf);
	kernel_free(kernel);
}

static void assert_not_built(const struct kernel_build *build, int code, const char *says)
{
	struct kernel *kernel = NULL;
	struct ktstr_error err = { 0 };
	struct dirent *entry;
	DIR *dir;

	cr_assert_eq(build_with(build, -1, &kernel, &err), code, "%s", err.text);
	cr_expect(strstr(err.text, says), "'%s' is not in '%s'", says, err.text);
	cr_assert_null(kernel);
	dir = opendir(at("cache/kernels"));
	while (dir && (entry = readdir(dir)))
		cr_expect(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0,
			  "'%s' is left", entry->d_name);
	if (dir)
		(void)closedir(dir);
}

static char *contents(const char *name)
{
	struct ktstr_error err;
	char *text = NULL;

	cr_assert_eq(io_read_file(at(name), 1 << 20, &text, NULL, &err), 0, "%s", err.text);
	return text;
}

Test(kernel_build, puts_a_kernel_with_its_config_and_log_into_the_cache)
{
	const struct kernel_build build = { .source = tree };
	_cleanup_free_ char *config = NULL, *log = NULL, *description = NULL;

	assert_built(&build);
	config = contents("cache/kernels/" RELEASE "/config");
	cr_expect(strstr(config, "CONFIG_TINY=y\n"));
	cr_expect(strstr(config, "\nCONFIG_SCHED_CLASS_EXT=y\n"));
	log = contents("cache/kernels/" RELEASE "/build.log");
	cr_expect(strstr(log, "  CC      kernel/fork.o\n"), "%s", log);
	description = contents("cache/kernels/" RELEASE "/kernel.json");
	cr_expect(strstr(description, "\"package\": \"ktstr kernel build\""));
	cr_expect(strstr(description, tree));
}

Test(kernel_build, is_done_once)
{
	const struct kernel_build build = { .source = tree };
	_cleanup_free_ char *calls = NULL;

	assert_built(&build);
	assert_built(&build);
	calls = contents("tree/.calls");
	cr_expect_eq(strstr(strstr(calls, "bzImage") + 1, "bzImage"), NULL, "%s", calls);
}

static size_t count_builds(void)
{
	_cleanup_free_ char *calls = contents("cache/kernels/" RELEASE "/build.log");
	size_t count = 0;

	for (const char *found = calls; (found = strstr(found, "kernel/fork.o")); found++)
		count++;
	return count;
}

Test(kernel_build, is_done_again_when_a_file_of_the_tree_changed)
{
	const struct kernel_build build = { .source = tree };

	assert_built(&build);
	str_clear(&told);
	fake_write_text(tree, "kernel/sched/ext.c", "int changed;\n");
	assert_built(&build);
	cr_expect(strstr(str_text(&told), "install: "), "%s", str_text(&told));
	cr_expect_eq(count_builds(), 1);
}

Test(kernel_build, does_not_care_for_hidden_files)
{
	const struct kernel_build build = { .source = tree };

	assert_built(&build);
	str_clear(&told);
	fake_write_text(tree, ".git/index", "other\n");
	assert_built(&build);
	cr_expect_str_eq(str_text(&told), "");
}

Test(kernel_build, is_done_again_for_other_fragments)
{
	const char *const fragments[] = { at("mine.config") };
	const struct kernel_build build = { .source = tree,
					    .fragments = fragments,
					    .fragment_count = 1 };
	char path[512];
	const char *const kept[] = { str_copy(path, sizeof(path), fragments[0]) };
	struct kernel_build with = build;

	with.fragments = kept;
	fake_write_text(root, "mine.config", "CONFIG_KASAN=y\n");
	assert_built(&with);
	str_clear(&told);
	fake_write_text(root, "mine.config", "CONFIG_KASAN=y\nCONFIG_MINE=y\n");
	assert_built(&with);
	cr_expect(strstr(str_text(&told), "install: "), "%s", str_text(&told));
}

Test(kernel_build, names_the_release_by_place_and_fragments_or_as_asked)
{
	struct kernel_build build = { .source = tree, .jobs = 3 };
	_cleanup_free_ char *calls = NULL;

	cr_assert_eq(setenv("MAKEFLAGS", "--no-such-flag", 1), 0);
	cr_assert_eq(setenv("ARCH", "riscv", 1), 0);
	assert_built(&build);
	build.name = "mine";
	assert_built(&build);
	calls = contents("tree/.calls");
	cr_expect(strstr(calls, "bzImage -ktstr-"), "%s", calls);
	cr_expect(strstr(calls, "bzImage -mine x86_64 "), "%s", calls);
	cr_expect(strstr(calls, "-j3"), "%s", calls);
}

Test(kernel_build, says_which_options_do_not_come_out)
{
	const struct kernel_build build = { .source = tree };

	fake_write_text(tree, "dropped", "CONFIG_SCHED_CLASS_EXT=\nCONFIG_PVH=\n");
	assert_not_built(&build, -EINVAL, ": CONFIG_PVH, CONFIG_SCHED_CLASS_EXT");
	cr_expect(strstr(str_text(&told), "CONFIG_PVH is to be y, is not set: this kernel has no "
					  "such option\n"),
		  "%s", str_text(&told));
}

/* The version is what the kernel's own scripts found, in its config. */
Test(kernel_build, refuses_a_pahole_by_whose_types_no_scheduler_loads)
{
	static const struct {
		const char *version, *header;
		bool is_good;
	} rows[] = { { "125", "#define KF_IMPLICIT_ARGS (1 << 16)\n", false },
		     { "126", "#define KF_IMPLICIT_ARGS (1 << 16)\n", true },
		     { "124", "#define KF_ACQUIRE (1 << 0)\n", true } };
	_cleanup_free_ char *fragment = strdup(at("pahole.config"));
	const char *const fragments[] = { fragment };
	const struct kernel_build build = { .source = tree,
					    .fragments = fragments,
					    .fragment_count = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *line =
			str_format("CONFIG_PAHOLE_VERSION=%s\n", rows[i].version);

		fake_write_text(root, "pahole.config", line);
		fake_write_text(tree, "include/linux/btf.h", rows[i].header);
		if (rows[i].is_good)
			assert_built(&build);
		else
			assert_not_built(&build, -ENOENT,
					 "pahole 1.25 is too old for this kernel: no sched_ext "
					 "scheduler could be loaded into it; install pahole 1.26");
	}
}

Test(kernel_build, says_what_the_compiler_said)
{
	const struct kernel_build build = { .source = tree };

	fake_write_text(tree, "body",
			"echo '  CC      kernel/panic.o'\n"
			"echo 'kernel/panic.c:3:1: error: no semicolon' >&2\n"
			"echo 'make: *** [panic.o] Error 1' >&2\nexit 2\n");
	assert_not_built(&build, -EIO,
			 "cannot build the kernel: kernel/panic.c:3:1: error: no semicolon; '");
}

Test(kernel_build, that_failed_is_tried_again)
{
	const struct kernel_build build = { .source = tree };

	fake_write_text(tree, "body", "exit 2\n");
	assert_not_built(&build, -EIO, "cannot build the kernel: make: *** [");
	fake_write_text(tree, "body", "exit 0\n");
	assert_built(&build);
}

Test(kernel_build, refuses_what_is_no_bzimage)
{
	const struct kernel_build build = { .source = tree };

	fake_write_text(tree, "image", "this is no kernel");
	assert_not_built(&build, -ENOEXEC, "is no kernel");
}

Test(kernel_build, refuses_what_is_no_source)
{
	static const struct {
		const char *file, *text; /* to be made in the root; NULL: none */
		const char *source;
		int code;
		const char *says;
	} rows[] = {
		{ NULL, NULL, "none", -EINVAL,
		  "is not there: give a kernel's tree, its tarball, or the name of Debian's "
		  "package, such as 'linux-source-7.2'" },
		{ "empty/file", "", "empty", -EINVAL,
		  "is no source tree of a kernel: it has no "
		  "'Makefile'" },
		{ "noise.tar.xz", "noise", "noise.tar.xz", -EBADMSG, "cannot unpack '" },
		{ "tree/.config", "CONFIG_A=y\n", "tree", -EBUSY,
		  "was built in ('.config' is there), and can then not be built elsewhere: keep "
		  "its .config if you need it and run 'make mrproper' there" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *source = strdup(at(rows[i].source));
		const struct kernel_build build = { .source = source };

		if (rows[i].file)
			fake_write_text(root, rows[i].file, rows[i].text);
		assert_not_built(&build, rows[i].code, rows[i].says);
	}
}

Test(kernel_build, refuses_a_tree_that_make_cannot_take)
{
	_cleanup_free_ char *source = strdup(at("my tree"));
	const struct kernel_build build = { .source = source };

	put_tree(source);
	assert_not_built(&build, -EINVAL, "the path has a character that make cannot take");
}

Test(kernel_build, refuses_bad_requests)
{
	static const char *const names[] = { "",   "a b", "-a",
					     ".a", "a/b", "a2345678901234567890123456789012x" };
	struct kernel_build build = { .source = tree };
	const char *const fragments[] = { "/proc/self/no" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		build.name = names[i];
		assert_not_built(&build, -EINVAL, "cannot end a kernel's release");
	}
	build.name = NULL;
	build.fragments = fragments;
	build.fragment_count = 1;
	assert_not_built(&build, -ENOENT, "/proc/self/no");
}

Test(kernel_build, is_for_one_machine)
{
	const struct kernel_build_host host = { .cache = cache, .machine = "riscv64" };
	const struct kernel_build_watch watch = { .interrupt_fd = -1 };
	const struct kernel_build build = { .source = tree };
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	cr_expect_eq(kernel_build_for(&build, &host, &watch, &kernel, &err), -ENOTSUP);
	cr_expect_str_eq(err.text,
			 "kernels are built on x86-64 only, not on a machine of type 'riscv64'");
}

Test(kernel_build, names_what_the_machine_lacks)
{
	const struct kernel_build build = { .source = tree };

	/* Nothing but a compiler that finds no header. */
	cr_assert_eq(setenv("PATH", at("empty"), 1), 0);
	put_program("gcc", "#!/bin/sh\ncase \"$*\" in *stdio.h*) exit 0 ;; esac\nexit 1\n");
	cr_assert_eq(setenv("PATH", at("bin"), 1), 0);
	cr_assert_eq(unlink(at("bin/flex")), 0);
	cr_assert_eq(unlink(at("bin/pahole")), 0);
	put_program("make", "#!/bin/sh\nexit 1\n");
	assert_not_built(&build, -ENOENT,
			 "on Debian or Ubuntu: 'apt install flex pahole libelf-dev zlib1g-dev' "
			 "(missing: flex, pahole, gelf.h, zlib.h)");
}

static int open_fifo(const char *name, int flags)
{
	int fd;

	cr_assert_eq(mkfifo(at(name), 0600), 0);
	fd = open(at(name), flags | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	return fd;
}

/* The Makefile itself makes the pipe readable that ends the build. */
Test(kernel_build, that_is_interrupted_leaves_nothing)
{
	const struct kernel_build build = { .source = tree };
	int interrupt = open_fifo("interrupt", O_RDWR);
	struct pollfd alive = { .fd = open_fifo("alive", O_RDONLY), .events = POLLIN };
	_cleanup_free_ char *script = NULL;
	struct kernel *kernel = NULL;
	struct ktstr_error err = { 0 };

	/* One child of make that holds the other pipe, and does not want to go. */
	script = str_format("exec 5>%s/alive\n(trap '' TERM; exec sleep 1000) &\n"
			    "echo x >%s/interrupt\nwait\n",
			    root, root);
	fake_write_text(tree, "body", script);
	cr_assert_eq(build_with(&build, interrupt, &kernel, &err), -EINTR, "%s", err.text);
	cr_expect_eq(poll(&alive, 1, 5000), 1);
	cr_expect_eq(alive.revents, POLLHUP, "a process is left");
	cr_expect_eq(access(at("cache/kernels"), F_OK), -1);
	(void)close(interrupt);
	(void)close(alive.fd);
	/* What was begun is no hindrance. */
	fake_write_text(tree, "body", "exit 0\n");
	assert_built(&build);
}

/* linux-7.2/..., as kernel.org has them. */
static void put_tarball(const char *name, const char *body)
{
	_cleanup_free_ char *folder = strdup(at("pack/linux-7.2"));
	char command[1024];

	put_tree(folder);
	fake_write_text(folder, "body", body);
	(void)snprintf(command, sizeof(command), "tar -C %s/pack -caf %s/%s linux-7.2", root, root,
		       name);
	cr_assert_eq(system(command), 0);
}

static size_t count_entries(const char *name)
{
	DIR *dir = opendir(at(name));
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return count;
}

Test(kernel_build, takes_a_tarball_and_leaves_no_source)
{
	_cleanup_free_ char *source = strdup(at("linux-7.2.tar.xz"));
	const struct kernel_build build = { .source = source };

	put_tarball("linux-7.2.tar.xz", "exit 0\n");
	assert_built(&build);
	cr_expect_eq(count_entries("cache/builds"), 0);
	str_clear(&told);
	assert_built(&build);
	cr_expect_str_eq(str_text(&told), "");
}

/* One tarball: what make left of the failed build is taken up, not unpacked again. */
Test(kernel_build, goes_on_with_a_tarball_that_failed)
{
	_cleanup_free_ char *source = strdup(at("linux-7.2.tar.xz"));
	const struct kernel_build build = { .source = source };

	put_program("flag", "#!/bin/sh\n[ -e $0.on ]\n");
	put_tarball("linux-7.2.tar.xz", "flag\n");
	assert_not_built(&build, -EIO, "cannot build the kernel");
	cr_expect_eq(count_entries("cache/builds"), 1);
	put_program("flag.on", "");
	str_clear(&told);
	assert_built(&build);
	cr_expect_null(strstr(str_text(&told), "unpacking"), "%s", str_text(&told));
}

Test(kernel_build, follows_packages_to_the_source)
{
	const struct kernel_build build = { .source = "linux-source" };
	_cleanup_free_ char *keyring = strdup(at("keys.gpg"));
	const struct kernel_build_host host = { .cache = cache,
						.machine = "x86_64",
						.keyring = keyring };
	const struct kernel_build_watch watch = { .phase = tell_phase, .interrupt_fd = -1 };
	struct fake_file file = { .path = "usr/src/linux-source-7.2.tar.xz" };
	struct kernel *kernel = NULL;
	struct ktstr_error err = { 0 };
	_cleanup_free_ char *script = NULL;
	size_t length;
	struct bytes deb;

	put_tarball("source.tar.xz", "exit 0\n");
	cr_assert_eq(io_read_file(at("source.tar.xz"), 1 << 20, &file.content.data, &length, &err),
		     0);
	file.content.length = length;
	deb = fake_deb(&file, 1);
	fake_write(root, "linux-source-7.2.deb", deb);
	bytes_free(&deb);
	bytes_free(&file.content);
	fake_write_text(root, "linux-source.show",
			"Version: 7.2.13-1\nDepends: linux-source-7.2\n");
	fake_write_text(root, "linux-source-7.2.show",
			"Version: 7.2.13-1\nDepends: binutils, xz-utils\nSHA256: 00\n");
	script = str_format("#!/bin/sh\ncase \"$*\" in *download*) cp %s/$4.deb . ;; esac\n", root);
	put_program("apt-get", script);
	free(script);
	script = str_format("#!/bin/sh\ncat %s/$4.show\n", root);
	put_program("apt-cache", script);
	cr_assert_eq(kernel_build_for(&build, &host, &watch, &kernel, &err), 0, "%s", err.text);
	cr_expect_str_eq(kernel->release, RELEASE);
	kernel_free(kernel);
	cr_expect(strstr(str_text(&told), "downloading linux-source-7.2 7.2.13-1\n"), "%s",
		  str_text(&told));
	/* Its version says that it is there. */
	str_clear(&told);
	cr_assert_eq(kernel_build_for(&build, &host, &watch, &kernel, &err), 0, "%s", err.text);
	kernel_free(kernel);
	cr_expect_null(strstr(str_text(&told), "downloading"), "%s", str_text(&told));
}

Test(kernel_build, is_found_by_its_name)
{
	const struct kernel_build build = { .source = tree };
	static const struct {
		const char *name, *found;
	} rows[] = { { RELEASE, "/kernels/" RELEASE },
		     { "ktstr-fake", "/kernels/" RELEASE },
		     { "fake", "/kernels/" RELEASE },
		     { "ake", NULL },
		     { "", NULL } };

	assert_built(&build);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *found = kernel_cache_named(cache, rows[i].name);

		if (rows[i].found)
			cr_expect(found && str_ends(found, rows[i].found), "%s", rows[i].name);
		else
			cr_expect_null(found, "%s", rows[i].name);
	}
}

Test(kernel_build, never_unpacks_to_elsewhere)
{
	_cleanup_free_ char *source = strdup(at("evil.tar"));
	const struct kernel_build build = { .source = source };
	char command[1024];

	fake_write_text(root, "pack/x", "text\n");
	(void)snprintf(command, sizeof(command),
		       "tar -C %s/pack -cf %s --transform 's,^x,../../../../../escaped,' -P x",
		       root, source);
	cr_assert_eq(system(command), 0);
	assert_not_built(&build, -EBADMSG, "cannot unpack");
	cr_expect_eq(access(at("escaped"), F_OK), -1);
}
