/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

static bool is_dropped(const char *variable, const char *const *dropped)
{
	for (size_t i = 0; dropped[i]; i++)
		if (str_starts(variable, dropped[i]))
			return true;
	return false;
}

char **environment_new(const char *const *dropped, const char *added)
{
	size_t count = 0, kept = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + 2, sizeof(*copy));
	if (!copy)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_dropped(environ[i], dropped))
			copy[kept++] = environ[i];
	copy[kept] = (char *)added;
	return copy;
}
