/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/loader.h"

/* More files than that in one search path is a mistake. */
#define FILES_MAX 4096u

static int is_shared_object(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strlen(entry->d_name) > 3 &&
	       str_ends(entry->d_name, ".so");
}

static int add(struct folder_files *files, const char *folder, const char *file)
{
	if (files->count == files->size) {
		size_t size = files->size ? files->size * 2 : 32;
		char **paths = realloc(files->paths, size * sizeof(*paths));
		char **names;

		if (!paths)
			return -ENOMEM;
		files->paths = paths;
		names = realloc(files->names, size * sizeof(*names));
		if (!names)
			return -ENOMEM;
		files->names = names;
		files->size = size;
	}
	files->paths[files->count] = str_format("%s/%s", folder, file);
	files->names[files->count] = strndup(file, strlen(file) - 3);
	files->count++;
	return files->paths[files->count - 1] && files->names[files->count - 1] ? 0 : -ENOMEM;
}

static int scan_one(const char *folder, struct folder_files *files)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_shared_object, alphasort);
	int rc = 0;

	for (int i = 0; i < count; i++) {
		if (rc == 0 && files->count < FILES_MAX)
			rc = add(files, folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return rc;
}

int folders_scan(char *const *folders, uint32_t kind, struct folder_files *ret)
{
	int rc = 0;

	for (; *folders && rc == 0; folders++) {
		for (uint32_t k = KTSTR_KIND_SCHEDULER; k <= KTSTR_KIND_CHECKER && rc == 0; k++) {
			_cleanup_free_ char *below = NULL;

			if (kind != 0 && k != kind)
				continue;
			below = str_format("%s/%ss", *folders, plugin_kind_name(k));
			rc = below ? scan_one(below, ret) : -ENOMEM;
		}
		if (rc == 0)
			rc = scan_one(*folders, ret);
	}
	return rc;
}

void folder_files_done(struct folder_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->paths[i]);
		free(files->names[i]);
	}
	free(files->paths);
	free(files->names);
	*files = (struct folder_files){ 0 };
}
