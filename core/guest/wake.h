/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's single bytes to the agent, on the console port. */
#ifndef GUEST_WAKE_H
#define GUEST_WAKE_H

#include <stdbool.h>

/* Open the terminal @path raw and non-blocking. The fd, or a negative errno: then no wake comes. */
int wake_open(const char *path);

/*
 * Read what is there. Returns 0, or a negative errno when nothing will ever come any more; sets
 * *ret_shutdown when the host asked for an early end.
 */
int wake_read(int fd, bool *ret_shutdown);

#endif
