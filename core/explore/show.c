/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "explore/place.h"
#include "explore/progress.h"
#include "explore/shrink.h"
#include "report/meta.h"
#include "report/report.h"
#include "report/table.h"
#include "run/record.h"

/* Seeds of a signature in the table, and in its details. */
#define SEEDS_SHOWN 3
#define SEEDS_TOLD 10

char *explore_kept_run(const struct exploration *x, const struct tally_group *group)
{
	_cleanup_free_ char *folder = place_of_seed(x->folder, group->seeds[0]);
	char *path = folder ? str_format("%s/" RECORD_RUN_FILE, folder) : NULL;

	if (path && access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* In virtual time a run file is all that it takes. */
static char *replay_command(const char *run)
{
	struct words words = { 0 };
	char *text = NULL;

	if (words_add(&words, "ktstr") == 0 && words_add(&words, "replay") == 0 &&
	    words_add(&words, run) == 0)
		text = words_join(&words);
	words_done(&words);
	return text;
}

char *explore_again_command(const struct exploration *x, const struct tally_group *group)
{
	_cleanup_free_ char *seed = str_format("%" PRIu64, group->seeds[0]);
	_cleanup_free_ char *run =
		subject_is_virtual(&x->subject) ? explore_kept_run(x, group) : NULL;
	const char *const head[] = { "ktstr", "run", x->spec->scenario };
	const char *const tail[] = { "--seed", seed };

	if (run)
		return replay_command(run);
	return words_command(head, ARRAY_SIZE(head), x->options, tail, ARRAY_SIZE(tail));
}

char *explore_resume_command(const struct exploration *x)
{
	_cleanup_free_ char *seeds =
		str_format("%" PRIu64 "..%" PRIu64, x->spec->first_seed, x->spec->last_seed);
	const char *const head[] = { "ktstr", "explore", x->spec->scenario };
	const char *const tail[] = { "--seeds", seeds, "--run-dir", x->folder };

	return words_command(head, ARRAY_SIZE(head), x->options, tail, ARRAY_SIZE(tail));
}

uint32_t explore_outcome(const struct exploration *x)
{
	uint32_t outcome = tally_outcome(&x->tally);

	bool is_whole =
		x->end == EXPLORE_END_ALL && x->tally.done == x->tally.last - x->tally.first + 1;

	return is_whole || outcome == KTSTR_OUTCOME_FAIL ? outcome : KTSTR_OUTCOME_ERROR;
}

int explore_exit_code(const struct exploration *x)
{
	return verdict_exit_code(explore_outcome(x));
}

struct page {
	const struct exploration *x;
	struct str out;
	int rc;
};

static void keep(struct page *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
}

#define ADD(p, ...) keep((p), str_addf(&(p)->out, __VA_ARGS__))

/* "3, 17, 44, ..": at most @most of them. */
static void seeds_text(const struct tally_group *group, size_t most, char *target, size_t size)
{
	size_t count = group->seed_count < most ? group->seed_count : most;
	struct str out = { 0 };

	/* Without memory there are fewer. */
	for (size_t i = 0; i < count; i++)
		(void)str_addf(&out, "%s%" PRIu64, i > 0 ? ", " : "", group->seeds[i]);
	if (group->count > count)
		(void)str_add(&out, ", ..");
	str_copy(target, size, str_text(&out));
	str_done(&out);
}

static double percent(const struct exploration *x, const struct tally_group *group)
{
	return x->tally.done > 0 ? 100.0 * (double)group->count / (double)x->tally.done : 0;
}

static void add_table(struct page *p)
{
	static const struct table_column columns[] = {
		{ "", false },	{ "outcome", true }, { "seeds", false },
		{ "%", false }, { "first", true },   { "signature", true },
	};
	const struct tally *tally = &p->x->tally;
	struct table table;
	char seeds[200];

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < tally->group_count; i++) {
		const struct tally_group *group = &tally->groups[i];

		seeds_text(group, SEEDS_SHOWN, seeds, sizeof(seeds));
		keep(p, table_cell(&table, "%zu", i + 1));
		keep(p, table_cell(&table, "%s", outcome_name(group->signature.outcome)));
		keep(p, table_cell(&table, "%" PRIu64, group->count));
		keep(p, table_cell(&table, "%.1f", percent(p->x, group)));
		keep(p, table_cell(&table, "%s", seeds));
		keep(p, table_cell(&table, "%s", group->signature.text));
	}
	if (p->rc == 0)
		p->rc = table_render(&table, "  ", &p->out);
	table_done(&table);
}

/* What of a group does not fit the table. */
static void add_group(struct page *p, size_t number)
{
	const struct tally_group *group = &p->x->tally.groups[number];
	_cleanup_free_ char *again = explore_again_command(p->x, group);
	_cleanup_free_ char *run = explore_kept_run(p->x, group);
	char seeds[400];

	seeds_text(group, p->x->options->is_verbose ? TALLY_FIRST_SEEDS : SEEDS_TOLD, seeds,
		   sizeof(seeds));
	ADD(p, "\n%zu. seed%s %s\n", number + 1, group->count > 1 ? "s" : "", seeds);
	if (run)
		ADD(p, "   run file      %s\n", run);
	keep(p, again ? 0 : -ENOMEM);
	if (again && subject_is_virtual(&p->x->subject))
		ADD(p, "   run it again  %s\n", again);
}

/* "workers 8 -> 2"; nothing where neither is known or there is none. */
static void add_change(struct page *p, const char *name, uint64_t before, uint64_t after)
{
	if (before > 0 || after > 0)
		ADD(p, "   %-12s  %" PRIu64 " -> %" PRIu64 "\n", name, before, after);
}

static void add_figures(struct page *p, const struct shrunk *s)
{
	add_change(p, "size", s->before.size, s->after.size);
	add_change(p, "values", s->before.values, s->after.values);
	add_change(p, "steps", s->before.steps, s->after.steps);
	if (s->before.has_run && s->after.has_run) {
		add_change(p, "workers", s->before.workers, s->after.workers);
		add_change(p, "cgroups", s->before.cgroups, s->after.cgroups);
		add_change(p, "CPUs", s->before.cpus, s->after.cpus);
		ADD(p, "   %-12s  %.2f -> %.2f\n", "seconds",
		    (double)s->before.scenario_ns / NS_PER_S,
		    (double)s->after.scenario_ns / NS_PER_S);
	}
}

static void add_shrunk(struct page *p)
{
	const struct shrunk *s = p->x->shrunk;
	char took[32];

	if (!s)
		return;
	progress_duration(s->took_ns, took, sizeof(took));
	ADD(p, "\n%s: %s\n", s->path ? "shrunk" : "not shrunk", s->signature.text);
	if (s->path)
		add_figures(p, s);
	ADD(p,
	    "   %-12s  %" PRIu64 " of %" PRIu64 " scenarios still failed so, in %" PRIu64
	    " runs and %s\n",
	    "tried", s->taken, s->tries, s->runs, took);
	if (s->problem)
		ADD(p, "   %-12s  %s\n", "note", s->problem);
	if (s->path)
		ADD(p, "   %-12s  %s\n", "file", s->path);
	if (s->command)
		ADD(p, "   %-12s  %s\n", "run it", s->command);
}

static void add_last_line(struct page *p)
{
	const struct tally *tally = &p->x->tally;
	uint64_t failed = tally_count(tally, KTSTR_OUTCOME_FAIL);
	uint64_t all = tally->last - tally->first + 1;
	char took[32];

	progress_duration(p->x->elapsed_ns, took, sizeof(took));
	ADD(p, "\n%s: %" PRIu64 " of %" PRIu64 " seeds failed", outcome_name(explore_outcome(p->x)),
	    failed, tally->done);
	if (tally->passed + failed < tally->done)
		ADD(p, ", %" PRIu64 " did not pass either", tally->done - tally->passed - failed);
	if (tally->done < all)
		ADD(p, ", %" PRIu64 " of %" PRIu64 " were not run", all - tally->done, all);
	ADD(p, "; %s\n", took);
}

static int show_text(const struct exploration *x, struct ktstr_error *err)
{
	struct page page = { .x = x }, *p = &page;
	int rc;

	ADD(p, "exploration of %s, seeds %" PRIu64 "..%" PRIu64 "\n", x->subject.name,
	    x->tally.first, x->tally.last);
	ADD(p, "  %" PRIu64 " passed, %s\n", x->tally.passed, x->folder);
	if (x->tally.group_count > 0) {
		ADD(p, "\n");
		add_table(p);
	}
	for (size_t i = 0; i < x->tally.group_count; i++)
		add_group(p, i);
	add_shrunk(p);
	add_last_line(p);
	if (page.rc < 0)
		rc = ktstr_fail(err, page.rc, "cannot write the report: %s", strerror(-page.rc));
	else
		rc = report_print(x->options->out, str_text(&page.out), err);
	str_done(&page.out);
	return rc;
}

int explore_show(const struct exploration *x, struct ktstr_error *err)
{
	json_t *json = explore_document(x);
	_cleanup_free_ char *path = str_format("%s/" EXPLORE_DOCUMENT, x->folder);
	_cleanup_free_ char *text =
		json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
	int rc = 0;

	if (!text || !path)
		rc = ktstr_fail(err, -ENOMEM, "cannot write the report: out of memory");
	else if (io_replace_file(path, text, strlen(text), err) < 0)
		log_warning("%s", err->text);
	if (rc == 0)
		rc = x->options->is_json ? report_dump(x->options->out, json, err)
					 : show_text(x, err);
	json_decref(json);
	return rc;
}
