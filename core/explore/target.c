/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/target.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "config/yaml.h"
#include "config/yaml_write.h"

/* How a file of ours begins. */
#define HEAD "# Made smaller by `ktstr explore --shrink` from "

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot shrink: out of memory");
}

/* "dir/x.yaml" is "dir/" and "x". */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *folder_name(const char *path)
{
	const char *base = base_name(path);

	if (base == path)
		return strdup(".");
	return strndup(path, base - path > 1 ? (size_t)(base - path) - 1 : 1);
}

int target_check(const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;

	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (io_read_file(path, YAML_FILE_MAX, &text, NULL, &ignored) == 0 && str_starts(text, HEAD))
		return 0;
	return ktstr_fail(err, -EEXIST, "'%s' is there already, and ktstr did not write it", path);
}

/* The path in @folder, when it can be written there. */
static int try_folder(const char *folder, const char *name, char **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s.shrunk.yaml", folder, name);
	const char *plain = path && str_starts(path, "./") ? path + 2 : path;
	int rc;

	if (!path)
		return no_memory(err);
	if (access(folder, W_OK) < 0)
		return ktstr_fail(err, -errno, "cannot write in '%s': %s", folder, strerror(errno));
	rc = target_check(plain, err);
	if (rc < 0)
		return rc;
	*ret = strdup(plain);
	return *ret ? 0 : no_memory(err);
}

int target_choose(const char *scenario, const char *folder, const char *fallback, char **ret,
		  struct ktstr_error *err)
{
	_cleanup_free_ char *beside = folder_name(scenario);
	_cleanup_free_ char *name = strdup(base_name(scenario));
	struct ktstr_error ignored;
	int rc;

	if (!beside || !name)
		return no_memory(err);
	if (str_ends(name, ".yaml") || str_ends(name, ".yml"))
		*strrchr(name, '.') = '\0';
	if (folder)
		return try_folder(folder, name, ret, err);
	rc = try_folder(beside, name, ret, &ignored);
	return rc == 0 ? 0 : try_folder(fallback, name, ret, err);
}

static int move_path(struct node *node, const char *folder)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, node->text);
	char *whole;

	if (!path)
		return -ENOMEM;
	/* A name with a slash that is no file is none. */
	whole = realpath(path, NULL);
	if (!whole)
		return errno == ENOMEM ? -ENOMEM : 0;
	free(node->text);
	node->text = whole;
	return 0;
}

static int move_paths(struct node *node, const char *folder)
{
	int rc = 0;

	if (node->kind == NODE_SCALAR && node->text[0] != '/' && strchr(node->text, '/'))
		rc = move_path(node, folder);
	for (size_t i = 0; i < node->child_count && rc == 0; i++)
		rc = move_paths(node->children[i], folder);
	return rc;
}

int target_move_paths(struct node *root, const char *from, const char *to)
{
	_cleanup_free_ char *old = folder_name(from);
	_cleanup_free_ char *fresh = folder_name(to);
	_cleanup_free_ char *old_real = old ? realpath(old, NULL) : NULL;
	_cleanup_free_ char *fresh_real = fresh ? realpath(fresh, NULL) : NULL;

	if (!old || !fresh)
		return -ENOMEM;
	if (old_real && fresh_real && strcmp(old_real, fresh_real) == 0)
		return 0;
	return move_paths(root, old);
}

/* A comment of one line. */
static int add_comment(struct str *out, const char *before, const char *text)
{
	_cleanup_free_ char *line = malloc(strlen(text) + 1);

	if (!line)
		return -ENOMEM;
	str_copy_line(line, strlen(text) + 1, text, strlen(text));
	return str_addf(out, "%s%s\n", before, line);
}

static int add_root(struct str *out, const struct node *root, uint64_t seed,
		    struct ktstr_error *err)
{
	struct node *copy = node_clone(root);
	int rc = copy ? 0 : no_memory(err);

	for (size_t i = copy ? copy->child_count : 0; i-- > 0;)
		if (strcmp(copy->children[i]->key, "seed") == 0)
			node_remove(copy, i);
	if (rc == 0)
		rc = yaml_write(copy, out, err);
	if (rc == 0 && str_addf(out, "seed: %" PRIu64 "\n", seed) < 0)
		rc = no_memory(err);
	node_free(copy);
	return rc;
}

int target_text(const struct node *root, uint64_t seed, const char *original, const char *signature,
		const char *command, char **ret, struct ktstr_error *err)
{
	struct str out = { 0 };
	int rc = add_comment(&out, HEAD, base_name(original));

	if (rc == 0)
		rc = str_addf(&out, "# With seed %" PRIu64 " it fails still:\n", seed);
	if (rc == 0)
		rc = add_comment(&out, "#   ", signature);
	if (rc == 0)
		rc = add_comment(&out, "# Run it by: ", command);
	if (rc < 0)
		(void)no_memory(err);
	else
		rc = add_root(&out, root, seed, err);
	if (rc < 0) {
		str_done(&out);
		return rc;
	}
	*ret = out.data;
	return 0;
}
