/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that this project does not use, made into compile errors. Force-included into every
 * file of the build, so nobody has to remember it.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strtok atoi gets

#endif
