/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "coord/internal.h"
#include "coord/requests.h"

/* The kernel's half of the address space. */
#define KERNEL_START UINT64_C(0xffff800000000000)

/* The range of the symbol that is to be watched, or NULL. It becomes the first, and one to keep. */
static struct wire_range *find_target(struct wire_ranges *ranges)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		struct wire_range target = ranges->items[i];

		if (target.kind != WIRE_RANGE_WATCH)
			continue;
		target.kind = WIRE_RANGE_KEEP;
		ranges->items[i] = ranges->items[0];
		ranges->items[0] = target;
		return &ranges->items[0];
	}
	return NULL;
}

/* What a watch must be. Each rule has its sentence. */
static int check_target(const struct coord *c, const char *symbol, const struct wire_range *target,
			struct ktstr_error *err)
{
	if (!target)
		return ktstr_fail(err, -ENOENT, "symbol '%s' not found", symbol);
	if (target->address == 0)
		return ktstr_fail(err, -EINVAL, "symbol '%s' has the address 0", symbol);
	if (target->address < KERNEL_START)
		return ktstr_fail(err, -EINVAL,
				  "symbol '%s': 0x%" PRIx64 " is no address of the kernel", symbol,
				  target->address);
	/* Where the kernel lies is not known: the address may be one of another layout. */
	if (c->sinks->kern_phys_base_plus_1 == 0)
		return ktstr_fail(err, -EAGAIN,
				  "symbol '%s': the guest has not said where its kernel lies in "
				  "memory",
				  symbol);
	if (target->length != 4 && target->length != 8)
		return ktstr_fail(err, -EINVAL, "symbol '%s': 4 or 8 bytes can be watched, not %u",
				  symbol, target->length);
	if (target->address % target->length != 0)
		return ktstr_fail(err, -EINVAL,
				  "symbol '%s': address 0x%" PRIx64 " is no multiple of %u", symbol,
				  target->address, target->length);
	return 0;
}

static int find_slot(const struct coord *c, const char *symbol, uint64_t address, uint32_t *ret,
		     struct ktstr_error *err)
{
	uint32_t slot = 0;

	for (uint32_t i = COORD_WATCHES_MAX; i > 0; i--) {
		const struct watch *watch = &c->requests.watches[i];

		if (!watch->is_set)
			slot = i;
		else if (watch->address == address)
			return ktstr_fail(err, -EEXIST, "symbol '%s' is watched already", symbol);
	}
	if (slot == 0)
		return ktstr_fail(err, -EBUSY, "no free slot: %u symbols are watched already",
				  COORD_WATCHES_MAX);
	*ret = slot;
	return 0;
}

static int set(struct coord *c, uint32_t slot, struct ktstr_error *err)
{
	const struct watch *watch = &c->requests.watches[slot];
	int rc = coord_freeze(c, err);

	if (rc < 0)
		return rc;
	rc = c->spec->vm_ops->watch(c->spec->vm, slot, watch->address, watch->length, err);
	coord_thaw(c);
	return rc;
}

int watch_serve(struct coord *c, const struct ktstr_snapshot_request *request,
		const struct wire_ranges *ranges, struct ktstr_error *err)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	struct watch watch = { .is_set = true,
			       .request_id = request->request_id,
			       .ranges = *ranges };
	struct wire_range *target = find_target(&watch.ranges);
	uint32_t slot = 0;
	int rc;

	str_copy_safe(watch.symbol, sizeof(watch.symbol), request->tag,
		      strnlen(request->tag, sizeof(request->tag)));
	rc = check_target(c, watch.symbol, target, err);
	if (rc == 0)
		rc = capture_check(c, &watch.ranges, err);
	if (rc == 0)
		rc = find_slot(c, watch.symbol, target->address, &slot, err);
	if (rc == 0 && (!ops || !ops->watch || !ops->unwatch || !ops->watch_hit))
		rc = ktstr_fail(err, -EOPNOTSUPP, "this run has no VM that can watch memory");
	if (rc == 0 && c->fds[SOURCE_DEBUGGER] < 0)
		rc = ktstr_fail(err, -EPIPE,
				"QEMU's debugger port is gone, so nothing can be watched");
	if (rc < 0)
		return rc;
	watch.address = target->address;
	watch.length = target->length;
	c->requests.watches[slot] = watch;
	rc = set(c, slot, err);
	if (rc < 0)
		c->requests.watches[slot].is_set = false;
	return rc;
}

/* It was watched until now, and @why it is no longer. */
static void end_watch(struct coord *c, uint32_t slot, const char *why)
{
	struct watch *watch = &c->requests.watches[slot];
	char text[KTSTR_SNAPSHOT_TAG_MAX + 400];

	if (!watch->is_set)
		return;
	watch->is_set = false;
	if (c->stage != STAGE_RUNNING)
		return; /* as all does at the end */
	(void)snprintf(text, sizeof(text), "symbol '%s' is not watched any longer: %.300s",
		       watch->symbol, why);
	record_warning(c, text);
}

/* No stop of this one for a while. The guest stands still. */
static void unset(struct coord *c, uint32_t slot)
{
	struct ktstr_error err = { 0 };

	if (c->spec->vm_ops->unwatch(c->spec->vm, slot, &err) < 0)
		end_watch(c, slot, err.text);
}

/* Not at once again: such a symbol may be one that is written all the time. */
static void rest(struct coord *c, uint32_t slot, uint64_t now_ns)
{
	struct watch *watch = &c->requests.watches[slot];

	watch->is_resting = true;
	watch->rest_until_ns = now_ns + WATCH_REST_NS;
	unset(c, slot);
}

static void keep_hit(struct coord *c, uint32_t slot, uint32_t cpu)
{
	struct watch *watch = &c->requests.watches[slot];
	uint64_t now_ns = coord_now(c);
	struct ktstr_error err = { 0 };
	const struct capture_spec spec = {
		.cause = RUNFILE_CAPTURE_WATCH,
		.request_id = watch->request_id,
		.hit_number = watch->hits + 1,
		.hit_cpu = cpu,
		.tag = watch->symbol,
		.ranges = &watch->ranges,
	};
	int rc = capture_check(c, &watch->ranges, &err);

	if (rc == 0)
		rc = capture_take(c, &spec, &err);
	watch->hits++;
	if (rc < 0 || watch->hits == WATCH_HITS_MAX) {
		unset(c, slot);
		end_watch(c, slot, rc < 0 ? err.text : "it was captured often enough");
	} else if (watch->last_hit_ns != 0 && now_ns - watch->last_hit_ns < WATCH_REST_NS) {
		rest(c, slot, now_ns);
	}
	watch->last_hit_ns = now_ns;
}

static void take_stop(struct coord *c, uint32_t slot, uint32_t cpu)
{
	if (slot > 0 && slot <= COORD_WATCHES_MAX && c->requests.watches[slot].is_set &&
	    !c->requests.watches[slot].is_resting)
		keep_hit(c, slot, cpu);
}

static void end_all(struct coord *c, const char *why)
{
	for (uint32_t slot = 1; slot <= COORD_WATCHES_MAX; slot++)
		end_watch(c, slot, why);
	coord_close_source(c, SOURCE_DEBUGGER);
}

/* 1: the guest stopped by itself. */
static int next_stop(struct coord *c, uint32_t *ret_slot, uint32_t *ret_cpu)
{
	struct ktstr_error err = { 0 };
	int rc;

	if (c->fds[SOURCE_DEBUGGER] < 0)
		return 0;
	rc = c->spec->vm_ops->watch_hit(c->spec->vm, ret_slot, ret_cpu, &err);
	if (rc < 0)
		end_all(c, err.text);
	return rc;
}

void watches_keep(struct coord *c)
{
	uint32_t slot = 0, cpu = 0;

	while (next_stop(c, &slot, &cpu) == 1)
		take_stop(c, slot, cpu);
}

void watches_look(struct coord *c)
{
	struct ktstr_error err = { 0 };
	uint32_t slot = 0, cpu = 0;

	c->is_always_ready[SOURCE_DEBUGGER] = false;
	if (next_stop(c, &slot, &cpu) != 1)
		return;
	/* It stands still already; now we are the ones who hold it. */
	if (coord_freeze(c, &err) < 0) {
		coord_decide(c, COORD_END_VM_ERROR, "the guest stopped at a watch: %s", err.text);
		return;
	}
	take_stop(c, slot, cpu);
	coord_thaw(c);
}

static void wake(struct coord *c, uint32_t slot)
{
	struct watch *watch = &c->requests.watches[slot];
	struct ktstr_error err = { 0 };
	int rc;

	watch->is_resting = false;
	rc = coord_freeze(c, &err);
	if (rc == 0)
		rc = c->spec->vm_ops->watch(c->spec->vm, slot, watch->address, watch->length, &err);
	if (rc < 0)
		end_watch(c, slot, err.text);
}

void watches_tick(struct coord *c)
{
	uint64_t now_ns = coord_now(c);

	if (!requests_guest_is_there(c))
		return;
	for (uint32_t slot = 1; slot <= COORD_WATCHES_MAX; slot++) {
		const struct watch *watch = &c->requests.watches[slot];

		if (watch->is_set && watch->is_resting && now_ns >= watch->rest_until_ns)
			wake(c, slot);
	}
	coord_thaw(c);
}
