/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "coord/watchdog.h"
#include "wire/types.h"

/* How long QEMU may take to end after it was asked to. */
#define QUIT_NS NS_PER_S
/* How long a guest that powered off, or a QEMU that closed its channels, may take to be gone. */
#define GOING_NS (2 * NS_PER_S)

/* How long a guest may take that ends its run by itself because its time is over. */
#define OVERDUE_NS (20 * NS_PER_S)

/* What follows each way to end. */
static const struct {
	const char *name;
	uint64_t grace_ns; /* before QEMU is made to end */
	bool is_hosts;	   /* which counts the host's time, also where limits do not */
	uint8_t wake;	   /* byte that the guest is told; 0: none */
	bool then_kill;	   /* without asking QEMU */
} ends[] = {
	[COORD_END_STREAM] = { "stream end", 2 * NS_PER_S, false, WIRE_WAKE_STREAM_RECEIVED,
			       false },
	/* A failure that is expected needs the whole stream, on a machine that is busy, too. */
	[COORD_END_SCHED_EXIT] = { "scheduler exit", 4 * NS_PER_S, false, 0, false },
	[COORD_END_PANIC] = { "kernel panic", 300 * NS_PER_MS, false, 0, true },
	[COORD_END_AGENT_CRASH] = { "agent crash", 300 * NS_PER_MS, false, 0, true },
	[COORD_END_VM_GONE] = { "VM gone", GOING_NS, false, 0, true },
	[COORD_END_VM_ERROR] = { "VM error", 0, false, 0, true },
	[COORD_END_BOOT_TIMEOUT] = { "boot timeout", 0, false, 0, false },
	[COORD_END_WATCHDOG] = { "watchdog", 1500 * NS_PER_MS, false, WIRE_WAKE_SHUTDOWN, false },
	[COORD_END_TEARDOWN_TIMEOUT] = { "teardown timeout", 0, false, 0, false },
	[COORD_END_INTERRUPTED] = { "interrupted", 3 * NS_PER_S, true, WIRE_WAKE_SHUTDOWN, false },
	[COORD_END_RECORD_FAILED] = { "record failed", 0, false, 0, true },
	[COORD_END_GUEST_SHUTDOWN] = { "guest shutdown", GOING_NS, false, 0, false },
	[COORD_END_INTERNAL] = { "internal error", 0, false, 0, true },
	[COORD_END_STOPPED] = { "stopped", 0, false, 0, true },
};

const char *coord_end_name(enum coord_end end)
{
	return (size_t)end < ARRAY_SIZE(ends) ? ends[end].name : "unknown";
}

bool coord_end_cuts_short(enum coord_end end)
{
	return (size_t)end < ARRAY_SIZE(ends) && ends[end].wake == WIRE_WAKE_SHUTDOWN;
}

static uint64_t grace(const struct coord *c, uint64_t grace_ns)
{
	return c->spec->grace_divisor > 0 ? grace_ns / c->spec->grace_divisor : grace_ns;
}

static void hasten(uint64_t *deadline_ns, uint64_t new_ns)
{
	if (new_ns < *deadline_ns)
		*deadline_ns = new_ns;
}

/* What was granted before can only become less. */
static void wind(struct coord *c, uint64_t grace_ns, bool is_hosts, bool then_kill)
{
	if (c->stage == STAGE_GONE)
		return;
	if (is_hosts)
		hasten(&c->stage_deadline_ns, coord_now(c) + grace(c, grace_ns));
	else
		hasten(&c->stage_deadline_spent_ns, coord_spent(c) + grace(c, grace_ns));
	if (c->stage == STAGE_RUNNING)
		c->stage = STAGE_WINDING;
	c->then_kill = c->then_kill || then_kill;
}

void coord_hasten(struct coord *c)
{
	wind(c, 0, true, false);
}

void coord_let_go(struct coord *c, bool then_kill)
{
	wind(c, GOING_NS, false, then_kill);
}

/* Tell the agent one byte, once. Where it does not fit nobody listens. */
static void wake_guest(struct coord *c, uint8_t wake)
{
	if (wake == 0 || wake == c->last_wake || c->fds[SOURCE_CONSOLE] < 0)
		return;
	/* A file has taken all there is, and no run is to depend on when the guest hears it. */
	if (wake == WIRE_WAKE_STREAM_RECEIVED && c->spec->are_files)
		return;
	c->last_wake = wake;
	if (send(c->fds[SOURCE_CONSOLE], &wake, sizeof(wake), MSG_NOSIGNAL) < 0 &&
	    wake == WIRE_WAKE_SHUTDOWN)
		record_warning(c, "the guest could not be asked to end the run");
}

__attribute__((format(printf, 3, 0))) static void note_end(struct coord *c, enum coord_end end,
							   const char *format, va_list args)
{
	if (c->is_decided)
		return;
	c->is_decided = true;
	c->result->end = end;
	(void)vsnprintf(c->result->text, sizeof(c->result->text), format, args);
	if (c->observer && c->observer->decided)
		c->observer->decided(c->observer->arg, end);
}

void coord_decide(struct coord *c, enum coord_end end, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_end(c, end, format, args);
	va_end(args);
	wind(c, ends[end].grace_ns, ends[end].is_hosts, ends[end].then_kill);
	wake_guest(c, ends[end].wake);
}

void coord_note_overdue(struct coord *c, enum coord_end end, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_end(c, end, format, args);
	va_end(args);
	wind(c, OVERDUE_NS, false, false);
}

void coord_kill_vm(struct coord *c)
{
	c->is_killed = true;
	if (c->spec->vm_ops && c->spec->vm_ops->kill)
		c->spec->vm_ops->kill(c->spec->vm);
	c->stage = STAGE_GONE;
}

static void quit_vm(struct coord *c)
{
	struct ktstr_error err = { 0 };

	if (c->then_kill || !c->spec->vm_ops || !c->spec->vm_ops->quit ||
	    c->spec->vm_ops->quit(c->spec->vm, &err) < 0) {
		coord_kill_vm(c);
		return;
	}
	c->stage = STAGE_QUITTING;
	c->stage_deadline_ns = coord_now(c) + grace(c, QUIT_NS);
}

/* How long the VM waited for a CPU since the start of what the limit is for, rounded up to ticks so
 * that a limit does not creep. Threads that wait at once do not count twice. */
static void note_cpu_wait(struct coord *c, uint64_t now_ns)
{
	uint64_t all_ns = coord_cpu_wait(c);
	uint64_t wait_ns = all_ns > c->ready_cpu_wait_ns ? all_ns - c->ready_cpu_wait_ns : 0;
	uint64_t elapsed_ns = now_ns - c->result->ready_ns;

	wait_ns = wait_ns < elapsed_ns ? wait_ns : elapsed_ns;
	wait_ns = (wait_ns + COORD_TICK_NS - 1) / COORD_TICK_NS * COORD_TICK_NS;
	if (wait_ns > c->result->cpu_wait_ns)
		c->result->cpu_wait_ns = wait_ns;
}

/* "2.1 s after the start", or how much a VM in virtual time had of the host. */
static void describe_time(const struct coord *c, enum coord_end end, char *text, size_t size)
{
	double wait_s = (double)c->result->cpu_wait_ns / NS_PER_S;
	int length;

	if (coord_is_virtual(c)) {
		(void)snprintf(text, size, "%.1f s of CPU time", (double)c->cpu_time_ns / NS_PER_S);
		return;
	}
	length = snprintf(text, size, "%.1f s after the start", (double)coord_now(c) / NS_PER_S);
	if (end == COORD_END_BOOT_TIMEOUT && wait_s >= 1)
		(void)snprintf(text + length, size - (size_t)length,
			       ", %.1f s of them without a CPU of the host", wait_s);
}

static void check_limit(struct coord *c)
{
	struct watchdog_limit limit = watchdog_limit(c->spec, c->result);
	uint64_t spent_ns = coord_spent(c);
	char when[100];

	if (spent_ns >= limit.at_ns && limit.end == COORD_END_BOOT_TIMEOUT &&
	    !coord_is_virtual(c)) {
		note_cpu_wait(c, spent_ns);
		limit = watchdog_limit(c->spec, c->result);
	}
	if (spent_ns < limit.at_ns)
		return;
	describe_time(c, limit.end, when, sizeof(when));
	coord_decide(c, limit.end, "%s (%s)", limit.what, when);
}

void coord_check_deadlines(struct coord *c)
{
	switch (c->stage) {
	case STAGE_RUNNING:
		check_limit(c);
		break;
	case STAGE_WINDING:
		if (coord_now(c) >= c->stage_deadline_ns ||
		    coord_spent(c) >= c->stage_deadline_spent_ns)
			quit_vm(c);
		break;
	case STAGE_QUITTING:
		if (coord_now(c) >= c->stage_deadline_ns)
			coord_kill_vm(c);
		break;
	case STAGE_GONE:
		break;
	}
}

/* The host's time is known before it has come; what a VM spends is looked at with each tick. */
uint64_t coord_next_deadline(const struct coord *c)
{
	uint64_t deadline_ns = c->stage == STAGE_RUNNING ? UINT64_MAX : c->stage_deadline_ns;

	if (coord_is_virtual(c) || c->stage == STAGE_QUITTING)
		return deadline_ns;
	hasten(&deadline_ns, c->stage == STAGE_RUNNING ? watchdog_limit(c->spec, c->result).at_ns
						       : c->stage_deadline_spent_ns);
	return deadline_ns;
}

/* In virtual time a guest is never idle: its waits are passed over. */
void coord_check_progress(struct coord *c, uint64_t now_ns)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	uint64_t nothing_ns;

	if (!coord_is_virtual(c) || !ops || !ops->cpu_time_ns || c->stage > STAGE_WINDING)
		return;
	(void)coord_spent(c);
	nothing_ns = progress_look(&c->progress, c->cpu_time_ns, now_ns);
	if (nothing_ns > 0 && ops->is_withheld && ops->is_withheld(c->spec->vm)) {
		progress_excuse(&c->progress);
		nothing_ns = 0;
	}
	if (nothing_ns >= grace(c, COORD_STUCK_NS))
		coord_decide(c, COORD_END_VM_ERROR, "QEMU has not done anything for %.0f s",
			     (double)nothing_ns / NS_PER_S);
}
