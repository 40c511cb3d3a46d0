/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "report/facts.h"
#include "run/finish.h"
#include "run/list.h"
#include "run/observe.h"
#include "run/paths.h"
#include "run/prepare.h"
#include "run/record.h"
#include "run/recorded.h"
#include "run/signals.h"
#include "run/single.h"

/* A checker of --checker. */
struct given {
	struct plugin_ref ref; /* owns its parameters */
	struct plugin *plugin;
	bool stands_in; /* for one that the run names */
};

struct check {
	const struct run_options *options;
	char *run_path;
	int run_fd;	    /* open once: all that read it see the same file */
	char *console_path; /* NULL: there is none beside the run file */
	struct run_paths paths;
	struct registry *registry;
	struct facts *facts; /* for its META record */
	struct given *given; /* of options->checkers */
	size_t given_count;
	struct judge_checker *checkers;
	size_t checker_count;
	struct signals signals;
	struct verdict verdict;
	uint64_t judging_ns;
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot judge the run: out of memory");
}

/* The run file and the console log of what the user named: a run file or its folder. */
static int find_files(struct check *check, const char *path, struct ktstr_error *err)
{
	const char *slash;
	int rc = recorded_find(path, &check->run_path, err);

	if (rc < 0)
		return rc;
	slash = strrchr(check->run_path, '/');
	check->console_path =
		str_format("%.*s" RECORD_CONSOLE_LOG,
			   slash ? (int)(slash + 1 - check->run_path) : 0, check->run_path);
	if (!check->console_path)
		return no_memory(err);
	if (access(check->console_path, R_OK) < 0) {
		free(check->console_path);
		check->console_path = NULL;
	}
	return 0;
}

static int read_meta(struct check *check, struct ktstr_error *err)
{
	int rc;

	check->run_fd = open(check->run_path, O_RDONLY | O_CLOEXEC);
	if (check->run_fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", check->run_path,
				  strerror(errno));
	rc = facts_read(check->run_fd, check->run_path, &check->facts, err);
	if (rc == 0 && !check->facts->meta)
		return ktstr_fail(err, -EBADMSG,
				  "cannot judge '%s': it does not say what was run (no META record "
				  "that can be read)",
				  check->run_path);
	return rc;
}

static void add_checker(struct check *check, const struct plugin *plugin, const struct node *params)
{
	check->checkers[check->checker_count++] =
		(struct judge_checker){ .name = plugin->descriptor->name,
					.path = plugin->path,
					.crc32 = plugin->crc32,
					.kind = plugin->descriptor->kind,
					.params = params };
}

/* The plugin as it was when the run was recorded, or NULL. */
static const struct meta_plugin *plugin_then(const struct check *check, uint32_t kind,
					     const char *name)
{
	const struct meta *meta = check->facts->meta;

	for (size_t i = 0; i < meta->plugin_count; i++)
		if (strcmp(meta->plugins[i].name, name) == 0 &&
		    strcmp(meta->plugins[i].kind, plugin_kind_name(kind)) == 0)
			return &meta->plugins[i];
	return NULL;
}

/* Has this plugin changed since the run? */
static void compare_plugin(const struct check *check, const struct plugin *plugin)
{
	const struct ktstr_plugin *now = plugin->descriptor;
	const struct meta_plugin *then = plugin_then(check, now->kind, now->name);

	if (then && then->crc32 != plugin->crc32)
		log_note("%s '%s' is not the same file as when the run was recorded", then->kind,
			 then->name);
}

static bool is_file_of_then(const struct check *check, const struct meta_checker *recorded,
			    uint32_t kind)
{
	const struct meta_plugin *then = plugin_then(check, kind, recorded->name);

	return then && strcmp(then->path, recorded->path) == 0 && recorded_is_file_of_then(then);
}

/* A checker of --checker PATH of that name, or NULL. */
static struct given *find_stand_in(struct check *check, uint32_t kind, const char *name)
{
	for (size_t i = 0; i < check->given_count; i++) {
		struct given *given = &check->given[i];
		const struct ktstr_plugin *d = given->plugin->descriptor;

		if (strchr(given->ref.name, '/') && d->kind == kind && strcmp(d->name, name) == 0)
			return given;
	}
	return NULL;
}

static int no_recorded(const struct check *check, const struct meta_checker *recorded,
		       uint32_t kind, struct ktstr_error *err)
{
	char why[KTSTR_ERROR_TEXT_MAX];

	str_copy(why, sizeof(why), err->text);
	return ktstr_fail(err, -ENOENT, "%s was judged by '%s'; give it with %s: %.600s",
			  check->run_path, recorded->path,
			  kind == KTSTR_KIND_CHECKER ? "--checker PATH, or its folder with "
						       "--plugin-dir"
						     : "--plugin-dir FOLDER",
			  why);
}

/* By name in the search path, and by the recorded path where that is safe. */
static int find_recorded(struct check *check, const struct meta_checker *recorded, uint32_t kind,
			 struct plugin **ret, struct ktstr_error *err)
{
	int rc = registry_get(check->registry, kind, recorded->name, ret, err);

	if (rc == -ENOENT && is_file_of_then(check, recorded, kind))
		return registry_get(check->registry, kind, recorded->path, ret, err);
	if (rc == -ENOENT)
		return no_recorded(check, recorded, kind, err);
	if (rc < 0)
		(void)ktstr_prefix(err, "%s was judged by '%s'", check->run_path, recorded->path);
	return rc;
}

/* A checker that the run names, or what was given in its place. */
static int add_recorded(struct check *check, const struct meta_checker *recorded,
			struct ktstr_error *err)
{
	uint32_t kind =
		strcmp(recorded->kind, "scenario") == 0 ? KTSTR_KIND_SCENARIO : KTSTR_KIND_CHECKER;
	struct given *given = find_stand_in(check, kind, recorded->name);
	struct source source = { .name = check->run_path };
	struct plugin *plugin = given ? given->plugin : NULL;
	int rc = 0;

	if (strchr(recorded->name, '/'))
		return ktstr_fail(err, -EBADMSG, "%s: '%s' is no name of a checker",
				  check->run_path, recorded->name);
	if (given)
		given->stands_in = true;
	else
		rc = find_recorded(check, recorded, kind, &plugin, err);
	if (rc < 0)
		return rc;
	compare_plugin(check, plugin);
	if (given && given->ref.params && given->ref.params->child_count > 0) {
		add_checker(check, plugin, given->ref.params);
		return 0;
	}
	rc = prepare_check_params(check->registry, plugin, recorded->params, &source, err);
	if (rc == 0)
		add_checker(check, plugin, recorded->params);
	return rc;
}

static int load_given(struct check *check, const char *argument, struct ktstr_error *err)
{
	struct given *given = &check->given[check->given_count];
	int rc = prepare_argument(check->registry, KTSTR_KIND_CHECKER, "--checker", argument,
				  &given->ref, &given->plugin, err);

	check->given_count += rc == 0;
	return rc;
}

/* Without a checker that is expected to FAIL there is no saying whether the run is as expected. */
static int check_expected(const struct check *check, struct ktstr_error *err)
{
	const struct expectation *expect = &check->facts->meta->expect;

	for (size_t i = 0; i < expect->checker_count; i++) {
		const char *name = expect->checkers[i];
		size_t k = 0;

		while (k < check->checker_count && strcmp(check->checkers[k].name, name) != 0)
			k++;
		if (k == check->checker_count)
			return ktstr_fail(err, -EINVAL,
					  "'%s' was recorded with 'expect', which wants checker "
					  "'%s' to FAIL; add --checker %s",
					  check->run_path, name, name);
	}
	return 0;
}

static int find_checkers(struct check *check, struct ktstr_error *err)
{
	const struct run_options *options = check->options;
	const struct meta *meta = check->facts->meta;
	size_t recorded = options->has_only_checkers ? 0 : meta->checker_count;
	int rc = registry_new((const char *const *)check->paths.plugin_folders, &check->registry,
			      err);

	if (rc < 0)
		return rc;
	check->given = calloc(options->checker_count + 1, sizeof(*check->given));
	check->checkers = calloc(recorded + options->checker_count + 1, sizeof(*check->checkers));
	if (!check->given || !check->checkers)
		return no_memory(err);
	for (size_t i = 0; i < options->checker_count && rc == 0; i++)
		rc = load_given(check, options->checkers[i], err);
	for (size_t i = 0; i < recorded && rc == 0; i++)
		rc = add_recorded(check, &meta->checkers[i], err);
	for (size_t i = 0; i < check->given_count && rc == 0; i++)
		if (!check->given[i].stands_in)
			add_checker(check, check->given[i].plugin, check->given[i].ref.params);
	if (rc == 0 && check->checker_count == 0 && !expectation_judges(&meta->expect))
		return ktstr_fail(err, -EINVAL,
				  "'%s' names no checker, so nothing could be judged; add one with "
				  "--checker",
				  check->run_path);
	return rc == 0 ? check_expected(check, err) : rc;
}

static int judge(struct check *check, struct ktstr_error *err)
{
	const struct meta *meta = check->facts->meta;
	uint64_t start_ns = clock_monotonic_ns();
	const struct judge_spec spec = {
		.program = check->paths.judge_program,
		.runfile_fd = check->run_fd,
		.runfile = check->run_path,
		.checkers = check->checkers,
		.checker_count = check->checker_count,
		.topology = meta->topology,
		.scenario = meta->scenario,
		.scheduler = meta->scheduler,
		.kernel = meta->kernel_release,
		.accel = meta->accel,
		.clock = meta->clock,
		.plugin_folders = (const char *const *)check->paths.plugin_folders,
		.time_limit_ns = check->options->checker_timeout_ns,
		.signal_fd = check->signals.fd,
		.expect = &meta->expect,
	};
	int rc = judge_run(&spec, &check->verdict, err);

	check->verdict.expect = NULL; /* it is of the facts, which end before the verdict */
	check->judging_ns = clock_monotonic_ns() - start_ns;
	return rc;
}

/* All of it; *ret_exit_code is that of a failure. */
static int check_all(struct check *check, const char *path, int *ret_exit_code,
		     struct ktstr_error *err)
{
	const struct run_options *options = check->options;
	int rc;

	*ret_exit_code = EXIT_USAGE;
	rc = find_files(check, path, err);
	if (rc == 0)
		rc = run_paths_find(NULL, options->plugin_folders, options->plugin_folder_count,
				    getenv("KTSTR_PLUGIN_PATH"), &check->paths, err);
	if (rc == 0)
		rc = read_meta(check, err);
	if (rc == 0)
		rc = find_checkers(check, err);
	if (rc < 0)
		return rc;
	*ret_exit_code = EXIT_ERROR;
	rc = signals_watch(&check->signals, err);
	return rc == 0 ? judge(check, err) : rc;
}

static void check_done(struct check *check)
{
	signals_done(&check->signals);
	verdict_done(&check->verdict);
	free(check->checkers);
	for (size_t i = 0; i < check->given_count; i++)
		plugin_ref_done(&check->given[i].ref);
	free(check->given);
	facts_free(check->facts);
	registry_free(check->registry);
	run_paths_done(&check->paths);
	if (check->run_fd >= 0)
		(void)close(check->run_fd); /* only read */
	free(check->run_path);
	free(check->console_path);
}

/* What is kept of it for the caller. */
static void hand_over(struct check *check, struct single *ret)
{
	ret->has_verdict = true;
	ret->exit_code = verdict_exit_code(check->verdict.outcome);
	ret->is_interrupted |= check->verdict.interrupted_by != 0;
	ret->verdict = check->verdict;
	check->verdict = (struct verdict){ 0 };
	ret->run_fd = steal_fd(&check->run_fd);
	ret->run_path = steal_ptr(check->run_path);
	ret->console_path = steal_ptr(check->console_path);
	ret->judging_ns = check->judging_ns;
}

void single_check(const char *path, const struct run_options *options, struct single *ret)
{
	struct check check = { .options = options, .run_fd = -1, .signals = { .fd = -1 } };
	int exit_code;
	int rc;

	*ret = (struct single){ .run_fd = -1 };
	rc = check_all(&check, path, &exit_code, &ret->err);
	ret->is_interrupted = signals_have_come(&check.signals);
	if (rc == 0)
		hand_over(&check, ret);
	else
		ret->exit_code = rc == -ENOMEM ? EXIT_ERROR : exit_code;
	check_done(&check);
}

int run_check(const char *path, const struct run_options *options)
{
	struct single single;
	struct observe observe;
	int exit_code;

	observe_init(&observe, options);
	single_check(path, options, &single);
	exit_code = single_show(&single, options);
	single_done(&single);
	observe_done(&observe, true);
	return exit_code;
}

/* One file; its error is in *err. */
static int check_scenario(const char *scenario, const struct run_options *options,
			  const struct run_paths *paths, struct ktstr_error *err)
{
	struct prepared *prepared = NULL;
	int rc = prepare_scenario(scenario, options, paths, &prepared, err);

	if (rc == 0)
		prepared_free(prepared);
	return rc;
}

static void show_scenario(const struct run_options *options, json_t **list, const char *scenario,
			  int rc, const struct ktstr_error *err)
{
	if (rc < 0)
		log_error("%s", err->text);
	if (options->is_json)
		json_add(list, json_pack("{so sb so}", "file", json_text(scenario), "is_valid",
					 rc == 0, "error", json_text(rc < 0 ? err->text : NULL)));
	else if (rc == 0)
		(void)fprintf(options->out, "%s: ok\n", scenario);
}

int run_check_scenarios(char *const *scenarios, size_t count, const struct run_options *options)
{
	struct ktstr_error err = { 0 };
	struct run_paths paths = { 0 };
	struct observe observe;
	json_t *list = json_array();
	int exit_code = EXIT_PASS;
	int rc;

	observe_init(&observe, options);
	rc = run_paths_find(NULL, options->plugin_folders, options->plugin_folder_count,
			    getenv("KTSTR_PLUGIN_PATH"), &paths, &err);
	if (rc < 0) {
		exit_code = finish_error(options, rc == -ENOTDIR ? EXIT_USAGE : EXIT_ERROR, &err);
		goto done;
	}
	for (size_t i = 0; i < count; i++) {
		rc = check_scenario(scenarios[i], options, &paths, &err);
		show_scenario(options, &list, scenarios[i], rc, &err);
		if (rc < 0)
			exit_code = EXIT_USAGE;
	}
	if (options->is_json &&
	    list_show_document(options, "scenarios", exit_code, steal_ptr(list)) != EXIT_PASS)
		exit_code = EXIT_ERROR;
done:
	json_decref(list);
	run_paths_done(&paths);
	observe_done(&observe, exit_code == EXIT_PASS);
	return exit_code;
}
