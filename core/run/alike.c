/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/alike.h"

#include <inttypes.h>
#include <string.h>

bool alike_is_known(const struct alike *alike)
{
	return alike->with_stream >= 2 && alike->with_stream == alike->runs && alike->streams == 1;
}

int alike_add(const struct alike *alike, struct str *out)
{
	if (alike->with_stream < 2)
		return str_add(out, "nothing to compare");
	if (alike_is_known(alike))
		return str_add(out, "one stream, the same in all");
	if (alike->streams == 1)
		return str_addf(out, "one stream, the same in %" PRIu32 " of %" PRIu32,
				alike->with_stream, alike->runs);
	if (alike->with_stream < alike->runs)
		return str_addf(out, "%" PRIu32 " different streams in %" PRIu32 " of %" PRIu32,
				alike->streams, alike->with_stream, alike->runs);
	return str_addf(out, "%" PRIu32 " different streams", alike->streams);
}

static int add_start(uint32_t number, const char *base, struct str *out)
{
	if (!base[0])
		return str_addf(out, "run %" PRIu32 " was booted", number);
	return str_addf(out, "run %" PRIu32 " was restored from the saved VM %s", number, base);
}

int alike_add_bases(const uint32_t numbers[2], const char *const bases[2], struct str *out)
{
	int rc;

	if (strcmp(bases[0], bases[1]) == 0)
		return 0;
	rc = add_start(numbers[0], bases[0], out);
	if (rc == 0)
		rc = str_add(out, " and ");
	if (rc == 0)
		rc = add_start(numbers[1], bases[1], out);
	return rc == 0 ? str_add(out, ", so they did not begin alike") : rc;
}
