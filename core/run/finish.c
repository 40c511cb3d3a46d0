/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/finish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "run/sched_files.h"

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

/* The same with what lies beside the run file. sched_files_done() frees what is new in it. */
static struct report_spec with_files(const struct report_spec *spec, struct sched_files *files)
{
	struct report_spec more = *spec;

	/* Without memory for a path it is not shown. */
	if (spec->run_path && sched_files_find(spec->run_path, files) == 0) {
		more.scheduler_log_path = files->log_path;
		more.dump_path = files->dump_path;
	}
	return more;
}

void finish_keep(const struct verdict *verdict, const struct report_spec *spec, const char *path)
{
	struct sched_files files = { 0 };
	struct report_spec more;
	struct ktstr_error err;

	if (sched_files_write(spec->run_fd, spec->run_path, &err) < 0)
		log_warning("%s", err.text);
	more = with_files(spec, &files);
	if (keep_verdict(verdict, &more, path, &err) < 0)
		log_warning("%s", err.text);
	sched_files_done(&files);
}

int finish_report(const struct run_options *options, const struct verdict *verdict,
		  const struct report_spec *spec, struct ktstr_error *err)
{
	struct sched_files files = { 0 };
	const struct report_spec more = with_files(spec, &files);
	int rc = options->is_json ? report_json(options->out, verdict, &more, err)
				  : report_text(options->out, verdict, &more, err);

	sched_files_done(&files);
	return rc;
}
