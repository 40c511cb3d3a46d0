/* SPDX-License-Identifier: GPL-2.0-only */
/* A log of the verifier, collapsed, and the part of a dump that is shown. */
#include <string.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "report/collapse.h"
#include "report/scx_dump.h"

static size_t count_lines(const char *text, size_t length)
{
	size_t count = length > 0 && text[length - 1] != '\n';

	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n';
	return count;
}

/* The first and the last line stay, whatever lies between. */
static void check_ends(const char *text, size_t length, const struct str *out)
{
	const char *newline = memchr(text, '\n', length);
	size_t first = newline ? (size_t)(newline - text) : length;

	FUZZ_REQUIRE(out->length > 0 && out->data[out->length - 1] == '\n');
	if (out->length >= 4 && memcmp(out->data, "--- ", 4) == 0)
		return; /* a mark stands before it */
	FUZZ_REQUIRE(out->length > first && memcmp(out->data, text, first) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct str out = { 0 };

	FUZZ_REQUIRE(collapse_add(text, size, &out) == 0);
	/* Three times five lines, the least there can be, become ten and three marks. */
	FUZZ_REQUIRE(count_lines(out.data ? out.data : "", out.length) <= count_lines(text, size));
	if (size > 0 && count_lines(text, size) <= COLLAPSE_LINES_MAX)
		check_ends(text, size, &out);
	str_clear(&out);
	FUZZ_REQUIRE(scx_dump_part(text, size, "worker[151] failed to run", &out) == 0);
	FUZZ_REQUIRE(count_lines(out.data ? out.data : "", out.length) <= SCX_DUMP_LINES_MAX);
	str_done(&out);
	return 0;
}
