/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_config.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

#define CONFIG_MAX (8u << 20)
#define PREFIX "CONFIG_"

int kernel_config_text_has(const char *text, const char *option)
{
	const char *name = str_starts(option, PREFIX) ? option + strlen(PREFIX) : option;
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!str_starts(line, PREFIX))
			continue;
		line += strlen(PREFIX);
		if (strncmp(line, name, length) == 0 && strncmp(line + length, "=y", 2) == 0 &&
		    (line[length + 2] == '\n' || line[length + 2] == '\0'))
			return 1;
	}
	return 0;
}

int kernel_config_file_has(const char *path, const char *option)
{
	_cleanup_free_ char *text = NULL;
	struct ktstr_error unused;
	size_t length;
	int code;

	code = io_read_file(path, CONFIG_MAX, &text, &length, &unused);
	if (code)
		return code;
	if (!str_starts(text, PREFIX) && !strstr(text, "\n" PREFIX))
		return -ENODATA;
	return kernel_config_text_has(text, option);
}
