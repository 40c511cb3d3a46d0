/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/inputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/base.h"
#include "run/checksum.h"
#include "vm/job.h"
#include "wire/crc_file.h"
#include "wire/frame.h"

static char *copy(const char *text, bool *ok)
{
	char *fresh = text ? strdup(text) : NULL;

	if (text && !fresh)
		*ok = false;
	return fresh;
}

static int note_options(const struct run_options *options, struct meta_again *again,
			struct ktstr_error *err)
{
	bool ok = true;

	again->is_there = true;
	again->folder = getcwd(NULL, 0);
	if (!again->folder)
		again->folder = copy("/", &ok); /* it was removed: nothing was seen from there */
	again->scheduler = copy(options->scheduler, &ok);
	again->checkers = calloc(options->checker_count + 1, sizeof(*again->checkers));
	for (size_t i = 0; again->checkers && i < options->checker_count; i++)
		again->checkers[again->checker_count++] = copy(options->checkers[i], &ok);
	again->has_only_checkers = options->has_only_checkers;
	again->is_verbose = run_is_kernel_verbose(options);
	again->stats_interval_ns = options->stats_interval_ns;
	return ok && again->folder && again->checkers
		       ? 0
		       : ktstr_fail(err, -ENOMEM, "cannot record the run: out of memory");
}

static int note_files(const struct run_needs *needs, const char *cache, struct meta_again *again,
		      struct ktstr_error *err)
{
	bool ok = true;
	int rc = 0;

	again->files = calloc(needs->file_count + 1, sizeof(*again->files));
	if (!again->files)
		return ktstr_fail(err, -ENOMEM, "cannot record the run: out of memory");
	for (; again->file_count < needs->file_count && rc == 0; again->file_count++) {
		const struct run_needs_file *file = &needs->files[again->file_count];
		struct meta_file *noted = &again->files[again->file_count];

		noted->path = copy(file->host_path, &ok);
		noted->guest_path = copy(file->guest_path, &ok);
		rc = checksum_file(cache, file->host_path, &noted->crc32, err);
	}
	return rc == 0 && !ok ? ktstr_fail(err, -ENOMEM, "cannot record the run: out of memory")
			      : rc;
}

/* The command line of a VM of this kind. */
static int note_machine(const struct prepared *prepared, const struct image *image,
			struct meta_again *again, struct ktstr_error *err)
{
	const struct run_base_spec spec = { .prepared = prepared,
					    .image = image,
					    .is_verbose = again->is_verbose,
					    .console_fd = -1,
					    .signal_fd = -1 };
	struct str words = { 0 };
	int rc = run_base_words(&spec, &words);

	if (rc == 0)
		again->machine_crc32 = wire_crc32(0, str_text(&words), (uint32_t)words.length);
	str_done(&words);
	return rc < 0 ? ktstr_fail(err, rc, "cannot say what VM this is: %s", strerror(-rc)) : 0;
}

int inputs_note(const struct prepared *prepared, const struct image *image,
		const struct run_options *options, struct meta_again *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *cache = NULL;
	struct ktstr_error ignored; /* without a cache all is read */
	struct meta_again again = { 0 };
	int rc = note_options(options, &again, err);

	(void)kernel_cache_dir(&cache, &ignored);
	again.qemu_path = run_base_program();
	/* Its absence is told when it is to start. */
	if (rc == 0 && (!again.qemu_path || access(again.qemu_path, F_OK) < 0)) {
		free(again.qemu_path);
		again.qemu_path = strdup("");
	}
	if (rc == 0 && again.qemu_path[0])
		rc = checksum_file(cache, again.qemu_path, &again.qemu_crc32, err);
	if (rc == 0)
		rc = checksum_file(cache, prepared->kernel->boot, &again.kernel_crc32, err);
	if (rc == 0)
		rc = note_files(&prepared->needs, cache, &again, err);
	if (rc == 0)
		rc = note_machine(prepared, image, &again, err);
	if (rc == 0 && (crc_file(image->base_fd, UINT64_MAX, &again.agent_crc32, NULL) < 0 ||
			job_checksum(image->job_fd, &again.job_crc32) < 0))
		rc = ktstr_fail(err, -EIO, "cannot read the archives for the guest again");
	if (rc < 0) {
		meta_again_done(&again);
		return rc;
	}
	*ret = again;
	return 0;
}

static const struct meta_plugin *plugin_then(const struct meta *then, const struct plugin *plugin)
{
	const struct ktstr_plugin *d = plugin->descriptor;

	for (size_t i = 0; i < then->plugin_count; i++)
		if (strcmp(then->plugins[i].name, d->name) == 0 &&
		    strcmp(then->plugins[i].kind, plugin_kind_name(d->kind)) == 0)
			return &then->plugins[i];
	return NULL;
}

static const char *separator(const struct str *out)
{
	return out->length > 0 ? "; " : "";
}

static int add_new(const char *what, struct str *out)
{
	return str_addf(out, "%s%s was not part of it", separator(out), what);
}

static int compare_crc(const char *what, uint32_t then, uint32_t now, struct str *out)
{
	if (then == now)
		return 0;
	return str_addf(out, "%s%s has checksum %08" PRIx32 ", then %08" PRIx32, separator(out),
			what, now, then);
}

static int compare_plugins(const struct meta *then, const struct prepared *prepared,
			   struct str *out)
{
	size_t count;
	struct plugin *const *loaded = registry_loaded(prepared->registry, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct meta_plugin *recorded = plugin_then(then, loaded[i]);
		_cleanup_free_ char *what =
			str_format("%s '%s' (%s)", plugin_kind_name(loaded[i]->descriptor->kind),
				   loaded[i]->descriptor->name, loaded[i]->path);

		if (!what)
			return -ENOMEM;
		if (!recorded)
			rc = add_new(what, out);
		else
			rc = compare_crc(what, recorded->crc32, loaded[i]->crc32, out);
	}
	return rc;
}

static int compare_files(const struct meta_again *then, const struct meta_again *now,
			 struct str *out)
{
	int rc = 0;

	for (size_t i = 0; i < now->file_count && rc == 0; i++) {
		const struct meta_file *file = &now->files[i], *recorded = NULL;
		_cleanup_free_ char *what = str_format("file '%s'", file->path);

		for (size_t k = 0; k < then->file_count; k++)
			if (strcmp(then->files[k].guest_path, file->guest_path) == 0)
				recorded = &then->files[k];
		if (!what)
			return -ENOMEM;
		if (!recorded)
			rc = add_new(what, out);
		else
			rc = compare_crc(what, recorded->crc32, file->crc32, out);
	}
	return rc;
}

int inputs_compare(const struct meta *meta, const struct prepared *prepared,
		   const struct meta_again *now, struct str *out)
{
	const struct meta_again *then = &meta->again;
	_cleanup_free_ char *kernel = str_format("kernel '%s'", prepared->kernel->image);
	_cleanup_free_ char *qemu = str_format("QEMU '%s'", now->qemu_path);
	const struct {
		const char *what;
		uint32_t then, now;
	} parts[] = {
		{ kernel, then->kernel_crc32, now->kernel_crc32 },
		{ qemu, then->qemu_crc32, now->qemu_crc32 },
		{ "ktstr's agent, with its libraries", then->agent_crc32, now->agent_crc32 },
	};
	int rc = kernel && qemu ? compare_plugins(meta, prepared, out) : -ENOMEM;

	if (rc == 0)
		rc = compare_files(then, now, out);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && rc == 0; i++)
		rc = compare_crc(parts[i].what, parts[i].then, parts[i].now, out);
	/* What is told by its part already is not told again as a whole. */
	if (rc == 0 && out->length == 0)
		rc = compare_crc(
			"what the guest gets for the run (libraries of plugins, or the way "
			"in which ktstr hands it over)",
			then->job_crc32, now->job_crc32, out);
	if (rc == 0 && out->length == 0)
		rc = compare_crc("the command line of QEMU", then->machine_crc32,
				 now->machine_crc32, out);
	return rc;
}
