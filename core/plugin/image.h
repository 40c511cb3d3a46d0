/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An ELF file as its dynamic linker would lay it out, read without mapping or running any of it:
 * bytes by address, dynamic entries, one exported symbol, pointers after relocation. Private to
 * this module. The file is hostile: every count and size in it is bounded before use.
 */
#ifndef PLUGIN_IMAGE_H
#define PLUGIN_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

/* A PT_LOAD segment. */
struct image_segment {
	uint64_t address;
	uint64_t memory_size;
	uint64_t offset;
	uint64_t file_size;
};

struct image_relocation {
	uint64_t address;
	uint64_t value;
};

struct image {
	char *path; /* as given */
	int fd;
	uint64_t size;
	uint16_t type; /* ET_DYN, ET_EXEC */
	uint16_t machine;
	char *interpreter; /* or NULL */
	char build_id[41];
	struct image_segment *segments;
	size_t segment_count;
	Elf64_Dyn *dynamic; /* up to DT_NULL; NULL when the file is linked statically */
	size_t dynamic_count;
	/* Sorted by address; see image_relocate(). */
	struct image_relocation *relocations;
	size_t relocation_count;
};

/* Open and check as elf_read() says. */
int image_open(const char *path, struct image **ret, struct ktstr_error *err);
/* The same, and refuse a program. */
int image_open_shared(const char *path, struct image **ret, struct ktstr_error *err);
void image_free(struct image *image);

/* Copy @length bytes from @address, zeros where a segment has no bytes in the file. False when
 * they do not all lie in one segment. */
bool image_read(const struct image *image, uint64_t address, void *ret, size_t length);

/* The text at @address, of at most @max bytes, in fresh memory; NULL when there is none. */
char *image_read_text(const struct image *image, uint64_t address, size_t max);

/* The first dynamic entry with @tag. */
bool image_dynamic(const struct image *image, int64_t tag, uint64_t *ret);

/* A text of the dynamic string table, in fresh memory; NULL when @offset is outside of it. */
char *image_dynamic_text(const struct image *image, uint64_t offset);

/* The exported symbol @name, looked up by the hash tables as the dynamic linker does. */
bool image_symbol(const struct image *image, const char *name, Elf64_Sym *ret);

/* Read the relocations that make pointers in data, for image_pointer(). */
int image_relocate(struct image *image, struct ktstr_error *err);

/* The pointer at @address as it will be once loaded, with load address 0: 0 is NULL. IMAGE_OUTSIDE
 * when it points into another object. */
#define IMAGE_OUTSIDE UINT64_MAX
bool image_pointer(const struct image *image, uint64_t address, uint64_t *ret);

#endif
