/* SPDX-License-Identifier: GPL-2.0-only */
/* The honest run: one step, one cgroup, one worker that made progress. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "guest/kernaddrs.h"
#include "ktstr/outcome.h"
#include "ktstr/plugin.h"
#include "villain/villain.h"

#define STEP_NAME "one"
#define CGROUP_NAME "hog"
#define CGROUP_ID 1

static void phase(struct frame *ret, uint8_t number)
{
	frame_make(ret, KTSTR_MSG_LIFECYCLE, &number, sizeof(number), NULL, 0);
}

static void kern_addrs(struct frame *ret)
{
	struct ktstr_kern_addrs addrs;

	kernaddrs_read(&addrs);
	frame_make(ret, KTSTR_MSG_KERN_ADDRS, &addrs, sizeof(addrs), NULL, 0);
}

/* What the host sent, as the host says it. */
static void hello(const struct villain *v, struct frame *ret)
{
	size_t count = v->job->plugin_count;
	_cleanup_free_ struct ktstr_hello_plugin *plugins = calloc(count + 1, sizeof(*plugins));
	struct ktstr_hello head = {
		.size = sizeof(head),
		.abi_major = KTSTR_ABI_MAJOR,
		.abi_minor = KTSTR_ABI_MINOR,
		.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
		.plugin_count = (uint32_t)count,
		.seed = v->job->seed,
	};

	if (!plugins)
		villain_die("out of memory");
	str_copy(head.kernel, sizeof(head.kernel), "7.0");
	for (size_t i = 0; i < count; i++) {
		plugins[i].kind = v->job->plugins[i].kind;
		plugins[i].crc32 = v->job->plugins[i].crc32;
		str_copy(plugins[i].name, sizeof(plugins[i].name), v->job->plugins[i].name);
	}
	frame_make(ret, KTSTR_MSG_HELLO, &head, sizeof(head), plugins, count * sizeof(*plugins));
}

static void cgroup(struct frame *ret)
{
	struct ktstr_cgroup_info info = {
		.size = sizeof(info),
		.id = CGROUP_ID,
		.name_length = strlen(CGROUP_NAME),
	};

	ktstr_cpuset_add(&info.cpus, 0);
	frame_make(ret, KTSTR_MSG_CGROUP, &info, sizeof(info), CGROUP_NAME, info.name_length);
}

static void step(struct frame *ret)
{
	struct ktstr_step_info info = {
		.size = sizeof(info),
		.index = 1,
		.count = 1,
		.hold_ns = 10 * NS_PER_MS,
		.name_length = strlen(STEP_NAME),
	};

	frame_make(ret, KTSTR_MSG_STEP, &info, sizeof(info), STEP_NAME, info.name_length);
}

static void stimulus(struct frame *ret, uint32_t msg_type)
{
	const struct ktstr_stimulus stimulus = {
		.step_index = 1,
		.cgroup_count = 1,
		.worker_count = 1,
		.total_iterations = msg_type == KTSTR_MSG_STEP_END ? 1000 : 0,
	};

	frame_make(ret, msg_type, &stimulus, sizeof(stimulus), NULL, 0);
}

static void worker(struct frame *ret)
{
	const uint32_t sample = 1000;
	struct ktstr_worker_report report = {
		.size = sizeof(report),
		.tid = 100,
		.cgroup_id = CGROUP_ID,
		.group = 1,
		.flags = KTSTR_WORKER_COMPLETED,
		.work_units = 1000,
		.iterations = 1000,
		.wall_time_ns = 10 * NS_PER_MS,
		.cpu_time_ns = 9 * NS_PER_MS,
		.run_delay_ns = NS_PER_MS,
		.run_count = 10,
		.max_gap_ns = NS_PER_MS,
		.max_gap_at_ns = 5 * NS_PER_MS,
		.wake_sample_count = 1,
		.wake_sample_total = 1,
	};

	ktstr_cpuset_add(&report.cpus_used, 0);
	str_copy(report.workload, sizeof(report.workload), "cpu_spin");
	frame_make(ret, KTSTR_MSG_WORKER, &report, sizeof(report), &sample, sizeof(sample));
}

static void scenario_end(struct frame *ret)
{
	const struct ktstr_scenario_end end = { .elapsed_ms = 10, .total_iterations = 1000 };

	frame_make(ret, KTSTR_MSG_SCENARIO_END, &end, sizeof(end), NULL, 0);
}

static void result(struct frame *ret)
{
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_PASS };

	frame_make(ret, KTSTR_MSG_TEST_RESULT, &result, sizeof(result), NULL, 0);
}

static void end(const struct villain *v, struct frame *ret)
{
	const struct ktstr_stream_end end = {
		.frame_count = v->port.account.frame_count,
		.byte_count = v->port.account.byte_count,
		.headers_crc32 = v->port.account.headers_crc32,
	};

	frame_make(ret, KTSTR_MSG_END, &end, sizeof(end), NULL, 0);
}

void story_frame(const struct villain *v, enum beat beat, struct frame *ret)
{
	const int32_t exit_code = 0;

	switch (beat) {
	case BEAT_KERN_ADDRS:
		kern_addrs(ret);
		return;
	case BEAT_SYS_RDY:
		frame_make(ret, KTSTR_MSG_SYS_RDY, NULL, 0, NULL, 0);
		return;
	case BEAT_INIT_STARTED:
		phase(ret, KTSTR_PHASE_INIT_STARTED);
		return;
	case BEAT_HELLO:
		hello(v, ret);
		return;
	case BEAT_ATTACHED:
		phase(ret, KTSTR_PHASE_SCHEDULER_ATTACHED);
		return;
	case BEAT_PAYLOAD_STARTING:
		phase(ret, KTSTR_PHASE_PAYLOAD_STARTING);
		return;
	case BEAT_START:
		frame_make(ret, KTSTR_MSG_SCENARIO_START, NULL, 0, NULL, 0);
		return;
	case BEAT_CGROUP:
		cgroup(ret);
		return;
	case BEAT_STEP:
		step(ret);
		return;
	case BEAT_STIMULUS:
		stimulus(ret, KTSTR_MSG_STIMULUS);
		return;
	case BEAT_OUTPUT:
		frame_make(ret, KTSTR_MSG_STDOUT, "hello\n", 6, NULL, 0);
		return;
	case BEAT_WORKER:
		worker(ret);
		return;
	case BEAT_STEP_END:
		stimulus(ret, KTSTR_MSG_STEP_END);
		return;
	case BEAT_SCENARIO_END:
		scenario_end(ret);
		return;
	case BEAT_RESULT:
		result(ret);
		return;
	case BEAT_EXIT:
		frame_make(ret, KTSTR_MSG_EXIT, &exit_code, sizeof(exit_code), NULL, 0);
		return;
	case BEAT_END:
		end(v, ret);
		return;
	case BEAT_POWER_OFF:
		return;
	}
}

void story_tell(struct villain *v, enum beat first, enum beat last)
{
	for (enum beat beat = first; beat <= last; beat++) {
		struct frame frame;

		story_frame(v, beat, &frame);
		villain_send(v, &frame);
	}
}
