/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "report/table.h"

#define DECIMALS_MAX 9
/* Counts from here on are shown in thousands, millions, ... */
#define COUNT_PLAIN_MAX 1e5

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

bool figure_is_there(const struct finding *finding)
{
	return *or_empty(finding->metric) != '\0';
}

/* Units that measure; all others are counted. */
static bool is_counted(const char *unit)
{
	static const char *const measures[] = { "%",   "ns", "us",  "ms",  "s",	    "min",
						"ppm", "B",  "KiB", "MiB", "bytes", "MHz" };

	for (size_t i = 0; i < ARRAY_SIZE(measures); i++)
		if (strcmp(unit, measures[i]) == 0)
			return false;
	return true;
}

void figure_write(char target[FIGURE_MAX], double value, const char *unit)
{
	static const struct {
		double size;
		char letter;
	} scales[] = { { 1e12, 'T' }, { 1e9, 'G' }, { 1e6, 'M' }, { 1e3, 'k' } };
	double magnitude = fabs(value);

	for (size_t i = 0; i < ARRAY_SIZE(scales) && is_counted(unit) && isfinite(value) &&
			   magnitude >= COUNT_PLAIN_MAX;
	     i++) {
		if (magnitude < scales[i].size)
			continue;
		text_figure(target, FIGURE_MAX - 1, value / scales[i].size);
		(void)snprintf(target + strlen(target), 2, "%c", scales[i].letter);
		return;
	}
	text_figure(target, FIGURE_MAX, value);
}

/* Measured and limit, with as many decimals as tell them apart. */
static void write_figures(const struct finding *f, char measured[FIGURE_MAX],
			  char limit[FIGURE_MAX])
{
	const char *unit = or_empty(f->unit);

	figure_write(measured, f->measured, unit);
	figure_write(limit, f->limit, unit);
	for (int i = 0; i <= DECIMALS_MAX && f->limit_kind != KTSTR_LIMIT_NONE &&
			f->measured != f->limit && strcmp(measured, limit) == 0;
	     i++) {
		(void)snprintf(measured, FIGURE_MAX, "%.*f", i, f->measured);
		(void)snprintf(limit, FIGURE_MAX, "%.*f", i, f->limit);
	}
}

/* Append @word, in the singular where one of them was counted. */
static int add_word(const char *word, bool is_one, struct str *out)
{
	size_t length;
	int rc = text_add_safe(out, word);

	length = strlen(word);
	if (rc == 0 && is_one && length > 2 && word[length - 1] == 's' && word[length - 2] != 's')
		out->data[--out->length] = '\0';
	return rc;
}

static int add_number(const char *number, const char *unit, struct str *out)
{
	int rc = str_add(out, number);

	if (rc == 0 && *unit)
		rc = str_add(out, " ");
	return rc == 0 ? add_word(unit, is_counted(unit) && strcmp(number, "1") == 0, out) : rc;
}

/* "nothing at all" or "anything at all": what the figure says by itself. */
static bool is_plain_limit(const struct finding *f)
{
	if (f->limit_kind == KTSTR_LIMIT_AT_MOST)
		return f->limit == 0;
	return f->limit <= 0 || (f->limit <= 1 && is_counted(or_empty(f->unit)));
}

static const char *limit_words(const struct finding *f)
{
	if (f->limit_kind == KTSTR_LIMIT_AT_MOST)
		return f->measured > f->limit ? ", above " : " of at most ";
	return f->measured < f->limit ? ", below " : " of at least ";
}

int figure_add(const struct finding *f, struct str *out)
{
	const char *unit = or_empty(f->unit), *metric = or_empty(f->metric);
	char measured[FIGURE_MAX], limit[FIGURE_MAX];
	int rc;

	write_figures(f, measured, limit);
	if (*unit) {
		rc = text_add_safe(out, metric);
		if (rc == 0)
			rc = str_add(out, " ");
		if (rc == 0)
			rc = add_number(measured, unit, out);
	} else {
		rc = add_number(measured, "", out);
		if (rc == 0)
			rc = str_add(out, " ");
		if (rc == 0)
			rc = add_word(metric, strcmp(measured, "1") == 0, out);
	}
	if (rc < 0 || f->limit_kind == KTSTR_LIMIT_NONE || !isfinite(f->limit) || is_plain_limit(f))
		return rc;
	rc = str_add(out, limit_words(f));
	return rc == 0 ? add_number(limit, unit, out) : rc;
}

/* How much of its limit a finding uses up. */
static double ratio(const struct finding *f)
{
	bool is_floor = f->limit_kind == KTSTR_LIMIT_AT_LEAST;
	double over = is_floor ? f->limit : f->measured;
	double under = is_floor ? f->measured : f->limit;

	if (f->limit_kind == KTSTR_LIMIT_NONE || !isfinite(over) || !isfinite(under))
		return 0;
	/* A limit of nothing: the more, the worse. */
	return under == 0 && !is_floor ? over : under == 0 ? INFINITY : over / under;
}

bool figure_is_worse(const struct finding *a, const struct finding *b)
{
	if (a->outcome != b->outcome)
		return a->outcome > b->outcome;
	return ratio(a) > ratio(b);
}
