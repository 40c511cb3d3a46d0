/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bulk stream: assembler and dispatch. The first byte says how the rest is split, and whether
 * its CRCs are put right first. Whatever the split, the frames, what they did and what is left
 * over are the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "coord/assembler.h"
#include "coord/dispatch.h"
#include "fuzz/fuzz.h"

#define BUDGET_NS UINT64_C(1000000000)
#define LINK_KVA UINT64_C(0xffffffff81000000)

/* What one pass over a stream left behind. */
struct outcome {
	struct assembler_counters counters;
	struct dispatch_sinks sinks;
	struct wire_account account;
	uint64_t residual;
	uint64_t bucketed;
	uint64_t valid_sched_exits;
	uint32_t payloads_crc32;
};

static void take(struct outcome *outcome, const struct bulk_message *message)
{
	uint64_t now_ns = outcome->counters.frames++;

	FUZZ_REQUIRE(message->length <= KTSTR_FRAME_PAYLOAD_MAX);
	FUZZ_REQUIRE(message->payload == message->header + WIRE_HEADER_SIZE);
	outcome->payloads_crc32 =
		wire_crc32(outcome->payloads_crc32, message->payload, message->length);
	wire_account_add(&outcome->account, message->header, message->length);
	outcome->valid_sched_exits += message->crc_ok && message->msg_type == KTSTR_MSG_SCHED_EXIT;
	outcome->bucketed += dispatch_bulk_message(message, now_ns, &outcome->sinks);
}

static void check(const struct outcome *outcome)
{
	const struct dispatch_sinks *sinks = &outcome->sinks;
	uint64_t dropped = sinks->dropped_internal + sinks->dropped_unknown +
			   sinks->dropped_malformed + sinks->dropped_torn;

	FUZZ_REQUIRE(sinks->kill == (outcome->valid_sched_exits > 0));
	FUZZ_REQUIRE(sinks->bucketed == outcome->bucketed);
	FUZZ_REQUIRE(sinks->snapshot_count <= DISPATCH_SNAPSHOTS_MAX);
	FUZZ_REQUIRE(sinks->unknown_count <= DISPATCH_UNKNOWN_MAX);
	FUZZ_REQUIRE(outcome->bucketed + dropped <= outcome->account.frame_count);
}

/* @piece: bytes of each read; 0: all at once. */
static void run(const uint8_t *data, size_t size, size_t piece, struct outcome *ret)
{
	struct assembler *assembler = assembler_new();
	struct bulk_message message;

	if (!assembler)
		abort();
	memset(ret, 0, sizeof(*ret));
	dispatch_init(&ret->sinks);
	ret->sinks.workload_duration_ns = BUDGET_NS;
	ret->sinks.kernel_text_link_kva = LINK_KVA;
	for (size_t at = 0; at < size;) {
		size_t part = piece > 0 && piece < size - at ? piece : size - at;

		if (assembler_feed(assembler, data + at, part) < 0)
			abort();
		while (assembler_next(assembler, &message))
			take(ret, &message);
		at += part;
	}
	FUZZ_REQUIRE(ret->counters.frames == assembler_counters(assembler)->frames);
	ret->counters = *assembler_counters(assembler);
	ret->residual = assembler_residual(assembler);
	assembler_free(assembler);
	check(ret);
}

/* Give every whole frame the CRC that it should have. */
static void put_right(uint8_t *data, size_t size)
{
	struct ktstr_frame_header header;

	for (size_t at = 0; size - at >= WIRE_HEADER_SIZE; at += WIRE_HEADER_SIZE + header.length) {
		wire_header_decode(data + at, &header);
		if (header.length > size - at - WIRE_HEADER_SIZE)
			return;
		header.crc32 = wire_crc32(0, data + at + WIRE_HEADER_SIZE, header.length);
		memcpy(data + at + 8, &header.crc32, sizeof(header.crc32));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = NULL;
	struct outcome whole, split;

	if (size < 2)
		return 0;
	copy = malloc(size - 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 0x80)
		put_right(copy, size - 1);
	run(copy, size - 1, 0, &whole);
	run(copy, size - 1, 1 + (data[0] & 0x7f), &split);
	FUZZ_REQUIRE(memcmp(&whole, &split, sizeof(whole)) == 0);
	return 0;
}
