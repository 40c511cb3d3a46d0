/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/protocol.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "ktstr/sched_ext.h"

#define TAKE_MAX 12

static struct protocol protocol;

static const char *take(uint32_t msg_type, const void *payload, size_t length)
{
	const struct ktstr_frame frame = {
		.msg_type = msg_type,
		.length = (uint32_t)length,
		.flags = KTSTR_FRAME_CRC_OK,
		.payload = payload,
	};

	return protocol_take(&protocol, &frame);
}

/* A frame of each type that is what it should be; 0 is the end of a list. */
static const char *take_good(uint32_t msg_type)
{
	const struct ktstr_hello hello = { .size = sizeof(hello) };
	const struct ktstr_stimulus stimulus = { 0 };
	const struct ktstr_scenario_end end = { 0 };
	const struct ktstr_test_result result = { .size = sizeof(result) };
	const struct ktstr_step_info step = { .size = sizeof(step) };
	const struct ktstr_cgroup_info cgroup = { .size = sizeof(cgroup), .id = 1 };
	const struct ktstr_worker_report worker = { .size = sizeof(worker) };
	const struct ktstr_stream_end stream_end = { 0 };
	const struct ktstr_sched_swap swap = { .size = sizeof(swap),
					       .kind = KTSTR_SCHED_SWAP_DETACH };
	const struct ktstr_sched_time took = { .size = sizeof(took),
					       .phase = KTSTR_SCHED_TIME_STOP };
	const struct ktstr_sched_progs progs = { .size = sizeof(progs),
						 .when = KTSTR_SCX_ATTACHED };
	const struct ktstr_scx_state state = { .size = sizeof(state), .when = KTSTR_SCX_RUNNING };
	const struct ktstr_scx_exit left = { .size = sizeof(left),
					     .source = KTSTR_SCX_EXIT_OF_LOG };
	const int32_t code = 0;

	switch (msg_type) {
	case KTSTR_MSG_HELLO:
		return take(msg_type, &hello, sizeof(hello));
	case KTSTR_MSG_STIMULUS:
	case KTSTR_MSG_STEP_END:
		return take(msg_type, &stimulus, sizeof(stimulus));
	case KTSTR_MSG_SCENARIO_END:
		return take(msg_type, &end, sizeof(end));
	case KTSTR_MSG_TEST_RESULT:
		return take(msg_type, &result, sizeof(result));
	case KTSTR_MSG_STEP:
		return take(msg_type, &step, sizeof(step));
	case KTSTR_MSG_CGROUP:
		return take(msg_type, &cgroup, sizeof(cgroup));
	case KTSTR_MSG_WORKER:
		return take(msg_type, &worker, sizeof(worker));
	case KTSTR_MSG_EXIT:
		return take(msg_type, &code, sizeof(code));
	case KTSTR_MSG_SCHED_SWAP:
		return take(msg_type, &swap, sizeof(swap));
	case KTSTR_MSG_SCHED_TIME:
		return take(msg_type, &took, sizeof(took));
	case KTSTR_MSG_SCHED_PROGS:
		return take(msg_type, &progs, sizeof(progs));
	case KTSTR_MSG_SCX_STATE:
		return take(msg_type, &state, sizeof(state));
	case KTSTR_MSG_SCX_EXIT:
		return take(msg_type, &left, sizeof(left));
	case KTSTR_MSG_END:
		return take(msg_type, &stream_end, sizeof(stream_end));
	}
	return take(msg_type, NULL, 0);
}

static void setup(void)
{
	memset(&protocol, 0, sizeof(protocol));
}

TestSuite(protocol, .init = setup);

#define A_HELLO KTSTR_MSG_HELLO
#define A_START KTSTR_MSG_SCENARIO_START
#define A_PAUSE KTSTR_MSG_SCENARIO_PAUSE
#define A_RESUME KTSTR_MSG_SCENARIO_RESUME
#define AN_END KTSTR_MSG_SCENARIO_END
#define A_RESULT KTSTR_MSG_TEST_RESULT
#define AN_EXIT KTSTR_MSG_EXIT
#define A_WORKER KTSTR_MSG_WORKER

/* Frames in a row; what is said of the last one. */
static const struct {
	uint32_t types[TAKE_MAX];
	const char *wrong;
} orders[] = {
	{ { A_HELLO, A_HELLO }, "a second HELLO frame came" },
	{ { A_HELLO, A_START, A_START }, "a second SCENARIO_START frame came" },
	{ { A_START, AN_END, AN_END }, "a second SCENARIO_END frame came" },
	{ { A_RESULT, A_RESULT }, "a second TEST_RESULT frame came" },
	{ { AN_EXIT, AN_EXIT }, "a second EXIT frame came" },
	{ { A_START, A_HELLO }, "HELLO came after SCENARIO_START" },
	{ { A_RESULT, A_HELLO }, "HELLO came after TEST_RESULT" },
	{ { AN_END }, "SCENARIO_END came before SCENARIO_START" },
	{ { A_RESULT, A_START }, "SCENARIO_START came after TEST_RESULT" },
	{ { A_START, A_RESULT, AN_END }, "SCENARIO_END came after TEST_RESULT" },
	{ { AN_EXIT, A_RESULT }, "TEST_RESULT came after EXIT" },
	{ { AN_EXIT, A_WORKER }, "WORKER came after EXIT" },
	{ { AN_EXIT, A_PAUSE }, "SCENARIO_PAUSE came after EXIT" },
	{ { A_PAUSE, A_START }, "SCENARIO_START came while the scenario was paused" },
	{ { A_START, A_RESUME }, "SCENARIO_RESUME came while the scenario was not paused" },
	{ { A_START, A_PAUSE, A_PAUSE }, "SCENARIO_PAUSE came while the scenario was paused" },
	{ { A_START, A_PAUSE, AN_END }, "SCENARIO_END came while the scenario was paused" },
	{ { AN_EXIT, KTSTR_MSG_SCX_STATE }, "SCX_STATE came after EXIT" },
	{ { AN_EXIT, KTSTR_MSG_SCX_EXIT }, "SCX_EXIT came after EXIT" },
	{ { AN_EXIT, KTSTR_MSG_SCHED_PROGS }, "SCHED_PROGS came after EXIT" },
	{ { AN_EXIT, KTSTR_MSG_SCHED_TIME }, "SCHED_TIME came after EXIT" },
	{ { A_RESULT, KTSTR_MSG_SCHED_SWAP }, "SCHED_SWAP came after TEST_RESULT" },
	{ { KTSTR_TAG('N', 'O', 'P', 'E') },
	  "a frame of the unknown type 0x4e4f5045 was recorded" },
};

Test(protocol, knows_each_frame_that_comes_out_of_order)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		const uint32_t *type = orders[i].types;
		const char *wrong = take_good(*type);

		for (type++; *type; type++) {
			cr_assert_null(wrong, "row %zu: %s", i, wrong);
			wrong = take_good(*type);
		}
		cr_assert_not_null(wrong, "row %zu", i);
		cr_assert_str_eq(wrong, orders[i].wrong);
		setup();
	}
}

static const uint32_t whole_run[] = {
	A_HELLO,
	KTSTR_MSG_SCHED_TIME,
	KTSTR_MSG_SCX_STATE,
	KTSTR_MSG_SCHED_PROGS,
	KTSTR_MSG_CGROUP,
	A_START,
	KTSTR_MSG_STEP,
	KTSTR_MSG_STIMULUS,
	A_PAUSE,
	A_RESUME,
	A_PAUSE,
	A_RESUME,
	A_WORKER,
	KTSTR_MSG_SCX_STATE,
	KTSTR_MSG_SCHED_SWAP,
	KTSTR_MSG_STEP_END,
	AN_END,
	KTSTR_MSG_STDOUT,
	A_RESULT,
	KTSTR_MSG_SCX_EXIT,
	KTSTR_MSG_SCHED_TIME,
	KTSTR_MSG_SCHED_LOG,
	AN_EXIT,
	KTSTR_MSG_STDERR,
	KTSTR_MSG_END,
};

Test(protocol, has_nothing_against_a_whole_run)
{
	protocol.is_ready = true;
	for (size_t i = 0; i < ARRAY_SIZE(whole_run); i++) {
		const char *wrong = take_good(whole_run[i]);

		cr_assert_null(wrong, "frame %zu: %s", i, wrong);
	}
	cr_assert_null(protocol_finish(&protocol, true));
	cr_assert_null(protocol_finish(&protocol, false));
}

/* A run that lacks one of its frames. */
static const struct {
	uint32_t without; /* 0: the announcement of the agent */
	bool has_passed;
	const char *missing;
} gaps[] = {
	{ 0, true, "a scenario passed on an agent that never said it was ready (SYS_RDY)" },
	{ A_START, true, "the scenario says that it passed, but SCENARIO_START never came" },
	{ AN_END, true, "the scenario says that it passed, but SCENARIO_END never came" },
	{ AN_EXIT, true, "the scenario says that it passed, but EXIT never came" },
	{ 0, false, "the agent never said that it was ready (SYS_RDY)" },
	{ AN_EXIT, false, "the agent never sent its EXIT frame" },
};

Test(protocol, knows_what_a_run_must_have_had)
{
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		const char *missing;

		protocol.is_ready = gaps[i].without != 0;
		for (size_t j = 0; j < ARRAY_SIZE(whole_run); j++)
			if (whole_run[j] != gaps[i].without)
				(void)take_good(whole_run[j]);
		missing = protocol_finish(&protocol, gaps[i].has_passed);
		cr_assert_not_null(missing, "row %zu", i);
		cr_assert_str_eq(missing, gaps[i].missing);
		setup();
	}
}

/* Phases of LIFECYCLE in a row; what is said of the last one. */
static const struct {
	uint8_t phases[TAKE_MAX];
	const char *wrong; /* NULL: all is well */
} phases[] = {
	{ { 1, 6, 2, 5, 5, 6 }, NULL },
	{ { 1, 4 }, NULL },
	{ { 1, 3 }, NULL },
	{ { 1, 1 }, "the agent said InitStarted twice" },
	{ { 1, 2, 2 }, "the agent said PayloadStarting twice" },
	{ { 6, 1 }, "the agent said InitStarted after other phases" },
	{ { 1, 3, 6 },
	  "the agent went on with SchedulerAttached after its scheduler did not start" },
	{ { 1, 4, 2 }, "the agent went on with PayloadStarting after its scheduler did not start" },
	{ { 1, 2, 7, 6 }, NULL },
	{ { 1, 3, 7 }, NULL },
	{ { 1, 7, 7 }, "the agent said Overdue twice" },
	{ { 1, 8 }, "a LIFECYCLE frame of the unknown phase 8 came" },
	{ { 1, 255 }, "a LIFECYCLE frame of the unknown phase 255 came" },
};

Test(protocol, knows_the_order_of_phases)
{
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		const char *wrong = NULL;

		for (const uint8_t *phase = phases[i].phases; *phase; phase++) {
			cr_assert_null(wrong, "row %zu: %s", i, wrong);
			wrong = take(KTSTR_MSG_LIFECYCLE, phase, 1);
		}
		if (phases[i].wrong)
			cr_assert_str_eq(wrong, phases[i].wrong);
		else
			cr_assert_null(wrong, "row %zu: %s", i, wrong);
		setup();
	}
	cr_assert_not_null(take(KTSTR_MSG_LIFECYCLE, "", 1));
}

/* Payloads beyond the bounds of their types. */
static const struct {
	uint32_t msg_type;
	uint32_t length;
	const char *wrong;
} lengths[] = {
	{ KTSTR_MSG_STIMULUS, 23, "STIMULUS came with 23 bytes" },
	{ A_START, 1, "a SCENARIO_START frame cannot be decoded" },
	{ A_START, 7, "a SCENARIO_START frame cannot be decoded" },
	{ A_PAUSE, 7, "a SCENARIO_PAUSE frame cannot be decoded" },
	{ A_RESUME, 1, "a SCENARIO_RESUME frame cannot be decoded" },
	{ AN_END, 7, "SCENARIO_END came with 7 bytes" },
	{ AN_EXIT, 3, "EXIT came with 3 bytes" },
	{ AN_EXIT, 5, "EXIT came with 5 bytes" },
	{ KTSTR_MSG_SCHED_EXIT, 3, "SCHED_EXIT came with 3 bytes" },
	{ KTSTR_MSG_LIFECYCLE, 0, "LIFECYCLE came with 0 bytes" },
	{ KTSTR_MSG_STEP, 24, "a STEP frame cannot be decoded" },
	{ KTSTR_MSG_CGROUP, 152, "a CGROUP frame cannot be decoded" },
	{ A_WORKER, 296, "a WORKER frame cannot be decoded" },
	{ KTSTR_MSG_SCHED_SWAP, 79, "SCHED_SWAP came with 79 bytes" },
	{ KTSTR_MSG_SCHED_SWAP, 80, "a SCHED_SWAP frame cannot be decoded" },
	{ KTSTR_MSG_SCHED_TIME, 16, "a SCHED_TIME frame cannot be decoded" },
	{ KTSTR_MSG_SCHED_PROGS, 16, "a SCHED_PROGS frame cannot be decoded" },
	{ KTSTR_MSG_SCX_STATE, 192, "a SCX_STATE frame cannot be decoded" },
	{ KTSTR_MSG_SCX_EXIT, 40, "a SCX_EXIT frame cannot be decoded" },
};

Test(protocol, holds_payloads_to_the_bounds_of_their_types)
{
	static const uint8_t zeros[512];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		const char *wrong;

		if (lengths[i].msg_type == AN_END)
			(void)take_good(A_START);
		wrong = take(lengths[i].msg_type, zeros, lengths[i].length);
		cr_assert_not_null(wrong, "row %zu", i);
		cr_assert_str_eq(wrong, lengths[i].wrong);
		setup();
	}
}

Test(protocol, takes_the_short_end_of_older_agents)
{
	const uint64_t elapsed_ms = 5;

	(void)take_good(A_START);
	cr_assert_null(take(AN_END, &elapsed_ms, sizeof(elapsed_ms)));
}

Test(protocol, has_no_frame_for_the_cgroup_of_the_agent)
{
	const struct ktstr_cgroup_info cgroup = { .size = sizeof(cgroup) };

	cr_assert_str_eq(take(KTSTR_MSG_CGROUP, &cgroup, sizeof(cgroup)),
			 "a CGROUP frame cannot be decoded");
}

Test(protocol, counts_the_samples_of_a_worker)
{
	struct {
		struct ktstr_worker_report report;
		uint32_t samples[2];
	} worker = { .report = { .size = sizeof(worker.report),
				 .wake_sample_count = 2,
				 .wake_sample_total = 2 } };

	cr_assert_null(take(A_WORKER, &worker, sizeof(worker)));
	worker.report.wake_sample_count = 3;
	worker.report.wake_sample_total = 3;
	cr_assert_not_null(take(A_WORKER, &worker, sizeof(worker)));
	worker.report.wake_sample_count = 2;
	worker.report.wake_sample_total = 1;
	cr_assert_not_null(take(A_WORKER, &worker, sizeof(worker)));
}

Test(protocol, believes_no_figure_that_cannot_be)
{
	const size_t offsets[] = {
		offsetof(struct ktstr_worker_report, work_units),
		offsetof(struct ktstr_worker_report, iterations),
		offsetof(struct ktstr_worker_report, wall_time_ns),
		offsetof(struct ktstr_worker_report, cpu_time_ns),
		offsetof(struct ktstr_worker_report, run_delay_ns),
		offsetof(struct ktstr_worker_report, run_count),
		offsetof(struct ktstr_worker_report, migrations),
		offsetof(struct ktstr_worker_report, max_gap_ns),
		offsetof(struct ktstr_worker_report, max_gap_at_ns),
		offsetof(struct ktstr_worker_report, wake_sample_total),
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct ktstr_worker_report report = { .size = sizeof(report) };
		uint64_t figure = PROTOCOL_FIGURE_MAX;

		memcpy((char *)&report + offsets[i], &figure, sizeof(figure));
		cr_assert_null(take(A_WORKER, &report, sizeof(report)), "offset %zu", offsets[i]);
		figure++;
		memcpy((char *)&report + offsets[i], &figure, sizeof(figure));
		cr_assert_str_eq(take(A_WORKER, &report, sizeof(report)),
				 "a WORKER frame holds an impossible figure (9007199254740993)",
				 "offset %zu", offsets[i]);
	}
}

/* A phase after which nothing may run, and what then comes. */
Test(protocol, runs_nothing_under_a_scheduler_that_did_not_start)
{
	static const struct {
		uint8_t phase;
		uint32_t msg_type;
		const char *wrong;
	} rows[] = {
		{ KTSTR_PHASE_SCHEDULER_DIED, A_START,
		  "SCENARIO_START came after the scheduler had not started" },
		{ KTSTR_PHASE_SCHEDULER_NOT_ATTACHED, A_START,
		  "SCENARIO_START came after the scheduler had not started" },
		{ KTSTR_PHASE_SCHEDULER_DIED, A_RESULT,
		  "TEST_RESULT came after the scheduler had not started" },
		{ KTSTR_PHASE_SCHEDULER_DIED, AN_EXIT, NULL },
		{ KTSTR_PHASE_SCHEDULER_DIED, KTSTR_MSG_SCX_EXIT, NULL },
		{ KTSTR_PHASE_SCHEDULER_ATTACHED, A_START, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *wrong;

		cr_assert_null(take(KTSTR_MSG_LIFECYCLE, &rows[i].phase, 1));
		wrong = take_good(rows[i].msg_type);
		if (rows[i].wrong)
			cr_assert_str_eq(wrong, rows[i].wrong, "row %zu", i);
		else
			cr_assert_null(wrong, "row %zu: %s", i, wrong);
		setup();
	}
}

Test(protocol, believes_no_figure_of_a_scheduler_that_cannot_be)
{
	struct {
		struct ktstr_scx_state head;
		struct ktstr_scx_event event;
	} state = {
		.head = { .size = sizeof(state.head), .when = KTSTR_SCX_RUNNING, .event_count = 1 }
	};
	struct {
		struct ktstr_sched_progs head;
		struct ktstr_sched_prog prog;
	} progs = { .head = { .size = sizeof(progs.head),
			      .when = KTSTR_SCX_ATTACHED,
			      .program_count = 1 } };
	struct ktstr_sched_time took = { .size = sizeof(took),
					 .phase = KTSTR_SCHED_TIME_LOAD,
					 .duration_ns = PROTOCOL_FIGURE_MAX };

	state.event.value = -(int64_t)PROTOCOL_FIGURE_MAX;
	cr_assert_null(take(KTSTR_MSG_SCX_STATE, &state, sizeof(state)));
	state.event.value--;
	cr_assert_not_null(take(KTSTR_MSG_SCX_STATE, &state, sizeof(state)));
	state.event.value = INT64_MAX;
	cr_assert_not_null(take(KTSTR_MSG_SCX_STATE, &state, sizeof(state)));
	state.event.value = 0;
	state.head.nr_rejected = PROTOCOL_FIGURE_MAX + 1;
	cr_assert_str_eq(take(KTSTR_MSG_SCX_STATE, &state, sizeof(state)),
			 "a SCX_STATE frame holds an impossible figure (9007199254740993)");
	cr_assert_null(take(KTSTR_MSG_SCHED_PROGS, &progs, sizeof(progs)));
	progs.prog.run_count = UINT64_MAX;
	cr_assert_not_null(take(KTSTR_MSG_SCHED_PROGS, &progs, sizeof(progs)));
	cr_assert_null(take(KTSTR_MSG_SCHED_TIME, &took, sizeof(took)));
	took.duration_ns++;
	cr_assert_not_null(take(KTSTR_MSG_SCHED_TIME, &took, sizeof(took)));
}
