/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/explore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "config/yaml.h"
#include "explore/place.h"
#include "explore/internal.h"
#include "explore/progress.h"
#include "explore/resume.h"
#include "explore/shrink.h"
#include "report/live.h"
#include "run/budget.h"
#include "run/finish.h"
#include "run/record.h"
#include "run/single.h"

/* How often progress is shown: on a terminal, and elsewhere. */
#define SHOW_MS 250
#define TELL_NS (10 * NS_PER_S)
/* Runs that are to end are killed after so long. */
#define END_NS (20 * NS_PER_S)
#define MESSAGES_TOLD_MAX 100u

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot explore: out of memory");
}

void explore_tell_messages(struct exploration *x, const char *messages)
{
	const char *end;

	for (const char *at = messages; *at; at = *end ? end + 1 : end) {
		char line[1024], folded[1024];
		bool is_told = x->told.count >= MESSAGES_TOLD_MAX;

		end = strchrnul(at, '\n');
		str_copy_line(line, sizeof(line), at, (size_t)(end - at));
		signature_fold(line, folded, sizeof(folded));
		for (size_t i = 0; i < x->told.count && !is_told; i++)
			is_told = strcmp(x->told.items[i], folded) == 0;
		if (is_told || !line[0])
			continue;
		(void)words_add(&x->told, folded); /* else it is shown again */
		live_warning(x->observe.live, line);
	}
}

static void show_progress(struct exploration *x)
{
	uint64_t now_ns = clock_monotonic_ns();
	char text[200];

	if (!x->options->is_terminal && x->told_ns > 0 && now_ns - x->told_ns < TELL_NS)
		return;
	progress_text(&x->tally, x->fresh, now_ns - x->start_ns, text, sizeof(text));
	if (x->options->is_terminal && x->told_ns > 0)
		live_update(x->observe.live, text);
	else
		live_phase(x->observe.live, "exploring", text);
	x->told_ns = now_ns;
}

static int start_run(struct exploration *x, uint64_t seed, struct ktstr_error *err)
{
	_cleanup_free_ char *folder = place_of_seed(x->folder, seed);
	struct run_options options = x->run;

	if (!folder)
		return no_memory(err);
	place_remove(folder); /* of a run that was cut off */
	options.run_folder = folder;
	options.has_seed = true;
	options.seed = seed;
	return pool_start(x->pool, seed, x->spec->scenario, &options, err);
}

static void remove_run(const struct exploration *x, uint64_t seed)
{
	_cleanup_free_ char *folder = place_of_seed(x->folder, seed);

	if (folder)
		place_remove(folder);
}

static void tell_run(const struct pool_result *result, bool is_first)
{
	const struct signature *signature = &result->signature;

	log_debug("seed %" PRIu64 ": %s in %.1f s", result->tag, outcome_name(signature->outcome),
		  (double)result->took_ns / NS_PER_S);
	if (is_first && signature->outcome != KTSTR_OUTCOME_PASS)
		log_note("seed %" PRIu64 ": %s: %s", result->tag, outcome_name(signature->outcome),
			 signature->text);
}

/* A run that was ended by a signal that came to it alone says nothing about its seed. */
static int take_interrupted(struct exploration *x, uint64_t seed, struct ktstr_error *err)
{
	int rc = again_add(&x->again, seed);

	remove_run(x, seed);
	if (rc < 0)
		return no_memory(err);
	if (rc == 1)
		log_warning("seed %" PRIu64 ": its run was ended by a signal; it is run once more",
			    seed);
	else
		log_error("seed %" PRIu64 ": its run was ended by a signal twice; it is left out",
			  seed);
	return 0;
}

/* Take up what came of a run. */
static int take_result(struct exploration *x, const struct pool_result *result,
		       struct ktstr_error *err)
{
	const struct journal_entry entry = { .seed = result->tag,
					     .took_ns = result->took_ns,
					     .signature = result->signature };
	struct tally_change change;
	int rc;

	if (result->is_interrupted)
		return take_interrupted(x, result->tag, err);
	explore_tell_messages(x, result->messages);
	rc = journal_add(x->journal, &entry, err);
	if (rc < 0)
		return rc;
	tally_add(&x->tally, &entry, &change);
	x->fresh++;
	if (!change.is_kept)
		remove_run(x, result->tag);
	if (change.has_superseded)
		remove_run(x, change.superseded);
	if (entry.signature.outcome == KTSTR_OUTCOME_ERROR)
		str_copy(x->last_error, sizeof(x->last_error), result->error);
	tell_run(result, change.is_first);
	return 0;
}

/* Is this the end, before all seeds were run? */
static bool has_ended(struct exploration *x)
{
	if (x->spec->is_until_fail && tally_count(&x->tally, KTSTR_OUTCOME_FAIL) > 0)
		x->end = EXPLORE_END_FAILURE;
	else if (x->tally.errors_in_a_row >= EXPLORE_ERRORS_MAX)
		x->end = EXPLORE_END_ERRORS;
	return x->end != EXPLORE_END_ALL;
}

/* As many as there may be. */
static int fill_pool(struct exploration *x, uint64_t *next, bool *has_next)
{
	int rc = 0;

	while ((again_waits(&x->again) || *has_next) && !pool_is_full(x->pool) && rc == 0) {
		uint64_t seed;
		bool is_again = again_take(&x->again, &seed);

		if (!is_again)
			seed = *next;
		rc = subject_check(&x->subject, &x->err);
		if (rc == 0)
			rc = start_run(x, seed, &x->err);
		if (!is_again)
			*has_next = seed < x->tally.last && tally_next(&x->tally, seed + 1, next);
	}
	return rc;
}

static uint64_t count_left(const struct exploration *x)
{
	return x->tally.last - x->tally.first + 1 - x->tally.done;
}

static int explore_seeds(struct exploration *x)
{
	uint64_t next = x->tally.first;
	bool has_next = tally_next(&x->tally, next, &next);
	struct pool_result result;
	int rc = 0;

	x->start_ns = clock_monotonic_ns();
	while (rc == 0 && !has_ended(x)) {
		rc = fill_pool(x, &next, &has_next);
		if (rc < 0 || pool_count(x->pool) == 0)
			break;
		show_progress(x);
		rc = pool_wait(x->pool, x->signals.fd, SHOW_MS, &result);
		if (rc == 1)
			rc = take_result(x, &result, &x->err);
		else if (rc == -EINTR)
			x->end = EXPLORE_END_INTERRUPTED;
		if (rc == -EINTR)
			rc = 0;
	}
	if (rc < 0)
		x->end = EXPLORE_END_BROKEN;
	else if (x->end == EXPLORE_END_ALL && count_left(x) > 0)
		x->end = EXPLORE_END_LOST;
	return rc;
}

/* End what still runs, in order; a second signal hurries. What passed meanwhile counts. */
static void end_runs(struct exploration *x)
{
	uint64_t until_ns = clock_monotonic_ns() + END_NS;
	struct pool_result result;
	struct ktstr_error ignored;

	signals_forget(&x->signals);
	pool_stop_all(x->pool);
	while (pool_count(x->pool) > 0 && clock_monotonic_ns() < until_ns) {
		int rc = pool_wait(x->pool, x->signals.fd, SHOW_MS, &result);

		if (rc == -EINTR)
			break;
		if (rc == 1 && result.is_interrupted)
			remove_run(x, result.tag);
		else if (rc == 1)
			(void)take_result(x, &result, &ignored);
	}
	pool_free(steal_ptr(x->pool));
	place_clean(x->folder, resume_keeps, &x->tally);
}

/* One run's options and command. */
static int make_run(struct exploration *x, struct ktstr_error *err)
{
	int rc = words_add(&x->words, x->options->words[0]);

	if (rc == 0)
		rc = words_add(&x->words, "run");
	if (rc == 0)
		rc = words_add(&x->words, x->spec->scenario);
	if (rc == 0)
		rc = words_add_options(&x->words, x->options);
	if (rc < 0)
		return no_memory(err);
	x->run = *x->options;
	x->run.run_folder = NULL;
	x->run.has_seed = false;
	x->run.kvm = &x->kvm;
	x->run.text = x->text;
	x->run.text_length = x->text_length;
	x->run.words = x->words.items;
	x->run.word_count = x->words.count;
	return 0;
}

/* Where a seed is no schedule, only those who say so get what they may take for one. */
static int check_clock(const struct exploration *x, struct ktstr_error *err)
{
	const struct run_options *options = x->options;

	if (subject_is_virtual(&x->subject))
		return EXIT_PASS;
	if (!options->has_clock || options->clock != VM_CLOCK_HOST) {
		(void)ktstr_fail(err, -EDOM,
				 "in the host's time a seed is no schedule, so the same seed may "
				 "pass and fail; take --accel tcg and --clock virtual, without "
				 "--stats, or give --clock host to explore it all the same");
		return EXIT_USAGE;
	}
	log_warning("in the host's time a seed is no schedule: what fails under a seed may pass "
		    "under it the next time");
	return EXIT_PASS;
}

/* All that can be known to be wrong before a VM starts. Returns the exit code. */
static int rehearse(struct exploration *x, struct ktstr_error *err)
{
	struct single_inputs inputs = { 0 };
	struct run_options one;
	int exit_code, rc;

	rc = io_read_file(x->spec->scenario, YAML_FILE_MAX, &x->text, &x->text_length, err);
	if (rc < 0)
		return rc == -ENOMEM ? EXIT_ERROR : EXIT_USAGE;
	if (make_run(x, err) < 0)
		return EXIT_ERROR;
	/* As each of them is, whatever is shown of all. */
	one = x->run;
	one.is_verbose = false;
	one.has_seed = true;
	one.seed = x->spec->first_seed;
	exit_code = single_rehearse_inputs(x->spec->scenario, &one, &inputs, err);
	if (exit_code != EXIT_PASS)
		return exit_code;
	observe_init(&x->observe, x->options);
	rc = subject_read(x->spec->scenario, &x->run, &inputs, x->spec->first_seed,
			  x->spec->last_seed, &x->subject, err);
	single_inputs_done(&inputs);
	return rc < 0 ? EXIT_ERROR : check_clock(x, err);
}

static int open_pool(struct exploration *x, struct ktstr_error *err)
{
	uint32_t jobs = x->spec->jobs, cores = budget_cores();
	int rc = jobs > 0 ? 0 : budget_jobs(getenv("KTSTR_JOBS"), cores, &jobs, err);

	if (rc < 0)
		return rc;
	if (jobs == 0)
		jobs = cores;
	x->jobs = jobs < POOL_JOBS_MAX ? jobs : POOL_JOBS_MAX;
	return pool_new(x->jobs, &x->pool, err);
}

/* The exit code, EXIT_PASS when the first run can start. */
static int prepare(struct exploration *x, struct ktstr_error *err)
{
	int exit_code = signals_watch(&x->signals, err) < 0 ? EXIT_ERROR : rehearse(x, err);
	int rc;

	if (exit_code != EXIT_PASS)
		return exit_code;
	if (tally_init(&x->tally, x->spec->first_seed, x->spec->last_seed) < 0)
		return no_memory(err), EXIT_ERROR;
	rc = open_pool(x, err);
	if (rc == 0)
		rc = resume_open(x, err);
	if (rc == -ENOTDIR || rc == -ENOTEMPTY || rc == -ESTALE || rc == -EBUSY || rc == -EINVAL)
		return EXIT_USAGE;
	return rc < 0 ? EXIT_ERROR : EXIT_PASS;
}

static void tell_end(const struct exploration *x)
{
	_cleanup_free_ char *command = explore_resume_command(x);

	switch (x->end) {
	case EXPLORE_END_ALL:
	case EXPLORE_END_FAILURE:
		return;
	case EXPLORE_END_INTERRUPTED:
		log_warning("interrupted after %" PRIu64 " of %" PRIu64 " seeds", x->tally.done,
			    x->tally.last - x->tally.first + 1);
		break;
	case EXPLORE_END_ERRORS:
		log_error("the last %u runs ended in ERROR, so something is wrong that no seed "
			  "mends: %s",
			  EXPLORE_ERRORS_MAX, x->last_error);
		break;
	case EXPLORE_END_BROKEN:
		log_error("%s", x->err.text);
		if (x->err.code == -ESTALE)
			return;
		break;
	case EXPLORE_END_LOST:
		log_error("%" PRIu64 " of %" PRIu64 " seeds were not run, because a signal ended "
			  "their runs twice",
			  count_left(x), x->tally.last - x->tally.first + 1);
		break;
	}
	log_note("it goes on by: %s", command ? command : "the same command with --run-dir");
}

static void exploration_done(struct exploration *x)
{
	shrunk_free(x->shrunk);
	pool_free(x->pool);
	journal_close(x->journal);
	tally_done(&x->tally);
	subject_done(&x->subject);
	words_done(&x->words);
	words_done(&x->told);
	free(x->folder);
	free(x->text);
	again_done(&x->again);
	signals_done(&x->signals);
}

/* All that comes after the preparations. Returns the exit code. */
static int explore(struct exploration *x)
{
	struct ktstr_error err;
	bool is_good, is_over;

	show_progress(x);
	(void)explore_seeds(x); /* said by x->end */
	end_runs(x);
	x->elapsed_ns = clock_monotonic_ns() - x->start_ns;
	tally_sort(&x->tally);
	is_good = x->end == EXPLORE_END_ALL || x->end == EXPLORE_END_FAILURE;
	is_over = is_good || x->end == EXPLORE_END_LOST;
	x->told_ns = 0;
	show_progress(x);
	live_done(x->observe.live, is_good);
	if (x->spec->is_shrinking && is_over)
		shrink_run(x);
	tell_end(x);
	observe_done(&x->observe, is_good);
	if (explore_show(x, &err) < 0)
		return finish_error(x->options, EXIT_ERROR, &err);
	return explore_exit_code(x);
}

int explore_run(const struct explore_spec *spec, const struct run_options *options)
{
	struct exploration x = { .spec = spec, .options = options, .signals = { .fd = -1 } };
	struct ktstr_error err = { 0 };
	int exit_code;

	exit_code = prepare(&x, &err);
	if (exit_code == EXIT_PASS) {
		exit_code = explore(&x);
	} else {
		observe_done(&x.observe, false);
		exit_code = finish_error(options, exit_code, &err);
	}
	exploration_done(&x);
	return exit_code;
}
