/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/internal.h"

#include <string.h>
#include <sys/wait.h>

static void drain(struct coord *c, bool (*take)(struct coord *c, size_t max))
{
	const size_t piece = (size_t)64 * 1024;

	for (size_t taken = 0; taken < COORD_DRAIN_MAX && take(c, piece); taken += piece)
		;
}

/* A sentence for an end that nobody announced. */
static void decide_late(struct coord *c)
{
	int status = c->result->qemu_status;
	double at_s = (double)c->result->gone_ns / NS_PER_S;
	const char *said = c->qemu_last[0] ? ": " : "";

	if (c->is_decided)
		return;
	if (c->is_powered_off)
		coord_decide(c, COORD_END_GUEST_SHUTDOWN,
			     "the guest powered off without ending its stream %.1f s after the "
			     "start",
			     at_s);
	else if (c->is_killed)
		coord_decide(
			c, COORD_END_VM_GONE,
			"QEMU closed its channels before the guest's stream ended, and did not "
			"end by itself%s%s",
			said, c->qemu_last);
	else if (WIFSIGNALED(status))
		coord_decide(c, COORD_END_VM_GONE,
			     "QEMU was killed by SIG%s %.1f s after the "
			     "start%s%s",
			     sigabbrev_np(WTERMSIG(status)), at_s, said, c->qemu_last);
	else
		coord_decide(c, COORD_END_VM_GONE,
			     "QEMU ended with status %d before the guest's "
			     "stream did, %.1f s after the start%s%s",
			     WEXITSTATUS(status), at_s, said, c->qemu_last);
}

/* What the console said is known only now, when its line is whole. */
static void complete_text(struct coord *c)
{
	struct coord_result *result = c->result;
	const struct console *console = result->end == COORD_END_PANIC	       ? &c->com1
					: result->end == COORD_END_AGENT_CRASH ? &c->com2
									       : NULL;
	size_t length = strlen(result->text);

	if (console && console->has_latched_line)
		(void)snprintf(result->text + length, sizeof(result->text) - length, ": %.400s",
			       console->latched_line);
}

void coord_finish(struct coord *c)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;

	c->result->gone_ns = coord_now(c);
	drain(c, stream_bulk);
	drain(c, stream_com2);
	drain(c, stream_com1);
	drain(c, stream_stderr);
	coord_poll_monitor(c);
	console_finish(&c->com1);
	console_finish(&c->com2);
	console_finish(&c->qemu);
	if (ops && ops->wait)
		c->result->qemu_status = ops->wait(c->spec->vm);
	record_flush(c, &c->com1_buffer);
	record_flush(c, &c->com2_buffer);
	record_milestone(c, COORD_TIMING_GONE, c->result->gone_ns);
	decide_late(c);
	complete_text(c);
	record_end(c);
}
