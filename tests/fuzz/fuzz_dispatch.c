/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dispatch and the watchdog, with clocks that jump as they like: an input is a budget and what
 * happens, one event after the other.
 */
#include <string.h>

#include "base/cleanup.h"
#include "coord/dispatch.h"
#include "coord/watchdog.h"
#include "fuzz/fuzz.h"
#include "wire/types.h"

/* The first bytes of an input. */
struct settings {
	uint64_t budget_ns;
	uint64_t boot_timeout_ns;
	uint64_t teardown_timeout_ns;
	uint8_t has_kernel_ops;
};

#define EVENT_FRAME 0u	/* with a right CRC */
#define EVENT_TORN 1u	/* with a wrong one */
#define EVENT_FROZEN 2u /* the guest stood still for the time */
#define EVENT_SERVED 3u /* the queues were emptied */
#define EVENT_KINDS 4u

struct event {
	uint64_t time_ns;
	uint8_t kind;
	uint8_t type;	/* number of its row; beyond them: a type that is not known */
	uint8_t length; /* of the payload that follows */
};

struct reader {
	const uint8_t *data;
	size_t left;
};

/* False: the input is over. */
static bool take(struct reader *reader, void *ret, size_t size)
{
	if (reader->left < size)
		return false;
	if (size > 0)
		memcpy(ret, reader->data, size);
	reader->data += size;
	reader->left -= size;
	return true;
}

static bool take_settings(struct reader *reader, struct settings *ret)
{
	return take(reader, &ret->budget_ns, sizeof(ret->budget_ns)) &&
	       take(reader, &ret->boot_timeout_ns, sizeof(ret->boot_timeout_ns)) &&
	       take(reader, &ret->teardown_timeout_ns, sizeof(ret->teardown_timeout_ns)) &&
	       take(reader, &ret->has_kernel_ops, sizeof(ret->has_kernel_ops));
}

static bool take_event(struct reader *reader, struct event *ret)
{
	return take(reader, &ret->time_ns, sizeof(ret->time_ns)) &&
	       take(reader, &ret->kind, sizeof(ret->kind)) &&
	       take(reader, &ret->type, sizeof(ret->type)) &&
	       take(reader, &ret->length, sizeof(ret->length));
}

struct world {
	struct coord_spec spec;
	struct coord_result result;
	struct dispatch_sinks *sinks; /* of the result */
	struct dispatch_kernel_ops kernel_ops;
};

static uint64_t later(uint64_t from_ns, uint64_t duration_ns)
{
	uint64_t sum;

	return __builtin_add_overflow(from_ns, duration_ns, &sum) ? UINT64_MAX : sum;
}

/* Whatever the guest sends, there is a limit, and none that it can put off for ever. */
static void check_limit(const struct world *world)
{
	const struct dispatch_sinks *sinks = world->sinks;
	struct watchdog_limit limit = watchdog_limit(&world->spec, &world->result);
	uint64_t budget = sinks->workload_duration_ns;

	FUZZ_REQUIRE(limit.what && strcmp(coord_end_name(limit.end), "unknown") != 0);
	if (sinks->has_end)
		FUZZ_REQUIRE(limit.at_ns == UINT64_MAX);
	else if (sinks->scenario_start_ns != 0 && !sinks->is_scenario_ended && budget > 0)
		FUZZ_REQUIRE(limit.at_ns <=
			     later(sinks->scenario_start_ns,
				   later(later(budget, budget),
					 WATCHDOG_PAUSE_MAX_NS + WATCHDOG_FREEZE_MAX_NS)));
}

static void check_sinks(const struct world *world, const struct dispatch_sinks *before)
{
	const struct dispatch_sinks *sinks = world->sinks;

	FUZZ_REQUIRE(before->scenario_start_ns == 0 ||
		     before->scenario_start_ns == sinks->scenario_start_ns);
	FUZZ_REQUIRE(before->kern_virt_kaslr_plus_1 == 0 ||
		     before->kern_virt_kaslr_plus_1 == sinks->kern_virt_kaslr_plus_1);
	FUZZ_REQUIRE(!before->has_end ||
		     memcmp(&before->end, &sinks->end, sizeof(sinks->end)) == 0);
	FUZZ_REQUIRE(before->is_ready <= sinks->is_ready && before->kill <= sinks->kill);
	FUZZ_REQUIRE(sinks->snapshot_count <= DISPATCH_SNAPSHOTS_MAX);
	FUZZ_REQUIRE(sinks->unknown_count <= DISPATCH_UNKNOWN_MAX);
	FUZZ_REQUIRE(world->kernel_ops.count <= DISPATCH_KERNEL_OPS_MAX);
	FUZZ_REQUIRE(sinks->frozen_ns <= WATCHDOG_FREEZE_MAX_NS);
}

/* A torn frame counts, and does nothing else. */
static void check_torn(const struct world *world, struct dispatch_sinks *before)
{
	const struct dispatch_sinks *sinks = world->sinks;

	before->bucketed = sinks->bucketed;
	before->dropped_torn = sinks->dropped_torn;
	before->dropped_unknown = sinks->dropped_unknown;
	before->unknown_count = sinks->unknown_count;
	memcpy(before->unknown_types, sinks->unknown_types, sizeof(before->unknown_types));
	FUZZ_REQUIRE(memcmp(before, sinks, sizeof(*before)) == 0);
}

static void send(struct world *world, const struct event *event, const uint8_t *payload)
{
	static struct dispatch_sinks before; /* too large for a stack */
	struct dispatch_sinks *sinks = world->sinks;
	struct bulk_message message = {
		.length = event->length,
		.crc_ok = event->kind == EVENT_FRAME,
		.header = payload,
		.payload = payload,
	};
	size_t count;
	const struct wire_type *types = wire_types(&count);
	bool is_known = event->type < count, is_kept;

	message.msg_type = is_known ? types[event->type].msg_type : event->type;
	before = *sinks;
	is_kept = dispatch_bulk_message(&message, event->time_ns, sinks);
	FUZZ_REQUIRE(sinks->bucketed == before.bucketed + is_kept);
	FUZZ_REQUIRE(!is_kept || (is_known && !types[event->type].is_internal));
	/* As the loop does. */
	if (sinks->is_ready && world->result.ready_ns == 0)
		world->result.ready_ns = event->time_ns;
	if (sinks->is_scenario_ended && world->result.scenario_end_ns == 0)
		world->result.scenario_end_ns = event->time_ns;
	check_sinks(world, &before);
	if (!message.crc_ok)
		check_torn(world, &before);
}

static void serve(struct world *world)
{
	world->sinks->snapshot_count = 0;
	world->kernel_ops.count = 0;
	world->sinks->refused_id = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct reader reader = { data, size };
	struct settings settings;
	struct event event;
	uint8_t payload[UINT8_MAX];

	if (!take_settings(&reader, &settings))
		return 0;
	memset(&world, 0, sizeof(world));
	world.spec.boot_timeout_ns = settings.boot_timeout_ns;
	world.spec.teardown_timeout_ns = settings.teardown_timeout_ns;
	world.sinks = &world.result.sinks;
	dispatch_init(world.sinks);
	world.sinks->workload_duration_ns = settings.budget_ns;
	world.sinks->kernel_text_link_kva = UINT64_C(0xffffffff81000000);
	if (settings.has_kernel_ops & 1)
		world.sinks->kernel_ops = &world.kernel_ops;
	while (take_event(&reader, &event) && take(&reader, payload, event.length)) {
		event.kind %= EVENT_KINDS;
		if (event.kind == EVENT_FROZEN)
			watchdog_extend(world.sinks, event.time_ns);
		else if (event.kind == EVENT_SERVED)
			serve(&world);
		else
			send(&world, &event, payload);
		check_limit(&world);
	}
	return 0;
}
