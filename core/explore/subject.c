/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "explore/words.h"
#include "plugin/loader.h"
#include "report/meta.h"
#include "run/base.h"
#include "run/paths.h"
#include "run/prepare.h"
#include "wire/crc_file.h"

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot explore: out of memory");
}

static void stamp(struct subject_file *file, const struct stat *status)
{
	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->length = status->st_size;
	file->changed = status->st_mtim;
}

/* @what is taken. */
static int add_file(struct subject *subject, char *what, const char *path, struct ktstr_error *err)
{
	struct subject_file *file = &subject->files[subject->file_count];
	_cleanup_close_ int fd = -1;
	struct stat status;
	int rc;

	*file = (struct subject_file){ .what = what, .path = strdup(path) };
	subject->file_count++;
	if (!file->what || !file->path)
		return no_memory(err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot read '%s': %s", path, strerror(errno));
	stamp(file, &status);
	rc = crc_file(fd, UINT64_MAX, &file->crc32, NULL);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot read '%s': %s", path, strerror(-rc));
	return 0;
}

/* Itself, and what runs its VMs. */
static int add_programs(struct subject *subject, const struct run_paths *paths,
			struct ktstr_error *err)
{
	_cleanup_free_ char *qemu = run_base_program();
	_cleanup_free_ char *self = realpath("/proc/self/exe", NULL);
	int rc = add_file(subject, strdup("agent"), paths->guest_program, err);

	if (rc == 0)
		rc = add_file(subject, strdup("judge"), paths->judge_program, err);
	if (rc == 0 && self)
		rc = add_file(subject, strdup("program ktstr"), self, err);
	/* Its absence is told when it is to start. */
	if (rc == 0 && qemu && access(qemu, F_OK) == 0)
		rc = add_file(subject, strdup("program QEMU"), qemu, err);
	return rc;
}

static int add_files(struct subject *subject, const struct prepared *p,
		     const struct run_paths *paths, struct ktstr_error *err)
{
	size_t count;
	struct plugin *const *plugins = registry_loaded(p->registry, &count);
	int rc = 0;

	subject->files = calloc(count + p->needs.file_count + 5, sizeof(*subject->files));
	if (!subject->files)
		return no_memory(err);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct ktstr_plugin *d = plugins[i]->descriptor;

		rc = add_file(subject, str_format("%s '%s'", plugin_kind_name(d->kind), d->name),
			      plugins[i]->path, err);
	}
	for (size_t i = 0; i < p->needs.file_count && rc == 0; i++) {
		const struct run_needs_file *file = &p->needs.files[i];

		rc = add_file(subject, str_format("file '%s'", file->guest_path), file->host_path,
			      err);
	}
	if (rc == 0)
		rc = add_file(subject, strdup("kernel"), p->kernel->boot, err);
	return rc == 0 ? add_programs(subject, paths, err) : rc;
}

static json_t *inputs_json(const struct single_inputs *inputs)
{
	return json_pack("{sI sI sI so so}", "agent", (json_int_t)inputs->agent_crc32, "job",
			 (json_int_t)inputs->job_crc32, "machine",
			 (json_int_t)inputs->machine_crc32, "booted_base",
			 json_text(inputs->booted_base), "attached_base",
			 json_text(inputs->attached_base));
}

static json_t *files_json(const struct subject *subject)
{
	json_t *list = json_array();

	for (size_t i = 0; i < subject->file_count; i++) {
		const struct subject_file *file = &subject->files[i];

		json_add(&list, json_pack("{so so sI}", "what", json_text(file->what), "path",
					  json_text(file->path), "crc32", (json_int_t)file->crc32));
	}
	return list;
}

static char *options_text(const struct run_options *options)
{
	struct words words = { 0 };
	char *text = words_add_options(&words, options) == 0 ? words_join(&words) : NULL;

	words_done(&words);
	return text;
}

static int make_json(struct subject *subject, const struct prepared *p,
		     const struct run_options *options, const struct single_inputs *inputs,
		     uint64_t first_seed, uint64_t last_seed, struct ktstr_error *err)
{
	_cleanup_free_ char *text = options_text(options);

	subject->json = json_pack(
		"{si ss ss s{so ss#} s{sI sI} ss s{ss ss so} so so}", "schema_version",
		SUBJECT_SCHEMA_VERSION, "kind", "exploration", "ktstr_version", KTSTR_VERSION,
		"scenario", "file", json_text(p->spec->source.name), "text", p->spec->source.text,
		(int)p->spec->source.length, "seeds", "first", (json_int_t)first_seed, "last",
		(json_int_t)last_seed, "options", text ? text : "", "machine", "accel",
		p->is_kvm ? "kvm" : "tcg", "clock", p->is_virtual ? "virtual" : "host", "kernel",
		json_text(p->kernel->release), "files", files_json(subject), "inputs",
		inputs_json(inputs));
	return subject->json && text ? 0 : no_memory(err);
}

int subject_read(const char *scenario, const struct run_options *options,
		 const struct single_inputs *inputs, uint64_t first_seed, uint64_t last_seed,
		 struct subject *ret, struct ktstr_error *err)
{
	struct subject subject = { 0 };
	struct run_paths paths = { 0 };
	struct prepared *prepared = NULL;
	int rc = run_paths_find(NULL, options->plugin_folders, options->plugin_folder_count,
				getenv("KTSTR_PLUGIN_PATH"), &paths, err);

	if (rc == 0)
		rc = prepare_scenario(scenario, options, &paths, &prepared, err);
	if (rc == 0)
		rc = prepare_kernel(prepared, err);
	if (rc == 0)
		rc = prepare_machine(prepared, options, err);
	if (rc == 0)
		rc = add_files(&subject, prepared, &paths, err);
	if (rc == 0)
		rc = make_json(&subject, prepared, options, inputs, first_seed, last_seed, err);
	if (rc == 0) {
		subject.name = strdup(prepared->spec->name);
		rc = subject.name ? 0 : no_memory(err);
	}
	prepared_free(prepared);
	run_paths_done(&paths);
	if (rc < 0)
		subject_done(&subject);
	else
		*ret = subject;
	return rc;
}

void subject_done(struct subject *subject)
{
	json_decref(subject->json);
	for (size_t i = 0; i < subject->file_count; i++) {
		free(subject->files[i].what);
		free(subject->files[i].path);
	}
	free(subject->files);
	free(subject->name);
	*subject = (struct subject){ 0 };
}

int subject_check(const struct subject *subject, struct ktstr_error *err)
{
	for (size_t i = 0; i < subject->file_count; i++) {
		const struct subject_file *file = &subject->files[i];
		struct subject_file now = { 0 };
		struct stat status;

		if (stat(file->path, &status) == 0)
			stamp(&now, &status);
		if (now.device != file->device || now.inode != file->inode ||
		    now.length != file->length || now.changed.tv_sec != file->changed.tv_sec ||
		    now.changed.tv_nsec != file->changed.tv_nsec)
			return ktstr_fail(err, -ESTALE,
					  "the %s was changed meanwhile ('%s'), so further runs "
					  "would be of something else; begin a new exploration",
					  file->what, file->path);
	}
	return 0;
}

static const char *text_of(const json_t *json, const char *first, const char *second)
{
	const json_t *member = json_object_get(json, first);
	const char *text = json_string_value(second ? json_object_get(member, second) : member);

	return text ? text : "";
}

bool subject_is_virtual(const struct subject *subject)
{
	return strcmp(text_of(subject->json, "machine", "clock"), "virtual") == 0;
}

/* The number of the first line that differs, from 1; 0: none. */
static size_t differing_line(const char *a, const char *b)
{
	size_t line = 1;

	for (; *a && *a == *b; a++, b++)
		line += *a == '\n';
	return *a == *b ? 0 : line;
}

static const json_t *find_file(const json_t *files, const char *what)
{
	const json_t *file;
	size_t i;

	json_array_foreach(files, i, file)
	{
		const char *other = json_string_value(json_object_get(file, "what"));

		if (other && strcmp(other, what) == 0)
			return file;
	}
	return NULL;
}

static int compare_files(const json_t *then, const json_t *now, struct ktstr_error *err)
{
	const json_t *files = json_object_get(now, "files");
	const json_t *old = json_object_get(then, "files");
	const json_t *file;
	size_t i;

	json_array_foreach(files, i, file)
	{
		const char *what = text_of(file, "what", NULL);
		const json_t *other = find_file(old, what);

		if (!other ||
		    !json_equal(json_object_get(other, "crc32"), json_object_get(file, "crc32")))
			return ktstr_fail(err, -ESTALE,
					  "the %s is not the same file as then ('%s')", what,
					  text_of(file, "path", NULL));
	}
	if (json_array_size(files) != json_array_size(old))
		return ktstr_fail(err, -ESTALE, "it was made of %zu files, and is of %zu now",
				  json_array_size(old), json_array_size(files));
	return 0;
}

/* What the files above do not tell of: parts that ktstr puts together, and saved VMs. One that was
 * not there then, or is not now, may have been made or removed by anybody. */
static int compare_inputs(const json_t *then, const json_t *now, struct ktstr_error *err)
{
	static const struct {
		const char *member, *what;
		bool may_be_unknown;
	} parts[] = {
		{ "agent", "what the agent is packed with (its libraries)", false },
		{ "job", "what the guest gets for a run (libraries of plugins)", false },
		{ "machine", "the command line of QEMU", false },
		{ "booted_base", "the saved VM that runs start from", true },
		{ "attached_base", "the saved VM with the scheduler up", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *old =
			json_object_get(json_object_get(then, "inputs"), parts[i].member);
		const json_t *fresh =
			json_object_get(json_object_get(now, "inputs"), parts[i].member);

		if (parts[i].may_be_unknown && (!json_is_string(old) || !json_is_string(fresh)))
			continue;
		if (old != fresh && !json_equal(old, fresh))
			return ktstr_fail(err, -ESTALE, "%s is not the same as then",
					  parts[i].what);
	}
	return 0;
}

static long long seed_of(const json_t *json, const char *which)
{
	return json_integer_value(json_object_get(json_object_get(json, "seeds"), which));
}

/* A text that must be the same. */
static int compare_text(const json_t *then, const json_t *now, const char *first,
			const char *second, const char *what, struct ktstr_error *err)
{
	const char *old = text_of(then, first, second), *fresh = text_of(now, first, second);

	if (strcmp(old, fresh) == 0)
		return 0;
	return ktstr_fail(err, -ESTALE, "%s was '%.300s' and is '%.300s'", what, old, fresh);
}

int subject_compare(const json_t *then, const json_t *now, struct ktstr_error *err)
{
	size_t line;
	int rc = compare_text(then, now, "kind", NULL, "what is kept there", err);

	if (rc == 0 && !json_equal(json_object_get(then, "schema_version"),
				   json_object_get(now, "schema_version")))
		rc = ktstr_fail(err, -ESTALE, "another version of ktstr made it");
	if (rc < 0)
		return rc;
	line = differing_line(text_of(then, "scenario", "text"), text_of(now, "scenario", "text"));
	if (line > 0)
		return ktstr_fail(err, -ESTALE, "the scenario's text differs from line %zu on",
				  line);
	if (!json_equal(json_object_get(then, "seeds"), json_object_get(now, "seeds")))
		return ktstr_fail(err, -ESTALE, "the seeds were %lld..%lld and are %lld..%lld",
				  seed_of(then, "first"), seed_of(then, "last"),
				  seed_of(now, "first"), seed_of(now, "last"));
	rc = compare_text(then, now, "options", NULL, "the command line's part about runs", err);
	if (rc == 0)
		rc = compare_text(then, now, "machine", "accel", "what runs the VMs", err);
	if (rc == 0)
		rc = compare_text(then, now, "machine", "clock", "the clock of the VMs", err);
	if (rc == 0)
		rc = compare_files(then, now, err);
	return rc == 0 ? compare_inputs(then, now, err) : rc;
}
