/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define TOKENS 256u
/* The longest token, and the longest name that is made of them. */
#define TOKEN_MAX 128u
#define NAME_MAX_LENGTH 1024u
/* A marker for so many names. */
#define NAMES_A_MARKER 256u
#define SYMBOLS_MAX 4000000u
/* So far before the markers the names of the last marker may begin. */
#define LAST_NAMES_MAX ((size_t)NAMES_A_MARKER * NAME_MAX_LENGTH)
/* So many symbols are looked at to see what form the addresses have. */
#define SAMPLE 512u

/*
 * In this order in the image: the number of names, the names, markers (where each 256th name
 * begins), the tokens that names are made of, where each token begins, addresses. All but the
 * tokens are aligned to 4 bytes at least.
 */
struct table {
	const struct kallsyms_part *part;
	size_t tokens;		 /* offset in the part, as all here */
	uint16_t starts[TOKENS]; /* of each token */
	size_t after;		 /* what follows the starts of tokens */
	size_t names;
	uint32_t count;
	size_t addresses;
	enum {
		FORM_FROM_HERE,
		FORM_FROM_BASE,
		FORM_PER_CPU
	} form;
	uint64_t base;
};

static uint32_t u32_at(const struct kallsyms_part *part, size_t at)
{
	uint32_t number = 0;

	if (at + sizeof(number) <= part->length)
		memcpy(&number, part->bytes + at, sizeof(number));
	return number;
}

static uint64_t u64_at(const struct kallsyms_part *part, size_t at)
{
	uint64_t number = 0;

	if (at + sizeof(number) <= part->length)
		memcpy(&number, part->bytes + at, sizeof(number));
	return number;
}

/* Do the 256 tokens from @at on have their table of starts behind them? */
static bool take_tokens(struct table *table, size_t at)
{
	const struct kallsyms_part *part = table->part;
	size_t end = at;

	for (unsigned int i = 0; i < TOKENS; i++) {
		const uint8_t *nul = end < part->length
					     ? memchr(part->bytes + end, 0, part->length - end)
					     : NULL;

		if (!nul || nul == part->bytes + end || end - at > UINT16_MAX ||
		    (size_t)(nul - part->bytes) - end > TOKEN_MAX)
			return false;
		table->starts[i] = (uint16_t)(end - at);
		end = (size_t)(nul - part->bytes) + 1;
	}
	for (size_t align = 2; align <= 8; align *= 2) {
		size_t starts = (end + align - 1) / align * align;

		if (starts + sizeof(table->starts) > part->length ||
		    memcmp(part->bytes + starts, table->starts, sizeof(table->starts)) != 0)
			continue;
		table->tokens = at;
		table->after = starts + sizeof(table->starts);
		return true;
	}
	return false;
}

/* The tokens of the digits are the digits themselves, so they are easy to see. */
static bool find_tokens(struct table *table)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	const struct kallsyms_part *part = table->part;
	const uint8_t *at = part->bytes;

	while ((at = memmem(at, part->length - (size_t)(at - part->bytes), digits,
			    sizeof(digits)))) {
		const uint8_t *start = at;
		unsigned int before = 0;

		/* As many tokens stand before '0' as its code says. */
		while (before < '0' && start > part->bytes + TOKEN_MAX) {
			start--;
			while (start > part->bytes && start[-1])
				start--;
			before++;
		}
		if (before == '0' && take_tokens(table, (size_t)(start - part->bytes)))
			return true;
		at++;
	}
	return false;
}

/* Pass over one name. False: there is none. */
static bool skip_name(const struct kallsyms_part *part, size_t *at, size_t *ret_length)
{
	size_t length;

	if (*at + 1 >= part->length)
		return false;
	length = part->bytes[(*at)++];
	if (length & 0x80)
		length = (length & 0x7f) | (size_t)part->bytes[(*at)++] << 7;
	if (length == 0 || length > NAME_MAX_LENGTH || length > part->length - *at)
		return false;
	*at += length;
	*ret_length = length;
	return true;
}

/* Are there names from @names on, where the markers say that they begin? */
static bool are_names(const struct table *table, size_t names, size_t markers, uint32_t count)
{
	size_t at = names, length;

	for (uint32_t i = 0; i < count; i++) {
		if (i % NAMES_A_MARKER == 0 &&
		    u32_at(table->part, markers + i / NAMES_A_MARKER * 4) != at - names)
			return false;
		if (!skip_name(table->part, &at, &length))
			return false;
	}
	return at <= markers && markers - at < 8;
}

static bool find_names(struct table *table)
{
	const struct kallsyms_part *part = table->part;
	size_t end = table->tokens / 4 * 4, markers, nearest;

	/* Markers ascend from 0, which the padding behind them may be, too. */
	while (end >= 4 && u32_at(part, end - 4) == 0)
		end -= 4;
	for (markers = end; markers >= 4; markers -= 4)
		if (markers < end && u32_at(part, markers) == 0)
			break;
	if (markers < 4 || markers == end || u32_at(part, end - 4) > markers)
		return false;
	nearest = markers - u32_at(part, end - 4);
	for (size_t before = 0; before < LAST_NAMES_MAX && before + 8 <= nearest; before++) {
		size_t names = nearest - before;

		for (size_t gap = 4; gap <= 8; gap += 4) {
			uint32_t count = u32_at(part, names - gap);

			if (names % 4 != 0 || count == 0 || count > SYMBOLS_MAX ||
			    (count + NAMES_A_MARKER - 1) / NAMES_A_MARKER != (end - markers) / 4 ||
			    !are_names(table, names, markers, count))
				continue;
			table->names = names;
			table->count = count;
			return true;
		}
	}
	return false;
}

static uint64_t address_of(const struct table *table, uint32_t index)
{
	size_t at = table->addresses + (size_t)index * 4;
	uint32_t offset = u32_at(table->part, at);
	int64_t signed_offset = (int32_t)offset;

	switch (table->form) {
	case FORM_FROM_HERE:
		return table->part->address + at + (uint64_t)signed_offset;
	case FORM_FROM_BASE:
		return table->base + offset;
	case FORM_PER_CPU: /* of such variables as they are, else from the base, downwards */
		return signed_offset >= 0 ? offset : table->base - 1 - (uint64_t)signed_offset;
	}
	return 0;
}

/* How many of the first symbols lie in the kernel's text. They are sorted, but for those per CPU.
 */
static unsigned int count_text(const struct table *table)
{
	unsigned int count = 0;
	uint32_t step = table->count / SAMPLE + 1;

	for (uint32_t i = 0; i < table->count; i += step) {
		uint64_t address = address_of(table, i);

		count += address >= table->part->text_start && address < table->part->text_end;
	}
	return count;
}

/* The addresses, in the form in which most symbols are of the text: more than half of all are. */
static bool find_addresses(struct table *table)
{
	uint32_t step = table->count / SAMPLE + 1;
	unsigned int samples = table->count / step;

	for (size_t align = 4; align <= 8; align += 4) {
		size_t bytes = (size_t)table->count * 4;

		table->addresses = (table->after + align - 1) / align * align;
		if (table->addresses + bytes > table->part->length)
			return false;
		table->base = u64_at(table->part, (table->addresses + bytes + 7) / 8 * 8);
		for (int form = FORM_FROM_HERE; form <= FORM_PER_CPU; form++) {
			table->form = form;
			if (count_text(table) > samples / 3)
				return true;
		}
	}
	return false;
}

/* Put the tokens of a name together; it is cut where it is too long. */
static void expand(const struct table *table, const uint8_t *codes, size_t count,
		   char ret[NAME_MAX_LENGTH + 1])
{
	const char *tokens = (const char *)table->part->bytes + table->tokens;
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		const char *token = tokens + table->starts[codes[i]];
		size_t more = strlen(token);

		if (length + more > NAME_MAX_LENGTH)
			break;
		memcpy(ret + length, token, more);
		length += more;
	}
	ret[length] = '\0';
}

int kallsyms_walk(const struct kallsyms_part *part, kallsyms_symbol symbol, void *arg)
{
	struct table table = { .part = part };
	char name[NAME_MAX_LENGTH + 1];
	size_t at;
	int rc = 0;

	if (!find_tokens(&table) || !find_names(&table) || !find_addresses(&table))
		return -ENODATA;
	at = table.names;
	for (uint32_t i = 0; i < table.count && rc == 0; i++) {
		size_t length;

		if (!skip_name(part, &at, &length))
			return -ENODATA;
		expand(&table, part->bytes + at - length, length, name);
		if (name[0] && name[1])
			rc = symbol(arg, address_of(&table, i), name);
	}
	return rc;
}
