/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A chain that is longer than this is a loop or a trap. */
#define CHAIN_MAX 65536u
#define RELOCATIONS_MAX 1000000u

static bool symbol_at(const struct image *image, uint64_t index, const char *name, Elf64_Sym *ret)
{
	_cleanup_free_ char *found = NULL;
	uint64_t table;
	Elf64_Sym symbol;

	if (!image_dynamic(image, DT_SYMTAB, &table) ||
	    !image_read(image, table + index * sizeof(symbol), &symbol, sizeof(symbol)))
		return false;
	if (name) {
		if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL)
			return false;
		found = image_dynamic_text(image, symbol.st_name);
		if (!found || strcmp(found, name) != 0)
			return false;
	}
	*ret = symbol;
	return true;
}

static bool word_at(const struct image *image, uint64_t address, uint64_t index, uint32_t *ret)
{
	return image_read(image, address + index * sizeof(*ret), ret, sizeof(*ret));
}

/* DT_GNU_HASH: four words, the Bloom filter, the buckets, one hash a symbol with bit 0 set in the
 * last of a chain. */
static bool find_by_gnu_hash(const struct image *image, uint64_t table, const char *name,
			     Elf64_Sym *ret)
{
	uint32_t header[4], hash = 5381, index, word;
	uint64_t buckets, chains;

	if (!image_read(image, table, header, sizeof(header)) || header[0] == 0)
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	buckets = table + sizeof(header) + (uint64_t)header[2] * sizeof(uint64_t);
	chains = buckets + (uint64_t)header[0] * sizeof(uint32_t);
	if (!word_at(image, buckets, hash % header[0], &index) || index < header[1])
		return false;
	for (uint32_t i = 0; i < CHAIN_MAX; i++, index++) {
		if (!word_at(image, chains, index - header[1], &word))
			return false;
		if ((word | 1) == (hash | 1) && symbol_at(image, index, name, ret))
			return true;
		if (word & 1)
			return false;
	}
	return false;
}

/* DT_HASH: bucket count, chain count, buckets, chains. */
static bool find_by_hash(const struct image *image, uint64_t table, const char *name,
			 Elf64_Sym *ret)
{
	uint32_t header[2], hash = 0, index;

	if (!image_read(image, table, header, sizeof(header)) || header[0] == 0)
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		uint32_t high;

		hash = (hash << 4) + *c;
		high = hash & 0xf0000000u;
		hash = (hash ^ high >> 24) & ~high;
	}
	table += sizeof(header);
	if (!word_at(image, table, hash % header[0], &index))
		return false;
	table += (uint64_t)header[0] * sizeof(uint32_t);
	for (uint32_t i = 0; i < CHAIN_MAX && index != 0; i++) {
		if (symbol_at(image, index, name, ret))
			return true;
		if (!word_at(image, table, index, &index))
			return false;
	}
	return false;
}

bool image_symbol(const struct image *image, const char *name, Elf64_Sym *ret)
{
	uint64_t table;

	if (image_dynamic(image, DT_GNU_HASH, &table))
		return find_by_gnu_hash(image, table, name, ret);
	if (image_dynamic(image, DT_HASH, &table))
		return find_by_hash(image, table, name, ret);
	return false;
}

static int compare_relocations(const void *a, const void *b)
{
	uint64_t x = ((const struct image_relocation *)a)->address;
	uint64_t y = ((const struct image_relocation *)b)->address;

	return (x > y) - (x < y);
}

static bool is_relative(uint16_t machine, uint32_t type)
{
	return type == (machine == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE);
}

static bool is_absolute(uint16_t machine, uint32_t type)
{
	return type == (machine == EM_AARCH64 ? R_AARCH64_ABS64 : R_X86_64_64);
}

static bool add_relocation(struct image *image, size_t *size, uint64_t address, uint64_t value)
{
	if (image->relocation_count == *size) {
		size_t more = *size ? *size * 2 : 256;
		struct image_relocation *grown;

		if (more > 2 * RELOCATIONS_MAX)
			return false;
		grown = realloc(image->relocations, more * sizeof(*grown));
		if (!grown)
			return false;
		image->relocations = grown;
		*size = more;
	}
	image->relocations[image->relocation_count++] =
		(struct image_relocation){ .address = address, .value = value };
	return true;
}

static bool read_rela(struct image *image, size_t *size)
{
	uint64_t table = 0, bytes = 0, count;

	if (!image_dynamic(image, DT_RELA, &table) || !image_dynamic(image, DT_RELASZ, &bytes))
		return true;
	count = bytes / sizeof(Elf64_Rela);
	if (count > RELOCATIONS_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		Elf64_Rela rela;
		Elf64_Sym symbol;
		uint64_t value;

		if (!image_read(image, table + i * sizeof(rela), &rela, sizeof(rela)))
			return false;
		if (is_relative(image->machine, ELF64_R_TYPE(rela.r_info))) {
			value = (uint64_t)rela.r_addend;
		} else if (is_absolute(image->machine, ELF64_R_TYPE(rela.r_info))) {
			if (!symbol_at(image, ELF64_R_SYM(rela.r_info), NULL, &symbol))
				return false;
			value = symbol.st_shndx == SHN_UNDEF
					? IMAGE_OUTSIDE
					: symbol.st_value + (uint64_t)rela.r_addend;
		} else {
			continue;
		}
		if (!add_relocation(image, size, rela.r_offset, value))
			return false;
	}
	return true;
}

/* A relative relocation of the packed table: the value lies where it will be. */
static bool add_relr(struct image *image, size_t *size, uint64_t address)
{
	uint64_t value;

	return image_read(image, address, &value, sizeof(value)) &&
	       add_relocation(image, size, address, value);
}

/* Packed relative relocations: an even word is an address, an odd one a bitmap of the 63 words
 * behind the last address. */
static bool read_relr(struct image *image, size_t *size)
{
	uint64_t table = 0, bytes = 0, next = 0, word;

	if (!image_dynamic(image, DT_RELR, &table) || !image_dynamic(image, DT_RELRSZ, &bytes))
		return true;
	if (bytes / sizeof(word) > RELOCATIONS_MAX)
		return false;
	for (uint64_t i = 0; i < bytes / sizeof(word); i++) {
		if (!image_read(image, table + i * sizeof(word), &word, sizeof(word)))
			return false;
		if ((word & 1) == 0) {
			if (!add_relr(image, size, word))
				return false;
			next = word + sizeof(word);
			continue;
		}
		for (unsigned int bit = 0; bit < 63; bit++)
			if ((word >> (bit + 1) & 1) &&
			    !add_relr(image, size, next + bit * sizeof(word)))
				return false;
		next += 63 * sizeof(word);
	}
	return true;
}

int image_relocate(struct image *image, struct ktstr_error *err)
{
	size_t size = 0;

	free(image->relocations);
	image->relocations = NULL;
	image->relocation_count = 0;
	if (!read_rela(image, &size) || !read_relr(image, &size))
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is damaged (its relocations cannot be read); build it again",
			image->path);
	if (image->relocation_count)
		qsort(image->relocations, image->relocation_count, sizeof(*image->relocations),
		      compare_relocations);
	return 0;
}

bool image_pointer(const struct image *image, uint64_t address, uint64_t *ret)
{
	struct image_relocation key = { .address = address }, *found = NULL;

	if (image->relocation_count)
		found = bsearch(&key, image->relocations, image->relocation_count, sizeof(key),
				compare_relocations);
	if (!found)
		return image_read(image, address, ret, sizeof(*ret));
	*ret = found->value;
	return true;
}
