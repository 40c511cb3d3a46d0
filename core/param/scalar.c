/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/scalar.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "param/bind.h"
#include "param/table.h"

/* How much of a wrong text is quoted. */
#define QUOTE_MAX 60

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first, for formatting. */
static const struct unit durations[] = {
	{ "h", 3600 * (int64_t)NS_PER_S }, { "m", 60 * (int64_t)NS_PER_S },
	{ "s", (int64_t)NS_PER_S },	   { "ms", (int64_t)NS_PER_MS },
	{ "us", (int64_t)NS_PER_US },	   { "ns", 1 },
};

static const struct unit sizes[] = {
	{ "T", INT64_C(1) << 40 },
	{ "G", INT64_C(1) << 30 },
	{ "M", INT64_C(1) << 20 },
	{ "K", INT64_C(1) << 10 },
	{ "", 1 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

int parse_bool(const char *text, int64_t *ret)
{
	static const struct {
		const char *text;
		int64_t value;
	} words[] = {
		{ "true", 1 }, { "false", 0 }, { "yes", 1 }, { "no", 0 }, { "on", 1 }, { "off", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].text, text) == 0) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

/* Digits of @base from *text on, which is left at the first other character; at least one. */
static int parse_digits(const char **text, int base, uint64_t *ret)
{
	const char *at = *text;
	uint64_t number = 0;
	bool is_too_large = false;

	for (;; at++) {
		int digit = is_digit(*at)			     ? *at - '0'
			    : base == 16 && *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
			    : base == 16 && *at >= 'A' && *at <= 'F' ? *at - 'A' + 10
								     : -1;

		if (digit < 0)
			break;
		is_too_large |= __builtin_mul_overflow(number, (uint64_t)base, &number) ||
				__builtin_add_overflow(number, (uint64_t)digit, &number);
	}
	if (at == *text)
		return -EINVAL;
	*text = at;
	if (is_too_large)
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_int(const char *text, int64_t *ret)
{
	bool is_negative = *text == '-';
	const char *at = text + is_negative;
	int base = at[0] == '0' && at[1] == 'x' ? 16 : 10;
	uint64_t number = 0;
	int rc;

	if (base == 16)
		at += 2;
	rc = parse_digits(&at, base, &number);
	if (*at)
		return -EINVAL;
	if (rc < 0)
		return rc;
	if (number > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	*ret = is_negative ? (int64_t)(0 - number) : (int64_t)number;
	return 0;
}

/* Is it [-]digits[.digits][e[+-]digits]? strtod() alone takes far more. */
static bool looks_like_float(const char *text)
{
	size_t digits;

	text += *text == '-';
	digits = strspn(text, "0123456789");
	text += digits;
	if (*text == '.') {
		size_t more = strspn(++text, "0123456789");

		digits = more ? digits : 0;
		text += more;
	}
	if (digits && (*text == 'e' || *text == 'E')) {
		text++;
		text += *text == '+' || *text == '-';
		digits = strspn(text, "0123456789");
		text += digits;
	}
	return digits && !*text;
}

int parse_float(const char *text, double *ret)
{
	locale_t c_locale;
	double number;

	if (!looks_like_float(text))
		return -EINVAL;
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c_locale)
		return -ENOMEM;
	number = strtod_l(text, NULL, c_locale);
	freelocale(c_locale);
	if (!isfinite(number))
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_percent(const char *text, double *ret)
{
	size_t length = strlen(text);
	_cleanup_free_ char *number = strdup(text);

	if (!number)
		return -ENOMEM;
	if (length > 0 && number[length - 1] == '%')
		number[length - 1] = '\0';
	return parse_float(number, ret);
}

/*
 * The digits behind a decimal point, as parts of @factor. A digit that is not worth a whole number
 * of nanoseconds is refused, so that nobody measures by what was rounded away.
 */
static int parse_fraction(const char **text, int64_t factor, int64_t *ret)
{
	const char *at = *text;
	int64_t sum = 0, parts = 10;

	if (!is_digit(*at))
		return -EINVAL;
	for (; is_digit(*at); at++) {
		int64_t worth = factor * (*at - '0');

		if (worth % parts != 0)
			return -EINVAL;
		sum += worth / parts;
		if (parts < INT64_C(1000000000000000))
			parts *= 10;
	}
	*text = at;
	*ret = sum;
	return 0;
}

int parse_duration(const char *text, int64_t *ret_ns)
{
	const char *at = text, *point;
	const struct unit *unit;
	uint64_t whole = 0;
	int64_t ns, fraction = 0;
	int rc;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	rc = parse_digits(&at, 10, &whole);
	if (rc == -EINVAL)
		return rc;
	point = at;
	if (*at == '.')
		at += 1 + strspn(at + 1, "0123456789");
	unit = find_unit(durations, ARRAY_SIZE(durations), at);
	if (!unit)
		return -EINVAL;
	if (*point == '.') {
		point++;
		if (parse_fraction(&point, unit->factor, &fraction) < 0)
			return -EINVAL;
	}
	if (rc < 0 || whole > INT64_MAX ||
	    __builtin_mul_overflow((int64_t)whole, unit->factor, &ns) ||
	    __builtin_add_overflow(ns, fraction, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

int parse_size(const char *text, int64_t *ret_bytes)
{
	const char *at = text;
	const struct unit *unit;
	uint64_t number = 0;
	int64_t bytes;
	int rc = parse_digits(&at, 10, &number);

	if (rc == -EINVAL)
		return rc;
	unit = find_unit(sizes, ARRAY_SIZE(sizes), at);
	if (!unit)
		return -EINVAL;
	if (rc < 0 || number > INT64_MAX ||
	    __builtin_mul_overflow((int64_t)number, unit->factor, &bytes))
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}

/* A limit as its type is written: in the largest unit that keeps it whole. */
static void format_limit(uint32_t type, int64_t limit, char *text, size_t size)
{
	const struct unit *units = type == KTSTR_PARAM_DURATION ? durations : sizes;

	if (type == KTSTR_PARAM_DURATION || type == KTSTR_PARAM_SIZE) {
		while (limit == 0 ? units->factor != 1 : limit % units->factor != 0)
			units++;
		(void)snprintf(text, size, "%" PRId64 "%s", limit / units->factor, units->name);
	} else {
		(void)snprintf(text, size, "%" PRId64 "%s", limit,
			       type == KTSTR_PARAM_PERCENT  ? "%"
			       : type == KTSTR_PARAM_STRING ? " bytes long"
							    : "");
	}
}

/* @side is below 0 when the value is under min, above 0 when it is over max. */
static int check_range(const struct ktstr_param *row, int side, const char *text, char *why,
		       size_t size)
{
	char limit[48];

	if (!param_has_range(row) || side == 0)
		return 0;
	format_limit(row->type, side < 0 ? row->min : row->max, limit, sizeof(limit));
	(void)snprintf(why, size, "must be at %s %s, not '%.*s'", side < 0 ? "least" : "most",
		       limit, QUOTE_MAX, text);
	return -EINVAL;
}

static int side_of_int(const struct ktstr_param *row, int64_t value)
{
	return value < row->min ? -1 : value > row->max ? 1 : 0;
}

static int side_of_float(const struct ktstr_param *row, double value)
{
	return value < (double)row->min ? -1 : value > (double)row->max ? 1 : 0;
}

/* What a type looks like, for "must be ..., not 'x'". */
static const char *expected_text(uint32_t type)
{
	static const char *const texts[] = {
		[KTSTR_PARAM_BOOL] = "true or false",
		[KTSTR_PARAM_INT] = "an integer",
		[KTSTR_PARAM_FLOAT] = "a number",
		[KTSTR_PARAM_DURATION] = "a duration like 250ms, 1.5s or 2m",
		[KTSTR_PARAM_SIZE] = "a size like 4096, 64K, 512M or 2G",
		[KTSTR_PARAM_PERCENT] = "a percentage like 15%",
	};

	return texts[type];
}

static int fail_parse(const struct ktstr_param *row, int rc, const char *text, char *why,
		      size_t size)
{
	if (rc == -ENOMEM)
		(void)snprintf(why, size, "cannot be read: out of memory");
	else if (rc == -ERANGE)
		(void)snprintf(why, size, "is out of range: '%.*s'", QUOTE_MAX, text);
	else
		(void)snprintf(why, size, "must be %s, not '%.*s'", expected_text(row->type),
			       QUOTE_MAX, text);
	return rc == -ENOMEM ? rc : -EINVAL;
}

static int fail_enum(const struct ktstr_param *row, const char *text, char *why, size_t size)
{
	struct str list = { 0 };

	/* Without memory the list is shorter, the refusal is the same. */
	for (size_t i = 0; row->choices[i]; i++)
		(void)str_addf(&list, "%s%s", i ? ", " : "", row->choices[i]);
	(void)snprintf(why, size, "must be one of %.200s, not '%.*s'", str_text(&list), QUOTE_MAX,
		       text);
	str_done(&list);
	return -EINVAL;
}

static int parse_enum(const struct ktstr_param *row, const char *text, struct ktstr_value *ret,
		      char *why, size_t size)
{
	for (int64_t i = 0; row->choices[i]; i++) {
		if (strcmp(row->choices[i], text) == 0) {
			ret->i = i;
			ret->s = row->choices[i];
			return 0;
		}
	}
	return fail_enum(row, text, why, size);
}

int scalar_parse(const struct ktstr_param *row, const char *text, struct ktstr_value *ret,
		 char *why, size_t size)
{
	int rc = 0, side = 0;

	switch (row->type) {
	case KTSTR_PARAM_BOOL:
		rc = parse_bool(text, &ret->i);
		return rc < 0 ? fail_parse(row, rc, text, why, size) : 0;
	case KTSTR_PARAM_ENUM:
		return parse_enum(row, text, ret, why, size);
	case KTSTR_PARAM_STRING:
		ret->s = text;
		side = side_of_int(row, (int64_t)strlen(text));
		break;
	case KTSTR_PARAM_INT:
		rc = parse_int(text, &ret->i);
		break;
	case KTSTR_PARAM_DURATION:
		rc = parse_duration(text, &ret->i);
		break;
	case KTSTR_PARAM_SIZE:
		rc = parse_size(text, &ret->i);
		break;
	case KTSTR_PARAM_FLOAT:
		rc = parse_float(text, &ret->f);
		break;
	case KTSTR_PARAM_PERCENT:
		rc = parse_percent(text, &ret->f);
		break;
	default:
		assert(!"a scalar type");
	}
	if (rc < 0)
		return fail_parse(row, rc, text, why, size);
	if (row->type == KTSTR_PARAM_FLOAT || row->type == KTSTR_PARAM_PERCENT)
		side = side_of_float(row, ret->f);
	else if (row->type != KTSTR_PARAM_STRING)
		side = side_of_int(row, ret->i);
	return check_range(row, side, text, why, size);
}
