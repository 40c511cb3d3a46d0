/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "support/fake_kernel.h"
#include "vm/kernel_image.h"
#include "vm/unpack.h"

/* An image in anonymous memory. */
static int try_open(const struct bytes *file, struct kernel_image *image, struct ktstr_error *err)
{
	int fd = io_memfd("image", file->data, file->length, err);

	cr_assert_geq(fd, 0);
	return kernel_image_from_fd(fd, "the-image", image, err);
}

static struct kernel_image must_open(struct bytes file)
{
	struct kernel_image image;
	struct ktstr_error err;

	cr_assert_eq(try_open(&file, &image, &err), 0, "%s", err.text);
	bytes_free(&file);
	return image;
}

static void assert_refused(struct bytes file, int code, const char *text)
{
	struct kernel_image image;
	struct ktstr_error err;

	cr_assert_eq(try_open(&file, &image, &err), code, "%s", err.text);
	cr_assert_str_eq(err.text, text);
	bytes_free(&file);
}

static struct bytes content_of(int fd)
{
	struct bytes content = { 0 };
	struct stat status;

	cr_assert_eq(fstat(fd, &status), 0);
	content.length = (size_t)status.st_size;
	content.data = calloc(1, content.length + 1);
	cr_assert_eq(pread(fd, content.data, content.length, 0), (ssize_t)content.length);
	return content;
}

static int unpack(struct bytes file, struct bytes *ret, struct ktstr_error *err)
{
	struct kernel_image image = must_open(file);
	_cleanup_close_ int out = io_memfd("out", "", 0, err);
	int code = kernel_image_unpack(&image, out, err);

	if (!code)
		*ret = content_of(out);
	kernel_image_done(&image);
	return code;
}

static void assert_not_unpacked(struct bytes file, int code, const char *wanted)
{
	struct bytes unused;
	struct ktstr_error err;

	cr_assert_eq(unpack(file, &unused, &err), code, "%s", err.text);
	cr_assert(strstr(err.text, wanted), "'%s'", err.text);
}

Test(kernel_image, unpacks_whatever_the_kernel_is_packed_by)
{
	static const char *const filters[] = { "gzip", "bzip2", "xz",	     "lzma",
					       "lz4",  "zstd",	"lz4-legacy" };

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const struct fake_kernel fake = { .filter = filters[i], .btf = "types" };
		struct bytes wanted = fake_vmlinux(&fake);
		struct bytes got = { 0 };
		struct ktstr_error err;

		cr_assert_eq(unpack(fake_bzimage(&fake), &got, &err), 0, "%s: %s", filters[i],
			     err.text);
		cr_assert_eq(got.length, wanted.length, "%s", filters[i]);
		cr_assert_arr_eq(got.data, wanted.data, got.length, "%s", filters[i]);
		bytes_free(&wanted);
		bytes_free(&got);
	}
}

Test(kernel_image, bzimage_says_its_release_and_its_needs)
{
	const struct fake_kernel fake = { .release = "7.1.2-rc3+me" };
	struct kernel_image image = must_open(fake_bzimage(&fake));

	cr_assert_not(image.is_elf);
	cr_assert_str_eq(image.release, "7.1.2-rc3+me");
	cr_assert_eq(image.init_size, 0x600000);
	kernel_image_done(&image);
}

Test(kernel_image, release_cannot_name_another_folder)
{
	const struct fake_kernel fake = { .release = "../../evil" };
	struct kernel_image image = must_open(fake_bzimage(&fake));

	cr_assert_str_eq(image.release, "..");
	kernel_image_done(&image);
}

Test(kernel_image, vmlinux_says_what_it_is)
{
	const struct fake_kernel fake = { .btf = "\x9f\xeb types sched_ext_ops more" };
	struct kernel_image image = must_open(fake_vmlinux(&fake));

	cr_assert(image.is_elf);
	cr_assert(image.has_pvh);
	cr_assert_str_eq(image.release, "6.99.0-fake");
	cr_assert_eq(image.init_size, 0x400000);
	cr_assert_eq(image.btf_length, strlen(fake.btf));
	cr_assert(kernel_image_has_sched_ext_type(&image));
	kernel_image_done(&image);
}

Test(kernel_image, vmlinux_says_what_it_lacks)
{
	const struct fake_kernel fake = { .has_no_pvh = true };
	struct kernel_image image = must_open(fake_vmlinux(&fake));
	struct ktstr_error err = { 0 };

	cr_assert_not(image.has_pvh);
	cr_assert_eq(image.btf_length, 0);
	cr_assert_not(kernel_image_has_sched_ext_type(&image));
	cr_assert_eq(kernel_image_btf(&image, -1, &err), -ENODATA);
	cr_assert_eq(kernel_image_config(&image, -1, &err), -ENODATA);
	kernel_image_done(&image);
}

/* The name must be in the types, not anywhere in the image. */
Test(kernel_image, sched_ext_is_looked_for_in_the_types_only)
{
	const struct fake_kernel fake = { .release = "1-sched_ext_ops", .btf = "other types" };
	struct kernel_image image = must_open(fake_vmlinux(&fake));

	cr_assert_not(kernel_image_has_sched_ext_type(&image));
	kernel_image_done(&image);
}

Test(kernel_image, gives_out_types_and_config)
{
	const struct fake_kernel fake = { .btf = "types", .ikconfig = "CONFIG_64BIT=y\n" };
	struct kernel_image image = must_open(fake_vmlinux(&fake));
	struct ktstr_error err;
	_cleanup_close_ int btf = io_memfd("btf", "", 0, &err);
	_cleanup_close_ int config = io_memfd("config", "", 0, &err);
	struct bytes got;

	cr_assert_eq(kernel_image_btf(&image, btf, &err), 0, "%s", err.text);
	got = content_of(btf);
	cr_assert_str_eq(got.data, "types");
	bytes_free(&got);
	cr_assert_eq(kernel_image_config(&image, config, &err), 0, "%s", err.text);
	got = content_of(config);
	cr_assert_str_eq(got.data, "CONFIG_64BIT=y\n");
	bytes_free(&got);
	kernel_image_done(&image);
}

Test(kernel_image, refuses_what_is_no_kernel)
{
	static const char *const texts[] = { "", "MZ", "\x7f", "#!/bin/sh\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_refused(
			(struct bytes){ strdup(texts[i]), strlen(texts[i]) }, -ENOEXEC,
			"'the-image' is no kernel: neither an x86 bzImage nor an ELF vmlinux");
	}
}

Test(kernel_image, refuses_a_folder)
{
	struct kernel_image image;
	struct ktstr_error err;

	cr_assert_eq(kernel_image_open("/", &image, &err), -ENOEXEC);
	cr_assert_str_eq(err.text, "kernel '/' is not a file");
}

Test(kernel_image, refuses_a_kernel_of_32_bits)
{
	const struct fake_kernel fake = { .has_no_64bit_entry = true };

	assert_refused(fake_bzimage(&fake), -ENOEXEC, "kernel 'the-image' is no 64-bit x86 kernel");
}

Test(kernel_image, refuses_a_vmlinux_of_another_machine)
{
	const struct fake_kernel fake = { 0 };
	struct bytes file = fake_vmlinux(&fake);

	file.data[18] = (char)183; /* aarch64 */
	assert_refused(file, -ENOEXEC, "kernel 'the-image' is no x86-64 vmlinux");
}

Test(kernel_image, refuses_a_cut_off_bzimage)
{
	const struct fake_kernel fake = { 0 };
	struct bytes file = fake_bzimage(&fake);

	file.length -= 1;
	assert_refused(file, -ENOEXEC,
		       "kernel 'the-image' is damaged: its payload does not lie inside the file");
}

/* At every length: refused or opened, never a crash. */
Test(kernel_image, survives_any_cut)
{
	const struct fake_kernel fake = { .btf = "types", .ikconfig = "CONFIG_64BIT=y\n" };
	struct bytes files[] = { fake_bzimage(&fake), fake_vmlinux(&fake) };
	size_t opened = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		for (size_t length = 0; length < files[i].length; length++) {
			struct bytes cut = { files[i].data, length };
			struct kernel_image image;
			struct ktstr_error err;

			if (try_open(&cut, &image, &err) == 0) {
				opened++;
				kernel_image_done(&image);
			} else {
				cr_assert_eq(err.code, -ENOEXEC, "%s", err.text);
			}
		}
		bytes_free(&files[i]);
	}
	cr_assert_eq(opened, 0);
}

/* Every byte of the head once as 0xff: refused or opened, never a crash. */
Test(kernel_image, survives_any_byte_of_the_head)
{
	const struct fake_kernel fake = { .btf = "types" };
	struct bytes files[] = { fake_bzimage(&fake), fake_vmlinux(&fake) };
	size_t refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		for (size_t at = 0; at < files[i].length && at < 0x400; at++) {
			char kept = files[i].data[at];
			struct kernel_image image;
			struct ktstr_error err;

			files[i].data[at] = (char)0xff;
			if (try_open(&files[i], &image, &err) == 0)
				kernel_image_done(&image);
			else
				refused++;
			files[i].data[at] = kept;
		}
		bytes_free(&files[i]);
	}
	cr_assert_gt(refused, 10);
}

Test(kernel_image, says_when_the_packing_is_not_known)
{
	const struct fake_kernel fake = { 0 };
	struct bytes file = fake_bzimage(&fake);

	memcpy(file.data + 1024 + 64, "\x89LZO", 4);
	assert_not_unpacked(file, -ENOTSUP, "the way it is packed is not known");
}

Test(kernel_image, says_when_the_payload_is_damaged)
{
	const struct fake_kernel fake = { .filter = "zstd", .btf = "types" };
	struct bytes file = fake_bzimage(&fake);

	memset(file.data + file.length - 60, 0xff, 50);
	assert_not_unpacked(file, -EBADMSG, "cannot unpack it: ");
}

Test(kernel_image, says_when_the_payload_has_another_size)
{
	const struct fake_kernel fake = { .filter = "zstd", .wrong_size = 7 };

	assert_not_unpacked(fake_bzimage(&fake), -EBADMSG, "it unpacks to ");
}

Test(kernel_image, does_not_unpack_a_vmlinux)
{
	const struct fake_kernel fake = { 0 };

	assert_not_unpacked(fake_vmlinux(&fake), -EINVAL, "a vmlinux is not packed");
}

Test(kernel_image, tells_how_to_get_at_a_kernel_that_only_root_may_read)
{
	const struct fake_kernel fake = { 0 };
	struct bytes file = fake_bzimage(&fake);
	char *folder = fake_folder();
	struct kernel_image image;
	struct ktstr_error err;
	char path[256];

	fake_write(folder, "vmlinuz", file);
	(void)snprintf(path, sizeof(path), "%s/vmlinuz", folder);
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chmod(path, 0), 0);
	if (getuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	cr_assert_eq(kernel_image_open(path, &image, &err), -EACCES);
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	cr_assert(strstr(err.text, "Permission denied; copy it once as root to where you can read "
				   "it, and give the copy by --kernel"),
		  "'%s'", err.text);
	fake_folder_remove(folder);
	free(folder);
	bytes_free(&file);
}

Test(unpack, stops_at_its_limit)
{
	struct ktstr_error err;
	_cleanup_close_ int out = io_memfd("out", "", 0, &err);
	_cleanup_close_ int in = -1;
	char *zeros = calloc(1, 3 << 20);
	struct bytes packed = fake_pack("gzip", zeros, 3 << 20);
	uint64_t length;

	in = io_memfd("in", packed.data, packed.length, &err);
	cr_assert_eq(unpack_stream(&(struct unpack){ .fd = in,
						     .length = packed.length,
						     .output_max = 2 << 20 },
				   out, &length, &err),
		     -EFBIG);
	cr_assert_str_eq(err.text, "it unpacks to more than the 2 MiB allowed");
	bytes_free(&packed);
	free(zeros);
}

static int take_nothing(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	return -1;
}

static void assert_no_deb(struct bytes deb, const char *wanted)
{
	struct ktstr_error err;
	_cleanup_close_ int in = io_memfd("in", deb.data, deb.length, &err);
	struct unpack package = { .fd = in, .length = deb.length, .output_max = 1 << 20 };

	cr_assert_eq(unpack_deb(&package, take_nothing, NULL, &err), -EBADMSG);
	cr_assert(strstr(err.text, wanted), "'%s'", err.text);
	bytes_free(&deb);
}

Test(unpack, refuses_a_package_without_data)
{
	assert_no_deb(fake_deb(NULL, 0), "it holds no data.tar");
}

Test(unpack, refuses_what_is_no_package)
{
	assert_no_deb((struct bytes){ strdup("<html>sign in</html>"), 20 }, "cannot unpack it: ");
}

Test(unpack, refuses_a_cut_off_package)
{
	struct fake_file file = { "usr/share/x", { strdup("some text"), 9 } };
	struct bytes deb = fake_deb(&file, 1);

	bytes_free(&file.content);
	deb.length -= 40;
	assert_no_deb(deb, "cannot unpack it: ");
}
