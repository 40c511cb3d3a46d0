/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/shrink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "config/yaml.h"
#include "explore/place.h"
#include "explore/internal.h"
#include "explore/progress.h"
#include "explore/reduce.h"
#include "explore/target.h"
#include "report/facts.h"
#include "report/live.h"
#include "run/record.h"

#define TIME_DEFAULT_NS (600 * NS_PER_S)
#define TRIES_MAX 1000u
/* A scenario of which one in n seeds fails is given up after so many times n: one that still fails
 * as often is missed once in ten times. */
#define SEEDS_FACTOR 2.3
/* Of what is known of n, a new figure is one part of so many. */
#define SEEDS_MEMORY 4
#define SEEDS_MIN 4u
#define SEEDS_MAX 200u
#define WAIT_MS 250
#define KEPT_FOLDER "shrunk"

/* How trying one scenario ended. */
enum attempt {
	ATTEMPT_FAILED_SO, /* as it was to */
	ATTEMPT_OTHERWISE,
	ATTEMPT_OVER, /* no more time, or a signal */
};

struct shrinking {
	struct exploration *x;
	const struct tally_group *group;
	struct shrunk *shrunk;
	struct reduction *reduction;
	struct pool *pool;
	struct words words; /* of the command of the shrunk one */
	char *text;	    /* of the smallest so far; NULL: none yet */
	uint64_t *seeds;    /* in the order in which they are tried */
	size_t seed_count;
	double one_in; /* so many seeds, about, the last one that was taken failed so */
	double one_in_at_first;
	size_t limit; /* seeds that are tried of one scenario */
	uint64_t deadline_ns;
	bool is_written;
	char what[200]; /* what is being tried */
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot shrink: out of memory");
}

void shrunk_free(struct shrunk *shrunk)
{
	if (!shrunk)
		return;
	free(shrunk->path);
	free(shrunk->problem);
	free(shrunk->command);
	free(shrunk);
}

static void set_limit(struct shrinking *s)
{
	double least = s->one_in_at_first / 2;
	double wanted = SEEDS_FACTOR * (s->one_in > least ? s->one_in : least);
	size_t limit = wanted < SEEDS_MIN   ? SEEDS_MIN
		       : wanted > SEEDS_MAX ? SEEDS_MAX
					    : (size_t)wanted;

	s->limit = limit < s->seed_count ? limit : s->seed_count;
}

/* The seeds that failed so, then the others of the range, then those behind it. */
static int choose_seeds(struct shrinking *s, struct ktstr_error *err)
{
	const struct tally *tally = &s->x->tally;

	s->seeds = calloc(SEEDS_MAX, sizeof(*s->seeds));
	if (!s->seeds)
		return no_memory(err);
	for (size_t i = 0; i < s->group->seed_count; i++)
		s->seeds[s->seed_count++] = s->group->seeds[i];
	for (uint64_t seed = tally->first; seed <= INT64_MAX && s->seed_count < SEEDS_MAX; seed++) {
		bool is_there = false;

		for (size_t i = 0; i < s->group->seed_count; i++)
			is_there |= s->group->seeds[i] == seed;
		if (!is_there)
			s->seeds[s->seed_count++] = seed;
	}
	s->one_in = s->one_in_at_first = (double)tally->done / (double)s->group->count;
	set_limit(s);
	return 0;
}

/* The next tries begin with the seed that failed last. */
static void prefer_seed(struct shrinking *s, size_t index)
{
	uint64_t seed = s->seeds[index];

	memmove(&s->seeds[1], &s->seeds[0], index * sizeof(*s->seeds));
	s->seeds[0] = seed;
}

static void show(const struct shrinking *s)
{
	uint64_t now_ns = clock_monotonic_ns();
	char left[32], text[400];

	progress_duration(s->deadline_ns > now_ns ? s->deadline_ns - now_ns : 0, left,
			  sizeof(left));
	(void)snprintf(text, sizeof(text), "%" PRIu64 " tried, %" PRIu64 " taken, %s at most; %s",
		       s->shrunk->tries, s->shrunk->taken, left, s->what);
	live_update(s->x->observe.live, text);
}

static char *attempt_folder(const struct shrinking *s, size_t index)
{
	return str_format("%s/try-%zu", s->x->folder, index);
}

static void remove_attempt(const struct shrinking *s, size_t index)
{
	_cleanup_free_ char *folder = attempt_folder(s, index);

	if (folder)
		place_remove(folder);
}

/* The run that failed so stays, in place of the last one. */
static void keep_attempt(const struct shrinking *s, size_t index)
{
	_cleanup_free_ char *folder = attempt_folder(s, index);
	_cleanup_free_ char *kept = str_format("%s/" KEPT_FOLDER, s->x->folder);

	if (!folder || !kept)
		return;
	place_remove(kept);
	if (rename(folder, kept) < 0)
		place_remove(folder);
}

static int text_of(const struct shrinking *s, const struct node *root, uint64_t seed, char **ret,
		   struct ktstr_error *err)
{
	return target_text(root, seed, s->x->spec->scenario, s->shrunk->signature.text,
			   s->shrunk->command, ret, err);
}

static int start(struct shrinking *s, const struct node *root, size_t index,
		 struct ktstr_error *err)
{
	_cleanup_free_ char *folder = attempt_folder(s, index);
	_cleanup_free_ char *text = NULL;
	struct run_options options = s->x->run;
	int rc = folder ? text_of(s, root, s->seeds[index], &text, err) : no_memory(err);

	if (rc < 0)
		return rc;
	place_remove(folder);
	options.run_folder = folder;
	options.text = text;
	options.text_length = strlen(text);
	options.words = s->words.items;
	options.word_count = s->words.count;
	s->shrunk->runs++;
	return pool_start(s->pool, index, s->shrunk->path, &options, err);
}

/* The seeds of one scenario, while they run. */
struct batch {
	size_t next;
	size_t hit;  /* the first that failed so; limit: none yet */
	bool is_bad; /* it is no scenario */
	bool is_over;
};

static void take(struct shrinking *s, struct batch *batch, const struct pool_result *result)
{
	bool is_hit = !result->is_interrupted &&
		      signature_is_same(&result->signature, &s->shrunk->signature);

	if (is_hit && result->tag < batch->hit) {
		if (batch->hit < s->limit)
			remove_attempt(s, batch->hit);
		batch->hit = result->tag;
	} else {
		remove_attempt(s, result->tag);
	}
	if (!result->has_verdict && result->exit_code == EXIT_USAGE)
		batch->is_bad = true;
	/* Those before it go on: which seed it is must not depend on who was first. */
	for (size_t i = batch->hit + 1; is_hit && i < batch->next; i++)
		pool_stop(s->pool, i);
}

static int fill(struct shrinking *s, struct batch *batch, const struct node *root,
		struct ktstr_error *err)
{
	int rc = 0;

	while (rc == 0 && !batch->is_bad && !batch->is_over && batch->next < s->limit &&
	       batch->next < batch->hit && !pool_is_full(s->pool)) {
		if (clock_monotonic_ns() >= s->deadline_ns)
			batch->is_over = true;
		else
			rc = start(s, root, batch->next++, err);
	}
	return rc;
}

/* Does @root fail so under one of the seeds? *ret_seed is its index. */
static enum attempt attempt(struct shrinking *s, const struct node *root, size_t *ret_seed,
			    struct ktstr_error *err)
{
	struct batch batch = { .hit = s->limit };
	struct pool_result result;
	int rc = 0;

	s->shrunk->tries++;
	while (rc >= 0) {
		rc = fill(s, &batch, root, err);
		if (rc < 0 || pool_count(s->pool) == 0)
			break;
		show(s);
		rc = pool_wait(s->pool, s->x->signals.fd, WAIT_MS, &result);
		if (rc == 1)
			take(s, &batch, &result);
		if (rc == -EINTR)
			(void)ktstr_fail(err, -EINTR, "interrupted");
	}
	if (rc < 0)
		return ATTEMPT_OVER;
	if (batch.hit < s->limit) {
		*ret_seed = batch.hit;
		return ATTEMPT_FAILED_SO;
	}
	if (batch.is_over)
		(void)ktstr_fail(err, -ETIME, "the time for it was over");
	return batch.is_over ? ATTEMPT_OVER : ATTEMPT_OTHERWISE;
}

/* It is the smallest so far. */
static int take_over(struct shrinking *s, const struct node *root, size_t index,
		     struct ktstr_error *err)
{
	char *text = NULL;
	int rc = text_of(s, root, s->seeds[index], &text, err);

	if (rc < 0)
		return rc;
	free(s->text);
	s->text = text;
	s->shrunk->seed = s->seeds[index];
	keep_attempt(s, index);
	prefer_seed(s, index);
	s->one_in = ((SEEDS_MEMORY - 1) * s->one_in + (double)index + 1) / SEEDS_MEMORY;
	set_limit(s);
	return 0;
}

/* As it is, with comments gone and by another name, it must fail so too. */
static int try_whole(struct shrinking *s, const struct node *root, struct ktstr_error *err)
{
	size_t index;

	(void)snprintf(s->what, sizeof(s->what), "the whole scenario once more");
	switch (attempt(s, root, &index, err)) {
	case ATTEMPT_FAILED_SO:
		return take_over(s, root, index, err);
	case ATTEMPT_OTHERWISE:
		return ktstr_fail(err, -EAGAIN,
				  "under %zu seeds it did not fail so once more, so nothing could "
				  "be shrunk",
				  s->limit);
	case ATTEMPT_OVER:
		break;
	}
	return err->code;
}

static int try_smaller(struct shrinking *s, struct ktstr_error *err)
{
	struct node *root = NULL;
	int rc;

	while ((rc = reduction_next(s->reduction, &root, s->what, sizeof(s->what))) == 1) {
		enum attempt attempted;
		size_t index;

		attempted =
			s->shrunk->tries < TRIES_MAX
				? attempt(s, root, &index, err)
				: (ktstr_fail(err, -ETIME, "%u scenarios were tried", TRIES_MAX),
				   ATTEMPT_OVER);
		reduction_answer(s->reduction, attempted == ATTEMPT_FAILED_SO);
		rc = attempted == ATTEMPT_OVER ? err->code : 0;
		if (attempted == ATTEMPT_FAILED_SO) {
			log_note("shrunk: %s", s->what);
			s->shrunk->taken++;
			rc = take_over(s, root, index, err);
		}
		node_free(root);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? no_memory(err) : 0;
}

static void measure(const struct node *root, const char *run_path, struct shrink_figures *ret)
{
	_cleanup_close_ int fd = run_path ? open(run_path, O_RDONLY | O_CLOEXEC) : -1;
	struct reduction_size size;
	struct facts *facts = NULL;
	struct ktstr_error ignored;

	reduction_measure(root, &size);
	*ret = (struct shrink_figures){ .values = size.values,
					.size = size.size,
					.steps = size.steps };
	if (fd < 0 || facts_read(fd, run_path, &facts, &ignored) < 0)
		return;
	ret->has_run = facts->meta != NULL;
	ret->workers = facts->worker_total;
	ret->scenario_ns = facts->scenario_ns;
	for (size_t i = 0; i < facts->cgroup_count; i++)
		ret->cgroups += facts->cgroups[i].id != 0;
	ret->cgroups += facts->cgroups_left_out;
	if (facts->meta)
		ret->cpus = ktstr_topology_cpus(&facts->meta->topology);
	facts_free(facts);
}

static int write_result(struct shrinking *s, struct ktstr_error *err)
{
	int rc = target_check(s->shrunk->path, err);

	if (rc == 0)
		rc = io_replace_file(s->shrunk->path, s->text, strlen(s->text), err);
	s->is_written = rc == 0;
	return rc;
}

/* The tree to start from. */
static int read_tree(struct shrinking *s, struct node **ret, struct ktstr_error *err)
{
	const struct source source = { .name = s->x->spec->scenario,
				       .text = s->x->text,
				       .length = s->x->text_length };
	struct node *root = NULL;
	int rc = yaml_parse(&source, &root, err);

	if (rc == 0 && target_move_paths(root, s->x->spec->scenario, s->shrunk->path) < 0)
		rc = no_memory(err);
	if (rc < 0)
		node_free(root);
	else
		*ret = root;
	return rc;
}

static int prepare(struct shrinking *s, struct ktstr_error *err)
{
	const struct exploration *x = s->x;
	static const char *const head[] = { "ktstr", "run", NULL /* the file */ };
	int rc = target_choose(x->spec->scenario, x->options->run_folder, x->folder,
			       &s->shrunk->path, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(head) && rc == 0; i++)
		rc = words_add(&s->words, head[i] ? head[i] : s->shrunk->path);
	if (rc == 0)
		rc = words_add_options(&s->words, x->options);
	s->shrunk->command = rc == 0 ? words_join(&s->words) : NULL;
	if (!s->shrunk->command)
		return no_memory(err);
	rc = choose_seeds(s, err);
	return rc == 0 ? pool_new(x->jobs, &s->pool, err) : rc;
}

/* From the tree to the file. */
static int shrink(struct shrinking *s, struct ktstr_error *err)
{
	_cleanup_free_ char *kept = explore_kept_run(s->x, s->group);
	_cleanup_free_ char *run = str_format("%s/" KEPT_FOLDER "/" RECORD_RUN_FILE, s->x->folder);
	struct node *root = NULL;
	int rc = read_tree(s, &root, err);
	int write_rc;

	if (rc < 0)
		return rc;
	measure(root, kept, &s->shrunk->before);
	s->reduction = reduction_new(root);
	rc = s->reduction ? try_whole(s, root, err) : no_memory(err);
	node_free(root);
	if (rc == 0)
		rc = try_smaller(s, err);
	pool_stop_all(s->pool);
	if (rc == 0 && s->shrunk->taken == 0)
		return ktstr_fail(err, -ENODATA, "nothing smaller failed so");
	if (s->shrunk->taken == 0)
		return rc;
	measure(reduction_best(s->reduction), run, &s->shrunk->after);
	write_rc = write_result(s, rc == 0 ? err : &(struct ktstr_error){ 0 });
	return rc == 0 ? write_rc : rc;
}

static void set_problem(struct shrinking *s, const struct ktstr_error *err)
{
	s->shrunk->problem = strdup(err->text);
	if (s->is_written)
		return;
	free(steal_ptr(s->shrunk->path));
	free(steal_ptr(s->shrunk->command));
}

static void shrinking_done(struct shrinking *s)
{
	pool_free(s->pool);
	for (size_t i = 0; i < s->seed_count; i++)
		remove_attempt(s, i);
	reduction_free(s->reduction);
	words_done(&s->words);
	free(s->text);
	free(s->seeds);
}

void shrink_run(struct exploration *x)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t time_ns = x->spec->shrink_time_ns > 0 ? x->spec->shrink_time_ns : TIME_DEFAULT_NS;
	struct shrinking s = { .x = x, .deadline_ns = start_ns + time_ns };
	struct ktstr_error err = { 0 };
	int rc;

	if (x->tally.group_count == 0 || x->tally.groups[0].signature.outcome != KTSTR_OUTCOME_FAIL)
		return;
	s.group = &x->tally.groups[0];
	s.shrunk = x->shrunk = calloc(1, sizeof(*x->shrunk));
	if (!s.shrunk)
		return;
	s.shrunk->signature = s.group->signature;
	live_phase(x->observe.live, "shrinking", s.group->signature.text);
	rc = prepare(&s, &err);
	if (rc == 0)
		rc = shrink(&s, &err);
	if (rc < 0)
		set_problem(&s, &err);
	live_done(x->observe.live, s.is_written);
	s.shrunk->took_ns = clock_monotonic_ns() - start_ns;
	shrinking_done(&s);
}
