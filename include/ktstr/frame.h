/* SPDX-License-Identifier: MIT */
/*
 * Frames: what the guest tells the host, and the layouts of their payloads.
 *
 * A frame is a header of 16 bytes, all little-endian, and a payload. The CRC is CRC-32 (IEEE 802.3,
 * as zlib's crc32()) over the payload alone; the CRC of an empty payload is 0. A type is four ASCII
 * letters whose hexadecimal literal spells the tag. docs/wire.md describes every byte.
 *
 * Payload structs have no padding, and their fields lie at their natural alignment. A struct that
 * starts with `size` may grow at its end: a reader takes the smaller of `size` and its own sizeof,
 * and sees zero in what is missing.
 *
 * The payloads of SCHED_SWAP, SCHED_TIME, SCHED_PROGS and of the SCX_ types are in
 * ktstr/sched_ext.h.
 */
#ifndef KTSTR_FRAME_H
#define KTSTR_FRAME_H

#include <stdint.h>
#include <string.h>

struct ktstr_frame_header {
	uint32_t msg_type;
	uint32_t length;
	uint32_t crc32;
	uint32_t pad; /* zero */
};

/* The largest payload of any frame. */
#define KTSTR_FRAME_PAYLOAD_MAX (16u * 1024u * 1024u)

#define KTSTR_TAG(a, b, c, d)                                                                      \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Verdict-bearing: these reach the run file and the checkers. */
#define KTSTR_MSG_STIMULUS                                                                         \
	KTSTR_TAG('S', 'T', 'I', 'M') /* struct ktstr_stimulus: a step starts                      \
				       */
#define KTSTR_MSG_STEP_END                                                                         \
	KTSTR_TAG('S', 'T', 'E', 'N') /* struct ktstr_stimulus: its hold is over */
#define KTSTR_MSG_SCENARIO_START                                                                   \
	KTSTR_TAG('S', 'C', 'S', 'T') /* empty, or struct ktstr_guest_time */
#define KTSTR_MSG_SCENARIO_PAUSE                                                                   \
	KTSTR_TAG('S', 'C', 'P', 'P') /* the same: the watchdog's clock stops */
#define KTSTR_MSG_SCENARIO_RESUME KTSTR_TAG('S', 'C', 'R', 'R') /* the same */
#define KTSTR_MSG_SCENARIO_END KTSTR_TAG('S', 'C', 'E', 'N')	/* struct ktstr_scenario_end */
#define KTSTR_MSG_EXIT KTSTR_TAG('E', 'X', 'I', 'T')		/* i32: exit code of the agent */
#define KTSTR_MSG_TEST_RESULT KTSTR_TAG('T', 'E', 'S', 'T')	/* struct ktstr_test_result, text */
#define KTSTR_MSG_SCHED_EXIT KTSTR_TAG('S', 'C', 'D', 'X')	/* i32, text: the scheduler died */
#define KTSTR_MSG_CRASH KTSTR_TAG('C', 'R', 'S', 'H')		/* reserved; crashes go to COM2 */
#define KTSTR_MSG_PAYLOAD_METRICS KTSTR_TAG('P', 'M', 'E', 'T')
#define KTSTR_MSG_RAW_PAYLOAD_OUTPUT KTSTR_TAG('R', 'A', 'W', 'O')
#define KTSTR_MSG_PROFRAW KTSTR_TAG('P', 'R', 'A', 'W')
#define KTSTR_MSG_WPROF_TRACE KTSTR_TAG('W', 'P', 'R', 'F')
#define KTSTR_MSG_STDOUT KTSTR_TAG('S', 'O', 'U', 'T')	   /* opaque bytes */
#define KTSTR_MSG_STDERR KTSTR_TAG('S', 'E', 'R', 'R')	   /* opaque bytes */
#define KTSTR_MSG_SCHED_LOG KTSTR_TAG('S', 'C', 'L', 'G')  /* opaque bytes, at most 64 KiB */
#define KTSTR_MSG_SCHED_SWAP KTSTR_TAG('S', 'C', 'S', 'W') /* struct ktstr_sched_swap */
#define KTSTR_MSG_SCHED_TIME KTSTR_TAG('S', 'C', 'T', 'M') /* struct ktstr_sched_time */
#define KTSTR_MSG_SCHED_PROGS                                                                      \
	KTSTR_TAG('S', 'C', 'P', 'G')			     /* struct ktstr_sched_progs, programs \
							      */
#define KTSTR_MSG_SCX_STATE KTSTR_TAG('S', 'C', 'X', 'S')    /* struct ktstr_scx_state, events */
#define KTSTR_MSG_SCX_EXIT KTSTR_TAG('S', 'C', 'X', 'E')     /* struct ktstr_scx_exit, four texts */
#define KTSTR_MSG_SCX_DUMP KTSTR_TAG('S', 'C', 'X', 'D')     /* text, at most 64 KiB */
#define KTSTR_MSG_LIFECYCLE KTSTR_TAG('L', 'I', 'F', 'E')    /* u8 phase, text */
#define KTSTR_MSG_EXEC_EXIT KTSTR_TAG('E', 'X', 'C', 'X')    /* i32 */
#define KTSTR_MSG_DMESG KTSTR_TAG('D', 'M', 'S', 'G')	     /* text */
#define KTSTR_MSG_PROBE_OUTPUT KTSTR_TAG('P', 'R', 'O', 'B') /* text */
#define KTSTR_MSG_HELLO KTSTR_TAG('H', 'E', 'L', 'O')	     /* struct ktstr_hello, plugins */
#define KTSTR_MSG_CGROUP KTSTR_TAG('C', 'G', 'R', 'P')	     /* struct ktstr_cgroup_info, name */
#define KTSTR_MSG_WORKER KTSTR_TAG('W', 'R', 'K', 'R') /* struct ktstr_worker_report, samples */
#define KTSTR_MSG_STEP KTSTR_TAG('S', 'T', 'E', 'P')   /* struct ktstr_step_info, name */
#define KTSTR_MSG_ERROR KTSTR_TAG('E', 'R', 'O', 'R')  /* struct ktstr_error_info, text */
#define KTSTR_MSG_END KTSTR_TAG('E', 'N', 'D', 'S')    /* struct ktstr_stream_end: the last frame */

/* Internal to the coordinator: these never reach the run file's frames or a checker. */
#define KTSTR_MSG_KERN_ADDRS KTSTR_TAG('K', 'A', 'D', 'R') /* struct ktstr_kern_addrs */
#define KTSTR_MSG_SNAPSHOT_REQUEST                                                                 \
	KTSTR_TAG('S', 'N', 'R', 'Q')				/* struct ktstr_snapshot_request   \
								 */
#define KTSTR_MSG_SNAPSHOT_RANGES KTSTR_TAG('S', 'N', 'R', 'A') /* goes before the request */
#define KTSTR_MSG_SNAPSHOT_REPLY KTSTR_TAG('S', 'N', 'R', 'P')	/* host to guest */
#define KTSTR_MSG_KERNEL_OP_REQUEST KTSTR_TAG('K', 'O', 'R', 'Q')
#define KTSTR_MSG_KERNEL_OP_REPLY KTSTR_TAG('K', 'O', 'R', 'P') /* host to guest */
#define KTSTR_MSG_SYS_RDY KTSTR_TAG('S', 'R', 'D', 'Y')		/* empty */

/* Phases of KTSTR_MSG_LIFECYCLE. */
#define KTSTR_PHASE_INIT_STARTED 1u
#define KTSTR_PHASE_PAYLOAD_STARTING 2u
#define KTSTR_PHASE_SCHEDULER_DIED 3u	      /* during its start */
#define KTSTR_PHASE_SCHEDULER_NOT_ATTACHED 4u /* text: why */
#define KTSTR_PHASE_WORKLOAD_DISPATCHED 5u
#define KTSTR_PHASE_SCHEDULER_ATTACHED 6u
#define KTSTR_PHASE_OVERDUE 7u /* by PID 1: a limit of time has passed; text: which */

/* Bits of op_kinds: what was done since the stimulus before. */
#define KTSTR_OP_CGROUP_CREATE 0u
#define KTSTR_OP_CGROUP_REMOVE 2u
#define KTSTR_OP_SET_CPUS 3u
#define KTSTR_OP_CLEAR_CPUS 4u
#define KTSTR_OP_SPAWN 6u
#define KTSTR_OP_STOP 7u
#define KTSTR_OP_SNAPSHOT 16u
#define KTSTR_OP_WATCH 17u
#define KTSTR_OP_SCHEDULER_ATTACH 18u
#define KTSTR_OP_SCHEDULER_DETACH 19u
#define KTSTR_OP_SCHEDULER_RESTART 20u
#define KTSTR_OP_SCHEDULER_REPLACE 21u
struct ktstr_stimulus {
	uint32_t elapsed_ms; /* since SCENARIO_START */
	uint16_t step_index; /* 0: before the first step */
	uint16_t op_count;
	uint32_t op_kinds; /* one bit an op: KTSTR_OP_ */
	uint16_t cgroup_count;
	uint16_t worker_count;
	uint64_t total_iterations; /* of all workers so far */
};

/* What the guest's clock shows as the scenario starts, is paused, or goes on. */
struct ktstr_guest_time {
	uint64_t guest_ns; /* CLOCK_MONOTONIC */
};

struct ktstr_scenario_end {
	uint64_t elapsed_ms;
	uint64_t total_iterations;
};

struct ktstr_kern_addrs {
	uint64_t phys_base_plus_1;   /* 0: could not be found */
	uint64_t page_offset_base;   /* address of the symbol; 0: could not be found */
	uint64_t kernel_text_plus_1; /* run-time address of _text; 0: could not be found */
};

#define KTSTR_SNAPSHOT_TAG_MAX 64u
#define KTSTR_SNAPSHOT_NONE 0u
#define KTSTR_SNAPSHOT_CAPTURE 1u
#define KTSTR_SNAPSHOT_WATCH 2u

struct ktstr_snapshot_request {
	uint32_t request_id; /* never 0 */
	uint32_t kind;
	char tag[KTSTR_SNAPSHOT_TAG_MAX]; /* NUL-terminated where shorter */
};

/* What the agent loaded; @plugin_count entries of struct ktstr_hello_plugin follow. */
struct ktstr_hello {
	uint32_t size;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t cpus;
	uint32_t plugin_count;
	uint64_t seed;
	char kernel[64]; /* uname -r */
};

struct ktstr_hello_plugin {
	uint32_t kind;
	uint32_t crc32; /* of the file's bytes, as loaded */
	char name[32];
};

/* Most CPUs that a guest can have. */
#define KTSTR_CPUS_MAX 1024u
struct ktstr_cpuset {
	uint64_t bits[KTSTR_CPUS_MAX / 64];
};

#define KTSTR_CGROUP_HAS_MAX 0x1u /* cpu.max limits it */

/* A cgroup came to be, or its cpuset changed: the newest frame of an id counts. The name follows.
 */
struct ktstr_cgroup_info {
	uint32_t size;
	uint32_t id; /* from 1; 0 is the agent's own cgroup */
	uint32_t flags;
	uint32_t name_length;
	struct ktstr_cpuset cpus; /* where its tasks may run; all zero: everywhere */
	uint32_t cpu_weight;	  /* cpu.weight; 0: not known */
	uint32_t reserved;
};

#define KTSTR_WORKER_COMPLETED                                                                     \
	0x1u /* the loop ended by itself or on request, and the report is its own */
#define KTSTR_WORKER_EXIT_NONE 0u   /* completed */
#define KTSTR_WORKER_EXIT_CODE 1u   /* exited with exit_value before it reported */
#define KTSTR_WORKER_EXIT_SIGNAL 2u /* killed by signal exit_value */
/* Did not end within exit_value milliseconds of being told to (0, of an older agent: 5000); killed.
 */
#define KTSTR_WORKER_EXIT_TIMEOUT 3u

/* What one worker measured of itself. wake_sample_count values of u32 (nanoseconds) follow. */
struct ktstr_worker_report {
	uint32_t size;
	uint32_t tid;
	uint32_t cgroup_id;
	uint32_t group; /* number of the spawn, from 1 */
	uint32_t index; /* within the spawn */
	uint32_t flags;
	uint32_t exit_kind;
	int32_t exit_value;
	uint64_t work_units;
	uint64_t iterations;
	uint64_t wall_time_ns;
	uint64_t cpu_time_ns;  /* CLOCK_THREAD_CPUTIME_ID */
	uint64_t run_delay_ns; /* /proc/self/schedstat: runnable but not running */
	uint64_t run_count;
	uint64_t migrations;
	uint64_t max_gap_ns;	/* longest time between two looks at the clock */
	uint64_t max_gap_at_ns; /* when it ended, since the worker's start */
	uint32_t max_gap_cpu;
	uint32_t wake_sample_count; /* values that follow: a uniform sample */
	uint64_t wake_sample_total; /* how many there were */
	struct ktstr_cpuset cpus_used;
	char workload[32];
	int32_t nice; /* as it was started */
	/* Did it run under a sched_ext scheduler, when its loop began and when it ended?
	 * KTSTR_EXT_ */
	uint32_t ext_first;
	uint32_t ext_last;
	uint32_t reserved;
};

/* ext_first and ext_last: "ext.enabled" of /proc/PID/sched. */
#define KTSTR_EXT_UNKNOWN 0u /* this kernel does not tell */
#define KTSTR_EXT_NO 1u
#define KTSTR_EXT_YES 2u

/* A step of the scenario begins. The name follows. */
struct ktstr_step_info {
	uint32_t size;
	uint16_t index;	  /* from 1 */
	uint16_t count;	  /* 0: not known */
	uint64_t hold_ns; /* planned */
	uint32_t name_length;
	uint32_t reserved;
};

/* How the scenario's own code ended; a text of text_length bytes follows. */
struct ktstr_test_result {
	uint32_t size;
	uint32_t outcome; /* KTSTR_OUTCOME_PASS: ran to its end. SKIP, FAIL, ERROR: text says why */
	int32_t code;
	uint32_t text_length;
};

/* Something broke in the agent or a plugin's guest half; a text follows. */
#define KTSTR_STAGE_BOOT 1u
#define KTSTR_STAGE_JOB 2u
#define KTSTR_STAGE_PLUGIN 3u
#define KTSTR_STAGE_SCHEDULER 4u
#define KTSTR_STAGE_SCENARIO 5u
#define KTSTR_STAGE_WORKLOAD 6u
struct ktstr_error_info {
	uint32_t size;
	uint32_t stage;
	int32_t code;
	uint32_t text_length;
};

/*
 * The last frame. Every field speaks of the frames before it: how many, how many bytes with their
 * headers, and the CRC-32 over their headers one after the other. A header holds its payload's CRC,
 * so this one covers all that was sent.
 */
struct ktstr_stream_end {
	uint64_t frame_count;
	uint64_t byte_count;
	uint32_t headers_crc32;
	uint32_t reserved;
};

/* One frame as a checker sees it. */
#define KTSTR_FRAME_CRC_OK 0x1u
struct ktstr_frame {
	uint32_t msg_type;
	uint32_t length;
	uint32_t flags;
	uint32_t reserved;
	uint64_t index; /* its number in the run file, from 0 */
	/* When the host received it, since the start of the run. To checkers of a run in virtual
	 * time: what the guest's clock shows then, as far as it has told. */
	uint64_t host_ns;
	const void *payload;
};

/*
 * Copy a payload struct that starts with its size. Returns 0, or -1 when the payload is shorter
 * than its own size says or than @min. @ret is zero beyond what the payload has.
 */
static inline int ktstr_payload_get(const struct ktstr_frame *frame, void *ret, uint32_t size,
				    uint32_t min)
{
	uint32_t have;

	if (frame->length < sizeof(have))
		return -1;
	memcpy(&have, frame->payload, sizeof(have));
	if (have < min || have > frame->length)
		return -1;
	memset(ret, 0, size);
	memcpy(ret, frame->payload, have < size ? have : size);
	return 0;
}

/* The bytes behind a payload struct that starts with its size, and how many there are. */
static inline const void *ktstr_payload_tail(const struct ktstr_frame *frame, uint32_t *ret_length)
{
	uint32_t have = 0;

	if (frame->length >= sizeof(have))
		memcpy(&have, frame->payload, sizeof(have));
	if (have > frame->length)
		have = frame->length;
	*ret_length = frame->length - have;
	return (const char *)frame->payload + have;
}

static inline int ktstr_cpuset_has(const struct ktstr_cpuset *set, uint32_t cpu)
{
	return cpu < KTSTR_CPUS_MAX && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

static inline void ktstr_cpuset_add(struct ktstr_cpuset *set, uint32_t cpu)
{
	if (cpu < KTSTR_CPUS_MAX)
		set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

static inline uint32_t ktstr_cpuset_count(const struct ktstr_cpuset *set)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < KTSTR_CPUS_MAX / 64; i++)
		count += (uint32_t)__builtin_popcountll(set->bits[i]);
	return count;
}

#endif
