/* SPDX-License-Identifier: GPL-2.0-only */
#include "param/scalar.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>

#include "base/cleanup.h"
#include "param/bind.h"

static const struct {
	const char *text;
	int rc;
	int64_t value;
} durations[] = {
	{ "0", 0, 0 },
	{ "0s", 0, 0 },
	{ "5ns", 0, 5 },
	{ "10us", 0, 10000 },
	{ "250ms", 0, 250000000 },
	{ "1.5s", 0, 1500000000 },
	{ "2m", 0, 120000000000 },
	{ "1h", 0, 3600000000000 },
	{ "0.25m", 0, 15000000000 },
	{ "1.50s", 0, 1500000000 },
	{ "1.000000001s", 0, 1000000001 },
	{ "1.5000000000000000000000s", 0, 1500000000 },
	{ "9223372036854775807ns", 0, INT64_MAX },
	{ "2562047h", 0, INT64_C(2562047) * 3600000000000 },
	{ "9223372036854775808ns", -ERANGE, 0 },
	{ "99999999999999999999s", -ERANGE, 0 },
	{ "2562048h", -ERANGE, 0 },
	{ "9223372036.9s", -ERANGE, 0 },
	{ "1.0000000001s", -EINVAL, 0 },
	{ "1.5ns", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ "5", -EINVAL, 0 },
	{ "0.0", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ "-5s", -EINVAL, 0 },
	{ "+5s", -EINVAL, 0 },
	{ " 5s", -EINVAL, 0 },
	{ "5 s", -EINVAL, 0 },
	{ "5s ", -EINVAL, 0 },
	{ "5S", -EINVAL, 0 },
	{ "5sec", -EINVAL, 0 },
	{ ".5s", -EINVAL, 0 },
	{ "1.s", -EINVAL, 0 },
	{ "1..5s", -EINVAL, 0 },
	{ "1,5s", -EINVAL, 0 },
	{ "1e3s", -EINVAL, 0 },
	{ "1m30s", -EINVAL, 0 },
};

Test(scalar, durations)
{
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		int64_t ns = 99;

		cr_expect_eq(parse_duration(durations[i].text, &ns), durations[i].rc, "'%s'",
			     durations[i].text);
		cr_expect_eq(ns, durations[i].rc ? 99 : durations[i].value, "'%s' is %" PRId64,
			     durations[i].text, ns);
	}
}

static const struct {
	const char *text;
	int rc;
	int64_t value;
} sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 0, 4096 },
	{ "64K", 0, 65536 },
	{ "512M", 0, 536870912 },
	{ "2G", 0, 2147483648 },
	{ "1T", 0, 1099511627776 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "8388607T", 0, INT64_C(8388607) << 40 },
	{ "8388608T", -ERANGE, 0 },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "18446744073709551616K", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "K", -EINVAL, 0 },
	{ "1k", -EINVAL, 0 },
	{ "1KB", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1 K", -EINVAL, 0 },
};

Test(scalar, sizes)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int64_t bytes = 99;

		cr_expect_eq(parse_size(sizes[i].text, &bytes), sizes[i].rc, "'%s'", sizes[i].text);
		cr_expect_eq(bytes, sizes[i].rc ? 99 : sizes[i].value, "'%s' is %" PRId64,
			     sizes[i].text, bytes);
	}
}

static const struct {
	const char *text;
	int rc;
	int64_t value;
} ints[] = {
	{ "0", 0, 0 },
	{ "-1", 0, -1 },
	{ "007", 0, 7 },
	{ "0x1f", 0, 31 },
	{ "-0xA", 0, -10 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "-9223372036854775808", 0, INT64_MIN },
	{ "0x7fffffffffffffff", 0, INT64_MAX },
	{ "9223372036854775808", -ERANGE, 0 },
	{ "-9223372036854775809", -ERANGE, 0 },
	{ "0x10000000000000000", -ERANGE, 0 },
	{ "99999999999999999999999", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-", -EINVAL, 0 },
	{ "0x", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ "--1", -EINVAL, 0 },
	{ "1.0", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "1_000", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "99999999999999999999999x", -EINVAL, 0 },
};

Test(scalar, ints)
{
	for (size_t i = 0; i < ARRAY_SIZE(ints); i++) {
		int64_t value = 99;

		cr_expect_eq(parse_int(ints[i].text, &value), ints[i].rc, "'%s'", ints[i].text);
		cr_expect_eq(value, ints[i].rc ? 99 : ints[i].value, "'%s' is %" PRId64,
			     ints[i].text, value);
	}
}

static const struct {
	const char *text;
	int rc;
	double value;
} floats[] = {
	{ "0", 0, 0 },	       { "1.5", 0, 1.5 },	{ "-2", 0, -2 },
	{ "1e3", 0, 1000 },    { "2.5E-1", 0, 0.25 },	{ "1e+2", 0, 100 },
	{ "1e-400", 0, 0 },    { "1e400", -ERANGE, 0 }, { "", -EINVAL, 0 },
	{ "-", -EINVAL, 0 },   { ".", -EINVAL, 0 },	{ ".5", -EINVAL, 0 },
	{ "5.", -EINVAL, 0 },  { "1,5", -EINVAL, 0 },	{ "nan", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 }, { "0x1", -EINVAL, 0 },	{ "1e", -EINVAL, 0 },
	{ "1e+", -EINVAL, 0 }, { "+1", -EINVAL, 0 },	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },  { "1e3.5", -EINVAL, 0 }, { "1x", -EINVAL, 0 },
};

Test(scalar, floats)
{
	for (size_t i = 0; i < ARRAY_SIZE(floats); i++) {
		double value = 99;

		cr_expect_eq(parse_float(floats[i].text, &value), floats[i].rc, "'%s'",
			     floats[i].text);
		cr_expect_float_eq(value, floats[i].rc ? 99 : floats[i].value, 1e-12, "'%s' is %g",
				   floats[i].text, value);
	}
}

/* A plugin or a library may have set a locale with a decimal comma. */
Test(scalar, floats_ignore_the_locale)
{
	static const char *const commas[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" };
	double value = 99;

	for (size_t i = 0; i < ARRAY_SIZE(commas) && !setlocale(LC_ALL, commas[i]); i++)
		;
	cr_expect_eq(parse_float("1.5", &value), 0);
	cr_expect_float_eq(value, 1.5, 1e-12);
	cr_expect_eq(parse_float("1,5", &value), -EINVAL);
}

Test(scalar, percentages)
{
	double value = 99;

	cr_expect_eq(parse_percent("15%", &value), 0);
	cr_expect_float_eq(value, 15, 1e-12);
	cr_expect_eq(parse_percent("0.5", &value), 0);
	cr_expect_float_eq(value, 0.5, 1e-12);
	cr_expect_eq(parse_percent("%", &value), -EINVAL);
	cr_expect_eq(parse_percent("15%%", &value), -EINVAL);
	cr_expect_eq(parse_percent("15 %", &value), -EINVAL);
	cr_expect_eq(parse_percent("", &value), -EINVAL);
}
