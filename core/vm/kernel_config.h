/* SPDX-License-Identifier: GPL-2.0-only */
/* Read the config of a kernel. */
#ifndef VM_KERNEL_CONFIG_H
#define VM_KERNEL_CONFIG_H

#include "ktstr/error.h"

/* Is @option ("CONFIG_BPF_JIT" or "BPF_JIT") =y in this text? */
int kernel_config_text_has(const char *text, const char *option);

/* The same for a file: 1, 0, -ENODATA when it is no config, or another negative errno. */
int kernel_config_file_has(const char *path, const char *option);

#endif
