/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies in the file of a kernel: a bzImage, which carries a compressed vmlinux, or that ELF
 * vmlinux itself. The files are not trusted: every offset in them is checked.
 */
#ifndef VM_KERNEL_IMAGE_H
#define VM_KERNEL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

/* The most that a vmlinux may take, packed or not. */
#define KERNEL_IMAGE_MAX (UINT64_C(1) << 30)
#define KERNEL_RELEASE_MAX 128

struct kernel_image {
	int fd;
	uint64_t size;
	bool is_elf; /* else a bzImage */
	char release[KERNEL_RELEASE_MAX];
	uint64_t init_size; /* memory it takes from where it is loaded to its end */
	/* A bzImage: where its payload lies, its four bytes of unpacked size included. */
	uint64_t payload_offset;
	uint64_t payload_length;
	/* An ELF: */
	bool has_pvh;	     /* the note that QEMU starts a vmlinux by */
	uint64_t btf_offset; /* its .BTF section; length 0: none */
	uint64_t btf_length;
};

/*
 * Open and look. -EACCES says what to do about a file that cannot be read, -ENOEXEC that it is no
 * x86-64 kernel or is damaged. @path is only named in errors by the second form, which takes @fd.
 */
int kernel_image_open(const char *path, struct kernel_image *ret, struct ktstr_error *err);
int kernel_image_from_fd(int fd, const char *path, struct kernel_image *ret,
			 struct ktstr_error *err);
void kernel_image_done(struct kernel_image *image);

/* Write the vmlinux of a bzImage to @out_fd. -ENOTSUP: packed by a method that is not known. */
int kernel_image_unpack(const struct kernel_image *image, int out_fd, struct ktstr_error *err);

/* Write the .BTF section of an ELF to @out_fd; -ENODATA without a text when there is none. */
int kernel_image_btf(const struct kernel_image *image, int out_fd, struct ktstr_error *err);

/* Does the BTF of an ELF know `struct sched_ext_ops`? Only kernels that have sched_ext do. */
bool kernel_image_has_sched_ext_type(const struct kernel_image *image);

/*
 * Write the config that an ELF carries (CONFIG_IKCONFIG) to @out_fd; -ENODATA without a text when
 * there is none.
 */
int kernel_image_config(const struct kernel_image *image, int out_fd, struct ktstr_error *err);

#endif
