/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/types.h"

#include "base/cleanup.h"
#include "ktstr/sched_ext.h"
#include "wire/kernel_op.h"
#include "wire/snapshot.h"

#define ANY KTSTR_FRAME_PAYLOAD_MAX
#define SCHED_LOG_MAX (64u * 1024u)

#define ROW(NAME, ...)                                                                             \
	{                                                                                          \
		.msg_type = KTSTR_MSG_##NAME, .name = #NAME, __VA_ARGS__                           \
	}
#define BETWEEN(min, max) .min_length = (min), .max_length = (max)
#define EXACTLY(type) BETWEEN(sizeof(type), sizeof(type))
#define AT_LEAST(type) BETWEEN(sizeof(type), ANY)
#define INTERNAL .is_internal = true
#define TO_GUEST .direction = WIRE_TO_GUEST

static const struct wire_type types[] = {
	ROW(STIMULUS, AT_LEAST(struct ktstr_stimulus)),
	ROW(STEP_END, AT_LEAST(struct ktstr_stimulus)),
	/* Older agents send nothing. */
	ROW(SCENARIO_START, BETWEEN(0, ANY)),
	ROW(SCENARIO_PAUSE, BETWEEN(0, ANY)),
	ROW(SCENARIO_RESUME, BETWEEN(0, ANY)),
	/* Older agents send only elapsed_ms. */
	ROW(SCENARIO_END, AT_LEAST(uint64_t)),
	ROW(EXIT, EXACTLY(int32_t)),
	ROW(TEST_RESULT, AT_LEAST(struct ktstr_test_result)),
	ROW(SCHED_EXIT, AT_LEAST(int32_t)),
	ROW(CRASH, BETWEEN(0, ANY)),
	ROW(PAYLOAD_METRICS, BETWEEN(0, ANY)),
	ROW(RAW_PAYLOAD_OUTPUT, BETWEEN(0, ANY)),
	ROW(PROFRAW, BETWEEN(0, ANY)),
	ROW(WPROF_TRACE, BETWEEN(0, ANY)),
	ROW(STDOUT, BETWEEN(0, ANY)),
	ROW(STDERR, BETWEEN(0, ANY)),
	ROW(SCHED_LOG, BETWEEN(0, SCHED_LOG_MAX)),
	ROW(SCHED_SWAP, AT_LEAST(struct ktstr_sched_swap)),
	ROW(SCHED_TIME, AT_LEAST(struct ktstr_sched_time)),
	ROW(SCHED_PROGS, AT_LEAST(struct ktstr_sched_progs)),
	ROW(SCX_STATE, AT_LEAST(struct ktstr_scx_state)),
	ROW(SCX_EXIT, AT_LEAST(struct ktstr_scx_exit)),
	ROW(SCX_DUMP, BETWEEN(0, SCHED_LOG_MAX)),
	ROW(LIFECYCLE, BETWEEN(1, ANY)),
	ROW(EXEC_EXIT, EXACTLY(int32_t)),
	ROW(DMESG, BETWEEN(0, ANY)),
	ROW(PROBE_OUTPUT, BETWEEN(0, ANY)),
	ROW(HELLO, AT_LEAST(struct ktstr_hello)),
	ROW(CGROUP, AT_LEAST(struct ktstr_cgroup_info)),
	ROW(WORKER, AT_LEAST(struct ktstr_worker_report)),
	ROW(STEP, AT_LEAST(struct ktstr_step_info)),
	ROW(ERROR, AT_LEAST(struct ktstr_error_info)),
	ROW(END, EXACTLY(struct ktstr_stream_end)),
	ROW(KERN_ADDRS, INTERNAL, EXACTLY(struct ktstr_kern_addrs)),
	ROW(SNAPSHOT_REQUEST, INTERNAL, EXACTLY(struct ktstr_snapshot_request)),
	ROW(SNAPSHOT_RANGES, INTERNAL, BETWEEN(WIRE_RANGES_SIZE_MIN, WIRE_RANGES_SIZE_MAX)),
	ROW(SNAPSHOT_REPLY, INTERNAL, TO_GUEST, EXACTLY(struct wire_snapshot_reply)),
	ROW(KERNEL_OP_REQUEST, INTERNAL,
	    BETWEEN(WIRE_KERNEL_OP_HEAD_SIZE + WIRE_KERNEL_ENTRY_HEAD_SIZE,
		    WIRE_KERNEL_REQUEST_MAX)),
	ROW(KERNEL_OP_REPLY, INTERNAL, TO_GUEST,
	    BETWEEN(WIRE_KERNEL_REPLY_HEAD_SIZE, WIRE_KERNEL_REPLY_MAX)),
	ROW(SYS_RDY, INTERNAL, BETWEEN(0, 0)),
};

const struct wire_type *wire_type_find(uint32_t msg_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].msg_type == msg_type)
			return &types[i];
	return NULL;
}

const struct wire_type *wire_types(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(types);
	return types;
}

void wire_tag_text(uint32_t msg_type, char ret_text[5])
{
	for (int i = 0; i < 4; i++) {
		uint8_t letter = (uint8_t)(msg_type >> (24 - 8 * i));

		ret_text[i] = letter > 0x20 && letter < 0x7f ? (char)letter : '?';
	}
	ret_text[4] = '\0';
}
