/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/compare.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "run/finish.h"
#include "run/observe.h"
#include "run/record.h"
#include "run/sched_files.h"
#include "run/seed.h"
#include "run/several.h"
#include "run/signals.h"
#include "run/single.h"
#include "vm/kvm.h"

#define FOLDER_NAME_MAX 32

/* One of the runs. */
struct turn {
	const char *scheduler;	    /* NULL: as the scenario says, or of a recorded run */
	const char *label;	    /* of its column; NULL: the scheduler's name */
	struct run_options options; /* borrows folder and words */
	char *folder;
	char **words;
	bool is_done;
	struct single single;
	struct sched_files files; /* of a run with a verdict */
};

struct comparing {
	const struct run_options *options;
	char *folder; /* with those of the runs in it; NULL: of recorded runs */
	struct turn turns[COMPARE_RUNS_MAX];
	size_t count;
	struct kvm_probe kvm;
	uint64_t drawn_seed; /* of all runs, where the scenario has none */
	struct signals signals;
	bool is_interrupted;
	bool is_verifying; /* of compare_restored() */
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot compare the runs: out of memory");
}

/* "2-vtime" of the second "folder/vtime.so,slice=5ms"; the caller frees. */
static char *folder_name(const char *scheduler, size_t number)
{
	size_t length = strcspn(scheduler, ",");
	const char *slash = memrchr(scheduler, '/', length);
	char name[FOLDER_NAME_MAX + 1];

	if (slash) {
		length -= (size_t)(slash + 1 - scheduler);
		scheduler = slash + 1;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, scheduler);
	if (str_ends(name, ".so"))
		name[strlen(name) - strlen(".so")] = '\0';
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.' && *c != '-')
			*c = '_';
	return str_format("%zu-%s", number, name);
}

/* The command line with @turn's scheduler alone: what runs it again. */
static int choose_words(const struct run_options *options, size_t turn, struct run_options *ret,
			char ***ret_words, struct ktstr_error *err)
{
	char **words = calloc(options->word_count + 1, sizeof(*words));
	size_t count = 0, seen = 0;
	bool has_ended = false;

	if (!words)
		return no_memory(err);
	for (size_t i = 0; i < options->word_count;) {
		/* "--sc" could be --scenario too. */
		size_t length =
			has_ended
				? 0
				: several_option_words(&options->words[i], options->word_count - i,
						       "--scheduler", strlen("--sch"), true);
		bool is_other = length > 0 && seen++ != turn;

		has_ended |= strcmp(options->words[i], "--") == 0;
		length = length > 0 ? length : 1;
		for (size_t j = 0; j < length && !is_other; j++)
			words[count++] = options->words[i + j];
		i += length;
	}
	ret->words = *ret_words = words;
	ret->word_count = count;
	return 0;
}

/* The command line without --verify-restore, and be it shortened, and with --cold for @is_cold. */
static int choose_start_words(const struct run_options *options, bool is_cold,
			      struct run_options *ret, char ***ret_words, struct ktstr_error *err)
{
	static const char verify[] = "--verify-restore", cold[] = "--cold";
	char **words = calloc(options->word_count + 2, sizeof(*words));
	bool has_ended = false;
	size_t count = 0;

	if (!words)
		return no_memory(err);
	for (size_t i = 0; i < options->word_count; i++) {
		char *word = options->words[i];
		size_t length = strlen(word);

		has_ended |= strcmp(word, "--") == 0;
		/* "--ver" could be --verbose too. */
		if (has_ended || length <= strlen("--ver") || strncmp(word, verify, length) != 0)
			words[count++] = word;
		else if (is_cold)
			words[count++] = (char *)cold;
	}
	ret->words = *ret_words = words;
	ret->word_count = count;
	return 0;
}

static int prepare_turn(struct comparing *c, size_t index, struct ktstr_error *err)
{
	struct turn *turn = &c->turns[index];
	_cleanup_free_ char *name =
		folder_name(turn->label ? turn->label : turn->scheduler, index + 1);

	turn->options = *c->options;
	turn->options.has_drawn_seed = true;
	turn->options.drawn_seed = c->drawn_seed;
	turn->options.kvm = &c->kvm;
	turn->folder = name ? str_format("%s/%s", c->folder, name) : NULL;
	if (!turn->folder)
		return no_memory(err);
	turn->options.run_folder = turn->folder;
	if (c->is_verifying) {
		turn->options.is_cold = index == 0;
		turn->options.is_restored = index > 0;
		return choose_start_words(c->options, index == 0, &turn->options, &turn->words,
					  err);
	}
	turn->options.scheduler = turn->scheduler;
	return choose_words(c->options, index, &turn->options, &turn->words, err);
}

/* Everything that can be known to be wrong before a VM starts. */
static int rehearse(struct comparing *c, const char *scenario, struct ktstr_error *err)
{
	int exit_code = EXIT_ERROR;

	if (several_choose_folder(scenario, c->options, &c->folder, &exit_code, err) < 0)
		return exit_code;
	for (size_t i = 0; i < c->count; i++)
		if (prepare_turn(c, i, err) < 0)
			return EXIT_ERROR;
	for (size_t i = 0; i < c->count; i++) {
		exit_code = single_rehearse(scenario, &c->turns[i].options, err);
		if (exit_code != EXIT_PASS)
			return exit_code;
	}
	if (!signals_have_come(&c->signals))
		return EXIT_PASS;
	(void)ktstr_fail(err, -EINTR, "interrupted before the first run");
	return EXIT_ERROR;
}

/* What a report of this run is made of. Without memory for the name of a file it is not named. */
static struct report_spec turn_report(const struct comparing *c, const struct turn *turn)
{
	struct report_spec spec = single_report(&turn->single, c->options);

	spec.scheduler_log_path = turn->files.log_path;
	spec.dump_path = turn->files.dump_path;
	return spec;
}

static void find_files(struct turn *turn)
{
	if (turn->single.has_verdict)
		(void)sched_files_find(turn->single.run_path, &turn->files);
}

/* The report of one run, before the table: short, but with all that speaks against it. */
static int show_turn(const struct comparing *c, const struct turn *turn, struct ktstr_error *err)
{
	struct report_spec spec = turn_report(c, turn);
	int rc;

	if (!turn->single.has_verdict) {
		log_error("%s", turn->single.err.text);
		return 0;
	}
	if (c->options->is_json)
		return 0;
	spec.is_short = !c->options->is_verbose;
	rc = report_text(c->options->out, &turn->single.verdict, &spec, err);
	if (rc == 0 && fputc('\n', c->options->out) == EOF)
		rc = ktstr_fail(err, -EIO, "cannot write the report: %s", strerror(errno));
	return rc;
}

static int take_turns(struct comparing *c, const char *scenario, struct ktstr_error *err)
{
	bool is_linked = c->options->run_folder != NULL;
	int rc = 0;

	for (size_t i = 0; i < c->count && rc == 0 && !c->is_interrupted; i++) {
		struct turn *turn = &c->turns[i];

		if (!c->options->is_quiet)
			log_note("run %zu of %zu: %s%s%s", i + 1, c->count,
				 turn->label ? turn->label : "scheduler '",
				 turn->label ? "" : turn->scheduler, turn->label ? "" : "'");
		single_run(scenario, &turn->options, &turn->single);
		turn->is_done = true;
		find_files(turn);
		c->is_interrupted = turn->single.is_interrupted || signals_have_come(&c->signals);
		if (turn->single.has_verdict && !is_linked)
			record_link_folder(c->folder);
		is_linked |= turn->single.has_verdict;
		rc = show_turn(c, turn, err);
		if (c->is_interrupted && i + 1 < c->count)
			log_warning("interrupted: %zu of %zu runs are left out", c->count - i - 1,
				    c->count);
	}
	return rc;
}

static void keep_document(const struct comparing *c, const struct comparison *comparison)
{
	_cleanup_free_ char *path = NULL;
	struct ktstr_error err;
	char *text = NULL;
	size_t length = 0;
	FILE *memory;
	int rc;

	/* Without a run there is no folder. */
	if (!c->folder || access(c->folder, F_OK) < 0)
		return;
	path = str_format("%s/" COMPARE_DOCUMENT, c->folder);
	memory = path ? open_memstream(&text, &length) : NULL;
	if (!memory) {
		log_warning("cannot keep the comparison: out of memory");
		return;
	}
	rc = comparison_json(memory, comparison, &err);
	if (fclose(memory) != 0 && rc == 0)
		rc = ktstr_fail(&err, -ENOMEM, "cannot write '%s': out of memory", path);
	if (rc == 0)
		rc = io_replace_file(path, text, length, &err);
	if (rc < 0)
		log_warning("%s", err.text);
	free(text);
}

/* Say where two verdicts of the same scenario differ; is there such a place? */
static bool tell_differences(const struct comparing *c)
{
	const struct verdict *cold = &c->turns[0].single.verdict;
	const struct verdict *restored = &c->turns[1].single.verdict;
	bool differs = cold->outcome != restored->outcome;

	if (!c->turns[0].single.has_verdict || !c->turns[1].single.has_verdict)
		return false; /* that is an ERROR of its own */
	if (differs)
		log_error("the verdict is %s after a boot and %s after a restore",
			  outcome_name(cold->outcome), outcome_name(restored->outcome));
	for (size_t i = 0; i < cold->decision_count && i < restored->decision_count; i++) {
		const struct decision *a = &cold->decisions[i], *b = &restored->decisions[i];

		if (a->outcome == b->outcome)
			continue;
		log_error("checker '%s' says %s after a boot and %s after a restore", a->name,
			  outcome_name(a->outcome), outcome_name(b->outcome));
		differs = true;
	}
	return differs;
}

/* The table. Returns the exit code. */
static int show_comparison(const struct comparing *c, struct ktstr_error *err)
{
	const struct compare_style style = { .has_colour = c->options->has_out_colour,
					     .is_verbose = c->options->is_verbose };
	struct compare_run runs[COMPARE_RUNS_MAX] = { 0 };
	struct comparison *comparison = NULL;
	int exit_code, rc;

	for (size_t i = 0; i < c->count; i++) {
		const struct turn *turn = &c->turns[i];
		const struct single *single = &turn->single;

		runs[i] = (struct compare_run){
			.label = turn->label,
			.scheduler = turn->scheduler,
			.verdict = single->has_verdict ? &single->verdict : NULL,
			.problem = turn->is_done ? single->err.text
						 : "not run, because of an interrupt",
			.is_left_out = !turn->is_done,
			.exit_code = turn->is_done ? single->exit_code : EXIT_ERROR,
			.report = turn_report(c, turn),
		};
	}
	rc = comparison_new(runs, c->count, &comparison, err);
	if (rc < 0)
		return finish_error(c->options, EXIT_ERROR, err);
	if (c->is_verifying && tell_differences(c))
		comparison->outcome = KTSTR_OUTCOME_FAIL;
	exit_code = verdict_exit_code(comparison->outcome);
	keep_document(c, comparison);
	if (c->options->is_json)
		rc = comparison_json(c->options->out, comparison, err);
	else
		rc = comparison_text(c->options->out, comparison, &style, err);
	comparison_free(comparison);
	return rc < 0 ? finish_error(c->options, EXIT_ERROR, err) : exit_code;
}

static void comparing_done(struct comparing *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->turns[i].is_done)
			single_done(&c->turns[i].single);
		sched_files_done(&c->turns[i].files);
		free(c->turns[i].folder);
		free(c->turns[i].words);
	}
	free(c->folder);
	signals_done(&c->signals);
}

/* All turns, whose schedulers or labels are known. Returns the exit code. */
static int compare_turns(struct comparing *c, const char *scenario)
{
	struct ktstr_error err = { 0 };
	int exit_code = EXIT_ERROR;

	c->drawn_seed = seed_draw();
	if (signals_watch(&c->signals, &err) == 0)
		exit_code = rehearse(c, scenario, &err);
	if (exit_code != EXIT_PASS)
		return finish_error(c->options, exit_code, &err);
	if (take_turns(c, scenario, &err) < 0)
		return finish_error(c->options, EXIT_ERROR, &err);
	return show_comparison(c, &err);
}

int compare_runs(const char *scenario, const char *const *schedulers, size_t count,
		 const struct run_options *options)
{
	struct comparing c = { .options = options, .count = count, .signals = { .fd = -1 } };
	int exit_code;

	for (size_t i = 0; i < count; i++)
		c.turns[i].scheduler = schedulers[i];
	exit_code = compare_turns(&c, scenario);
	comparing_done(&c);
	return exit_code;
}

int compare_restored(const char *scenario, const struct run_options *options)
{
	struct comparing c = {
		.options = options,
		.count = 2,
		.signals = { .fd = -1 },
		.is_verifying = true,
		.turns = { { .label = "cold", .scheduler = options->scheduler },
			   { .label = "restored", .scheduler = options->scheduler } },
	};
	int exit_code = compare_turns(&c, scenario);

	comparing_done(&c);
	return exit_code;
}

/* A growing list of paths. */
struct paths {
	char *items[COMPARE_RUNS_MAX];
	size_t count;
};

static int add_path(struct paths *paths, char *path, struct ktstr_error *err)
{
	if (!path)
		return no_memory(err);
	if (paths->count == COMPARE_RUNS_MAX) {
		free(path);
		return ktstr_fail(err, -E2BIG, "more than %d runs cannot be compared",
				  COMPARE_RUNS_MAX);
	}
	paths->items[paths->count++] = path;
	return 0;
}

/* Is it the folder of one run of a comparison? */
static int is_turn(const struct dirent *entry)
{
	size_t digits = strspn(entry->d_name, "0123456789");

	return digits > 0 && entry->d_name[digits] == '-';
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

/* A run, or the runs of a comparison. */
static int add_runs(struct paths *paths, const char *path, struct ktstr_error *err)
{
	_cleanup_free_ char *document = str_format("%s/" COMPARE_DOCUMENT, path);
	_cleanup_free_ char *run_file = str_format("%s/" RECORD_RUN_FILE, path);
	struct dirent **entries = NULL;
	size_t before = paths->count;
	int count, rc = 0;

	if (!document || !run_file)
		return no_memory(err);
	if (access(document, F_OK) < 0 || access(run_file, F_OK) == 0)
		return add_path(paths, strdup(path), err);
	count = scandir(path, &entries, is_turn, by_number);
	if (count < 0)
		return ktstr_fail(err, -errno, "cannot open folder '%s': %s", path,
				  strerror(errno));
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *file =
			str_format("%s/%s/" RECORD_RUN_FILE, path, entries[i]->d_name);

		/* One that never began has no folder or an empty one. */
		if (rc == 0 && (!file || access(file, F_OK) == 0))
			rc = add_path(paths, str_format("%s/%s", path, entries[i]->d_name), err);
		free(entries[i]);
	}
	free(entries);
	if (rc == 0 && paths->count == before)
		return ktstr_fail(err, -ENOENT, "cannot judge '%s': there is no run in it", path);
	return rc;
}

/* Judge all. Returns the exit code of the first that cannot be, else EXIT_PASS. */
static int check_all(struct comparing *c, const struct paths *paths, struct ktstr_error *err)
{
	for (size_t i = 0; i < c->count && !c->is_interrupted; i++) {
		struct turn *turn = &c->turns[i];

		single_check(paths->items[i], c->options, &turn->single);
		turn->is_done = true;
		turn->scheduler = NULL; /* the run file knows */
		find_files(turn);
		c->is_interrupted = turn->single.is_interrupted || signals_have_come(&c->signals);
		if (!turn->single.has_verdict) {
			*err = turn->single.err;
			return turn->single.exit_code;
		}
		if (show_turn(c, turn, err) < 0)
			return EXIT_ERROR;
	}
	return EXIT_PASS;
}

static int check_paths(const struct paths *paths, const struct run_options *options)
{
	struct comparing c = { .options = options, .count = paths->count, .signals = { .fd = -1 } };
	struct ktstr_error err = { 0 };
	struct observe observe;
	int exit_code = EXIT_ERROR;

	observe_init(&observe, options);
	/* For those that an interrupt leaves out. */
	for (size_t i = 0; i < c.count; i++)
		c.turns[i].scheduler = paths->items[i];
	if (signals_watch(&c.signals, &err) == 0)
		exit_code = check_all(&c, paths, &err);
	if (exit_code != EXIT_PASS)
		exit_code = finish_error(options, exit_code, &err);
	else
		exit_code = show_comparison(&c, &err);
	comparing_done(&c);
	observe_done(&observe, true);
	return exit_code;
}

int compare_checks(char *const *paths, size_t count, const struct run_options *options)
{
	struct paths all = { 0 };
	struct ktstr_error err = { 0 };
	int exit_code, rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_runs(&all, paths[i], &err);
	if (rc < 0)
		exit_code = finish_error(options, rc == -ENOMEM ? EXIT_ERROR : EXIT_USAGE, &err);
	else if (all.count == 1)
		exit_code = run_check(all.items[0], options);
	else
		exit_code = check_paths(&all, options);
	for (size_t i = 0; i < all.count; i++)
		free(all.items[i]);
	return exit_code;
}
