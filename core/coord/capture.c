/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "coord/internal.h"
#include "coord/requests.h"
#include "coord/watchdog.h"

int coord_freeze(struct coord *c, struct ktstr_error *err)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	uint64_t now_ns = coord_now(c);
	int rc;

	if (c->requests.is_frozen)
		return 0;
	if (!ops || !ops->freeze || !ops->thaw)
		return ktstr_fail(err, -EOPNOTSUPP, "this run has no VM that can be stopped");
	rc = ops->freeze(c->spec->vm, err);
	if (rc < 0)
		return ktstr_prefix(err, "cannot stop the guest");
	c->requests.is_frozen = true;
	c->requests.frozen_at_ns = now_ns;
	return 0;
}

void coord_thaw(struct coord *c)
{
	struct ktstr_error err = { 0 };
	int rc;

	if (!c->requests.is_frozen || c->requests.is_held)
		return;
	watches_keep(c); /* before the guest overwrites what it ran into */
	rc = c->spec->vm_ops->thaw(c->spec->vm, &err);
	c->requests.is_frozen = false;
	/* It may have stopped again by now, and that have been read with the answer. */
	c->is_always_ready[SOURCE_DEBUGGER] = c->fds[SOURCE_DEBUGGER] >= 0;
	watchdog_extend(c->sinks, coord_now(c) - c->requests.frozen_at_ns);
	if (rc < 0)
		coord_decide(c, COORD_END_VM_ERROR, "the guest was stopped and does not go on: %s",
			     err.text);
}

int capture_check(const struct coord *c, const struct wire_ranges *ranges, struct ktstr_error *err)
{
	uint64_t bytes = 0;

	if (c->requests.capture_count == RUNFILE_CAPTURES_MAX)
		return ktstr_fail(err, -ENOSPC,
				  "%u captures are kept already, a run has no room for "
				  "more",
				  RUNFILE_CAPTURES_MAX);
	for (uint32_t i = 0; i < ranges->count; i++) {
		const struct wire_range *range = &ranges->items[i];

		if (range->kind != WIRE_RANGE_KEEP)
			return ktstr_fail(err, -EINVAL, "range[%u]: unknown kind %u", i,
					  range->kind);
		if (range->length == 0)
			return ktstr_fail(err, -EINVAL, "range[%u]: no bytes", i);
		bytes += range->length;
	}
	if (bytes > CAPTURE_BYTES_MAX)
		return ktstr_fail(err, -E2BIG,
				  "the ranges have %llu bytes, a capture keeps at most "
				  "%u",
				  (unsigned long long)bytes, CAPTURE_BYTES_MAX);
	return 0;
}

/* A record's payload while it is filled. */
struct payload {
	uint8_t *bytes;
	size_t length;
};

static void add(struct payload *payload, const void *bytes, size_t length)
{
	memcpy(payload->bytes + payload->length, bytes, length);
	payload->length += length;
}

static int add_cpus(struct coord *c, struct payload *payload, uint32_t *ret_count,
		    struct ktstr_error *err)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	/* Aligned: the capture before it has a multiple of 8 bytes. */
	struct runfile_cpu *cpus = (struct runfile_cpu *)(payload->bytes + payload->length);
	int rc;

	if (!ops->registers)
		return ktstr_fail(err, -EOPNOTSUPP, "this run has no VM whose registers are known");
	rc = ops->registers(c->spec->vm, cpus, KTSTR_CPUS_MAX, ret_count, err);
	if (rc == 0)
		payload->length += *ret_count * sizeof(*cpus);
	return rc;
}

static int add_ranges(struct coord *c, const struct wire_ranges *ranges, struct payload *payload,
		      struct ktstr_error *err)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	const struct ktstr_kern_addrs addrs = requests_kernel(c);

	if (ranges->count > 0 && !ops->read)
		return ktstr_fail(err, -EOPNOTSUPP, "this run has no VM whose memory can be read");
	for (uint32_t i = 0; i < ranges->count; i++) {
		const struct runfile_range range = { .address = ranges->items[i].address,
						     .length = ranges->items[i].length };

		add(payload, &range, sizeof(range));
	}
	for (uint32_t i = 0; i < ranges->count; i++) {
		const struct wire_range *range = &ranges->items[i];
		int rc = ops->read(c->spec->vm, &addrs, WIRE_TARGET_SYMBOL, range->address,
				   payload->bytes + payload->length, range->length, err);

		if (rc < 0)
			return ktstr_prefix(err, "range[%u]", i);
		payload->length += range->length;
	}
	return 0;
}

int capture_take(struct coord *c, const struct capture_spec *spec, struct ktstr_error *err)
{
	struct requests *requests = &c->requests;
	struct runfile_capture head = {
		.size = sizeof(head),
		.request_id = spec->request_id,
		.range_count = spec->ranges->count,
		.cpu_size = sizeof(struct runfile_cpu),
		.range_size = sizeof(struct runfile_range),
		.hit_number = spec->hit_number,
		.hit_cpu = spec->hit_cpu,
	};
	_cleanup_free_ uint8_t *bytes =
		malloc(sizeof(head) + KTSTR_CPUS_MAX * sizeof(struct runfile_cpu) +
		       WIRE_RANGES_MAX * sizeof(struct runfile_range) + CAPTURE_BYTES_MAX);
	struct payload payload = { .bytes = bytes, .length = sizeof(head) };
	int rc;

	if (!bytes)
		return ktstr_fail(err, -ENOMEM, "out of memory for a capture");
	rc = add_cpus(c, &payload, &head.cpu_count, err);
	if (rc == 0)
		rc = add_ranges(c, spec->ranges, &payload, err);
	if (rc < 0)
		return rc;
	str_copy(head.tag, sizeof(head.tag), spec->tag);
	head.frozen_ns = coord_now(c) - requests->frozen_at_ns;
	memcpy(bytes, &head, sizeof(head));
	if (!record_capture(c, spec->cause, requests->frozen_at_ns, bytes, payload.length))
		return ktstr_fail(err, -EIO, "the capture could not be recorded");
	str_copy(requests->tags[requests->capture_count++], sizeof(requests->tags[0]), spec->tag);
	return 0;
}

static void warn_of_same_tag(struct coord *c, const char *tag)
{
	char text[KTSTR_SNAPSHOT_TAG_MAX + 80];

	for (uint32_t i = 0; i < c->requests.capture_count; i++) {
		if (strcmp(c->requests.tags[i], tag) != 0)
			continue;
		(void)snprintf(text, sizeof(text),
			       "there is a capture with the tag '%s' already; both are kept", tag);
		record_warning(c, text);
		return;
	}
}

int capture_serve(struct coord *c, const struct ktstr_snapshot_request *request,
		  const struct wire_ranges *ranges, struct ktstr_error *err)
{
	char tag[KTSTR_SNAPSHOT_TAG_MAX + 1];
	const struct capture_spec spec = {
		.cause = RUNFILE_CAPTURE_REQUEST,
		.request_id = request->request_id,
		.hit_cpu = RUNFILE_CAPTURE_NO_CPU,
		.tag = tag,
		.ranges = ranges,
	};
	int rc = capture_check(c, ranges, err);

	str_copy_safe(tag, sizeof(tag), request->tag, strnlen(request->tag, sizeof(request->tag)));
	if (rc == 0 && tag[0] == '\0')
		rc = ktstr_fail(err, -EINVAL, "a capture needs a tag");
	if (rc == 0)
		rc = coord_freeze(c, err);
	if (rc < 0)
		return rc;
	warn_of_same_tag(c, tag);
	rc = capture_take(c, &spec, err);
	coord_thaw(c);
	return rc;
}
