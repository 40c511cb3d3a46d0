/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"

#define TEXT UINT64_C(0xffffffff81000000)
#define TEXT_SIZE 0x100000u
#define RODATA UINT64_C(0xffffffff82000000)
#define SYMBOLS 600u
#define BASE TEXT

enum form {
	FROM_HERE,
	FROM_BASE,
	PER_CPU,
	NO_ADDRESSES,
};

static struct ktstr_error err;

static void add(struct str *out, const void *bytes, size_t length)
{
	cr_assert_eq(str_add_bytes(out, bytes, length), 0);
}

static void add_u32(struct str *out, uint32_t number)
{
	add(out, &number, sizeof(number));
}

static void align(struct str *out, size_t to)
{
	while (out->length % to)
		add(out, "", 1);
}

static uint64_t address_of(uint32_t index)
{
	return TEXT + (uint64_t)index * 16;
}

/* "Tfn_0" ... of one token a letter, but for 'f', whose token is "fn". */
static void add_name(struct str *out, uint32_t index)
{
	char name[32];
	uint8_t length;

	(void)snprintf(name, sizeof(name), "Tf_%u", index);
	length = (uint8_t)strlen(name);
	if (index == 5) { /* one with a length of two bytes */
		uint8_t two[2] = { 0x80 | 2, 258 >> 7 };

		add(out, two, 2);
		add(out, "T", 1);
		for (int i = 0; i < 257; i++)
			add(out, "x", 1);
		return;
	}
	add(out, &length, 1);
	add(out, name, length);
}

/* The table, as scripts/kallsyms of Linux writes it. */
static void add_table(struct str *out, enum form form)
{
	struct str names = { 0 }, markers = { 0 };
	uint16_t starts[256];
	size_t at = 0;

	for (uint32_t i = 0; i < SYMBOLS; i++) {
		if (i % 256 == 0)
			add_u32(&markers, (uint32_t)names.length);
		add_name(&names, i);
	}
	align(out, 8);
	add_u32(out, SYMBOLS);
	align(out, 8);
	add(out, names.data, names.length);
	align(out, 8);
	add(out, markers.data, markers.length);
	align(out, 8);
	for (int i = 0; i < 256; i++) {
		char token[4] = { (char)(i ? i : 1), 0 };

		if (i == 'f')
			(void)snprintf(token, sizeof(token), "fn");
		starts[i] = (uint16_t)at;
		at += strlen(token) + 1;
		add(out, token, strlen(token) + 1);
	}
	align(out, 8);
	add(out, starts, sizeof(starts));
	for (uint32_t i = 0; i < SYMBOLS; i++) {
		uint64_t here = RODATA + out->length;

		if (form == FROM_HERE)
			add_u32(out, (uint32_t)(address_of(i) - here));
		else if (form == FROM_BASE)
			add_u32(out, (uint32_t)(address_of(i) - BASE));
		else if (form == PER_CPU)
			add_u32(out, (uint32_t)(BASE - 1 - address_of(i)));
		else
			add_u32(out, 0x12345678);
	}
	align(out, 8);
	at = BASE;
	add(out, &at, sizeof(at));
	str_done(&names);
	str_done(&markers);
}

/* A stripped vmlinux. */
static struct str make_image(enum form form)
{
	static const char names[] = "\0.text\0.rodata\0.shstrtab";
	struct str rodata = { 0 }, out = { 0 };
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64 },
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = 4,
			      .e_shstrndx = 3 };
	Elf64_Shdr sections[4] = { { 0 } };

	for (int i = 0; i < 700; i++) /* something before it */
		add(&rodata, "0\0001\0002\0xyz", 9);
	add_table(&rodata, form);
	header.e_shoff = (sizeof(header) + rodata.length + sizeof(names) + 7) / 8 * 8;
	sections[1] = (Elf64_Shdr){ .sh_name = 1,
				    .sh_type = SHT_NOBITS,
				    .sh_flags = SHF_ALLOC,
				    .sh_addr = TEXT,
				    .sh_size = TEXT_SIZE };
	sections[2] = (Elf64_Shdr){ .sh_name = 7,
				    .sh_type = SHT_PROGBITS,
				    .sh_flags = SHF_ALLOC,
				    .sh_addr = RODATA,
				    .sh_offset = sizeof(header),
				    .sh_size = rodata.length };
	sections[3] = (Elf64_Shdr){ .sh_name = 15,
				    .sh_type = SHT_STRTAB,
				    .sh_offset = sizeof(header) + rodata.length,
				    .sh_size = sizeof(names) };
	add(&out, &header, sizeof(header));
	add(&out, rodata.data, rodata.length);
	add(&out, names, sizeof(names));
	align(&out, 8);
	add(&out, sections, sizeof(sections));
	str_done(&rodata);
	return out;
}

Test(kernel_symbols, are_found_in_the_kernels_own_table_in_each_of_its_forms)
{
	for (enum form form = FROM_HERE; form < NO_ADDRESSES; form++) {
		struct str image = make_image(form);
		struct kernel_symbols *symbols = NULL;
		const struct kernel_symbol *symbol;
		size_t count;

		cr_assert_eq(
			kernel_symbols_parse(image.data, image.length, "vmlinux", &symbols, &err),
			0, "form %d: %s", form, err.text);
		symbol = kernel_symbols_all(symbols, &count);
		cr_expect_eq(count, SYMBOLS);
		cr_expect_str_eq(symbol[0].name, "fn_0");
		cr_expect_eq(symbol[0].address, TEXT);
		cr_expect_eq(symbol[0].type, 'T');
		cr_expect_eq(strlen(symbol[5].name), 257);
		symbol = kernel_symbols_at(symbols, address_of(321) + 7);
		cr_assert_not_null(symbol);
		cr_expect_str_eq(symbol->name, "fn_321");
		cr_expect_null(kernel_symbols_at(symbols, TEXT - 1));
		cr_expect_null(kernel_symbols_at(symbols, 0x400000));
		kernel_symbols_free(symbols);
		str_done(&image);
	}
}

Test(kernel_symbols, say_what_is_no_kernel_and_what_names_nothing)
{
	struct str image = make_image(NO_ADDRESSES);
	struct kernel_symbols *symbols;

	cr_expect_eq(kernel_symbols_parse("text", 4, "a text", &symbols, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "'a text' is no unpacked kernel image");
	cr_expect_eq(kernel_symbols_parse(image.data, image.length, "odd", &symbols, &err),
		     -ENODATA);
	cr_expect_str_eq(err.text,
			 "cannot read the symbols of 'odd': no table of them is found in it");
	str_done(&image);
	cr_expect_eq(kernel_symbols_read("/nowhere/vmlinux", &symbols, &err), -ENOENT);
}

/* Whatever is cut off or wrong, it is told, and nothing outside of it is read. */
Test(kernel_symbols, trust_nothing)
{
	struct str image = make_image(FROM_HERE);

	for (size_t i = 0; i < 300; i++) {
		_cleanup_free_ char *copy = malloc(image.length);
		size_t length = i % 3 ? image.length : image.length * i / 300;
		struct kernel_symbols *symbols = NULL;

		memcpy(copy, image.data, image.length);
		for (size_t k = 0; i % 3 && k < 20; k++)
			copy[(i * 7919 + k * 104729) % image.length] ^= (char)(1 << k % 8);
		if (kernel_symbols_parse(copy, length, "bad", &symbols, &err) == 0)
			kernel_symbols_free(symbols);
	}
	str_done(&image);
}

Test(kernel_symbols, become_a_file_that_has_them_again)
{
	struct str image = make_image(FROM_BASE);
	struct kernel_symbols *symbols = NULL, *again = NULL;
	_cleanup_close_ int fd = memfd_create("symbols", MFD_CLOEXEC);
	_cleanup_free_ char *path = str_format("/proc/self/fd/%d", fd);
	size_t count;

	cr_assert_eq(kernel_symbols_parse(image.data, image.length, "vmlinux", &symbols, &err), 0);
	cr_assert_eq(kernel_symbols_write(symbols, fd), 0);
	cr_assert_eq(kernel_symbols_read(path, &again, &err), 0, "%s", err.text);
	(void)kernel_symbols_all(again, &count);
	cr_expect_eq(count, SYMBOLS);
	cr_expect_str_eq(kernel_symbols_at(again, address_of(33))->name, "fn_33");
	kernel_symbols_free(again);
	kernel_symbols_free(symbols);
	str_done(&image);
}
