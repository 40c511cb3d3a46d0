/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/record.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* A copy of @text; *ok is cleared when there is no memory. */
static char *copy(const char *text, bool *ok)
{
	char *fresh = strdup(text ? text : "");

	if (!fresh)
		*ok = false;
	return fresh;
}

static struct node *copy_params(const struct node *params, bool *ok)
{
	struct node *fresh = params ? node_clone(params) : NULL;

	if (params && !fresh)
		*ok = false;
	return fresh;
}

static void describe_plugins(const struct prepared *p, struct meta *meta, bool *ok)
{
	size_t count;
	struct plugin *const *loaded = registry_loaded(p->registry, &count);

	meta->plugins = calloc(count + 1, sizeof(*meta->plugins));
	if (!meta->plugins) {
		*ok = false;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct ktstr_plugin *d = loaded[i]->descriptor;

		meta->plugins[meta->plugin_count++] = (struct meta_plugin){
			.kind = copy(plugin_kind_name(d->kind), ok),
			.name = copy(d->name, ok),
			.version = copy(d->version, ok),
			.path = copy(loaded[i]->path, ok),
			.crc32 = loaded[i]->crc32,
			.build_id = copy(loaded[i]->build_id, ok),
		};
	}
}

static void describe_checkers(const struct prepared *p, struct meta *meta, bool *ok)
{
	meta->checkers = calloc(p->checker_count + 1, sizeof(*meta->checkers));
	if (!meta->checkers) {
		*ok = false;
		return;
	}
	for (size_t i = 0; i < p->checker_count; i++) {
		const struct plugin *plugin = p->checkers[i].plugin;

		meta->checkers[meta->checker_count++] = (struct meta_checker){
			.name = copy(plugin->descriptor->name, ok),
			.path = copy(plugin->path, ok),
			.kind = copy(plugin_kind_name(plugin->descriptor->kind), ok),
			.params = copy_params(p->checkers[i].params, ok),
		};
	}
}

static void describe_staged(const struct prepared *p, struct meta *meta, bool *ok)
{
	meta->staged = calloc(p->staged_count + 1, sizeof(*meta->staged));
	if (!meta->staged) {
		*ok = false;
		return;
	}
	for (size_t i = 0; i < p->staged_count; i++) {
		const struct staged_scheduler *staged = &p->spec->staged[i];

		meta->staged[meta->staged_count++] = (struct meta_scheduler){
			.name = copy(staged->name, ok),
			.plugin = copy(p->staged[i].plugin->descriptor->name, ok),
			.params = copy_params(staged->plugin.params, ok),
		};
	}
}

static void describe_argv(char *const *argv, struct meta *meta, bool *ok)
{
	size_t count = 0;

	while (argv && argv[count])
		count++;
	meta->argv = calloc(count + 1, sizeof(*meta->argv));
	if (!meta->argv) {
		*ok = false;
		return;
	}
	for (; meta->argv_count < count; meta->argv_count++)
		meta->argv[meta->argv_count] = copy(argv[meta->argv_count], ok);
}

static char *host_name(bool *ok)
{
	struct utsname name;
	char *text;

	if (uname(&name) < 0)
		return copy("", ok);
	text = str_format("%s %s %s", name.sysname, name.release, name.machine);
	if (!text)
		*ok = false;
	return text;
}

int record_meta(const struct prepared *p, const struct run_options *options,
		const struct record *record, const struct record_machine *machine, struct meta *ret,
		struct ktstr_error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool ok = true;
	struct meta meta = {
		.ktstr_version = copy(KTSTR_VERSION, &ok),
		.scenario_name = copy(p->spec->name, &ok),
		.scenario = copy(p->scenario->descriptor->name, &ok),
		.scenario_file = copy(p->spec->source.name, &ok),
		.seed = p->spec->seed,
		.scheduler = copy(p->scheduler->descriptor->name, &ok),
		.scheduler_params = copy_params(p->spec->scheduler.params, &ok),
		.kernel_path = copy(p->kernel->image, &ok),
		.kernel_release = copy(p->kernel->release, &ok),
		.kernel_origin = copy(p->kernel->origin, &ok),
		.accel = copy(p->is_kvm ? "kvm" : "tcg", &ok),
		.clock = copy(p->is_virtual ? "virtual" : "host", &ok),
		.instruction_ns = prepared_instruction_ns(p),
		.base = copy(machine->base_id ? machine->base_id : "", &ok),
		.topology = p->spec->vm.topology,
		.memory_bytes = machine->memory_bytes,
		.host_cpus = cpus > 0 ? (uint32_t)cpus : 0,
		.host_uname = host_name(&ok),
		.command = record_command(options->words, options->word_count, options->has_seed,
					  p->spec->seed, machine->is_attached),
		.console_log = copy(record->console_path, &ok),
	};

	describe_staged(p, &meta, &ok);
	if (expectation_copy(&p->spec->expect, &meta.expect) < 0)
		ok = false;
	describe_plugins(p, &meta, &ok);
	describe_checkers(p, &meta, &ok);
	describe_argv(machine->argv, &meta, &ok);
	if (machine->again) {
		meta.again = *machine->again;
		*machine->again = (struct meta_again){ 0 };
	}
	if (!ok || !meta.command) {
		meta_done(&meta);
		return ktstr_fail(err, -ENOMEM, "cannot record the run: out of memory");
	}
	*ret = meta;
	return 0;
}

static bool is_plain_word(const char *word)
{
	if (!*word)
		return false;
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("_-./=,:@%+", *word))
			return false;
	return true;
}

int record_add_word(struct str *out, const char *word)
{
	int rc = out->length > 0 ? str_add(out, " ") : 0;

	if (rc == 0 && is_plain_word(word))
		return str_add(out, word);
	if (rc == 0)
		rc = str_add(out, "'");
	for (; *word && rc == 0; word++)
		rc = *word == '\'' ? str_add(out, "'\\''") : str_add_bytes(out, word, 1);
	return rc == 0 ? str_add(out, "'") : rc;
}

char *record_command(char *const *words, size_t count, bool has_seed, uint64_t seed,
		     bool is_attached)
{
	struct str out = { 0 };
	bool has_base = false;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		has_base |= str_starts(words[i], "--ba"); /* of --base, which can be shortened */
		if (strcmp(words[i], "--run-dir") == 0)
			i++;
		else if (!str_starts(words[i], "--run-dir="))
			rc = record_add_word(&out, words[i]);
	}
	if (rc == 0 && !has_seed)
		rc = str_addf(&out, " --seed %" PRIu64, seed);
	if (rc == 0 && is_attached && !has_base)
		rc = str_add(&out, " --base attached");
	if (rc < 0) {
		str_done(&out);
		return NULL;
	}
	return out.data ? out.data : strdup("");
}
