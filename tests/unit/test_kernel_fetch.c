/* SPDX-License-Identifier: GPL-2.0-only */
/* The fetch, with programs of the tests in place of apt's. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "support/fake_kernel.h"
#include "vm/kernel_apt.h"
#include "vm/kernel_cache.h"
#include "vm/kernel_fetch.h"

#define CONFIG "CONFIG_64BIT=y\nCONFIG_SCHED_CLASS_EXT=y\n"
#define RELEASE "7.2.9+deb14-cloud-amd64"
#define META "linux-image-cloud-amd64"

static char *root;
static char cache[256];
static char keyring[256];
static struct str progress;

/*
 * apt-get and apt-cache: each call is noted in `calls`. Packages lie in `archive` as NAME.deb, with
 * what apt-cache says of them in NAME.show.
 */
static void put_programs(void)
{
	char apt_get[2048];
	char apt_cache[1024];

	(void)snprintf(
		apt_get, sizeof(apt_get),
		"#!/bin/sh\n"
		"echo \"apt-get $*\" >>%s/calls\n"
		"case \"$*\" in\n"
		"*--version) exit 0 ;;\n"
		"indextargets*) cat %s/targets; exit 0 ;;\n"
		"*update) [ ! -e %s/offline ] && exit 0\n"
		"  echo 'E: Failed to fetch InRelease  Could not resolve host' >&2; exit 100 ;;\n"
		"*download*) shift 3; cp %s/archive/$1.deb . && exit 0\n"
		"  echo 'E: No space left on device' >&2; exit 100 ;;\n"
		"esac\n"
		"exit 1\n",
		root, root, root, root);
	(void)snprintf(apt_cache, sizeof(apt_cache),
		       "#!/bin/sh\n"
		       "echo \"apt-cache $*\" >>%s/calls\n"
		       "cat %s/archive/$4.show && exit 0\n"
		       "echo 'E: No packages found' >&2; exit 100\n",
		       root, root);
	fake_write_text(root, "bin/apt-get", apt_get);
	fake_write_text(root, "bin/apt-cache", apt_cache);
}

static const char *at(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void begin(void)
{
	char *path;

	root = fake_folder();
	(void)snprintf(cache, sizeof(cache), "%s/cache", root);
	(void)snprintf(keyring, sizeof(keyring), "%s/keys.gpg", root);
	put_programs();
	cr_assert_eq(chmod(at("bin/apt-get"), 0755), 0);
	cr_assert_eq(chmod(at("bin/apt-cache"), 0755), 0);
	fake_write_text(root, "targets",
			"http://mirror.example/debian-security/|Debian-Security\n"
			"http://mirror.example/debian/|Debian\n");
	path = str_format("%s:%s", at("bin"), getenv("PATH"));
	cr_assert_eq(setenv("PATH", path, 1), 0);
	free(path);
}

static void end(void)
{
	fake_folder_remove(root);
	free(root);
	str_done(&progress);
}

TestSuite(kernel_fetch, .init = begin, .fini = end);

static void put_package(const char *name, const char *version, const char *depends,
			const struct fake_file *files, size_t count)
{
	struct bytes deb = fake_deb(files, count);
	char path[256];
	char text[1024];

	(void)snprintf(path, sizeof(path), "archive/%s.deb", name);
	fake_write(root, path, deb);
	bytes_free(&deb);
	(void)snprintf(path, sizeof(path), "archive/%s.show", name);
	(void)snprintf(text, sizeof(text),
		       "Package: %s\nSource: linux-signed\nVersion: %s\nDepends: %s\n"
		       "Description: a kernel\n Depends: not this\nSHA256: 00ff%s\n\n",
		       name, version, depends, name);
	fake_write_text(root, path, text);
}

static struct bytes image_of(const char *release)
{
	const struct fake_kernel fake = { .release = release, .filter = "zstd", .btf = "types" };

	return fake_bzimage(&fake);
}

/* As Debian does it now: the image in a third package, the config in a fourth. */
static void put_archive(const char *version)
{
	struct fake_file image = { "usr/lib/modules/" RELEASE "/vmlinuz", image_of(RELEASE) };
	const struct fake_file config = { "usr/lib/modules/" RELEASE "/config",
					  { (char *)CONFIG, strlen(CONFIG) } };
	const struct fake_file other = { "usr/share/doc/README", { (char *)"text", 4 } };

	put_package(META, version, "linux-base-cloud-amd64 (= 1), linux-image-" RELEASE " (= 1)",
		    &other, 1);
	put_package("linux-image-" RELEASE, version,
		    "dracut | initramfs-tools (>= 0.120), linux-base-" RELEASE
		    ", linux-binary-" RELEASE " (= 1)",
		    &other, 1);
	put_package("linux-binary-" RELEASE, version, "linux-base-" RELEASE, &image, 1);
	put_package("linux-base-" RELEASE, version, "", &config, 1);
	bytes_free(&image.content);
}

/* As it was before: image and config in one package below /boot. */
static void put_old_archive(void)
{
	struct fake_file files[] = {
		{ "boot/config-" RELEASE, { (char *)CONFIG, strlen(CONFIG) } },
		{ "boot/vmlinuz-" RELEASE, image_of(RELEASE) },
	};

	put_package(META, "1", "linux-image-" RELEASE " (= 1)", files, 0);
	put_package("linux-image-" RELEASE, "1", "kmod", files, 2);
	bytes_free(&files[1].content);
}

static void note_progress(void *arg, const char *line)
{
	(void)arg;
	cr_assert_eq(str_addf(&progress, "%s\n", line), 0);
}

static struct kernel_fetch_host host(void)
{
	return (struct kernel_fetch_host){
		.cache = cache, .keyring = keyring, .machine = "x86_64", .progress = note_progress
	};
}

static void assert_fetched(void)
{
	const struct kernel_fetch_host here = host();
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	cr_assert_eq(kernel_fetch_for(&here, &kernel, &err), 0, "%s", err.text);
	cr_assert_str_eq(kernel->release, RELEASE);
	cr_assert(kernel->has_sched_ext && kernel->has_btf);
	cr_assert(str_ends(kernel->boot, "/kernels/" RELEASE "/vmlinux"), "%s", kernel->boot);
	kernel_free(kernel);
}

static void assert_not_fetched(int code, const char *wanted)
{
	const struct kernel_fetch_host here = host();
	struct kernel *kernel = NULL;
	struct ktstr_error err;
	struct stat status;

	cr_assert_eq(kernel_fetch_for(&here, &kernel, &err), code, "%s", err.text);
	cr_assert(strstr(err.text, wanted), "'%s'", err.text);
	cr_assert_null(kernel);
	cr_assert_eq(stat(at("cache/kernels/" RELEASE), &status), -1);
}

static size_t count_calls(const char *what)
{
	_cleanup_free_ char *calls = NULL;
	struct ktstr_error err;
	size_t length;
	size_t count = 0;

	cr_assert_eq(io_read_file(at("calls"), 1 << 20, &calls, &length, &err), 0, "%s", err.text);
	for (const char *found = calls; (found = strstr(found, what)); found++)
		count++;
	return count;
}

Test(kernel_fetch, follows_the_packages_to_image_and_config)
{
	put_archive("7.2.9-1");
	assert_fetched();
	cr_assert(strstr(str_text(&progress),
			 "reading the package lists of http://mirror.example/debian\n"),
		  "%s", str_text(&progress));
	cr_assert(strstr(str_text(&progress), "fetching " META " 7.2.9-1\n"));
	cr_assert(strstr(str_text(&progress), "kernel " RELEASE " is in the cache\n"));
}

Test(kernel_fetch, finds_them_below_boot_too)
{
	put_old_archive();
	assert_fetched();
	cr_assert_eq(count_calls("download"), 1);
}

Test(kernel_fetch, notes_where_it_came_from)
{
	_cleanup_free_ char *text = NULL;
	struct ktstr_error err;
	size_t length;

	put_archive("7.2.9-1");
	assert_fetched();
	cr_assert_eq(io_read_file(at("cache/kernels/" RELEASE "/kernel.json"), 65536, &text,
				  &length, &err),
		     0);
	cr_assert(strstr(text, "\"package\": \"" META "\""), "%s", text);
	cr_assert(strstr(text, "\"version\": \"7.2.9-1\""), "%s", text);
	cr_assert(strstr(text, "\"source\": \"linux-signed\""), "%s", text);
	cr_assert(strstr(text, "\"sha256\": \"00fflinux-binary-" RELEASE "\""), "%s", text);
}

Test(kernel_fetch, does_nothing_when_the_newest_is_there)
{
	size_t downloads;

	put_archive("7.2.9-1");
	assert_fetched();
	downloads = count_calls("download");
	cr_assert_gt(downloads, 0);
	str_clear(&progress);
	assert_fetched();
	cr_assert_eq(count_calls("download"), downloads);
	cr_assert(strstr(str_text(&progress), "kernel " RELEASE " is there already\n"));
}

Test(kernel_fetch, fetches_again_when_the_version_is_new)
{
	size_t downloads;

	put_archive("7.2.9-1");
	assert_fetched();
	downloads = count_calls("download");
	put_archive("7.2.9-2");
	assert_fetched();
	cr_assert_eq(count_calls("download"), 2 * downloads);
}

Test(kernel_fetch, fetches_again_when_the_entry_is_damaged)
{
	size_t downloads;

	put_archive("7.2.9-1");
	assert_fetched();
	downloads = count_calls("download");
	fake_write_text(root, "cache/kernels/" RELEASE "/vmlinux", "short");
	assert_fetched();
	cr_assert_eq(count_calls("download"), 2 * downloads);
}

static void *fetch_beside(void *arg)
{
	const struct kernel_fetch_host here = { .cache = cache,
						.keyring = keyring,
						.machine = "x86_64" };
	struct kernel *kernel = NULL;
	struct ktstr_error err;
	int *code = arg;

	*code = kernel_fetch_for(&here, &kernel, &err);
	kernel_free(kernel);
	return NULL;
}

Test(kernel_fetch, two_at_once_fetch_once)
{
	pthread_t threads[2];
	int codes[2] = { 1, 1 };

	put_archive("7.2.9-1");
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, fetch_beside, &codes[i]), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(codes[0], 0);
	cr_assert_eq(codes[1], 0);
	cr_assert_eq(count_calls("download linux-binary"), 1);
}

/* apt is told all by arguments and a file of ours. */
Test(kernel_fetch, apt_gets_folders_of_our_own_and_debian_keys)
{
	_cleanup_free_ char *conf = NULL;
	_cleanup_free_ char *sources = NULL;
	char wanted[1024];
	struct ktstr_error err;
	size_t length;

	put_archive("7.2.9-1");
	assert_fetched();
	cr_assert_eq(count_calls("-c="),
		     count_calls("apt-") - count_calls("--version") - count_calls("indextargets"));
	cr_assert_eq(io_read_file(at("cache/apt/apt.conf"), 65536, &conf, &length, &err), 0);
	(void)snprintf(wanted, sizeof(wanted), "Dir::State::lists \"%s/apt/lists\"", cache);
	cr_assert(strstr(conf, wanted), "%s", conf);
	(void)snprintf(wanted, sizeof(wanted), "Dir::Cache \"%s/apt/cache\"", cache);
	cr_assert(strstr(conf, wanted), "%s", conf);
	cr_assert_eq(io_read_file(at("cache/apt/sources.list"), 65536, &sources, &length, &err), 0);
	(void)snprintf(wanted, sizeof(wanted),
		       "deb [arch=amd64 signed-by=%s target=Packages] "
		       "http://mirror.example/debian sid main\n",
		       keyring);
	cr_assert_str_eq(sources, wanted);
}

/* Each list of targets, and the mirror that follows from it. */
Test(kernel_fetch, mirror_is_the_hosts_or_debians)
{
	static const struct {
		const char *targets;
		const char *mirror;
	} cases[] = {
		{ "", KERNEL_APT_DEBIAN },
		{ "http://archive.ubuntu.com/ubuntu/|Ubuntu\n", KERNEL_APT_DEBIAN },
		{ "https://x.example/debian|Debian\n", "https://x.example/debian" },
		{ "http://x.example/debian/|$(LABEL)\n", "http://x.example/debian" },
		{ "http://x.example/debian-security/|$(LABEL)\n", KERNEL_APT_DEBIAN },
		{ "cdrom:[x]/|Debian\nfile:/srv/mirror/|Debian\n", "file:/srv/mirror" },
		{ "http://x/ [trusted=yes]|Debian\n", KERNEL_APT_DEBIAN },
		{ "no bar\n", KERNEL_APT_DEBIAN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *mirror = NULL;

		fake_write_text(root, "targets", cases[i].targets);
		mirror = kernel_apt_mirror();
		cr_assert_str_eq(mirror, cases[i].mirror);
	}
}

Test(kernel_fetch, says_when_there_is_no_network)
{
	put_archive("7.2.9-1");
	fake_write_text(root, "offline", "");
	assert_not_fetched(-EIO,
			   "cannot read the package lists of 'http://mirror.example/debian' (is "
			   "there a network?): 'apt-get' failed with status 100: E: Failed to "
			   "fetch InRelease  Could not resolve host");
	/* Debian's own mirror was tried as well. */
	cr_assert_eq(count_calls("update"), 2);
}

Test(kernel_fetch, says_when_a_download_fails)
{
	put_archive("7.2.9-1");
	cr_assert_eq(remove(at("archive/linux-binary-" RELEASE ".deb")), 0);
	assert_not_fetched(-EIO, "cannot download package 'linux-binary-" RELEASE "'");
}

Test(kernel_fetch, says_when_the_package_is_not_known)
{
	assert_not_fetched(-EIO, "cannot find package '" META "' in Debian sid: ");
}

Test(kernel_fetch, says_when_a_package_is_damaged)
{
	put_archive("7.2.9-1");
	fake_write_text(root, "archive/linux-binary-" RELEASE ".deb", "<html>login</html>");
	assert_not_fetched(-EBADMSG, "package 'linux-binary-" RELEASE "': cannot unpack it: ");
}

Test(kernel_fetch, says_when_no_package_has_an_image)
{
	const struct fake_file other = { "usr/share/doc/README", { (char *)"text", 4 } };

	put_package(META, "1", "linux-image-1", &other, 1);
	put_package("linux-image-1", "1", "linux-image-1", &other, 1);
	assert_not_fetched(-ENODATA, "no package that '" META "' depends on holds a kernel image");
}

Test(kernel_fetch, says_when_no_package_has_the_config)
{
	const struct fake_file other = { "usr/share/doc/README", { (char *)"text", 4 } };

	put_archive("7.2.9-1");
	put_package("linux-base-" RELEASE, "1", "", &other, 1);
	assert_not_fetched(-ENODATA, "package 'linux-base-" RELEASE "' holds no kernel config");
}

Test(kernel_fetch, says_when_there_is_no_apt)
{
	cr_assert_eq(setenv("PATH", at("nothing-here"), 1), 0);
	assert_not_fetched(-ENOENT,
			   "this machine has no apt-get; give a kernel by --kernel PATH, built "
			   "with CONFIG_SCHED_CLASS_EXT=y");
}

Test(kernel_fetch, says_when_there_is_no_kernel_for_the_machine)
{
	struct kernel_fetch_host here = host();
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	here.machine = "riscv64";
	cr_assert_eq(kernel_fetch_for(&here, &kernel, &err), -ENOTSUP);
	cr_assert_str_eq(err.text, "there is no kernel to fetch for a machine of type 'riscv64'");
}

Test(kernel_fetch, says_when_the_cache_cannot_be_made)
{
	struct kernel_fetch_host here = host();
	struct kernel *kernel = NULL;
	struct ktstr_error err;

	here.cache = "/proc/nowhere";
	cr_assert_lt(kernel_fetch_for(&here, &kernel, &err), 0);
	cr_assert(strstr(err.text, "/proc/nowhere"), "'%s'", err.text);
}

Test(kernel_fetch, failure_leaves_nothing_half_done)
{
	size_t count = 0;
	DIR *dir;

	put_archive("7.2.9-1");
	fake_write_text(root, "archive/linux-base-" RELEASE ".deb", "<html>login</html>");
	assert_not_fetched(-EBADMSG, "package 'linux-base-" RELEASE "'");
	dir = opendir(at("cache/kernels"));
	cr_assert(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	cr_assert_eq(count, 2); /* "." and ".." */
}

Test(kernel_fetch, package_text_is_parsed)
{
	struct kernel_package package;

	cr_assert_eq(kernel_package_parse(
			     "Package: a\nVersion: 1:2-3\nDepends: a:any (>= 1) | b, c(= 2) ,d\n"
			     "Pre-Depends: e\n\nVersion: 9\nDepends: z\n",
			     &package),
		     0);
	cr_assert_str_eq(package.version, "1:2-3");
	cr_assert_null(package.source);
	cr_assert_str_eq(package.depends[0], "a");
	cr_assert_str_eq(package.depends[1], "c");
	cr_assert_str_eq(package.depends[2], "d");
	cr_assert_str_eq(package.depends[3], "e");
	cr_assert_null(package.depends[4]);
	kernel_package_done(&package);
}

Test(kernel_fetch, package_text_without_a_version_is_refused)
{
	static const char *const texts[] = { "", "\n", "Package: a\n", "Version:\n", "Version" };
	struct kernel_package package;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_assert_eq(kernel_package_parse(texts[i], &package), -EBADMSG, "%zu", i);
}
