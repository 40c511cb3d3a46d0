/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel_file.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Lists to select from are longer than what is selected. */
#define TEXT_MAX 4096

bool kernel_file_is_allowed(const char *path)
{
	static const char *const roots[] = { "/sys/", "/proc/sys/" };
	size_t length = strlen(path);

	if (strstr(path, "/../") || path[length - 1] == '/' ||
	    (length >= 3 && strcmp(path + length - 3, "/..") == 0))
		return false;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (strncmp(path, roots[i], strlen(roots[i])) == 0)
			return true;
	return false;
}

/* The whole text, one blank between two words and none around them. 0 or a negative errno. */
static int read_text(const char *path, char text[TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), code;
	size_t kept = 0;
	ssize_t length;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	length = read(fd, text, TEXT_MAX - 1);
	code = length < 0 ? -errno : 0;
	(void)close(fd); /* it was only read */
	for (ssize_t i = 0; i < length; i++) {
		bool is_blank = isspace((unsigned char)text[i]) != 0;

		if (!is_blank || (kept > 0 && text[kept - 1] != ' '))
			text[kept++] = is_blank ? ' ' : text[i];
	}
	if (kept > 0 && text[kept - 1] == ' ')
		kept--;
	text[kept] = '\0';
	return code;
}

/* The word in brackets, if there is one; else all of it. */
static const char *select_word(char text[TEXT_MAX])
{
	char *open_bracket = strchr(text, '[');
	char *close_bracket = open_bracket ? strchr(open_bracket, ']') : NULL;

	if (!close_bracket)
		return text;
	*close_bracket = '\0';
	return open_bracket + 1;
}

void kernel_file_selected(const char *path, char *ret, size_t size)
{
	char text[TEXT_MAX];

	ret[0] = '\0';
	if (read_text(path, text) == 0)
		(void)snprintf(ret, size, "%s", select_word(text));
}

/* Both are the same number, however written: "0x10" reads as 16. */
static bool is_same_number(const char *one, const char *other)
{
	char *one_end, *other_end;
	long long a, b;

	if (!*one || !*other)
		return false;
	a = strtoll(one, &one_end, 0);
	b = strtoll(other, &other_end, 0);
	return a == b && !*one_end && !*other_end;
}

static bool says(char text[TEXT_MAX], const char *value)
{
	const char *selected = select_word(text);

	return strcmp(selected, value) == 0 || is_same_number(selected, value);
}

int kernel_file_write(const char *path, const char *value, bool is_verified,
		      struct ktstr_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), code = 0;
	char text[TEXT_MAX];

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (write(fd, value, strlen(value)) < 0)
		code = -errno;
	if (close(fd) < 0 && code == 0)
		code = -errno;
	if (code < 0)
		return ktstr_fail(err, code, "cannot write '%s' to '%s': %s", value, path,
				  strerror(-code));
	if (!is_verified || read_text(path, text) < 0)
		return 0;
	if (!says(text, value))
		return ktstr_fail(err, -EIO,
				  "'%s' says '%.200s' after '%s' was written; with 'verify: false' "
				  "it is not asked",
				  path, select_word(text), value);
	return 0;
}

int kernel_file_check(const char *path, const char *value, struct ktstr_error *err)
{
	char text[TEXT_MAX];
	int code = read_text(path, text);

	if (code < 0)
		return ktstr_fail(err, code, "cannot read '%s': %s", path, strerror(-code));
	if (!says(text, value))
		return ktstr_fail(err, -ESRCH, "'%s' says '%.200s', not '%s'", path,
				  select_word(text), value);
	return 0;
}
