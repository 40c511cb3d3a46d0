/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/elf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "plugin/image.h"

#define NEEDED_MAX 256u
#define RUN_PATH_MAX 64u

#ifdef __aarch64__
#define TRIPLET "aarch64-linux-gnu"
#define PLATFORM "aarch64"
#else
#define TRIPLET "x86_64-linux-gnu"
#define PLATFORM "x86_64"
#endif

static int read_needed(const struct image *image, struct elf_info *info, struct ktstr_error *err)
{
	size_t count = 0;

	info->needed = calloc(NEEDED_MAX + 1, sizeof(*info->needed));
	if (!info->needed)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < image->dynamic_count; i++) {
		if (image->dynamic[i].d_tag != DT_NEEDED)
			continue;
		if (count == NEEDED_MAX)
			return ktstr_fail(err, -EINVAL, "'%s' needs more than %u libraries",
					  image->path, NEEDED_MAX);
		info->needed[count] = image_dynamic_text(image, image->dynamic[i].d_un.d_val);
		if (!info->needed[count] || !*info->needed[count])
			return ktstr_fail(err, -EINVAL,
					  "'%s' is damaged (it needs a library without a name); "
					  "build it again",
					  image->path);
		count++;
	}
	return 0;
}

/* The folder of the file behind @path, as $ORIGIN is. */
static char *folder_of(const char *path)
{
	char *folder = realpath(path, NULL);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	return folder;
}

/* One folder of a run path with the linker's own words replaced. */
static char *expand(const char *text, size_t length, const char *origin)
{
	const struct {
		const char *word;
		const char *value;
	} words[] = {
		{ "$ORIGIN", origin },	    { "${ORIGIN}", origin },
		{ "$LIB", "lib/" TRIPLET }, { "${LIB}", "lib/" TRIPLET },
		{ "$PLATFORM", PLATFORM },  { "${PLATFORM}", PLATFORM },
	};
	struct str out = { 0 };
	int rc = 0;

	for (size_t i = 0; i < length && rc == 0;) {
		size_t step = 1;

		for (size_t w = 0; w < ARRAY_SIZE(words) && text[i] == '$'; w++) {
			size_t n = strlen(words[w].word);

			if (n <= length - i && strncmp(text + i, words[w].word, n) == 0) {
				rc = str_add(&out, words[w].value);
				step = 0;
				i += n;
				break;
			}
		}
		if (step)
			rc = str_add_bytes(&out, text + i++, 1);
	}
	if (rc < 0)
		str_done(&out);
	return out.data;
}

static int read_run_path(const struct image *image, struct elf_info *info, struct ktstr_error *err)
{
	_cleanup_free_ char *origin = NULL, *text = NULL;
	size_t count = 0;
	uint64_t offset;

	info->run_path = calloc(RUN_PATH_MAX + 1, sizeof(*info->run_path));
	if (!info->run_path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!image_dynamic(image, DT_RUNPATH, &offset)) {
		if (!image_dynamic(image, DT_RPATH, &offset))
			return 0;
		info->is_inherited = true;
	}
	text = image_dynamic_text(image, offset);
	origin = folder_of(image->path);
	if (!text || !origin)
		return ktstr_fail(err, -EINVAL, "'%s' is damaged (its run path cannot be read)",
				  image->path);
	for (const char *at = text; *at && count < RUN_PATH_MAX;) {
		size_t length = strcspn(at, ":");

		if (length) {
			info->run_path[count] = expand(at, length, origin);
			if (!info->run_path[count++])
				return ktstr_fail(err, -ENOMEM, "out of memory");
		}
		at += length + (at[length] == ':');
	}
	return 0;
}

static int info_fill(const struct image *image, struct elf_info *info, struct ktstr_error *err)
{
	uint64_t offset;
	int rc;

	info->is_shared_object = image->type == ET_DYN && !image->interpreter;
	info->machine = image->machine;
	memcpy(info->build_id, image->build_id, sizeof(info->build_id));
	if (image->interpreter) {
		info->interpreter = strdup(image->interpreter);
		if (!info->interpreter)
			return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	if (image_dynamic(image, DT_SONAME, &offset))
		info->soname = image_dynamic_text(image, offset);
	rc = read_needed(image, info, err);
	return rc < 0 ? rc : read_run_path(image, info, err);
}

int elf_read(const char *path, struct elf_info **ret, struct ktstr_error *err)
{
	struct elf_info *info;
	struct image *image;
	int rc;

	rc = image_open(path, &image, err);
	if (rc < 0)
		return rc;
	info = calloc(1, sizeof(*info));
	rc = info ? info_fill(image, info, err) : ktstr_fail(err, -ENOMEM, "out of memory");
	image_free(image);
	if (rc < 0) {
		elf_free(info);
		return rc;
	}
	*ret = info;
	return 0;
}

void elf_free(struct elf_info *info)
{
	if (!info)
		return;
	free(info->interpreter);
	free(info->soname);
	elf_paths_free(info->needed);
	elf_paths_free(info->run_path);
	free(info);
}

void elf_paths_free(char **paths)
{
	for (size_t i = 0; paths && paths[i]; i++)
		free(paths[i]);
	free(paths);
}
