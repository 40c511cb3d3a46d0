/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of options: what each is called, which commands take it, what it sets. */
#ifndef CLI_OPTION_ROWS_H
#define CLI_OPTION_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"
#include "ktstr/error.h"

/* There are no more. */
#define CLI_OPTION_ROWS_MAX 64u

typedef int (*option_apply)(struct cli_options *options, const char *argument,
			    struct ktstr_error *err);

struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char
		*argument; /* what the help calls it; NULL: takes none; "[=X]": may be left out */
	uint32_t mask;
	const char *help;
	option_apply apply;
};

/* All, in the order of the help text. */
const struct option_row *cli_option_rows(size_t *ret_count);

#endif
