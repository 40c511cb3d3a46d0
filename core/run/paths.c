/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Cut the last part of a path off, and slashes before it. */
static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return;
	while (slash > path && slash[-1] == '/')
		slash--;
	*slash = '\0';
}

/* The folder that everything lies below: that of the program without KTSTR_BINDIR. */
static int find_prefix(const char *program, char *ret, size_t size, struct ktstr_error *err)
{
	char self[PATH_MAX];
	ssize_t length;

	if (!program) {
		length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (length < 0)
			return ktstr_fail(err, -errno, "cannot read '/proc/self/exe': %s",
					  strerror(errno));
		self[length] = '\0';
		program = self;
	}
	str_copy(ret, size, program);
	cut_last(ret);
	if (!str_ends(ret, "/" KTSTR_BINDIR))
		return ktstr_fail(err, -ENOENT,
				  "cannot find the parts of ktstr: '%s' does not lie in a folder "
				  "'" KTSTR_BINDIR "'; install ktstr as a whole",
				  program);
	ret[strlen(ret) - strlen("/" KTSTR_BINDIR)] = '\0';
	return 0;
}

/* @relative below @prefix; one that was configured as an absolute path stays. */
static char *join(const char *prefix, const char *relative, const char *name)
{
	if (relative[0] == '/')
		return str_format("%s%s", relative, name);
	return str_format("%s/%s%s", prefix, relative, name);
}

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int add_folder(char **list, size_t *count, const char *path, size_t length,
		      struct ktstr_error *err)
{
	list[*count] = strndup(path, length);
	if (!list[*count])
		return ktstr_fail(err, -ENOMEM, "cannot look for plugins: out of memory");
	(*count)++;
	return 0;
}

static int make_search_path(const char *const *folders, size_t folder_count,
			    const char *search_path, const char *own, char ***ret,
			    struct ktstr_error *err)
{
	size_t size = folder_count + 3, count = 0;
	char **list;
	int rc = 0;

	for (const char *c = search_path; c && *c; c++)
		size += *c == ':';
	list = calloc(size, sizeof(*list));
	if (!list)
		return ktstr_fail(err, -ENOMEM, "cannot look for plugins: out of memory");
	*ret = list;
	for (size_t i = 0; i < folder_count && rc == 0; i++) {
		if (!is_folder(folders[i]))
			return ktstr_fail(err, -ENOTDIR, "--plugin-dir '%s' is no folder",
					  folders[i]);
		rc = add_folder(list, &count, folders[i], strlen(folders[i]), err);
	}
	while (search_path && *search_path && rc == 0) {
		size_t length = strcspn(search_path, ":");

		if (length > 0)
			rc = add_folder(list, &count, search_path, length, err);
		search_path += length;
		search_path += *search_path == ':';
	}
	return rc == 0 ? add_folder(list, &count, own, strlen(own), err) : rc;
}

int run_paths_find(const char *program, const char *const *folders, size_t folder_count,
		   const char *search_path, struct run_paths *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *own = NULL;
	struct run_paths paths = { 0 };
	char prefix[PATH_MAX];
	int rc = find_prefix(program, prefix, sizeof(prefix), err);

	if (rc < 0)
		return rc;
	paths.guest_program = join(prefix, KTSTR_LIBEXECDIR, "/ktstr-guest");
	paths.judge_program = join(prefix, KTSTR_LIBEXECDIR, "/ktstr-judge");
	paths.gate = join(prefix, KTSTR_LIBEXECDIR, "/ktstr-qemu-gate.so");
	own = join(prefix, KTSTR_PLUGINDIR, "");
	if (!paths.guest_program || !paths.judge_program || !paths.gate || !own)
		rc = ktstr_fail(err, -ENOMEM, "cannot find the parts of ktstr: out of memory");
	if (rc == 0)
		rc = make_search_path(folders, folder_count, search_path, own,
				      &paths.plugin_folders, err);
	if (rc < 0) {
		run_paths_done(&paths);
		return rc;
	}
	*ret = paths;
	return 0;
}

void run_paths_done(struct run_paths *paths)
{
	if (!paths)
		return;
	free(paths->guest_program);
	free(paths->judge_program);
	free(paths->gate);
	for (char **folder = paths->plugin_folders; folder && *folder; folder++)
		free(*folder);
	free(paths->plugin_folders);
	*paths = (struct run_paths){ 0 };
}
