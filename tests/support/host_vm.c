/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/host_vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "runfile/reader.h"
#include "wire/types.h"

struct host_vm host;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	size_t length = strlen(host.log);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(host.log + length, sizeof(host.log) - length, format, args);
	va_end(args);
}

static int freeze(void *vm, struct ktstr_error *err)
{
	struct timespec time = { .tv_nsec = (long)host.freeze_ns };

	(void)vm;
	if (host.freeze_error)
		return ktstr_fail(err, host.freeze_error, "it runs too fast");
	note("freeze ");
	cr_assert_not(host.is_frozen);
	host.is_frozen = true;
	host.freezes++;
	(void)nanosleep(&time, NULL); /* what is measured is that it takes time */
	return 0;
}

static int thaw(void *vm, struct ktstr_error *err)
{
	(void)vm;
	if (host.thaw_error)
		return ktstr_fail(err, host.thaw_error, "it is stuck");
	note("thaw ");
	cr_assert(host.is_frozen);
	host.is_frozen = false;
	host.hits += host.hits_at_thaw;
	host.hits_at_thaw = 0;
	return 0;
}

static int registers(void *vm, struct runfile_cpu *ret, uint32_t max, uint32_t *ret_count,
		     struct ktstr_error *err)
{
	(void)vm;
	cr_assert(host.is_frozen);
	if (host.registers_error)
		return ktstr_fail(err, host.registers_error, "no registers today");
	note("registers ");
	cr_assert_geq(max, 2);
	memset(ret, 0, 2 * sizeof(*ret));
	ret[0].rip = 0x1111;
	ret[1].rip = 0x2222;
	*ret_count = 2;
	return 0;
}

static int find(uint64_t address, size_t length, struct ktstr_error *err)
{
	if (address < HOST_VM_AT || address - HOST_VM_AT + length > HOST_VM_BYTES)
		return ktstr_fail(err, -EFAULT, "nothing is there");
	return 0;
}

static int read_memory(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		       uint64_t address, void *to, size_t length, struct ktstr_error *err)
{
	int rc = find(address, length, err);

	(void)vm;
	(void)addrs;
	if (rc < 0)
		return rc;
	note("read(%lu,%zu,%u) ", address - HOST_VM_AT, length, target);
	memcpy(to, host.memory + (address - HOST_VM_AT), length);
	return 0;
}

static int write_memory(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
			uint64_t address, const void *from, size_t length, struct ktstr_error *err)
{
	int rc = find(address, length, err);

	(void)vm;
	(void)addrs;
	if (rc < 0)
		return rc;
	note("write(%lu,%zu,%u) ", address - HOST_VM_AT, length, target);
	memcpy(host.memory + (address - HOST_VM_AT), from, length);
	return 0;
}

static int watch(void *vm, uint32_t slot, uint64_t address, uint32_t length,
		 struct ktstr_error *err)
{
	(void)vm;
	cr_assert(host.is_frozen);
	if (host.watch_error)
		return ktstr_fail(err, host.watch_error, "QEMU refuses");
	note("watch(%u,%lu,%u) ", slot, address - HOST_VM_AT, length);
	return 0;
}

static int unwatch(void *vm, uint32_t slot, struct ktstr_error *err)
{
	(void)vm;
	(void)err;
	cr_assert(host.is_frozen);
	note("unwatch(%u) ", slot);
	return 0;
}

static int watch_hit(void *vm, uint32_t *ret_slot, uint32_t *ret_cpu, struct ktstr_error *err)
{
	uint64_t more = 0;

	(void)vm;
	if (host.hits == 0 && read(host.hits_fd, &more, sizeof(more)) == sizeof(more))
		host.hits = more;
	if (host.hits == 999)
		return ktstr_fail(err, -EPIPE, "QEMU's debugger port is gone");
	if (host.hits == 0)
		return 0;
	host.hits--;
	host.memory[0]++; /* it was written */
	*ret_slot = 1;
	*ret_cpu = 1;
	return 1;
}

static int hold(void *vm, struct ktstr_error *err)
{
	struct timespec time = { .tv_nsec = (long)host.freeze_ns };

	(void)vm;
	if (host.failing_holds > 0) {
		host.failing_holds--;
		note("failed ");
		return ktstr_fail(err, -EAGAIN, "it does not stand still");
	}
	note("hold ");
	host.is_frozen = true;
	(void)nanosleep(&time, NULL); /* as in freeze() */
	return 0;
}

/* The script finds it where replies come otherwise. */
static int answer(void *vm, const void *frames, size_t length, struct ktstr_error *err)
{
	(void)vm;
	(void)err;
	note("answer ");
	cr_assert_eq(send(f.spec.bulk_fd, frames, length, MSG_NOSIGNAL), (ssize_t)length);
	return 0;
}

static void release(void *vm)
{
	const char byte = 'g';
	char bytes[16];

	(void)vm;
	note("go ");
	host.is_frozen = false;
	if (recv(host.freeze_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		(void)send(host.freeze_fd, &byte, 1, MSG_NOSIGNAL);
}

void stand_still(void)
{
	char byte = 's';

	if (send(host.stand_fd, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recv(host.stand_fd, &byte, 1, 0) != 1)
		_exit(99);
}

void host_vm_setup(void)
{
	int ends[2];

	coord_setup();
	memset(&host, 0, sizeof(host));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	host.freeze_fd = ends[0];
	host.stand_fd = ends[1];
	host.hits_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_assert_geq(host.hits_fd, 0);
}

void host_vm_teardown(void)
{
	(void)close(host.hits_fd);
	(void)close(host.freeze_fd);
	(void)close(host.stand_fd);
	coord_teardown();
}

void run_with_host(fake_script script)
{
	struct coord_vm_ops ops;
	int rc;

	fake_vm_start(&f.vm, script, &f.spec);
	ops = *f.spec.vm_ops;
	ops.freeze = freeze;
	ops.thaw = thaw;
	ops.registers = registers;
	ops.read = read_memory;
	ops.write = write_memory;
	ops.watch = watch;
	ops.unwatch = unwatch;
	ops.watch_hit = watch_hit;
	ops.hold = hold;
	ops.answer = answer;
	ops.release = release;
	f.spec.freeze_fd = host.is_virtual ? host.freeze_fd : -1;
	f.spec.vm_ops = &ops;
	f.spec.debugger_fd = host.hits_fd;
	rc = coord_run(&f.spec, &f.result, &f.err);
	cr_assert_eq(rc, 0, "%s", f.err.text);
	fake_vm_done(&f.vm);
}

void add_addrs(struct frames *frames)
{
	const struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = 1, .page_offset_base = 2 };

	add_boot(frames);
	frames_add(frames, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs));
}

void ask(struct fake_guest *guest, struct frames *frames)
{
	fake_frames(guest, frames);
}

void add_request(struct frames *frames, uint32_t id, uint32_t kind, const char *tag)
{
	struct ktstr_snapshot_request request = { .request_id = id, .kind = kind };

	memcpy(request.tag, tag, strnlen(tag, sizeof(request.tag)));
	frames_add(frames, KTSTR_MSG_SNAPSHOT_REQUEST, &request, sizeof(request));
}

void add_range(struct frames *frames, uint32_t id, uint64_t address, uint32_t length, uint32_t kind)
{
	const struct wire_ranges ranges = { .request_id = id,
					    .count = 1,
					    .items = { { address, length, kind } } };
	uint8_t bytes[WIRE_RANGES_SIZE_MAX];

	frames_add(frames, KTSTR_MSG_SNAPSHOT_RANGES, bytes,
		   (uint32_t)wire_encode_ranges(&ranges, bytes));
}

void add_kernel_op(struct frames *frames, uint32_t id, uint8_t mode, uint8_t direction,
		   const struct wire_kernel_entry *entries, uint32_t count, const void *bytes)
{
	static uint8_t encoded[WIRE_KERNEL_REQUEST_MAX];
	static struct wire_kernel_op op;
	const uint8_t *at = bytes;

	memset(&op, 0, sizeof(op));
	op.request_id = id;
	op.mode = mode;
	op.direction = direction;
	strcpy(op.tag, "poke");
	for (uint32_t i = 0; i < count; i++) {
		if (wire_kernel_op_add(&op, &entries[i], at) < 0)
			abort();
		at += direction == WIRE_KERNEL_WRITE ? entries[i].length : 0;
	}
	frames_add(frames, KTSTR_MSG_KERNEL_OP_REQUEST, encoded,
		   (uint32_t)wire_encode_kernel_op(&op, encoded));
}

/* The next frame from the host, its payload in static memory. */
static const void *receive(struct fake_guest *guest, uint32_t msg_type, uint32_t *ret_length,
			   int status)
{
	static uint8_t payload[WIRE_KERNEL_REPLY_MAX];
	struct ktstr_frame_header header;
	uint8_t bytes[WIRE_HEADER_SIZE];

	if (recv(guest->bulk, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		_exit(status);
	wire_header_decode(bytes, &header);
	if (header.msg_type != msg_type || header.length > sizeof(payload) ||
	    recv(guest->bulk, payload, header.length, MSG_WAITALL) != header.length ||
	    wire_crc32(0, payload, header.length) != header.crc32)
		_exit(status);
	*ret_length = header.length;
	return payload;
}

/* The child's words, where a test prints its own. */
__attribute__((noreturn)) static void fail_script(const char *said, const char *wanted, int status)
{
	(void)fprintf(stderr, "script: the host said '%s', not '%s'\n", said, wanted);
	_exit(status);
}

void expect_snapshot(struct fake_guest *guest, uint32_t id, const char *reason, int status)
{
	struct wire_snapshot_reply reply;
	uint32_t length;
	const void *payload = receive(guest, KTSTR_MSG_SNAPSHOT_REPLY, &length, status);

	if (wire_decode_snapshot_reply(payload, length, &reply) < 0 || reply.request_id != id)
		_exit(status);
	if (strcmp(reply.reason, reason) != 0 ||
	    reply.status != (reason[0] ? WIRE_SNAPSHOT_ERROR : WIRE_SNAPSHOT_OK))
		fail_script(reply.reason, reason, status);
}

struct wire_kernel_reply expect_kernel(struct fake_guest *guest, uint32_t id, const char *reason,
				       int status)
{
	struct wire_kernel_reply reply;
	uint32_t length;
	const void *payload = receive(guest, KTSTR_MSG_KERNEL_OP_REPLY, &length, status);

	if (wire_decode_kernel_reply(payload, length, &reply) < 0 || reply.request_id != id)
		_exit(status);
	if (strcmp(reply.reason, reason) != 0 || reply.is_success != (reason[0] == '\0'))
		fail_script(reply.reason, reason, status);
	return reply;
}

void finish(struct fake_guest *guest, struct frames *frames)
{
	frames_add_end(frames);
	fake_frames(guest, frames);
	wait_until_received(guest);
}

void read_captures(struct kept *ret)
{
	struct runfile_reader *reader;
	struct runfile_record record;
	const void *payload;

	memset(ret, 0, sizeof(*ret));
	cr_assert_eq(runfile_open(f.runfile, &reader, &f.err), 0, "%s", f.err.text);
	while (runfile_next(reader, &record, &payload)) {
		const char *at = payload;

		if (record.kind == RUNFILE_EVENT && record.tag == RUNFILE_EVENT_KERNEL_WRITE)
			ret->kernel_writes++;
		if (record.kind != RUNFILE_CAPTURE)
			continue;
		cr_assert_lt(ret->count, ARRAY_SIZE(ret->items));
		ret->items[ret->count].cause = record.tag;
		ret->items[ret->count].host_ns = record.host_ns;
		memcpy(&ret->items[ret->count].head, at, sizeof(struct runfile_capture));
		at += sizeof(struct runfile_capture);
		memcpy(&ret->items[ret->count].cpu, at, sizeof(struct runfile_cpu));
		at += ret->items[ret->count].head.cpu_count * sizeof(struct runfile_cpu);
		if (ret->items[ret->count].head.range_count > 0) {
			memcpy(&ret->items[ret->count].range, at, sizeof(struct runfile_range));
			at += ret->items[ret->count].head.range_count *
			      sizeof(struct runfile_range);
			memcpy(ret->items[ret->count].bytes, at,
			       ret->items[ret->count].range.length < 64
				       ? ret->items[ret->count].range.length
				       : 64);
		}
		ret->count++;
	}
	runfile_reader_free(reader);
}
