/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the store of saved machines share. Not for other modules. */
#ifndef VM_BASE_FOLDER_H
#define VM_BASE_FOLDER_H

#include <stdint.h>

#define BASE_KEY "key"
#define BASE_STATE "state"
#define BASE_STREAM "stream"
#define BASE_NEW_PREFIX ".new-"
#define BASE_LOCK_PREFIX "."

/* Remove a folder with files in it, as far as that goes. */
void base_folder_remove(const char *folder);

/* The key in a base's folder; the caller frees. -errno when it cannot be read. */
int base_key_read(const char *folder, char **ret);

/* Remove what those who were killed left half made: whose lock nobody holds. */
void base_remove_abandoned(const char *store);

#endif
