/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files that look like kernels and like their packages, and a folder to put them in. */
#ifndef SUPPORT_FAKE_KERNEL_H
#define SUPPORT_FAKE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
	char *data;
	size_t length;
};

void bytes_free(struct bytes *bytes);

/* What the fake is to have. */
struct fake_kernel {
	const char *release;  /* NULL: "6.99.0-fake" */
	const char *ikconfig; /* carried inside; NULL: none */
	const char *btf;      /* what the .BTF section holds; NULL: none */
	bool has_no_pvh;
	const char *filter; /* of libarchive: "gzip", "xz", ..., or "lz4-legacy"; NULL: gzip */
	bool has_no_64bit_entry;
	unsigned long
		wrong_size; /* added to the unpacked size that is written behind the payload */
};

/* Pack with a filter of libarchive ("none": not at all). */
struct bytes fake_pack(const char *filter, const void *data, size_t length);

struct bytes fake_vmlinux(const struct fake_kernel *fake);
struct bytes fake_bzimage(const struct fake_kernel *fake);

/* A Debian package with these files ("usr/lib/...") in a data.tar.xz. */
struct fake_file {
	const char *path;
	struct bytes content;
};
struct bytes fake_deb(const struct fake_file *files, size_t count);

/* A fresh folder, and all of it removed again. */
char *fake_folder(void);
void fake_folder_remove(const char *folder);

/* Write a file below @folder, with the folders that its path names. Text, or bytes. */
void fake_write(const char *folder, const char *path, struct bytes content);
void fake_write_text(const char *folder, const char *path, const char *text);

#endif
