/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/compare.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "report/checkers.h"
#include "report/facts.h"
#include "report/figure.h"

/* Rows of a table, whatever the run files hold. */
#define ROWS_MAX 16384

/* What is filled in from one run: the row of a name, and the run's cell in it. */
struct filler {
	struct comparison *comparison;
	size_t column;
	size_t next; /* the row that is looked at first: runs are much alike */
	int rc;	     /* the first failure */
};

/* Where a row is looked for, and made when it is not there. */
struct place {
	enum compare_part part;
	const char *subject;
	const char *name;
	const char *unit;
};

static bool is_same_subject(const struct compare_row *row, const struct place *place)
{
	return row->part == place->part && strcmp(row->subject, place->subject) == 0;
}

static bool is_place(const struct compare_row *row, const struct place *place)
{
	return is_same_subject(row, place) && strcmp(row->name, place->name) == 0 &&
	       strcmp(row->unit, place->unit) == 0;
}

/* A copy that is safe for a terminal. */
static char *copy_line(const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length + 1);

	return copy ? str_copy_line(copy, length + 1, text, length) : NULL;
}

static void row_done(struct compare_row *row)
{
	free(row->subject);
	free(row->name);
	free(row->unit);
}

static int make_room(struct comparison *c)
{
	size_t size = c->row_size ? c->row_size * 2 : 64;
	struct compare_row *more;

	if (c->row_count < c->row_size)
		return 0;
	more = realloc(c->rows, size * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->rows = more;
	c->row_size = size;
	return 0;
}

/* Make the row, after the last one of its subject or else of its part. */
static int insert_row(struct comparison *c, const struct place *place, struct compare_row **ret)
{
	struct compare_row row = { .part = place->part,
				   .subject = copy_line(place->subject),
				   .name = copy_line(place->name),
				   .unit = copy_line(place->unit) };
	size_t at = 0;

	if (!row.subject || !row.name || !row.unit || make_room(c) < 0) {
		row_done(&row);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->row_count; i++)
		if (c->rows[i].part <= place->part)
			at = i + 1;
	for (size_t i = 0; i < c->row_count; i++)
		if (is_same_subject(&c->rows[i], place))
			at = i + 1;
	memmove(&c->rows[at + 1], &c->rows[at], (c->row_count - at) * sizeof(*c->rows));
	c->rows[at] = row;
	c->row_count++;
	*ret = &c->rows[at];
	return 0;
}

/* The cell of the run in hand, or NULL. */
static struct compare_cell *cell_of(struct filler *f, const struct place *place)
{
	struct comparison *c = f->comparison;
	struct compare_row *row = NULL;

	for (size_t i = 0; i < c->row_count && !row; i++) {
		struct compare_row *candidate = &c->rows[(f->next + i) % c->row_count];

		if (is_place(candidate, place))
			row = candidate;
	}
	if (!row && c->row_count >= ROWS_MAX)
		return NULL;
	if (!row && f->rc == 0)
		f->rc = insert_row(c, place, &row);
	if (!row)
		return NULL;
	f->next = (size_t)(row - c->rows) + 1;
	return &row->cells[f->column];
}

static void put_value(struct filler *f, const struct place *place, double value)
{
	struct compare_cell *cell = isfinite(value) ? cell_of(f, place) : NULL;

	if (!cell)
		return;
	cell->has_value = true;
	cell->value = value;
}

static void put_text(struct filler *f, const struct place *place, const char *text)
{
	struct compare_cell *cell = cell_of(f, place);

	if (cell)
		str_copy_line(cell->text, sizeof(cell->text), text, strlen(text));
}

static void fill_run(struct filler *f, const struct facts *facts)
{
	const struct wake *wake = &facts->wake;
	uint64_t gap_ns = 0;

	for (size_t i = 0; i < facts->cgroup_count; i++)
		if (facts->cgroups[i].max_gap_ns > gap_ns)
			gap_ns = facts->cgroups[i].max_gap_ns;
	const struct {
		const char *name, *unit;
		bool is_there;
		double value;
	} figures[] = {
		{ "scenario", "s", facts->scenario_ns > 0,
		  (double)facts->scenario_ns / (double)NS_PER_S },
		{ "iterations", "", facts->worker_total > 0, (double)facts->iterations },
		{ "migrations", "", facts->worker_total > 0, (double)facts->migrations },
		{ "longest gap", "ms", facts->worker_total > 0,
		  (double)gap_ns / (double)NS_PER_MS },
		{ "wake-up p50", "us", wake->weight > 0, wake_percentile(wake, 0.5) / 1e3 },
		{ "wake-up p99", "us", wake->weight > 0, wake_percentile(wake, 0.99) / 1e3 },
		{ "wake-up max", "us", wake->weight > 0, wake->max_ns / 1e3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const struct place place = { COMPARE_RUN, "", figures[i].name, figures[i].unit };

		if (figures[i].is_there)
			put_value(f, &place, figures[i].value);
	}
}

/* "enq_skip_exiting" of SCX_EV_ENQ_SKIP_EXITING. */
static void event_name(char *target, size_t size, const char *event)
{
	static const char prefix[] = "SCX_EV_";

	str_copy(target, size, str_starts(event, prefix) ? event + strlen(prefix) : event);
	for (char *c = target; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static void fill_events(struct filler *f, const struct scx_facts *scx)
{
	for (size_t i = 0; i < scx->event_count; i++) {
		const struct ktstr_scx_event *event = &scx->events[i];
		char whole[sizeof(event->name) + 1], name[sizeof(whole)];
		struct place place = { COMPARE_SCHEDULER, "", name, "" };

		(void)snprintf(whole, sizeof(whole), "%.*s", (int)sizeof(event->name), event->name);
		event_name(name, sizeof(name), whole);
		if (str_ends(name, "duration"))
			place.unit = "ms";
		put_value(f, &place,
			  (double)event->value / (place.unit[0] ? (double)NS_PER_MS : 1.0));
	}
}

/* What sched_ext says of the scheduler, and how it ended. */
static void fill_scheduler(struct filler *f, const struct scx_facts *scx, const struct scx *life)
{
	const char *exit = life->has_exit ? ktstr_scx_exit_name(life->exit_kind) : NULL;
	const struct place exit_place = { COMPARE_SCHEDULER, "", "exit", "" };
	uint64_t insns = 0, start_ns = scx->times_ns[KTSTR_SCHED_TIME_START];

	for (size_t i = 0; i < scx->program_count; i++)
		insns += scx->programs[i].verified_insns;
	const struct {
		const char *name, *unit;
		bool is_there;
		double value;
	} figures[] = {
		{ "start", "ms", start_ns > 0, (double)start_ns / (double)NS_PER_MS },
		{ "verified instructions", "", scx->program_count > 0, (double)insns },
		{ "rejected tasks", "", scx->has_state && scx->ops[0],
		  (double)scx->state.nr_rejected },
	};

	/* It stands first, also where the first run has none. */
	put_text(f, &exit_place, exit ? exit : "");
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const struct place place = { COMPARE_SCHEDULER, "", figures[i].name,
					     figures[i].unit };

		if (figures[i].is_there)
			put_value(f, &place, figures[i].value);
	}
	fill_events(f, scx);
}

/* "gap", and "gap #2" for the second one of that name. */
static char *number_subject(const char *name, size_t number)
{
	return number > 1 ? str_format("%s #%zu", name, number) : strdup(name);
}

static void fill_checker(struct filler *f, const struct decision *d, const char *subject)
{
	const struct place outcome = { COMPARE_CHECKER, subject, COMPARE_OUTCOME, "" };

	put_text(f, &outcome, outcome_name(d->outcome));
	for (size_t i = 0; i < d->finding_count; i++) {
		size_t same;
		const struct finding *worst = decision_worst(d, i, &same);
		const struct place place = { COMPARE_CHECKER, subject, worst ? worst->metric : "",
					     worst && worst->unit ? worst->unit : "" };

		if (worst)
			put_value(f, &place, worst->measured);
	}
}

static void fill_checkers(struct filler *f, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->decision_count && f->rc == 0; i++) {
		const struct decision *d = &verdict->decisions[i];
		_cleanup_free_ char *subject = NULL;
		size_t number = 1;

		for (size_t j = 0; j < i; j++)
			number += strcmp(verdict->decisions[j].name, d->name) == 0;
		subject = number_subject(d->name, number);
		if (!subject)
			f->rc = -ENOMEM;
		else
			fill_checker(f, d, subject);
	}
}

static void fill_cgroup(struct filler *f, const struct facts_cgroup *cgroup, const char *subject)
{
	double spread = 0;
	bool has_spread = facts_spread(cgroup, &spread);
	const struct {
		const char *name, *unit;
		bool is_there;
		double value;
	} figures[] = {
		{ "CPU", "%", cgroup->wall_ns > 0,
		  facts_cpu_percent(cgroup->cpu_ns, cgroup->wall_ns) },
		{ "spread", "%", has_spread, spread },
		{ "longest gap", "ms", true, (double)cgroup->max_gap_ns / (double)NS_PER_MS },
		{ "iterations", "", true, (double)cgroup->iterations },
		{ "migrations", "", true, (double)cgroup->migrations },
		{ "incomplete workers", "", cgroup->incomplete > 0, cgroup->incomplete },
	};

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		const struct place place = { COMPARE_CGROUP, subject, figures[i].name,
					     figures[i].unit };

		if (figures[i].is_there)
			put_value(f, &place, figures[i].value);
	}
}

static void fill_cgroups(struct filler *f, const struct facts *facts)
{
	for (size_t i = 0; i < facts->cgroup_count && f->rc == 0; i++) {
		const struct facts_cgroup *cgroup = &facts->cgroups[i];
		_cleanup_free_ char *subject = NULL;
		size_t number = 1;

		if (cgroup->workers == 0)
			continue;
		/* One that was removed and made again has its name twice. */
		for (size_t j = 0; j < i; j++)
			number += facts->cgroups[j].workers > 0 &&
				  strcmp(facts->cgroups[j].name, cgroup->name) == 0;
		subject = number_subject(cgroup->name, number);
		if (!subject)
			f->rc = -ENOMEM;
		else
			fill_cgroup(f, cgroup, subject);
	}
}

/* What runs of one comparison have in common, but for the scheduler. */
static void fill_environment(struct filler *f, const struct meta *meta)
{
	const struct ktstr_topology *t = &meta->topology;
	char cpus[24], seed[24];
	const struct {
		const char *name, *text;
	} members[] = {
		{ "scenario", meta->scenario_name },
		{ "kernel", meta->kernel_release },
		{ "accel", meta->accel },
		{ "CPUs", cpus },
		{ "seed", seed },
	};

	(void)snprintf(cpus, sizeof(cpus), "%" PRIu64, (uint64_t)t->llcs * t->cores * t->threads);
	(void)snprintf(seed, sizeof(seed), "%" PRIu64, meta->seed);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const struct place place = { COMPARE_RUN, "", members[i].name, "" };

		if (members[i].text[0])
			put_text(f, &place, members[i].text);
	}
}

/* Do all runs that have words here have the same? */
static bool is_common(const struct compare_row *row, size_t count)
{
	const char *first = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!row->cells[i].text[0])
			continue;
		if (first && strcmp(first, row->cells[i].text) != 0)
			return false;
		first = row->cells[i].text;
	}
	return first != NULL;
}

static bool is_empty(const struct compare_row *row, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (row->cells[i].has_value || row->cells[i].text[0])
			return false;
	return true;
}

/* Rows of the environment are there only where the runs differ, and none without anything. */
static void drop_rows(struct comparison *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->row_count; i++) {
		struct compare_row *row = &c->rows[i];

		if (is_empty(row, c->column_count) ||
		    (row->part == COMPARE_RUN && strcmp(row->name, COMPARE_VERDICT) != 0 &&
		     is_common(row, c->column_count)))
			row_done(row);
		else
			c->rows[kept++] = *row;
	}
	c->row_count = kept;
}

/* "vtime,slice=5ms" as --scheduler takes it; parameters that it cannot write are left out. */
static char *scheduler_text(const struct compare_run *run, const struct meta *meta)
{
	const struct node *params = meta ? meta->scheduler_params : NULL;
	struct str out = { 0 };
	char *safe;
	int rc;

	if (run->scheduler)
		return copy_line(run->scheduler);
	rc = str_add(&out, meta && meta->scheduler[0] ? meta->scheduler : "?");
	for (size_t i = 0; params && params->kind == NODE_MAP && i < params->child_count; i++) {
		const struct node *child = params->children[i];

		if (rc == 0 && child->kind == NODE_SCALAR)
			rc = str_addf(&out, ",%s=%s", child->key, child->text);
	}
	safe = rc == 0 ? copy_line(str_text(&out)) : NULL;
	str_done(&out);
	return safe;
}

/* The plugin's name: what stands before parameters, without folder and ending. */
static void name_column(struct compare_column *column, const struct meta *meta)
{
	const char *name = column->scheduler;
	const char *slash;
	size_t length = strcspn(name, ",");

	if (column->run->label) {
		str_copy(column->label, sizeof(column->label), column->run->label);
		return;
	}
	if (meta && meta->scheduler[0]) {
		str_copy_line(column->label, sizeof(column->label), meta->scheduler,
			      strlen(meta->scheduler));
		return;
	}
	slash = memrchr(name, '/', length);
	if (slash) {
		length -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	(void)snprintf(column->label, sizeof(column->label), "%.*s", (int)length, name);
	if (str_ends(column->label, ".so"))
		column->label[strlen(column->label) - 3] = '\0';
}

/* Columns of one name are numbered. */
static void number_columns(struct comparison *c)
{
	size_t numbers[COMPARE_RUNS_MAX] = { 0 };

	for (size_t i = 0; i < c->column_count; i++) {
		size_t same = 0;

		for (size_t j = 0; j < c->column_count; j++) {
			if (strcmp(c->columns[j].label, c->columns[i].label) != 0)
				continue;
			same++;
			numbers[i] += j <= i;
		}
		if (same == 1)
			numbers[i] = 0;
	}
	for (size_t i = 0; i < c->column_count; i++) {
		char *label = c->columns[i].label;
		char name[COMPARE_LABEL_MAX - 5];

		str_copy(name, sizeof(name), label);
		if (numbers[i] > 0)
			(void)snprintf(label, COMPARE_LABEL_MAX, "%s #%zu", name, numbers[i] % 100);
	}
}

static int make_columns(struct comparison *c, const struct compare_run *runs,
			struct facts *const *facts)
{
	uint32_t outcomes[COMPARE_RUNS_MAX];

	for (size_t i = 0; i < c->column_count; i++) {
		struct compare_column *column = &c->columns[i];
		const struct meta *meta = facts[i] ? facts[i]->meta : NULL;

		column->run = &runs[i];
		column->outcome = runs[i].verdict ? runs[i].verdict->outcome : KTSTR_OUTCOME_ERROR;
		outcomes[i] = column->outcome;
		column->scheduler = scheduler_text(&runs[i], meta);
		if (!column->scheduler)
			return -ENOMEM;
		name_column(column, meta);
		if (!c->scenario && meta && meta->scenario_name[0])
			c->scenario = copy_line(meta->scenario_name);
	}
	number_columns(c);
	c->outcome = compare_outcome(outcomes, c->column_count);
	c->scenario = c->scenario ? c->scenario : strdup("");
	return c->scenario ? 0 : -ENOMEM;
}

/* The part of one run in the table. */
static int fill(struct comparison *c, size_t column, const struct facts *facts)
{
	const struct place verdict = { COMPARE_RUN, "", COMPARE_VERDICT, "" };
	const struct compare_run *run = c->columns[column].run;
	struct filler f = { .comparison = c, .column = column };

	put_text(&f, &verdict,
		 run->is_left_out ? "not run" : outcome_name(c->columns[column].outcome));
	if (!facts)
		return f.rc;
	if (facts->meta)
		fill_environment(&f, facts->meta);
	fill_run(&f, facts);
	fill_scheduler(&f, &facts->scx, &run->verdict->evidence.scx);
	fill_checkers(&f, run->verdict);
	fill_cgroups(&f, facts);
	return f.rc;
}

uint32_t compare_outcome(const uint32_t *outcomes, size_t count)
{
	static const uint32_t order[] = { KTSTR_OUTCOME_FAIL, KTSTR_OUTCOME_ERROR,
					  KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_SKIP };
	bool is_pass = count > 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t j = 0; j < count; j++)
			if (outcomes[j] == order[i])
				return order[i];
	for (size_t i = 0; i < count; i++)
		is_pass = is_pass && outcomes[i] == KTSTR_OUTCOME_PASS;
	return is_pass ? KTSTR_OUTCOME_PASS : KTSTR_OUTCOME_ERROR;
}

int comparison_new(const struct compare_run *runs, size_t count, struct comparison **ret,
		   struct ktstr_error *err)
{
	struct facts *facts[COMPARE_RUNS_MAX] = { NULL };
	struct comparison *c;
	int rc = 0;

	assert(count > 0 && count <= COMPARE_RUNS_MAX);
	c = calloc(1, sizeof(*c));
	if (!c)
		return ktstr_fail(err, -ENOMEM, "cannot compare the runs: out of memory");
	c->column_count = count;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (runs[i].verdict)
			rc = facts_read(runs[i].report.run_fd, runs[i].report.run_path, &facts[i],
					err);
	if (rc == 0) {
		int fill_rc = make_columns(c, runs, facts);

		for (size_t i = 0; i < count && fill_rc == 0; i++)
			fill_rc = fill(c, i, facts[i]);
		if (fill_rc < 0)
			rc = ktstr_fail(err, fill_rc, "cannot compare the runs: out of memory");
		drop_rows(c);
	}
	for (size_t i = 0; i < count; i++)
		facts_free(facts[i]);
	if (rc < 0)
		comparison_free(c);
	else
		*ret = c;
	return rc;
}

void comparison_free(struct comparison *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->column_count; i++)
		free(c->columns[i].scheduler);
	for (size_t i = 0; i < c->row_count; i++)
		row_done(&c->rows[i]);
	free(c->rows);
	free(c->scenario);
	free(c);
}

bool compare_difference(const struct compare_row *row, size_t column, double *ret)
{
	if (column == 0 || !row->cells[0].has_value || !row->cells[column].has_value)
		return false;
	*ret = row->cells[column].value - row->cells[0].value;
	return true;
}

bool compare_percent(const struct compare_row *row, size_t column, double *ret)
{
	double difference;

	if (!compare_difference(row, column, &difference) || row->cells[0].value == 0)
		return false;
	*ret = 100.0 * difference / fabs(row->cells[0].value);
	return isfinite(*ret);
}
