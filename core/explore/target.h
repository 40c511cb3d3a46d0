/* SPDX-License-Identifier: GPL-2.0-only */
/* The file that a shrunk scenario is written to, and what stands in it. */
#ifndef EXPLORE_TARGET_H
#define EXPLORE_TARGET_H

#include <stdint.h>

#include "ktstr/error.h"
#include "param/node.h"

/*
 * Where X.yaml shrunk goes: X.shrunk.yaml beside it, or in @folder when that is given, or nothing
 * may be written beside it, or a file is there that was not made by us. -EEXIST when that is so in
 * @folder, or @fallback, too. The caller frees *ret.
 */
int target_choose(const char *scenario, const char *folder, const char *fallback, char **ret,
		  struct ktstr_error *err);

/* Is nothing there that somebody else made? */
int target_check(const char *path, struct ktstr_error *err);

/*
 * Let relative paths of files in @root, which are seen from the folder of @from, be right in one in
 * the folder of @to. 0 or -ENOMEM.
 */
int target_move_paths(struct node *root, const char *from, const char *to);

/*
 * The whole text: a head with the signature and the command, `seed:` and the rest of @root. The
 * caller frees *ret.
 */
int target_text(const struct node *root, uint64_t seed, const char *original, const char *signature,
		const char *command, char **ret, struct ktstr_error *err);

#endif
