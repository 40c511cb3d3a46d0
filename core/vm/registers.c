/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/registers.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define NAME_MAX_LENGTH 8
#define DIGITS_MAX 16

enum kind {
	IS_64_BIT,
	IS_32_BIT,
	IS_BASE, /* of a segment: the second number */
};

/* Each name that the monitor prints, by what it is called in 64-bit mode and in all others. */
static const struct {
	const char *name;
	const char *short_name;
	size_t offset;
	enum kind kind;
	bool is_optional;
} rows[] = {
#define ROW(NAME, SHORT, FIELD, ...)                                                               \
	{                                                                                          \
		NAME, SHORT, offsetof(struct runfile_cpu, FIELD), __VA_ARGS__                      \
	}
	ROW("RAX", "EAX", rax, IS_64_BIT, false),	ROW("RBX", "EBX", rbx, IS_64_BIT, false),
	ROW("RCX", "ECX", rcx, IS_64_BIT, false),	ROW("RDX", "EDX", rdx, IS_64_BIT, false),
	ROW("RSI", "ESI", rsi, IS_64_BIT, false),	ROW("RDI", "EDI", rdi, IS_64_BIT, false),
	ROW("RBP", "EBP", rbp, IS_64_BIT, false),	ROW("RSP", "ESP", rsp, IS_64_BIT, false),
	ROW("R8", "R8", r8, IS_64_BIT, true),		ROW("R9", "R9", r9, IS_64_BIT, true),
	ROW("R10", "R10", r10, IS_64_BIT, true),	ROW("R11", "R11", r11, IS_64_BIT, true),
	ROW("R12", "R12", r12, IS_64_BIT, true),	ROW("R13", "R13", r13, IS_64_BIT, true),
	ROW("R14", "R14", r14, IS_64_BIT, true),	ROW("R15", "R15", r15, IS_64_BIT, true),
	ROW("RIP", "EIP", rip, IS_64_BIT, false),	ROW("RFL", "EFL", rflags, IS_64_BIT, false),
	ROW("CR0", "CR0", cr0, IS_64_BIT, false),	ROW("CR2", "CR2", cr2, IS_64_BIT, false),
	ROW("CR3", "CR3", cr3, IS_64_BIT, false),	ROW("CR4", "CR4", cr4, IS_64_BIT, false),
	ROW("EFER", "EFER", efer, IS_64_BIT, false),	ROW("FS", "FS", fs_base, IS_BASE, false),
	ROW("GS", "GS", gs_base, IS_BASE, false),	ROW("CPL", "CPL", cpl, IS_32_BIT, false),
	ROW("HLT", "HLT", is_halted, IS_32_BIT, false),
#undef ROW
};

static_assert(ARRAY_SIZE(rows) <= 32, "one bit a row");

/* The row of a name, or -1. */
static int find_row(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *names[] = { rows[i].name, rows[i].short_name };

		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			if (strlen(names[j]) == length && memcmp(names[j], name, length) == 0)
				return (int)i;
	}
	return -1;
}

/* A hexadecimal number that ends at a space or at the end. Returns what follows it, or NULL. */
static const char *read_number(const char *at, uint64_t *ret)
{
	size_t digits = strspn(at, "0123456789abcdefABCDEF");
	uint64_t value = 0;

	if (digits == 0 || digits > DIGITS_MAX ||
	    (at[digits] && !isspace((unsigned char)at[digits])))
		return NULL;
	for (size_t i = 0; i < digits; i++) {
		int digit = tolower((unsigned char)at[i]);

		value = value << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
	}
	*ret = value;
	return at + digits;
}

/* The value of row @row, which stands at @at. */
static int read_value(int row, const char *at, struct runfile_cpu *cpu)
{
	char *field = (char *)cpu + rows[row].offset;
	uint64_t value = 0;
	uint32_t word;

	at = read_number(at, &value);
	if (at && rows[row].kind == IS_BASE)
		at = *at ? read_number(at + 1, &value) : NULL;
	if (!at)
		return -EPROTO;
	if (rows[row].kind != IS_32_BIT) {
		memcpy(field, &value, sizeof(value));
		return 0;
	}
	word = (uint32_t)value;
	if (word != value)
		return -EPROTO;
	memcpy(field, &word, sizeof(word));
	return 0;
}

/* The next "NAME=" or "NAME =" at or behind @at. Returns where its value stands, or NULL. */
static const char *next_name(const char *at, const char **ret_name, size_t *ret_length)
{
	while (*at) {
		size_t length = 0, spaces;

		while (isalnum((unsigned char)at[length]))
			length++;
		spaces = strspn(at + length, " ");
		if (length > 0 && length <= NAME_MAX_LENGTH && at[length + spaces] == '=') {
			*ret_name = at;
			*ret_length = length;
			return at + length + spaces + 1;
		}
		at += length > 0 ? length : 1;
	}
	return NULL;
}

int registers_parse(const char *text, struct runfile_cpu *ret, struct ktstr_error *err)
{
	struct runfile_cpu cpu = { 0 };
	uint32_t seen = 0;
	const char *name;
	size_t length;

	for (const char *at = next_name(text, &name, &length); at;
	     at = next_name(at, &name, &length)) {
		int row = find_row(name, length);

		if (row < 0)
			continue;
		if (seen & (1U << row))
			return ktstr_fail(err, -EPROTO, "QEMU prints register '%s' twice",
					  rows[row].name);
		if (read_value(row, at, &cpu) < 0)
			return ktstr_fail(err, -EPROTO,
					  "QEMU prints what is no value of register '%s'",
					  rows[row].name);
		seen |= 1U << row;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!rows[i].is_optional && !(seen & (1U << i)))
			return ktstr_fail(err, -EPROTO, "QEMU does not print register '%s'",
					  rows[i].name);
	*ret = cpu;
	return 0;
}

int registers_parse_all(const char *text, struct runfile_cpu *ret, uint32_t count,
			struct ktstr_error *err)
{
	static const char head[] = "CPU#";
	const char *at = strstr(text, head);

	for (uint32_t i = 0; i < count; i++) {
		const char *next = at ? strstr(at + strlen(head), head) : NULL;
		_cleanup_free_ char *part = NULL;

		if (!at)
			return ktstr_fail(err, -EPROTO, "QEMU does not print registers of CPU %u",
					  i);
		part = next ? strndup(at, (size_t)(next - at)) : strdup(at);
		if (!part)
			return ktstr_fail(err, -ENOMEM, "out of memory for registers");
		if (registers_parse(part, &ret[i], err) < 0)
			return ktstr_prefix(err, "registers of CPU %u", i);
		at = next;
	}
	return 0;
}
