/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build_needs.h"

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/command.h"

#define COMPILER "gcc"
#define HEADER_TIMEOUT_MS 30000

static const struct {
	const char *program; /* or */
	const char *header;
	const char *package; /* of Debian and its kin */
} needs[] = {
	{ COMPILER, NULL, "gcc" },	  { "ld", NULL, "binutils" },
	{ "make", NULL, "make" },	  { "flex", NULL, "flex" },
	{ "bison", NULL, "bison" },	  { "bc", NULL, "bc" },
	{ "perl", NULL, "perl" },	  { "gzip", NULL, "gzip" },
	{ "pahole", NULL, "pahole" },	  { NULL, "stdio.h", "libc6-dev" },
	{ NULL, "gelf.h", "libelf-dev" }, { NULL, "zlib.h", "zlib1g-dev" },
};

static bool has_program(const char *name)
{
	_cleanup_free_ char *file = io_find_program(name);

	return file != NULL;
}

static bool has_header(const char *name)
{
	const char *const argv[] = { COMPILER, "-E", "-include",  name,	       "-x",
				     "c",      "-o", "/dev/null", "/dev/null", NULL };
	const struct command command = { .argv = argv,
					 .timeout_ms = HEADER_TIMEOUT_MS,
					 .output_max = 4096 };
	struct ktstr_error unused;

	return command_run(&command, NULL, &unused) == 0;
}

int build_needs_check(struct ktstr_error *err)
{
	bool has_compiler = has_program(COMPILER);
	struct str missing = { 0 }, packages = { 0 };
	int code = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const char *header = needs[i].header;

		/* Without a compiler nothing can be said of headers. */
		if (header ? !has_compiler || has_header(header) : has_program(needs[i].program))
			continue;
		(void)str_addf(&missing, "%s%s", missing.length > 0 ? ", " : "",
			       header ? header : needs[i].program);
		(void)str_addf(&packages, " %s", needs[i].package);
	}
	if (packages.length > 0)
		code = ktstr_fail(err, -ENOENT,
				  "this machine has not all that a kernel is built with; on Debian "
				  "or Ubuntu: 'apt install%s' (missing: %s)",
				  str_text(&packages), str_text(&missing));
	str_done(&missing);
	str_done(&packages);
	return code;
}
