/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/compare.h"

#include <errno.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "report/meta.h"

static json_t *difference_json(bool is_there, double value)
{
	return is_there ? json_real(value) : json_null();
}

static json_t *cell_json(const struct compare_row *row, size_t column)
{
	const struct compare_cell *cell = &row->cells[column];
	double difference = 0, percent = 0;
	bool has_difference = compare_difference(row, column, &difference);
	bool has_percent = compare_percent(row, column, &percent);

	return json_pack("{so so so so}", "value", difference_json(cell->has_value, cell->value),
			 "text", json_text(cell->text[0] ? cell->text : NULL), "difference",
			 difference_json(has_difference, difference), "difference_percent",
			 difference_json(has_percent, percent));
}

static json_t *row_json(const struct comparison *c, const struct compare_row *row)
{
	static const char *const parts[] = {
		[COMPARE_RUN] = "run",
		[COMPARE_SCHEDULER] = "scheduler",
		[COMPARE_CHECKER] = "checker",
		[COMPARE_CGROUP] = "cgroup",
	};
	json_t *cells = json_array();

	for (size_t i = 0; i < c->column_count; i++)
		json_add(&cells, cell_json(row, i));
	return json_pack("{ss so so so so}", "part", parts[row->part], "subject",
			 json_text(row->subject), "name", json_text(row->name), "unit",
			 json_text(row->unit), "cells", cells);
}

static json_t *table_json(const struct comparison *c)
{
	json_t *columns = json_array(), *rows = json_array();

	for (size_t i = 0; i < c->column_count; i++) {
		const struct compare_column *column = &c->columns[i];

		json_add(&columns, json_pack("{so so ss sb}", "label", json_text(column->label),
					     "scheduler", json_text(column->scheduler), "outcome",
					     outcome_name(column->outcome), "is_left_out",
					     (int)column->run->is_left_out));
	}
	for (size_t i = 0; i < c->row_count; i++)
		json_add(&rows, row_json(c, &c->rows[i]));
	return json_pack("{so so}", "columns", columns, "rows", rows);
}

/* The document of each run. */
static int runs_json(const struct comparison *c, json_t **ret, struct ktstr_error *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->column_count; i++) {
		const struct compare_run *run = c->columns[i].run;
		json_t *json = NULL;
		int rc = 0;

		if (run->verdict)
			rc = report_document(run->verdict, &run->report, &json, err);
		else
			json = report_error_document(run->exit_code,
						     run->problem ? run->problem : "");
		if (rc < 0) {
			json_decref(list);
			return rc;
		}
		json_add(&list, json);
	}
	*ret = list;
	return 0;
}

int comparison_json(FILE *out, const struct comparison *c, struct ktstr_error *err)
{
	json_t *runs = NULL;
	json_t *json;
	int rc = runs_json(c, &runs, err);

	if (rc < 0)
		return rc;
	json = json_pack("{si ss si ss so so so}", "schema_version", REPORT_SCHEMA_VERSION, "kind",
			 "comparison", "exit_code", verdict_exit_code(c->outcome), "outcome",
			 outcome_name(c->outcome), "scenario", json_text(c->scenario), "runs", runs,
			 "table", table_json(c));
	rc = report_dump(out, json, err);
	json_decref(json);
	return rc;
}
