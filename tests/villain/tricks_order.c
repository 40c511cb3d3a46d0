/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that are whole, but come twice, never, or at the wrong time. */
#include <string.h>
#include <time.h>

#include "ktstr/outcome.h"
#include "villain/villain.h"

static void send_empty(struct villain *v, uint32_t msg_type)
{
	struct frame frame;

	frame_make(&frame, msg_type, NULL, 0, NULL, 0);
	villain_send(v, &frame);
}

static void send_exit(struct villain *v, int32_t code)
{
	struct frame frame;

	frame_make(&frame, KTSTR_MSG_EXIT, &code, sizeof(code), NULL, 0);
	villain_send(v, &frame);
}

static void send_phase(struct villain *v, uint8_t phase, const char *text)
{
	struct frame frame;

	frame_make(&frame, KTSTR_MSG_LIFECYCLE, &phase, sizeof(phase), text, strlen(text));
	villain_send(v, &frame);
}

static void exit_1_first(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_exit(v, 1);
}

static void fail_first(struct villain *v, const struct frame *frame)
{
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_FAIL };
	struct frame fail;

	(void)frame;
	frame_make(&fail, KTSTR_MSG_TEST_RESULT, &result, sizeof(result), NULL, 0);
	villain_send(v, &fail);
}

static void replay(struct villain *v, const struct frame *frame)
{
	(void)frame;
	story_tell(v, BEAT_KERN_ADDRS, BEAT_STEP_END);
}

static void result_then_scenario(struct villain *v, const struct frame *frame)
{
	(void)frame;
	story_tell(v, BEAT_RESULT, BEAT_RESULT);
	story_tell(v, BEAT_START, BEAT_SCENARIO_END);
	story_tell(v, BEAT_EXIT, BEAT_END);
	villain_leave(v);
}

static void result_without_scenario(struct villain *v, const struct frame *frame)
{
	(void)frame;
	story_tell(v, BEAT_CGROUP, BEAT_CGROUP);
	story_tell(v, BEAT_WORKER, BEAT_WORKER);
	story_tell(v, BEAT_RESULT, BEAT_END);
	villain_leave(v);
}

static void wrong_count(struct villain *v, const struct frame *frame)
{
	(void)frame;
	v->port.account.frame_count++;
	story_tell(v, BEAT_END, BEAT_END);
}

static void wrong_crc(struct villain *v, const struct frame *frame)
{
	(void)frame;
	v->port.account.headers_crc32 ^= 1;
	story_tell(v, BEAT_END, BEAT_END);
}

static void end_now(struct villain *v, const struct frame *frame)
{
	(void)frame;
	story_tell(v, BEAT_END, BEAT_END);
}

static void worker_late(struct villain *v, const struct frame *frame)
{
	(void)frame;
	story_tell(v, BEAT_WORKER, BEAT_WORKER);
}

static void died_first(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_phase(v, KTSTR_PHASE_SCHEDULER_DIED, "then it rose again");
}

static void unknown_phase(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_phase(v, 200, "?");
}

static void pause_only(struct villain *v, const struct frame *frame)
{
	(void)frame;
	send_empty(v, KTSTR_MSG_SCENARIO_PAUSE);
}

static void pause_and_hang(struct villain *v, const struct frame *frame)
{
	pause_only(v, frame);
	villain_hang();
}

/* Put the deadline off again and again. */
static void start_for_ever(struct villain *v, const struct frame *frame)
{
	const struct timespec step = { .tv_nsec = 50000000 };

	(void)frame;
	for (;;) {
		send_empty(v, KTSTR_MSG_SCENARIO_START);
		send_empty(v, KTSTR_MSG_SCENARIO_RESUME);
		(void)nanosleep(&step, NULL);
	}
}

const struct trick tricks_of_order[] = {
	{ "sys_rdy_twice", BEAT_SYS_RDY, AFTER, villain_send },
	{ "start_twice", BEAT_START, AFTER, villain_send },
	{ "exit_1_then_0", BEAT_EXIT, BEFORE, exit_1_first },
	{ "fail_then_pass", BEAT_RESULT, BEFORE, fail_first },
	{ "replayed", BEAT_STEP_END, AFTER, replay },
	{ "sys_rdy_missing", BEAT_SYS_RDY, INSTEAD, NULL },
	{ "hello_missing", BEAT_HELLO, INSTEAD, NULL },
	{ "exit_missing", BEAT_EXIT, INSTEAD, NULL },
	{ "worker_missing", BEAT_WORKER, INSTEAD, NULL },
	{ "result_then_scenario", BEAT_START, INSTEAD, result_then_scenario },
	{ "result_without_scenario", BEAT_START, INSTEAD, result_without_scenario },
	{ "end_missing", BEAT_END, INSTEAD, NULL },
	{ "end_twice", BEAT_END, AFTER, villain_send },
	{ "end_early", BEAT_WORKER, BEFORE, end_now },
	{ "end_then_frames", BEAT_END, AFTER, worker_late },
	{ "end_wrong_count", BEAT_END, INSTEAD, wrong_count },
	{ "end_wrong_crc", BEAT_END, INSTEAD, wrong_crc },
	{ "scheduler_died_first", BEAT_ATTACHED, BEFORE, died_first },
	{ "unknown_phase", BEAT_WORKER, AFTER, unknown_phase },
	{ "pause_then_end", BEAT_STIMULUS, AFTER, pause_only },
	{ "pause_then_silence", BEAT_STIMULUS, AFTER, pause_and_hang },
	{ "start_for_ever", BEAT_STIMULUS, AFTER, start_for_ever },
	{ 0 },
};
