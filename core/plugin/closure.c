/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/elf.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

#define OBJECTS_MAX 512u
#define FOLDERS_MAX 256u
#define CONFIG_BYTES_MAX (1024u * 1024u)
#define CONFIG_DEPTH_MAX 8u
#define CONFIG_PATH "/etc/ld.so.conf"

static const char *const standard_folders[] = {
#ifdef __aarch64__
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
#else
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
#endif
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
};

struct object {
	char *path; /* as found; of the first one, as given */
	struct elf_info *info;
	size_t parent; /* the object that first needed it; the first one is its own */
};

/* The objects found so far, in the order in which the dynamic linker loads them, and the folders
 * of the system. */
struct search {
	struct object objects[OBJECTS_MAX];
	size_t object_count;
	char *folders[FOLDERS_MAX];
	size_t folder_count;
};

static int folder_add(struct search *search, const char *folder)
{
	if (search->folder_count == FOLDERS_MAX)
		return 0;
	search->folders[search->folder_count] = strdup(folder);
	return search->folders[search->folder_count++] ? 0 : -ENOMEM;
}

static int config_read(struct search *search, const char *path, unsigned int depth);

static int config_include(struct search *search, const char *pattern, unsigned int depth)
{
	_cleanup_free_ char *absolute = str_format("%s%s", *pattern == '/' ? "" : "/etc/", pattern);
	glob_t found = { 0 };
	int rc = 0;

	if (!absolute)
		return -ENOMEM;
	if (glob(absolute, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
			rc = config_read(search, found.gl_pathv[i], depth + 1);
	globfree(&found);
	return rc;
}

/* ld.so.conf: a folder or "include PATTERN" a line, comments from '#'. A file that cannot be read
 * is no error: the dynamic linker does without it too. */
static int config_read(struct search *search, const char *path, unsigned int depth)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	struct ktstr_error ignored;
	size_t length;
	int rc = 0;

	if (depth > CONFIG_DEPTH_MAX ||
	    io_read_file(path, CONFIG_BYTES_MAX, &text, &length, &ignored) < 0)
		return 0;
	rest = text;
	while (rc == 0 && (line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		for (size_t end = strlen(line); end > 0 && strchr(" \t\r", line[end - 1]); end--)
			line[end - 1] = '\0';
		if (strncmp(line, "include", 7) == 0 && (line[7] == ' ' || line[7] == '\t'))
			rc = config_include(search, line + 7 + strspn(line + 7, " \t"), depth);
		else if (*line == '/')
			rc = folder_add(search, line);
	}
	return rc;
}

static int folders_read(struct search *search)
{
	int rc = config_read(search, CONFIG_PATH, 0);

	for (size_t i = 0; i < ARRAY_SIZE(standard_folders) && rc == 0; i++)
		rc = folder_add(search, standard_folders[i]);
	return rc;
}

/* Takes @path and @info. */
static int object_add(struct search *search, char *path, struct elf_info *info, size_t parent,
		      struct ktstr_error *err)
{
	if (search->object_count == OBJECTS_MAX) {
		free(path);
		elf_free(info);
		return ktstr_fail(err, -E2BIG, "'%s' needs more than %u libraries",
				  search->objects[0].path, OBJECTS_MAX - 1);
	}
	search->objects[search->object_count++] =
		(struct object){ .path = path, .info = info, .parent = parent };
	return 0;
}

/* Is @name among what was found, by file name or soname? */
static bool is_found(const struct search *search, const char *name)
{
	for (size_t i = 0; i < search->object_count; i++) {
		const struct object *object = &search->objects[i];
		const char *slash = strrchr(object->path, '/');

		if (strcmp(slash ? slash + 1 : object->path, name) == 0 ||
		    strcmp(object->path, name) == 0 ||
		    (object->info->soname && strcmp(object->info->soname, name) == 0))
			return true;
	}
	return false;
}

/* Look at one candidate. 1: taken; 0: not there, or for another machine, as ld.so passes it over.
 */
static int try_path(struct search *search, char *path, size_t parent, struct ktstr_error *err)
{
	struct elf_info *info = NULL;
	struct ktstr_error ignored;
	int rc;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0 || elf_read(path, &info, &ignored) < 0) {
		free(path);
		return 0;
	}
	rc = object_add(search, path, info, parent, err);
	return rc < 0 ? rc : 1;
}

static int try_folders(struct search *search, char *const *folders, size_t count, const char *name,
		       size_t parent, struct ktstr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < count && folders[i] && rc == 0; i++)
		rc = try_path(search, str_format("%s/%s", folders[i], name), parent, err);
	return rc;
}

/* The run paths that hold for @index: its own, and the DT_RPATHs of those above it when it has no
 * DT_RUNPATH. */
static int try_run_paths(struct search *search, size_t index, const char *name,
			 struct ktstr_error *err)
{
	const struct elf_info *own = search->objects[index].info;
	int rc = 0;

	if (own->run_path[0] && !own->is_inherited)
		return try_folders(search, own->run_path, SIZE_MAX, name, index, err);
	for (size_t i = index, last = SIZE_MAX; i != last && rc == 0;
	     last = i, i = search->objects[i].parent)
		if (search->objects[i].info->is_inherited)
			rc = try_folders(search, search->objects[i].info->run_path, SIZE_MAX, name,
					 index, err);
	return rc;
}

static int missing(const struct search *search, size_t index, const char *name,
		   struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOENT,
			  "library '%s', which '%s' needs, is in none of its run path, the folders "
			  "of " CONFIG_PATH " and the standard ones; install it",
			  name, search->objects[index].path);
}

static int find_needed(struct search *search, size_t index, const char *name,
		       struct ktstr_error *err)
{
	int rc;

	if (is_found(search, name))
		return 0;
	if (strchr(name, '/')) {
		rc = try_path(search, strdup(name), index, err);
	} else {
		rc = try_run_paths(search, index, name, err);
		if (rc == 0)
			rc = try_folders(search, search->folders, search->folder_count, name, index,
					 err);
	}
	return rc == 0 ? missing(search, index, name, err) : rc;
}

static int find_all(struct search *search, const char *path, struct ktstr_error *err)
{
	struct elf_info *info = NULL;
	const char *interpreter;
	int rc;

	rc = elf_read(path, &info, err);
	if (rc < 0)
		return rc;
	interpreter = info->interpreter;
	rc = object_add(search, strdup(path), info, 0, err);
	if (rc == 0 && !search->objects[0].path)
		rc = ktstr_fail(err, -ENOMEM, "out of memory");
	if (rc == 0 && interpreter) {
		rc = try_path(search, strdup(interpreter), 0, err);
		if (rc == 0)
			rc = missing(search, 0, interpreter, err);
	}
	for (size_t i = 0; i < search->object_count && rc >= 0; i++)
		for (char **name = search->objects[i].info->needed; *name && rc >= 0; name++)
			rc = find_needed(search, i, *name, err);
	return rc < 0 ? rc : 0;
}

static void search_free(struct search *search)
{
	for (size_t i = 0; i < search->object_count; i++) {
		free(search->objects[i].path);
		elf_free(search->objects[i].info);
	}
	for (size_t i = 0; i < search->folder_count; i++)
		free(search->folders[i]);
	free(search);
}

int elf_closure(const char *path, char ***ret_paths, struct ktstr_error *err)
{
	struct search *search = calloc(1, sizeof(*search));
	char **paths = NULL;
	int rc;

	if (!search)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = folders_read(search);
	if (rc < 0)
		(void)ktstr_fail(err, rc, "out of memory"); /* returned below */
	else
		rc = find_all(search, path, err);
	if (rc == 0) {
		paths = calloc(search->object_count, sizeof(*paths));
		if (!paths)
			rc = ktstr_fail(err, -ENOMEM, "out of memory");
	}
	if (rc == 0) {
		for (size_t i = 1; i < search->object_count; i++)
			paths[i - 1] = steal_ptr(search->objects[i].path);
		*ret_paths = paths;
	}
	search_free(search);
	return rc;
}
