/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings: formatting into fresh memory, a growing buffer, and the nearest of several words. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A growing text. Zero-initialise; str_done() frees. `data` is NULL or NUL-terminated. */
struct str {
	char *data;
	size_t length;
	size_t size;
};

/* Append; 0 or -ENOMEM. */
int str_add(struct str *str, const char *text);
int str_add_bytes(struct str *str, const void *bytes, size_t length);
__attribute__((format(printf, 2, 3))) int str_addf(struct str *str, const char *format, ...);
/* The text so far, "" when nothing was added. */
const char *str_text(const struct str *str);
void str_clear(struct str *str);
void str_done(struct str *str);

/* asprintf() that returns NULL when there is no memory. The caller frees. */
__attribute__((format(printf, 1, 2))) char *str_format(const char *format, ...);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/*
 * The one of @count words that is nearest to @word by edit distance, or NULL when none is near
 * enough to be a slip of the keys.
 */
const char *str_nearest(const char *word, const char *const *words, size_t count);

/* Copy at most size - 1 bytes and always end with NUL. Returns @target. */
char *str_copy(char *target, size_t size, const char *source);

/*
 * Copy text that came from outside, with every byte that could drive a terminal (control characters
 * but \n and \t, invalid UTF-8, marks that turn the direction of reading) replaced by '?'. Returns
 * @target.
 */
char *str_copy_safe(char *target, size_t size, const char *source, size_t length);
/* The same for one line: \n and \t become blanks too. */
char *str_copy_line(char *target, size_t size, const char *source, size_t length);

#endif
