/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/list.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "judge/verdict.h"
#include "report/report.h"

static int write_error(const char *why)
{
	log_error("cannot write the list: %s", why);
	return EXIT_ERROR;
}

int list_show_document(const struct run_options *options, const char *kind, int exit_code,
		       json_t *list)
{
	json_t *document = json_pack("{si ss si so}", "schema_version", REPORT_SCHEMA_VERSION,
				     "kind", kind, "exit_code", exit_code, kind, list);
	int rc;

	if (!document)
		return write_error("out of memory");
	errno = 0;
	rc = json_dumpf(document, options->out, JSON_INDENT(2));
	json_decref(document);
	if (rc < 0 || fputc('\n', options->out) == EOF || fflush(options->out) != 0)
		return write_error(errno ? strerror(errno) : "out of memory");
	return EXIT_PASS;
}

int list_show_text(const struct run_options *options, struct str *text, int rc)
{
	int exit_code = EXIT_PASS;

	if (rc < 0)
		exit_code = write_error(strerror(-rc));
	else if (fputs(str_text(text), options->out) < 0 || fflush(options->out) != 0)
		exit_code = write_error(strerror(errno));
	str_done(text);
	return exit_code;
}
