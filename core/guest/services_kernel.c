/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/services_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "guest/symbols.h"

static_assert(KTSTR_KERNEL_RANGES_MAX == WIRE_KERNEL_ENTRIES_MAX, "as many as fit a request");
static_assert(KTSTR_KERNEL_RANGES_MAX == WIRE_RANGES_MAX, "as many as fit a request");
static_assert(KTSTR_KERNEL_WRITE_MAX == WIRE_KERNEL_WRITE_MAX, "as much as fits a request");
static_assert(KTSTR_KERNEL_READ_MAX + WIRE_KERNEL_REPLY_HEAD_SIZE +
			      KTSTR_KERNEL_RANGES_MAX * sizeof(uint32_t) <=
		      WIRE_KERNEL_REPLY_MAX,
	      "as much as fits a reply");
static_assert(KTSTR_KERNEL_HOT == WIRE_KERNEL_HOT && KTSTR_KERNEL_COLD == WIRE_KERNEL_COLD,
	      "the same words");

#define WATCHED_BYTES 4u
#define FLAGS_KNOWN (KTSTR_KERNEL_OR | KTSTR_KERNEL_DIRECT | KTSTR_KERNEL_WALK)

static int find(const char *symbol, uint64_t *ret, struct ktstr_error *err)
{
	uint64_t address = symbol_find(symbol);

	if (address == 0)
		return ktstr_fail(err, -ENOENT, "symbol '%s' not found", symbol);
	*ret = address;
	return 0;
}

static int check_ranges(const struct ktstr_kernel_range *ranges, uint32_t count, uint64_t bytes_max,
			struct ktstr_error *err)
{
	uint64_t bytes = 0;

	if (count > KTSTR_KERNEL_RANGES_MAX)
		return ktstr_fail(err, -E2BIG,
				  "%u ranges are too many, at most %u go into one call", count,
				  KTSTR_KERNEL_RANGES_MAX);
	for (uint32_t i = 0; i < count; i++) {
		if (ranges[i].length == 0)
			return ktstr_fail(err, -EINVAL, "range %u has no bytes", i);
		if (ranges[i].flags & ~FLAGS_KNOWN)
			return ktstr_fail(err, -EINVAL, "range %u has unknown flags 0x%x", i,
					  ranges[i].flags & ~FLAGS_KNOWN);
		bytes += ranges[i].length;
	}
	if (bytes > bytes_max)
		return ktstr_fail(err, -E2BIG,
				  "%llu bytes are too many, at most %llu go into one call",
				  (unsigned long long)bytes, (unsigned long long)bytes_max);
	return 0;
}

/* The address that a range means. */
static int find_range(const struct ktstr_kernel_range *range, uint64_t *ret,
		      struct ktstr_error *err)
{
	uint64_t start = 0;
	int rc = range->symbol ? find(range->symbol, &start, err) : 0;

	if (rc == 0)
		*ret = start + range->address;
	return rc;
}

int services_snapshot(struct requester *requester, const char *tag,
		      const struct ktstr_kernel_range *ranges, uint32_t count,
		      struct ktstr_error *err)
{
	struct wire_ranges sent = { 0 };
	int rc = check_ranges(ranges, count, KTSTR_KERNEL_READ_MAX, err);

	for (uint32_t i = 0; i < count && rc == 0; i++) {
		sent.items[i].length = ranges[i].length;
		sent.items[i].kind = WIRE_RANGE_KEEP;
		rc = find_range(&ranges[i], &sent.items[i].address, err);
	}
	sent.count = count;
	return rc < 0 ? rc : request_snapshot(requester, KTSTR_SNAPSHOT_CAPTURE, tag, &sent, err);
}

int services_watch(struct requester *requester, const char *symbol, struct ktstr_error *err)
{
	struct wire_ranges sent = { .count = 1 };
	int rc = find(symbol, &sent.items[0].address, err);

	sent.items[0].length = WATCHED_BYTES;
	sent.items[0].kind = WIRE_RANGE_WATCH;
	return rc < 0 ? rc : request_snapshot(requester, KTSTR_SNAPSHOT_WATCH, symbol, &sent, err);
}

static uint8_t value_of(const struct ktstr_kernel_range *range)
{
	if (range->flags & KTSTR_KERNEL_OR)
		return WIRE_VALUE_OR_U32;
	switch (range->length) {
	case 4:
		return WIRE_VALUE_U32;
	case 8:
		return WIRE_VALUE_U64;
	default:
		return WIRE_VALUE_BYTES;
	}
}

static uint8_t target_of(const struct ktstr_kernel_range *range)
{
	if (range->flags & KTSTR_KERNEL_DIRECT)
		return WIRE_TARGET_DIRECT;
	return range->flags & KTSTR_KERNEL_WALK ? WIRE_TARGET_KVA : WIRE_TARGET_SYMBOL;
}

static int add_range(struct wire_kernel_op *op, const struct ktstr_kernel_range *range,
		     uint32_t index, struct ktstr_error *err)
{
	struct wire_kernel_entry entry = {
		.target = target_of(range),
		.value = value_of(range),
		.length = range->length,
	};
	int rc = find_range(range, &entry.address, err);

	if (rc < 0)
		return rc;
	if (range->symbol)
		memcpy(entry.symbol, range->symbol, strlen(range->symbol) + 1);
	if (!range->data)
		return ktstr_fail(err, -EINVAL, "range %u has no data", index);
	if (wire_kernel_op_add(op, &entry, range->data) < 0)
		return ktstr_fail(err, -EINVAL,
				  "range %u: only a write of 4 bytes can set bits and keep the "
				  "others",
				  index);
	return 0;
}

static int kernel_op(struct requester *requester, uint8_t direction, const char *tag, uint32_t mode,
		     const struct ktstr_kernel_range *ranges, uint32_t count,
		     struct ktstr_error *err)
{
	_cleanup_free_ struct wire_kernel_op *op = calloc(1, sizeof(*op));
	uint64_t bytes_max =
		direction == WIRE_KERNEL_READ ? KTSTR_KERNEL_READ_MAX : KTSTR_KERNEL_WRITE_MAX;
	void *data[KTSTR_KERNEL_RANGES_MAX];
	int rc;

	if (!op)
		return ktstr_fail(err, -ENOMEM, "no memory for a request to the host");
	if (count == 0)
		return ktstr_fail(err, -EINVAL, "there is no range");
	if (mode > KTSTR_KERNEL_COLD)
		return ktstr_fail(err, -EINVAL, "there is no mode %u", mode);
	if (strlen(tag) > WIRE_KERNEL_TAG_MAX)
		return ktstr_fail(err, -EINVAL, "a tag has at most %u bytes", WIRE_KERNEL_TAG_MAX);
	rc = check_ranges(ranges, count, bytes_max, err);
	op->mode = (uint8_t)mode;
	op->direction = direction;
	memcpy(op->tag, tag, strlen(tag) + 1);
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		data[i] = ranges[i].data;
		rc = add_range(op, &ranges[i], i, err);
	}
	return rc < 0 ? rc : request_kernel_op(requester, op, data, err);
}

int services_kernel_read(struct requester *requester, const char *tag, uint32_t mode,
			 const struct ktstr_kernel_range *ranges, uint32_t count,
			 struct ktstr_error *err)
{
	return kernel_op(requester, WIRE_KERNEL_READ, tag, mode, ranges, count, err);
}

int services_kernel_write(struct requester *requester, const char *tag, uint32_t mode,
			  const struct ktstr_kernel_range *ranges, uint32_t count,
			  struct ktstr_error *err)
{
	return kernel_op(requester, WIRE_KERNEL_WRITE, tag, mode, ranges, count, err);
}
