/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs side by side: one table with a column for each, from their verdicts and run files. */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "judge/verdict.h"
#include "ktstr/error.h"
#include "report/report.h"

#define COMPARE_RUNS_MAX 8
#define COMPARE_LABEL_MAX 48

/* One run as it is handed in. All borrowed, until comparison_free(). */
struct compare_run {
	const char *label;     /* of its column; NULL: the scheduler's name */
	const char *scheduler; /* as it was asked for: "vtime,slice=5ms"; NULL: what was recorded */
	const struct verdict *verdict; /* NULL: there is none */
	const char *problem;	       /* why there is none */
	bool is_left_out;	       /* it was never started */
	int exit_code;
	struct report_spec report; /* of a run with a verdict */
};

/* What a row is of. */
enum compare_part {
	COMPARE_RUN,
	COMPARE_SCHEDULER,
	COMPARE_CHECKER,
	COMPARE_CGROUP,
};

/* A figure, or words, or neither where the run has none. */
struct compare_cell {
	bool has_value;
	double value;
	char text[COMPARE_LABEL_MAX]; /* "": none */
};

struct compare_row {
	enum compare_part part;
	char *subject; /* of which checker or cgroup; "": of the run */
	char *name;    /* "longest gap"; of a checker's outcome COMPARE_OUTCOME */
	char *unit;    /* "": counted */
	struct compare_cell cells[COMPARE_RUNS_MAX];
};

#define COMPARE_OUTCOME "outcome"
#define COMPARE_VERDICT "verdict"

/* A run, as the table's column. */
struct compare_column {
	const struct compare_run *run;
	char label[COMPARE_LABEL_MAX]; /* unlike all others: "eevdf", or "eevdf #1" and "eevdf #2"
					*/
	char *scheduler;	       /* with its parameters: "vtime,slice=5ms" */
	uint32_t outcome;	       /* ERROR where there is no verdict */
};

struct comparison {
	char *scenario; /* its name; "" when no run tells */
	struct compare_column columns[COMPARE_RUNS_MAX];
	size_t column_count;
	struct compare_row *rows; /* in the order of their parts */
	size_t row_count;
	size_t row_size;
	uint32_t outcome; /* of all, by compare_outcome() */
};

/*
 * The outcome of several runs: the first of FAIL, ERROR, UNDECIDED, SKIP that one of them has, else
 * PASS. So a FAIL is hidden by nothing, and a PASS needs a PASS of every run.
 */
uint32_t compare_outcome(const uint32_t *outcomes, size_t count);

/* Read the run files and lay out the table. @count: 1 to COMPARE_RUNS_MAX. */
int comparison_new(const struct compare_run *runs, size_t count, struct comparison **ret,
		   struct ktstr_error *err);
void comparison_free(struct comparison *comparison);

/* How much a cell differs from that of the first column. False: one of them has no figure. */
bool compare_difference(const struct compare_row *row, size_t column, double *ret);
/* The same in percent of the first one; false where that is zero too. */
bool compare_percent(const struct compare_row *row, size_t column, double *ret);

struct compare_style {
	bool has_colour;
	bool is_verbose; /* every checker's metric and every cgroup */
};

/*
 * For a person: the table, where each run is, why one did not pass. The last line starts with the
 * outcome's name. Not wider than 80 columns with three runs.
 */
int comparison_text(FILE *out, const struct comparison *comparison,
		    const struct compare_style *style, struct ktstr_error *err);

/*
 * One JSON document:
 *
 * - schema_version, kind: "comparison", exit_code
 * - outcome: of all; scenario: its name
 * - runs: for each its document, of kind "verdict" or "error" (report.h)
 * - table: {columns: [{label, scheduler, outcome, is_left_out}],
 *   rows: [{part, subject, name, unit, cells: [{value, text, difference, difference_percent}]}]};
 *   part "run", "scheduler", "checker" or "cgroup"; one cell for each column; in a cell null is
 * what there is not
 */
int comparison_json(FILE *out, const struct comparison *comparison, struct ktstr_error *err);

#endif
