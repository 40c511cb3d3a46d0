/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kallsyms.h"

struct kernel_symbols {
	struct kernel_symbol *items;
	size_t count;
	size_t size;
	struct str names; /* all, each ended by NUL; items[].name is an offset until they are all
			     there */
	uint64_t text_start, text_end;
	uint64_t end; /* of all that is loaded */
};

/* An image in memory, of which nothing is trusted. */
struct image {
	const uint8_t *bytes;
	size_t length;
	Elf64_Ehdr header;
	const char *names; /* of sections, ended by NUL */
	size_t names_length;
};

static bool get(const struct image *image, uint64_t at, void *ret, size_t length)
{
	if (at > image->length || length > image->length - at)
		return false;
	memcpy(ret, image->bytes + at, length);
	return true;
}

static bool get_section(const struct image *image, unsigned int index, Elf64_Shdr *ret)
{
	return index < image->header.e_shnum &&
	       get(image, image->header.e_shoff + (uint64_t)index * sizeof(*ret), ret,
		   sizeof(*ret)) &&
	       (ret->sh_type == SHT_NOBITS || (ret->sh_offset <= image->length &&
					       ret->sh_size <= image->length - ret->sh_offset));
}

static bool open_image(struct image *image)
{
	Elf64_Shdr names;

	if (!get(image, 0, &image->header, sizeof(image->header)) ||
	    memcmp(image->header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    image->header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    image->header.e_shentsize != sizeof(Elf64_Shdr) ||
	    !get_section(image, image->header.e_shstrndx, &names) || names.sh_type != SHT_STRTAB ||
	    names.sh_size == 0 || image->bytes[names.sh_offset + names.sh_size - 1] != 0)
		return false;
	image->names = (const char *)image->bytes + names.sh_offset;
	image->names_length = names.sh_size;
	return true;
}

/* The section @name. */
static bool find_section(const struct image *image, const char *name, Elf64_Shdr *ret)
{
	for (unsigned int i = 0; i < image->header.e_shnum; i++)
		if (get_section(image, i, ret) && ret->sh_name < image->names_length &&
		    strcmp(image->names + ret->sh_name, name) == 0)
			return true;
	return false;
}

static int add_symbol(void *arg, uint64_t address, const char *name)
{
	struct kernel_symbols *symbols = arg;

	if (symbols->count == symbols->size) {
		size_t size = symbols->size ? symbols->size * 2 : 4096;
		struct kernel_symbol *more = reallocarray(symbols->items, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		symbols->items = more;
		symbols->size = size;
	}
	symbols->items[symbols->count++] = (struct kernel_symbol){
		.address = address, .name = (const char *)symbols->names.length, .type = name[0]
	};
	return str_add_bytes(&symbols->names, name + 1, strlen(name + 1) + 1);
}

/* Of .symtab. 0 also when there is none. */
static int read_symtab(const struct image *image, struct kernel_symbols *symbols)
{
	Elf64_Shdr table, strings;
	int rc = 0;

	if (!find_section(image, ".symtab", &table) || table.sh_type != SHT_SYMTAB ||
	    !get_section(image, table.sh_link, &strings) || strings.sh_type != SHT_STRTAB ||
	    strings.sh_size == 0 || image->bytes[strings.sh_offset + strings.sh_size - 1] != 0)
		return 0;
	for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size && rc == 0;
	     at += sizeof(Elf64_Sym)) {
		_cleanup_free_ char *name = NULL;
		Elf64_Sym symbol;
		unsigned char type;

		if (!get(image, table.sh_offset + at, &symbol, sizeof(symbol)) ||
		    symbol.st_name >= strings.sh_size || symbol.st_shndx == SHN_UNDEF)
			continue;
		type = ELF64_ST_TYPE(symbol.st_info);
		if (type == STT_SECTION || type == STT_FILE ||
		    !image->bytes[strings.sh_offset + symbol.st_name])
			continue;
		name = str_format("%c%s", type == STT_FUNC ? 't' : 'd',
				  (const char *)image->bytes + strings.sh_offset + symbol.st_name);
		rc = name ? add_symbol(symbols, symbol.st_value, name) : -ENOMEM;
	}
	return rc;
}

static int read_kallsyms(const struct image *image, struct kernel_symbols *symbols)
{
	Elf64_Shdr rodata;
	struct kallsyms_part part;

	if (!find_section(image, ".rodata", &rodata) || rodata.sh_type == SHT_NOBITS)
		return -ENODATA;
	part = (struct kallsyms_part){ .bytes = image->bytes + rodata.sh_offset,
				       .length = rodata.sh_size,
				       .address = rodata.sh_addr,
				       .text_start = symbols->text_start,
				       .text_end = symbols->text_end };
	return kallsyms_walk(&part, add_symbol, symbols);
}

static int by_address(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int read_all(const struct image *image, struct kernel_symbols *symbols)
{
	Elf64_Shdr section;
	int rc;

	if (!find_section(image, ".text", &section))
		return -ENODATA;
	symbols->text_start = section.sh_addr;
	symbols->text_end = section.sh_addr + section.sh_size;
	for (unsigned int i = 0; i < image->header.e_shnum; i++)
		if (get_section(image, i, &section) && (section.sh_flags & SHF_ALLOC) &&
		    section.sh_addr + section.sh_size > symbols->end)
			symbols->end = section.sh_addr + section.sh_size;
	rc = read_symtab(image, symbols);
	if (rc == 0 && symbols->count == 0)
		rc = read_kallsyms(image, symbols);
	if (rc == 0 && symbols->count == 0)
		rc = -ENODATA;
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < symbols->count; i++)
		symbols->items[i].name = symbols->names.data + (size_t)symbols->items[i].name;
	qsort(symbols->items, symbols->count, sizeof(*symbols->items), by_address);
	return 0;
}

int kernel_symbols_parse(const void *bytes, size_t length, const char *name,
			 struct kernel_symbols **ret, struct ktstr_error *err)
{
	struct image image = { .bytes = bytes, .length = length };
	struct kernel_symbols *symbols;
	int rc;

	if (!open_image(&image))
		return ktstr_fail(err, -EBADMSG, "'%s' is no unpacked kernel image", name);
	symbols = calloc(1, sizeof(*symbols));
	rc = symbols ? read_all(&image, symbols) : -ENOMEM;
	if (rc < 0) {
		kernel_symbols_free(symbols);
		return ktstr_fail(err, rc, "cannot read the symbols of '%s': %s", name,
				  rc == -ENODATA ? "no table of them is found in it"
						 : strerror(-rc));
	}
	*ret = symbols;
	return 0;
}

int kernel_symbols_read(const char *path, struct kernel_symbols **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t length = 0;
	int rc = io_read_file(path, (size_t)1 << 30, &bytes, &length, err);

	return rc < 0 ? rc : kernel_symbols_parse(bytes, length, path, ret, err);
}

void kernel_symbols_free(struct kernel_symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->items);
	str_done(&symbols->names);
	free(symbols);
}

const struct kernel_symbol *kernel_symbols_all(const struct kernel_symbols *symbols,
					       size_t *ret_count)
{
	*ret_count = symbols->count;
	return symbols->items;
}

const struct kernel_symbol *kernel_symbols_at(const struct kernel_symbols *symbols,
					      uint64_t address)
{
	size_t low = 0, high = symbols->count;

	if (address < symbols->text_start || address >= symbols->end)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Of several at one address the first, which is the function itself. */
	while (low > 1 && symbols->items[low - 2].address == symbols->items[low - 1].address)
		low--;
	return low > 0 ? &symbols->items[low - 1] : NULL;
}

static int append(struct str *out, const void *bytes, size_t length)
{
	return str_add_bytes(out, bytes, length);
}

/* Sections: none, .text (where symbols belong to; it has no bytes), .symtab, .strtab. */
static const char section_names[] = "\0.text\0.symtab\0.strtab";

static int add_symbols(const struct kernel_symbols *symbols, struct str *out)
{
	const Elf64_Sym none = { 0 };
	int rc = append(out, &none, sizeof(none));

	for (size_t i = 0; i < symbols->count && rc == 0; i++) {
		const struct kernel_symbol *symbol = &symbols->items[i];
		bool is_code = symbol->address >= symbols->text_start &&
			       symbol->address < symbols->text_end;
		const Elf64_Sym entry = {
			.st_name = (Elf64_Word)(sizeof(section_names) +
						(size_t)(symbol->name - symbols->names.data)),
			.st_info = ELF64_ST_INFO(STB_GLOBAL, is_code ? STT_FUNC : STT_OBJECT),
			.st_shndx = is_code ? 1 : SHN_ABS,
			.st_value = symbol->address,
			.st_size = i + 1 < symbols->count && is_code
					   ? symbols->items[i + 1].address - symbol->address
					   : 0,
		};

		rc = append(out, &entry, sizeof(entry));
	}
	return rc;
}

static int build_elf(const struct kernel_symbols *symbols, struct str *out)
{
	const size_t table_bytes = (symbols->count + 1) * sizeof(Elf64_Sym);
	const size_t strings_at = sizeof(Elf64_Ehdr) + table_bytes;
	const size_t strings_bytes = sizeof(section_names) + symbols->names.length;
	const Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(header),
		.e_shoff = (strings_at + strings_bytes + 7) / 8 * 8,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4,
		.e_shstrndx = 3,
	};
	const Elf64_Shdr sections[] = {
		{ 0 },
		{ .sh_name = 1,
		  .sh_type = SHT_NOBITS,
		  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		  .sh_addr = symbols->text_start,
		  .sh_offset = sizeof(header),
		  .sh_size = symbols->text_end - symbols->text_start,
		  .sh_addralign = 16 },
		{ .sh_name = 7,
		  .sh_type = SHT_SYMTAB,
		  .sh_offset = sizeof(header),
		  .sh_size = table_bytes,
		  .sh_link = 3,
		  .sh_info = 1,
		  .sh_addralign = 8,
		  .sh_entsize = sizeof(Elf64_Sym) },
		{ .sh_name = 15,
		  .sh_type = SHT_STRTAB,
		  .sh_offset = strings_at,
		  .sh_size = strings_bytes,
		  .sh_addralign = 1 },
	};
	static const char zeros[8];
	int rc = append(out, &header, sizeof(header));

	if (rc == 0)
		rc = add_symbols(symbols, out);
	if (rc == 0)
		rc = append(out, section_names, sizeof(section_names));
	if (rc == 0)
		rc = append(out, symbols->names.data, symbols->names.length);
	if (rc == 0)
		rc = append(out, zeros, header.e_shoff - strings_at - strings_bytes);
	return rc == 0 ? append(out, sections, sizeof(sections)) : rc;
}

int kernel_symbols_write(const struct kernel_symbols *symbols, int fd)
{
	struct str out = { 0 };
	int rc = build_elf(symbols, &out);

	if (rc == 0)
		rc = io_write_all(fd, out.data, out.length);
	str_done(&out);
	return rc;
}
