/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/finish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

int finish_error(const struct run_options *options, int exit_code, const struct ktstr_error *err)
{
	struct ktstr_error report_err;

	log_error("%s", err->text);
	if (options->is_json &&
	    report_error_json(options->out, exit_code, err->text, &report_err) < 0)
		log_error("%s", report_err.text);
	return exit_code;
}

static int keep_verdict(const struct verdict *verdict, const struct report_spec *spec,
			const char *path, struct ktstr_error *err)
{
	char *text = NULL;
	size_t length = 0;
	FILE *memory = open_memstream(&text, &length);
	int rc;

	if (!memory)
		return ktstr_fail(err, -errno, "cannot write '%s': %s", path, strerror(errno));
	rc = report_json(memory, verdict, spec, err);
	if (fclose(memory) != 0 && rc == 0)
		rc = ktstr_fail(err, -errno, "cannot write '%s': %s", path, strerror(errno));
	if (rc == 0)
		rc = io_replace_file(path, text, length, err);
	free(text);
	return rc;
}

void finish_keep(const struct verdict *verdict, const struct report_spec *spec, const char *path)
{
	struct ktstr_error err;

	if (keep_verdict(verdict, spec, path, &err) < 0)
		log_warning("%s", err.text);
}

int finish_report(const struct run_options *options, const struct verdict *verdict,
		  const struct report_spec *spec, struct ktstr_error *err)
{
	if (options->is_json)
		return report_json(options->out, verdict, spec, err);
	return report_text(options->out, verdict, spec, err);
}
