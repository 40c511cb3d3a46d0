/* SPDX-License-Identifier: GPL-2.0-only */
/* A kernel with sched_ext that is a folder of files, and says in them what the real one would. */
#ifndef TESTS_SCX_KERNEL_H
#define TESTS_SCX_KERNEL_H

/* The folder: "scx" like sysfs has it, "kmsg", and an empty "cgroup". */
void kernel_make(void);
void kernel_remove(void);
/* Of something in it; the caller frees. */
char *kernel_path(const char *name);
void kernel_writes(const char *name, const char *text);

/* Once somebody reads "kmsg": a record of the log. */
void kernel_open_log(void);
void kernel_says(const char *record);

/* A scheduler comes, and one goes: without a word, or by a stall. */
void kernel_enables(const char *ops, const char *seq);
void kernel_disables(void);
void kernel_ejects(void);

#endif
