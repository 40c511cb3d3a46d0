/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static int reserve(struct str *str, size_t more)
{
	size_t need = str->length + more + 1;
	size_t size = str->size ? str->size : 64;
	char *data;

	if (need < more || need > SIZE_MAX / 2)
		return -ENOMEM;
	if (need <= str->size)
		return 0;
	while (size < need)
		size *= 2;
	data = realloc(str->data, size);
	if (!data)
		return -ENOMEM;
	str->data = data;
	str->size = size;
	return 0;
}

int str_add_bytes(struct str *str, const void *bytes, size_t length)
{
	int rc = reserve(str, length);

	if (rc < 0)
		return rc;
	if (length)
		memcpy(str->data + str->length, bytes, length);
	str->length += length;
	str->data[str->length] = '\0';
	return 0;
}

int str_add(struct str *str, const char *text)
{
	return str_add_bytes(str, text, strlen(text));
}

int str_addf(struct str *str, const char *format, ...)
{
	va_list args;
	int length, rc;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return -EINVAL;
	rc = reserve(str, (size_t)length);
	if (rc < 0)
		return rc;
	va_start(args, format);
	(void)vsnprintf(str->data + str->length, (size_t)length + 1, format, args);
	va_end(args);
	str->length += (size_t)length;
	return 0;
}

const char *str_text(const struct str *str)
{
	return str->data ? str->data : "";
}

void str_clear(struct str *str)
{
	str->length = 0;
	if (str->data)
		str->data[0] = '\0';
}

void str_done(struct str *str)
{
	if (!str)
		return;
	free(str->data);
	*str = (struct str){ 0 };
}

char *str_format(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return length < 0 ? NULL : text;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

#define NEAREST_WORD_MAX 63

/* Levenshtein distance of two words, each cut at NEAREST_WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_WORD_MAX + 1];
	size_t na = strnlen(a, NEAREST_WORD_MAX), nb = strnlen(b, NEAREST_WORD_MAX);

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[nb];
}

const char *str_nearest(const char *word, const char *const *words, size_t count)
{
	size_t limit = strlen(word) / 3 + 1;
	const char *nearest = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, words[i]);

		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	return best <= limit ? nearest : NULL;
}

char *str_copy(char *target, size_t size, const char *source)
{
	size_t length = strnlen(source, size - 1);

	memcpy(target, source, length);
	target[length] = '\0';
	return target;
}

/* Does a valid sequence break lines, or change the direction in which what follows it is read? */
static bool is_disorder(const unsigned char *s, size_t length)
{
	static const struct {
		unsigned char second, first_third, last_third;
	} ranges[] = {
		{ 0x80, 0x8e, 0x8f }, /* U+200E, U+200F */
		{ 0x80, 0xa8, 0xae }, /* U+2028 to U+202E */
		{ 0x81, 0xa6, 0xa9 }, /* U+2066 to U+2069 */
	};

	if (length == 2)
		return s[0] == 0xd8 && s[1] == 0x9c; /* U+061C */
	if (length != 3 || s[0] != 0xe2)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (s[1] == ranges[i].second && s[2] >= ranges[i].first_third &&
		    s[2] <= ranges[i].last_third)
			return true;
	return false;
}

/* Length of the valid UTF-8 sequence at @s that may be shown, 0 when it is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80			 ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return 0; /* C1 controls drive terminals too */
	return is_disorder(s, n) ? 0 : n;
}

char *str_copy_safe(char *target, size_t size, const char *source, size_t length)
{
	const unsigned char *s = (const unsigned char *)source;
	size_t out = 0;

	for (size_t i = 0; i < length && out + 1 < size;) {
		size_t n = utf8_length(s + i, length - i);

		if (n == 0 ||
		    (n == 1 && (s[i] < 0x20 || s[i] == 0x7f) && s[i] != '\n' && s[i] != '\t')) {
			target[out++] = '?';
			i++;
			continue;
		}
		if (out + n >= size)
			break;
		memcpy(target + out, s + i, n);
		out += n;
		i += n;
	}
	target[out] = '\0';
	return target;
}

char *str_copy_line(char *target, size_t size, const char *source, size_t length)
{
	str_copy_safe(target, size, source, length);
	for (char *c = target; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return target;
}
