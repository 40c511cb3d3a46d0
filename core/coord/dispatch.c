/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/dispatch.h"

#include <string.h>
#include <unistd.h>

#include "wire/payload.h"
#include "wire/types.h"

/* No kernel text of x86-64 lies below this, and KASLR moves it by at most a GiB. */
#define KERNEL_TEXT_MIN UINT64_C(0xffff800000000000)
#define KASLR_OFFSET_MAX (UINT64_C(1) << 30)

void dispatch_init(struct dispatch_sinks *sinks)
{
	*sinks = (struct dispatch_sinks){ .kill_evt = -1, .sys_rdy_evt = -1, .exit_code = -1 };
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Stamps are never 0, which means "not yet". */
static uint64_t stamp(uint64_t now_ns)
{
	return now_ns > 0 ? now_ns : 1;
}

static void signal_event(int fd)
{
	const uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return; /* the flag beside it is the truth, the eventfd only wakes */
}

/* Handlers are called for frames with a right CRC only. */
typedef void (*handler)(const struct bulk_message *message, uint64_t now_ns,
			struct dispatch_sinks *sinks);

static void on_sched_exit(const struct bulk_message *message, uint64_t now_ns,
			  struct dispatch_sinks *sinks)
{
	(void)message;
	(void)now_ns;
	if (!sinks->kill)
		signal_event(sinks->kill_evt);
	sinks->kill = true;
	sinks->is_sched_exit = true;
}

static void on_sys_rdy(const struct bulk_message *message, uint64_t now_ns,
		       struct dispatch_sinks *sinks)
{
	if (message->length > 0) {
		sinks->dropped_malformed++;
		return;
	}
	if (sinks->is_ready) {
		sinks->dropped_internal++;
		return;
	}
	sinks->is_ready = true;
	sinks->ready_ns = stamp(now_ns);
	signal_event(sinks->sys_rdy_evt);
	sinks->sys_rdy_evt = -1;
}

/* A kernel does not move: who says another address later is not believed. False: it does. */
static bool keep_first(uint64_t *kept, uint64_t value)
{
	if (*kept == 0)
		*kept = value;
	return value == 0 || value == *kept;
}

/* False: the address is none, or another one than before. */
static bool publish_kaslr(struct dispatch_sinks *sinks, uint64_t runtime)
{
	uint64_t link = sinks->kernel_text_link_kva;
	uint64_t offset_plus_1;

	if (link < KERNEL_TEXT_MIN || runtime < KERNEL_TEXT_MIN || runtime < link ||
	    runtime - link > KASLR_OFFSET_MAX)
		return runtime >= KERNEL_TEXT_MIN;
	offset_plus_1 = runtime - link + 1;
	if (keep_first(&sinks->kern_virt_kaslr_plus_1, offset_plus_1))
		return true;
	sinks->is_kaslr_divergent = true;
	return false;
}

static void on_kern_addrs(const struct bulk_message *message, uint64_t now_ns,
			  struct dispatch_sinks *sinks)
{
	struct ktstr_kern_addrs addrs;
	bool is_true;

	(void)now_ns;
	if (wire_decode_kern_addrs(message->payload, message->length, &addrs) < 0) {
		sinks->dropped_malformed++;
		return;
	}
	is_true = keep_first(&sinks->kern_phys_base_plus_1, addrs.phys_base_plus_1);
	is_true = keep_first(&sinks->page_offset_base, addrs.page_offset_base) && is_true;
	if (addrs.kernel_text_plus_1 != 0)
		is_true = publish_kaslr(sinks, addrs.kernel_text_plus_1 - 1) && is_true;
	sinks->dropped_malformed += !is_true;
}

static void refuse(struct dispatch_sinks *sinks, uint32_t msg_type, uint32_t request_id)
{
	sinks->dropped_internal++;
	sinks->refused_type = msg_type;
	sinks->refused_id = request_id;
}

static void on_snapshot_ranges(const struct bulk_message *message, uint64_t now_ns,
			       struct dispatch_sinks *sinks)
{
	(void)now_ns;
	if (wire_decode_ranges(message->payload, message->length, &sinks->newest_ranges) < 0)
		sinks->dropped_malformed++;
}

static void on_snapshot_request(const struct bulk_message *message, uint64_t now_ns,
				struct dispatch_sinks *sinks)
{
	struct wire_ranges *ranges = &sinks->newest_ranges;
	struct ktstr_snapshot_request request;

	(void)now_ns;
	if (wire_decode_snapshot_request(message->payload, message->length, &request) < 0) {
		sinks->dropped_malformed++;
		return;
	}
	if (sinks->snapshot_count == DISPATCH_SNAPSHOTS_MAX) {
		refuse(sinks, message->msg_type, request.request_id);
		return;
	}
	if (ranges->request_id != request.request_id)
		ranges->count = 0;
	sinks->snapshot_ranges[sinks->snapshot_count] = *ranges;
	sinks->snapshots_pending[sinks->snapshot_count++] = request;
	ranges->request_id = 0;
	ranges->count = 0;
}

static void on_kernel_op(const struct bulk_message *message, uint64_t now_ns,
			 struct dispatch_sinks *sinks)
{
	struct dispatch_kernel_ops *ops = sinks->kernel_ops;
	uint32_t request_id;

	(void)now_ns;
	if (!ops) {
		sinks->dropped_internal++;
	} else if (ops->count < DISPATCH_KERNEL_OPS_MAX) {
		if (wire_decode_kernel_op(message->payload, message->length,
					  &ops->items[ops->count]) < 0)
			sinks->dropped_malformed++;
		else
			ops->count++;
	} else if (wire_kernel_op_id(message->payload, message->length, &request_id) < 0) {
		sinks->dropped_malformed++;
	} else {
		refuse(sinks, message->msg_type, request_id);
	}
}

static void on_scenario_start(const struct bulk_message *message, uint64_t now_ns,
			      struct dispatch_sinks *sinks)
{
	(void)message;
	if (sinks->scenario_start_ns == 0)
		sinks->scenario_start_ns = stamp(now_ns);
	if (sinks->workload_duration_ns > 0)
		sinks->watchdog_reset_ns =
			stamp(add_saturating(now_ns, sinks->workload_duration_ns));
}

static void on_scenario_pause(const struct bulk_message *message, uint64_t now_ns,
			      struct dispatch_sinks *sinks)
{
	(void)message;
	sinks->watchdog_pause_ns = stamp(sinks->workload_duration_ns > 0 ? now_ns : 0);
}

static void on_scenario_resume(const struct bulk_message *message, uint64_t now_ns,
			       struct dispatch_sinks *sinks)
{
	uint64_t paused = sinks->watchdog_pause_ns, lasted;

	(void)message;
	if (sinks->workload_duration_ns == 0 || paused == 0)
		return;
	lasted = now_ns > paused ? now_ns - paused : 0;
	sinks->watchdog_pause_ns = 0;
	sinks->watchdog_reset_ns = add_saturating(sinks->watchdog_reset_ns, lasted);
	sinks->scenario_pause_cumulative_ns =
		add_saturating(sinks->scenario_pause_cumulative_ns, lasted);
}

static void on_scenario_end(const struct bulk_message *message, uint64_t now_ns,
			    struct dispatch_sinks *sinks)
{
	(void)message;
	if (!sinks->is_scenario_ended)
		sinks->scenario_end_ns = stamp(now_ns);
	sinks->is_scenario_ended = true;
	if (sinks->workload_duration_ns > 0)
		sinks->watchdog_reset_ns =
			stamp(add_saturating(now_ns, sinks->workload_duration_ns));
}

static void on_stimulus(const struct bulk_message *message, uint64_t now_ns,
			struct dispatch_sinks *sinks)
{
	struct ktstr_stimulus stimulus;

	(void)now_ns;
	if (wire_decode_stimulus(message->payload, message->length, &stimulus) < 0)
		return;
	if (stimulus.step_index != sinks->current_step)
		sinks->step_guest_ns = sinks->clock.now_ns;
	sinks->current_step = stimulus.step_index;
}

static void on_lifecycle(const struct bulk_message *message, uint64_t now_ns,
			 struct dispatch_sinks *sinks)
{
	(void)now_ns;
	if (message->length == 0)
		return;
	if (message->payload[0] == KTSTR_PHASE_OVERDUE)
		sinks->is_overdue = true;
	else
		sinks->last_phase = message->payload[0];
}

static void on_exit_code(const struct bulk_message *message, uint64_t now_ns,
			 struct dispatch_sinks *sinks)
{
	(void)now_ns;
	if (message->length == sizeof(int32_t) &&
	    wire_decode_i32(message->payload, message->length, &sinks->exit_code) == 0)
		sinks->has_exit = true;
}

static void on_end(const struct bulk_message *message, uint64_t now_ns,
		   struct dispatch_sinks *sinks)
{
	(void)now_ns;
	if (!sinks->has_end &&
	    wire_decode_stream_end(message->payload, message->length, &sinks->end) == 0)
		sinks->has_end = true;
}

/* What a frame does beyond being bucketed. Types without a row do nothing. */
static const struct {
	uint32_t msg_type;
	handler handle;
} handlers[] = {
	{ KTSTR_MSG_SCHED_EXIT, on_sched_exit },
	{ KTSTR_MSG_SYS_RDY, on_sys_rdy },
	{ KTSTR_MSG_KERN_ADDRS, on_kern_addrs },
	{ KTSTR_MSG_SNAPSHOT_RANGES, on_snapshot_ranges },
	{ KTSTR_MSG_SNAPSHOT_REQUEST, on_snapshot_request },
	{ KTSTR_MSG_KERNEL_OP_REQUEST, on_kernel_op },
	{ KTSTR_MSG_SCENARIO_START, on_scenario_start },
	{ KTSTR_MSG_SCENARIO_PAUSE, on_scenario_pause },
	{ KTSTR_MSG_SCENARIO_RESUME, on_scenario_resume },
	{ KTSTR_MSG_SCENARIO_END, on_scenario_end },
	{ KTSTR_MSG_STIMULUS, on_stimulus },
	{ KTSTR_MSG_LIFECYCLE, on_lifecycle },
	{ KTSTR_MSG_EXIT, on_exit_code },
	{ KTSTR_MSG_END, on_end },
};

static handler handler_find(uint32_t msg_type)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].msg_type == msg_type)
			return handlers[i].handle;
	return NULL;
}

static void drop_unknown(struct dispatch_sinks *sinks, uint32_t msg_type)
{
	sinks->dropped_unknown++;
	for (size_t i = 0; i < sinks->unknown_count; i++)
		if (sinks->unknown_types[i] == msg_type)
			return;
	if (sinks->unknown_count < DISPATCH_UNKNOWN_MAX)
		sinks->unknown_types[sinks->unknown_count++] = msg_type;
}

static void look_at_clock(const struct bulk_message *message, struct dispatch_sinks *sinks)
{
	const struct ktstr_frame frame = { .msg_type = message->msg_type,
					   .length = message->length,
					   .flags = message->crc_ok ? KTSTR_FRAME_CRC_OK : 0,
					   .payload = message->payload };

	(void)guest_clock_take(&sinks->clock, &frame);
}

bool dispatch_bulk_message(const struct bulk_message *message, uint64_t now_ns,
			   struct dispatch_sinks *sinks)
{
	const struct wire_type *type = wire_type_find(message->msg_type);
	handler handle = handler_find(message->msg_type);

	if (!type) {
		drop_unknown(sinks, message->msg_type);
		return false;
	}
	look_at_clock(message, sinks);
	if (message->crc_ok && handle)
		handle(message, now_ns, sinks);
	/* A torn death of the scheduler is the one verdict-bearing frame that is not kept. */
	if (!message->crc_ok && (type->is_internal || message->msg_type == KTSTR_MSG_SCHED_EXIT)) {
		sinks->dropped_torn++;
		return false;
	}
	if (type->is_internal) {
		sinks->dropped_internal += !handle;
		return false;
	}
	sinks->bucketed++;
	return true;
}

bool dispatch_end_matches(const struct dispatch_sinks *sinks, const struct wire_account *account)
{
	return sinks->has_end && wire_account_matches(account, &sinks->end);
}
