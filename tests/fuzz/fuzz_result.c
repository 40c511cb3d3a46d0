/* SPDX-License-Identifier: GPL-2.0-only */
/* What comes through the pipe of ktstr-judge. Each input once as it is, and once with CRCs put
 * right. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "judge/result.h"
#include "wire/frame.h"

static void decode(const uint8_t *data, size_t size)
{
	struct decision decision = { 0 };

	if (result_decode(data, size, &decision) < 0) {
		FUZZ_REQUIRE(decision.finding_count == 0 && !decision.findings);
		FUZZ_REQUIRE(decision.outcome == KTSTR_OUTCOME_NONE);
		return;
	}
	FUZZ_REQUIRE(decision.outcome > KTSTR_OUTCOME_NONE &&
		     decision.outcome <= KTSTR_OUTCOME_ERROR);
	FUZZ_REQUIRE(decision.finding_count <= RESULT_FINDINGS_MAX);
	for (size_t i = 0; i < decision.finding_count; i++) {
		FUZZ_REQUIRE(isfinite(decision.findings[i].measured));
		FUZZ_REQUIRE(isfinite(decision.findings[i].limit));
		FUZZ_REQUIRE(!decision.findings[i].text ||
			     !memchr(decision.findings[i].text, '\x1b',
				     strlen(decision.findings[i].text)));
	}
	decision_done(&decision);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = malloc(size + 1);
	struct ktstr_frame_header header;

	if (!copy)
		return 0;
	decode(data, size);
	if (size > 0)
		memcpy(copy, data, size);
	for (size_t at = 0; size - at >= WIRE_HEADER_SIZE; at += WIRE_HEADER_SIZE + header.length) {
		wire_header_decode(copy + at, &header);
		if (header.length > size - at - WIRE_HEADER_SIZE)
			break;
		header.crc32 = wire_crc32(0, copy + at + WIRE_HEADER_SIZE, header.length);
		memcpy(copy + at + 8, &header.crc32, sizeof(header.crc32));
	}
	decode(copy, size);
	return 0;
}
