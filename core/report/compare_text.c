/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "report/checkers.h"
#include "report/figure.h"
#include "report/report.h"
#include "report/table.h"

/* Three columns of these, their differences and the names of rows fit 80 columns. */
#define HEADER_MAX 14
#define NAME_MAX_WIDTH 24
#define DIFFERENCE_WIDTH 7
/* Shown without --verbose. */
#define CGROUPS_SHOWN 8
#define METRICS_SHOWN 6

struct page {
	const struct comparison *comparison;
	const struct compare_style *style;
	struct str out;
	struct table table;
	size_t left_out; /* rows that only --verbose shows */
	int rc;
};

static void keep(struct page *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
}

#define ADD(p, ...) keep((p), str_addf(&(p)->out, __VA_ARGS__))

/* Cut to @width columns, at the end or, where that tells more, at the beginning. */
static void cut(char *text, size_t width, bool is_front)
{
	size_t over = text_width(text);
	char *at = text;

	if (over <= width)
		return;
	over = is_front ? over - width + 2 : width - 2;
	for (; over > 0; over--)
		do
			at++;
		while (((unsigned char)*at & 0xc0) == 0x80);
	if (!is_front) {
		memcpy(at, "..", 3);
		return;
	}
	memmove(text + 2, at, strlen(at) + 1);
	memcpy(text, "..", 2);
}

/* "+12.3%", "x1234"; of what is a percentage itself "+12.3pp". */
static void difference_text(char *target, size_t size, const struct compare_row *row, size_t column)
{
	bool is_share = strcmp(row->unit, "%") == 0;
	const char *unit = is_share ? "pp" : "%";
	double difference;

	target[0] = '\0';
	if (!compare_difference(row, column, &difference))
		return;
	/* Of nothing there is no percentage, but nothing is the same as nothing. */
	if (difference != 0 && !is_share && !compare_percent(row, column, &difference))
		return;
	if (fabs(difference) < 0.05)
		(void)snprintf(target, size, "=");
	else if (fabs(difference) < 99.95)
		(void)snprintf(target, size, "%+.1f%s", difference, unit);
	else if (fabs(difference) < 9999.5)
		(void)snprintf(target, size, "%+.0f%s", difference, unit);
	else
		(void)snprintf(target, size, "x%.0f",
			       row->cells[column].value / row->cells[0].value);
}

static void add_cell(struct page *p, const struct compare_row *row, size_t column)
{
	const struct compare_cell *cell = &row->cells[column];
	char value[FIGURE_MAX], difference[24];

	if (!cell->has_value) {
		keep(p, table_cell(&p->table, "%s", cell->text));
		return;
	}
	figure_write(value, cell->value, row->unit);
	difference_text(difference, sizeof(difference), row, column);
	if (column == 0)
		keep(p, table_cell(&p->table, "%s", value));
	else
		keep(p, table_cell(&p->table, "%s %*s", value, DIFFERENCE_WIDTH, difference));
}

static void add_row(struct page *p, const char *name, const struct compare_row *row)
{
	keep(p, table_cell(&p->table, "%s", name));
	for (size_t i = 0; i < p->comparison->column_count; i++) {
		if (row)
			add_cell(p, row, i);
		else
			keep(p, table_cell(&p->table, "%s", ""));
	}
}

/* The row of one figure: "longest gap ms". */
static void add_figure(struct page *p, const struct compare_row *row)
{
	const char *indent = row->part == COMPARE_RUN ? "" : "  ";
	char *name = str_format("%s%s%s%s", indent, row->name, row->unit[0] ? " " : "", row->unit);

	if (!name) {
		keep(p, -ENOMEM);
		return;
	}
	cut(name, NAME_MAX_WIDTH, false);
	add_row(p, name, row);
	free(name);
}

/* The line that figures of a scheduler, checker or cgroup stand below. */
static void add_subject(struct page *p, const struct compare_row *row)
{
	bool is_cgroup = row->part == COMPARE_CGROUP;
	char *subject = strdup(row->part == COMPARE_SCHEDULER ? "scheduler" : row->subject);
	char *name;

	if (subject)
		cut(subject, NAME_MAX_WIDTH - (is_cgroup ? strlen("cgroup ") : 0), is_cgroup);
	name = subject ? str_format("%s%s", is_cgroup ? "cgroup " : "", subject) : NULL;
	if (name)
		add_row(p, name, row->part == COMPARE_CHECKER ? row : NULL);
	else
		keep(p, -ENOMEM);
	free(subject);
	free(name);
}

/* Has it happened in any of the runs? */
static bool is_zero(const struct comparison *c, const struct compare_row *row)
{
	for (size_t i = 0; i < c->column_count; i++)
		if (row->cells[i].text[0] || row->cells[i].value != 0)
			return false;
	return true;
}

static bool is_shown(const struct page *p, const struct compare_row *row, size_t cgroups,
		     size_t metrics)
{
	if (p->style->is_verbose)
		return true;
	if (row->part == COMPARE_SCHEDULER)
		return !is_zero(p->comparison, row);
	return cgroups <= CGROUPS_SHOWN && metrics <= METRICS_SHOWN;
}

static void add_rows(struct page *p)
{
	const struct comparison *c = p->comparison;
	const struct compare_row *before = NULL, *shown = NULL;
	size_t cgroups = 0, metrics = 0;
	bool has_subject = false;

	for (size_t i = 0; i < c->row_count; i++) {
		const struct compare_row *row = &c->rows[i];
		bool is_new = !before || before->part != row->part ||
			      strcmp(before->subject, row->subject) != 0;

		before = row;
		has_subject = has_subject && !is_new;
		cgroups += is_new && row->part == COMPARE_CGROUP;
		metrics = is_new ? 0 : metrics + (row->part == COMPARE_CHECKER);
		if (!is_shown(p, row, cgroups, metrics)) {
			p->left_out += row->part != COMPARE_SCHEDULER;
			continue;
		}
		if (shown && shown->part != row->part)
			add_row(p, "", NULL);
		if (!has_subject && row->part != COMPARE_RUN)
			add_subject(p, row);
		if (row->part != COMPARE_CHECKER || strcmp(row->name, COMPARE_OUTCOME) != 0)
			add_figure(p, row);
		has_subject = true;
		shown = row;
	}
}

static void add_table(struct page *p)
{
	const struct comparison *c = p->comparison;
	char headers[COMPARE_RUNS_MAX][COMPARE_LABEL_MAX];
	struct table_column columns[COMPARE_RUNS_MAX + 1] = { { "", true } };

	for (size_t i = 0; i < c->column_count; i++) {
		str_copy(headers[i], sizeof(headers[i]), c->columns[i].label);
		cut(headers[i], HEADER_MAX, false);
		columns[i + 1] = (struct table_column){ .title = headers[i] };
	}
	table_init(&p->table, columns, c->column_count + 1);
	add_rows(p);
	keep(p, table_render(&p->table, "  ", &p->out));
	table_done(&p->table);
	if (p->left_out > 0)
		ADD(p, "  and %zu more rows (--verbose shows them)\n", p->left_out);
}

/* What each column is: the scheduler with its parameters, and the run. */
static void add_legend(struct page *p)
{
	static const struct table_column columns[] = { { "column", true },
						       { "scheduler", true },
						       { "run file", true } };
	const struct comparison *c = p->comparison;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < c->column_count; i++) {
		const struct compare_run *run = c->columns[i].run;

		keep(p, table_cell(&table, "%s", c->columns[i].label));
		keep(p, table_cell(&table, "%s", c->columns[i].scheduler));
		keep(p,
		     table_cell(&table, "%s",
				run->verdict && run->report.run_path ? run->report.run_path : ""));
	}
	ADD(p, "\n");
	keep(p, table_render(&table, "  ", &p->out));
	table_done(&table);
}

static const char *reason_of(const struct compare_column *column)
{
	const char *reason =
		column->run->verdict ? column->run->verdict->reason : column->run->problem;

	return reason ? reason : "";
}

/* Why each run that is no PASS is none. */
static void add_reasons(struct page *p)
{
	const struct comparison *c = p->comparison;

	ADD(p, "\n");
	for (size_t i = 0; i < c->column_count; i++) {
		const struct compare_column *column = &c->columns[i];

		if (column->outcome == KTSTR_OUTCOME_PASS)
			continue;
		ADD(p, "  ");
		keep(p, text_add_safe(&p->out, column->label));
		ADD(p, ": %s", column->run->is_left_out ? "" : outcome_name(column->outcome));
		ADD(p, "%s", column->run->is_left_out || !reason_of(column)[0] ? "" : ": ");
		keep(p, text_add_safe(&p->out, reason_of(column)));
		ADD(p, "\n");
	}
}

/* "FAIL: 1 of 3 runs passed" */
static void add_last_line(struct page *p)
{
	const struct comparison *c = p->comparison;
	size_t passed = 0;

	for (size_t i = 0; i < c->column_count; i++)
		passed += c->columns[i].outcome == KTSTR_OUTCOME_PASS;
	keep(p, outcome_add(c->outcome, 0, p->style->has_colour, &p->out));
	ADD(p, ": %zu of %zu runs passed\n", passed, c->column_count);
}

int comparison_text(FILE *out, const struct comparison *comparison,
		    const struct compare_style *style, struct ktstr_error *err)
{
	struct page p = { .comparison = comparison, .style = style };
	int rc = 0;

	ADD(&p, "comparison%s", comparison->scenario[0] ? " of " : "");
	keep(&p, text_add_safe(&p.out, comparison->scenario));
	if (comparison->column_count > 1) {
		ADD(&p, ", differences to ");
		keep(&p, text_add_safe(&p.out, comparison->columns[0].label));
	}
	ADD(&p, "\n\n");
	add_table(&p);
	add_legend(&p);
	add_reasons(&p);
	add_last_line(&p);
	if (p.rc < 0)
		rc = ktstr_fail(err, p.rc, "cannot write the report: %s", strerror(-p.rc));
	else
		rc = report_print(out, str_text(&p.out), err);
	str_done(&p.out);
	return rc;
}
