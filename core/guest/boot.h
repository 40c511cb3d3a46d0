/* SPDX-License-Identifier: GPL-2.0-only */
/* The first and the last things that PID 1 does. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdint.h>

#include "ktstr/error.h"

/* The last entry of the initramfs: when it is missing, the kernel ran out of memory unpacking. */
#define BOOT_SENTINEL "/.ktstr_init_ok"

/* Mount what the agent needs, and what plugins may like. A required one that fails is the error. */
int boot_mount(struct ktstr_error *err);

/* As many tasks and open files as the largest spawn takes, and run times of BPF programs. After
 * boot_mount(). */
void boot_raise_limits(void);

/* -ENODATA with the sentence when @path is missing. */
int boot_check_sentinel(const char *path, struct ktstr_error *err);

/* How long the bulk port may take to appear on a guest of @cpus. */
uint64_t boot_port_budget_ns(uint32_t cpus);

/* Say "PANIC: @text" on COM1 and COM2, and reset the machine. */
__attribute__((noreturn)) void boot_fatal(const char *text);

/* The good end. */
__attribute__((noreturn)) void boot_power_off(void);

#endif
