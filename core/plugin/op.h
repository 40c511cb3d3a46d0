/* SPDX-License-Identifier: GPL-2.0-only */
/* What a plugin's op returned. */
#ifndef PLUGIN_OP_H
#define PLUGIN_OP_H

#include "ktstr/error.h"

/* 0 and negative codes as they are; what is neither is an error of the plugin's author. */
int plugin_op_result(int code, const char *op, struct ktstr_error *err);

#endif
