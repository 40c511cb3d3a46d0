/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/op.h"

#include <errno.h>

int plugin_op_result(int code, const char *op, struct ktstr_error *err)
{
	if (code <= 0)
		return code;
	return ktstr_fail(err, -EPROTO, "%s() returned %d, which is neither 0 nor a negative errno",
			  op, code);
}
