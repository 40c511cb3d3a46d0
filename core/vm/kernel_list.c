/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than anybody keeps: a bound on what a folder can make us hold. */
#define NAMES_MAX 4096

int kernel_list_add(struct kernel_list *list, struct kernel *kernel)
{
	struct kernel **grown;

	grown = reallocarray(list->kernels, list->count + 1, sizeof(*grown));
	if (!grown) {
		kernel_free(kernel);
		return -ENOMEM;
	}
	list->kernels = grown;
	grown[list->count++] = kernel;
	return 0;
}

void kernel_list_done(struct kernel_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		kernel_free(list->kernels[i]);
	free(list->kernels);
	*list = (struct kernel_list){ 0 };
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int higher_first(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*b)->d_name, (*a)->d_name);
}

int kernel_list_names(const char *folder, char ***ret, size_t *ret_count)
{
	struct dirent **entries;
	int found = scandir(folder, &entries, is_visible, higher_first);
	size_t count = 0;
	char **names;
	int code = 0;

	if (found < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
		return -errno;
	if (found < 0)
		found = 0, entries = NULL;
	names = calloc((size_t)found + 1, sizeof(*names));
	for (int i = 0; i < found; i++) {
		if (!names || code || count >= NAMES_MAX) {
			free(entries[i]);
			continue;
		}
		names[count] = strdup(entries[i]->d_name);
		if (!names[count])
			code = -ENOMEM;
		else
			count++;
		free(entries[i]);
	}
	free(entries);
	if (!names)
		return -ENOMEM;
	if (code) {
		kernel_list_free_names(names, count);
		return code;
	}
	*ret = names;
	*ret_count = count;
	return 0;
}

void kernel_list_free_names(char **names, size_t count)
{
	for (size_t i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
}
