/* SPDX-License-Identifier: GPL-2.0-only */
/* The environment of a program that we start. */
#ifndef VM_ENVIRONMENT_H
#define VM_ENVIRONMENT_H

/*
 * Ours, without the variables that begin with one of @dropped ("NAME=" each, ended by NULL), and
 * with @added ("NAME=value", borrowed) behind them. The array is the caller's to free, its strings
 * are not. NULL when out of memory.
 */
char **environment_new(const char *const *dropped, const char *added);

#endif
