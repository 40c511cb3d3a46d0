/* SPDX-License-Identifier: GPL-2.0-only */
/* What reports say of schedulers. */
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "judge/judge.h"
#include "ktstr/sched_ext.h"
#include "report/facts.h"
#include "report/scx_dump.h"
#include "support/run_fixture.h"

static struct run_fixture fixture;
static struct verdict verdict;
static struct ktstr_error err;
static char *text;

static void setup(void)
{
	run_fixture_init(&fixture);
	verdict = (struct verdict){ .outcome = KTSTR_OUTCOME_FAIL, .reason = "it broke" };
}

static void teardown(void)
{
	free(text);
	text = NULL;
	evidence_done(&verdict.evidence);
	run_fixture_done(&fixture);
}

TestSuite(report_scx, .init = setup, .fini = teardown);

#define MESSAGE "worker[151] failed to run for 2.976s"

static const char dump[] = "kworker/u8:1[33] triggered exit kind 1026:\n"
			   "  runnable task stall (" MESSAGE ")\n"
			   "\n"
			   "Backtrace:\n"
			   "  scx_watchdog_workfn+0x1a2/0x240\n"
			   "\n"
			   "CPU states\n"
			   "----------\n"
			   "\n"
			   "CPU 0   : nr_run=1 flags=0x1 cpu_rel=0 ops_qseq=7 pnt_seq=8\n"
			   "          curr=kworker/u8:1[33] class=ext_sched_class\n"
			   "\n"
			   " *R kworker/u8:1[33] +0ms\n"
			   "      scx_state/flags=3/0x9 dsq_flags=0x0 ops_state/qseq=0/0\n"
			   "\n"
			   "CPU 1   : nr_run=2 flags=0x1 cpu_rel=0 ops_qseq=17 pnt_seq=18\n"
			   "          curr=swapper/1[0] class=idle_sched_class\n"
			   "\n"
			   "  R worker[1511] -10ms\n"
			   "      scx_state/flags=3/0x9 dsq_flags=0x0 ops_state/qseq=0/1\n"
			   "\n"
			   "  R worker[151] -2976ms\n"
			   "      scx_state/flags=3/0x9 dsq_flags=0x0 ops_state/qseq=0/4\n"
			   "      cpus=3 no_mig=0\n"
			   "\n"
			   "Event counters\n"
			   "--------------\n";

static const char worker_part[] = "CPU 1   : nr_run=2 flags=0x1 cpu_rel=0 ops_qseq=17 pnt_seq=18\n"
				  "          curr=swapper/1[0] class=idle_sched_class\n"
				  "  R worker[151] -2976ms\n"
				  "      scx_state/flags=3/0x9 dsq_flags=0x0 ops_state/qseq=0/4\n"
				  "      cpus=3 no_mig=0\n";
static const char cpus_part[] = "CPU 0   : nr_run=1 flags=0x1 cpu_rel=0 ops_qseq=7 pnt_seq=8\n"
				"          curr=kworker/u8:1[33] class=ext_sched_class\n"
				"CPU 1   : nr_run=2 flags=0x1 cpu_rel=0 ops_qseq=17 pnt_seq=18\n"
				"          curr=swapper/1[0] class=idle_sched_class\n";

Test(report_scx, finds_the_part_of_a_dump_that_matters)
{
	static const struct {
		const char *message;
		const char *expected;
	} rows[] = {
		{ MESSAGE, worker_part },
		{ "watchdog failed to check in for 2.004s", cpus_part },
		{ "nobody[99] failed to run", cpus_part },
		{ "", cpus_part },
		{ "[151] has no name", cpus_part },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str out = { 0 };

		cr_assert_eq(scx_dump_part(dump, strlen(dump), rows[i].message, &out), 0);
		cr_expect_str_eq(str_text(&out), rows[i].expected, "row %zu: %s", i,
				 str_text(&out));
		str_done(&out);
	}
}

Test(report_scx, finds_it_in_lines_of_the_tracepoint)
{
	struct str traced = { 0 }, out = { 0 };
	const char *at = dump;

	while (*at) {
		size_t length = strcspn(at, "\n");

		(void)str_addf(&traced, " kworker-33 [000] d..1. 3.1: sched_ext_dump: %.*s\n",
			       (int)length, at);
		at += length + 1;
	}
	cr_assert_eq(scx_dump_part(traced.data, traced.length, MESSAGE, &out), 0);
	cr_assert_str_eq(str_text(&out), worker_part);
	str_done(&traced);
	str_done(&out);
}

Test(report_scx, shows_only_so_much_of_a_dump)
{
	struct str many = { 0 }, out = { 0 };
	size_t lines = 0;

	for (int i = 0; i < 500; i++)
		(void)str_addf(&many, "CPU %d : x\ny\n\n", i);
	cr_assert_eq(scx_dump_part(many.data, many.length, "", &out), 0);
	for (size_t i = 0; i < out.length; i++)
		lines += out.data[i] == '\n';
	cr_assert_eq(lines, SCX_DUMP_LINES_MAX);
	str_clear(&out);
	cr_assert_eq(scx_dump_part("", 0, MESSAGE, &out), 0);
	cr_assert_eq(out.length, 0);
	str_done(&many);
	str_done(&out);
}

static void frame(uint32_t type, uint64_t host_ns, const void *payload, uint32_t length)
{
	run_fixture_append(&fixture, RUNFILE_FRAME, type, KTSTR_FRAME_CRC_OK, host_ns, payload,
			   length);
}

static void add_exit(uint32_t kind, const char *reason, const char *message, const char *its_dump)
{
	static const char backtrace[] = "scx_watchdog_workfn+0x1a2/0x240\nprocess_one_work\n";
	const struct ktstr_scx_exit head = {
		.size = sizeof(head),
		.kind = kind,
		.source = KTSTR_SCX_EXIT_OF_OPS,
		.reason_length = (uint32_t)strlen(reason),
		.message_length = (uint32_t)strlen(message),
		.backtrace_length = (uint32_t)strlen(backtrace),
		.dump_length = (uint32_t)strlen(its_dump),
	};
	struct str payload = { 0 };

	(void)str_add_bytes(&payload, &head, sizeof(head));
	(void)str_addf(&payload, "%s%s%s%s", reason, message, backtrace, its_dump);
	frame(KTSTR_MSG_SCX_EXIT, 5040 * NS_PER_MS, payload.data, (uint32_t)payload.length);
	str_done(&payload);
}

static void add_step(uint16_t index)
{
	const struct ktstr_step_info step = { .size = sizeof(step), .index = index };

	frame(KTSTR_MSG_STEP, 3 * NS_PER_S, &step, sizeof(step));
}

static void add_programs(uint32_t insns)
{
	struct {
		struct ktstr_sched_progs head;
		struct ktstr_sched_prog progs[2];
	} progs = { .head = { .size = sizeof(progs.head),
			      .when = KTSTR_SCX_ATTACHED,
			      .program_count = 2 },
		    .progs = { { .name = "fvt_enqueue", .id = 7, .verified_insns = 321 },
			       { .name = "fvt_dispatch", .id = 8, .verified_insns = insns } } };

	frame(KTSTR_MSG_SCHED_PROGS, 2 * NS_PER_S, &progs, sizeof(progs));
	/* Once more before the stop, with run times. */
	progs.head.when = KTSTR_SCX_BEFORE_STOP;
	progs.progs[0].run_count = 10;
	progs.progs[0].run_time_ns = 2500;
	frame(KTSTR_MSG_SCHED_PROGS, 4 * NS_PER_S, &progs, sizeof(progs));
}

static void add_state(void)
{
	struct {
		struct ktstr_scx_state head;
		struct ktstr_scx_event events[3];
	} state = { .head = { .size = sizeof(state.head),
			      .when = KTSTR_SCX_RUNNING,
			      .enable_seq = 1,
			      .nr_rejected = 2,
			      .switch_all = 1,
			      .event_count = 3,
			      .state = "enabled",
			      .ops = "fvt" },
		    .events = { { .name = "SCX_EV_DISPATCH_KEEP_LAST", .value = 134 },
				{ .name = "SCX_EV_REENQ_IMMED", .value = 0 },
				{ .name = "SCX_EV_BYPASS_DURATION", .value = 2500000 } } };
	struct ktstr_scx_state after = { .size = sizeof(after),
					 .when = KTSTR_SCX_STOPPED,
					 .enable_seq = 1,
					 .nr_rejected = 2,
					 .state = "disabled" };

	frame(KTSTR_MSG_SCX_STATE, 3 * NS_PER_S, &state, sizeof(state));
	frame(KTSTR_MSG_SCX_STATE, 4 * NS_PER_S, &after, sizeof(after));
}

static void add_log(const char *log)
{
	frame(KTSTR_MSG_SCHED_LOG, 2 * NS_PER_S, log, (uint32_t)strlen(log));
}

static void close_and_read(void)
{
	run_fixture_close(&fixture);
	cr_assert_eq(evidence_read(fixture.fd, "run", &verdict.evidence, &err), 0);
}

static const char *report(bool is_verbose)
{
	const struct report_spec spec = { .run_fd = fixture.fd,
					  .run_path = "run",
					  .is_verbose = is_verbose,
					  .has_timings = true,
					  .scheduler_log_path = "/r/scheduler.log",
					  .dump_path = "/r/sched_ext_dump.txt" };
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	cr_assert_eq(report_text(out, &verdict, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(fclose(out), 0);
	return text;
}

static json_t *document(void)
{
	const struct report_spec spec = { .run_fd = fixture.fd, .run_path = "run" };
	json_t *json = NULL;

	cr_assert_eq(report_document(&verdict, &spec, &json, &err), 0, "%s", err.text);
	return json;
}

#define HAS(part) cr_assert_not_null(strstr(text, part), "%s", text)
#define HAS_NOT(part) cr_assert_null(strstr(text, part), "%s", text)

Test(report_scx, says_nothing_of_a_run_without_it)
{
	const struct ktstr_scx_state none = { .size = sizeof(none), .when = KTSTR_SCX_ATTACHED };
	json_t *json;

	frame(KTSTR_MSG_SCX_STATE, 1, &none, sizeof(none));
	add_log("hello\n");
	close_and_read();
	report(true);
	HAS_NOT("sched_ext\n");
	HAS_NOT("hello");
	json = document();
	cr_assert(json_is_null(json_object_get(json, "sched_ext")));
	json_decref(json);
}

Test(report_scx, shows_the_part_of_the_dump_and_the_backtrace_of_an_ejection)
{
	add_step(1);
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", MESSAGE, dump);
	close_and_read();
	report(false);
	HAS("\nfrom the dump of sched_ext:\n  | CPU 1   : nr_run=2 ");
	HAS("  |   R worker[151] -2976ms\n");
	HAS("\nwhere the kernel threw it out:\n  | scx_watchdog_workfn+0x1a2/0x240\n  | ");
	HAS_NOT("CPU 0");
	HAS("sched log    /r/scheduler.log\ndump         /r/sched_ext_dump.txt\n");
}

Test(report_scx, takes_the_dump_of_the_tracepoint_where_the_scheduler_has_none)
{
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", MESSAGE, "");
	frame(KTSTR_MSG_SCX_DUMP, 1, dump, 300);
	frame(KTSTR_MSG_SCX_DUMP, 1, dump + 300, (uint32_t)strlen(dump) - 300);
	close_and_read();
	report(false);
	HAS("  |   R worker[151] -2976ms\n");
}

Test(report_scx, shows_no_dump_of_one_that_left_in_order)
{
	add_exit(KTSTR_SCX_EXIT_UNREG, "unregistered from user space", "", dump);
	close_and_read();
	report(true);
	HAS_NOT("from the dump");
	HAS_NOT("threw it out");
}

Test(report_scx, shows_a_failure_that_was_expected_in_one_line)
{
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", MESSAGE, dump);
	close_and_read();
	verdict.outcome = KTSTR_OUTCOME_PASS;
	(void)snprintf(verdict.reason, sizeof(verdict.reason), "failed as expected: stalled");
	report(false);
	HAS("\n  failed as expected: stalled\n");
	HAS_NOT("from the dump");
}

Test(report_scx, shows_counters_and_programs)
{
	add_state();
	add_programs(123);
	close_and_read();
	report(false);
	HAS("\nsched_ext\n  scheduler    fvt, 2 tasks rejected, 1 enabled since boot\n"
	    "  events       DISPATCH_KEEP_LAST 134, BYPASS_DURATION 2.5 ms\n"
	    "  programs     2, verified_insns=444, most of them fvt_enqueue with 321\n");
	HAS_NOT("fvt_dispatch");
	free(text);
	report(true);
	HAS("  fvt_enqueue                                verified_insns=321, 10 runs of 250 ns\n"
	    "  fvt_dispatch                               verified_insns=123\n");
	HAS("REENQ_IMMED 0");
}

Test(report_scx, warns_of_programs_near_the_limit_of_the_verifier)
{
	add_programs(950000);
	close_and_read();
	report(false);
	HAS("  fvt_dispatch                               verified_insns=950000, near the "
	    "verifier's limit of 1000000\n");
}

Test(report_scx, tells_of_swaps)
{
	struct ktstr_sched_swap swap = { .size = sizeof(swap),
					 .kind = KTSTR_SCHED_SWAP_REPLACE,
					 .name = "second",
					 .plugin = "scx_fifo" };

	frame(KTSTR_MSG_SCENARIO_START, 2 * NS_PER_S, "", 0);
	frame(KTSTR_MSG_SCHED_SWAP, 3500 * NS_PER_MS, &swap, sizeof(swap));
	swap = (struct ktstr_sched_swap){ .size = sizeof(swap),
					  .kind = KTSTR_SCHED_SWAP_DETACH,
					  .flags = KTSTR_SCHED_SWAP_FORCED,
					  .code = -ETIMEDOUT };
	frame(KTSTR_MSG_SCHED_SWAP, 4 * NS_PER_S, &swap, sizeof(swap));
	close_and_read();
	report(false);
	HAS("  replace      scx_fifo (second), done at 1.5 s\n"
	    "  detach       the kernel's own scheduler, done at 2.0 s, the kernel had to throw "
	    "the old one out: failed, Connection timed out\n");
}

Test(report_scx, believes_the_guests_clock_of_when_a_swap_was_done)
{
	const struct ktstr_sched_swap swap = { .size = sizeof(swap),
					       .kind = KTSTR_SCHED_SWAP_REPLACE,
					       .plugin = "scx_fifo" };
	const struct ktstr_guest_time start = { .guest_ns = 100 * NS_PER_S };
	const struct ktstr_scx_state state = { .size = sizeof(state),
					       .when = KTSTR_SCX_ATTACHED,
					       .guest_ns = 107 * NS_PER_S };

	frame(KTSTR_MSG_SCENARIO_START, 2 * NS_PER_S, &start, sizeof(start));
	frame(KTSTR_MSG_SCX_STATE, 3500 * NS_PER_MS, &state, sizeof(state));
	frame(KTSTR_MSG_SCHED_SWAP, 3500 * NS_PER_MS, &swap, sizeof(swap));
	close_and_read();
	report(false);
	HAS("  replace      scx_fifo, done at 7.0 s\n");
}

Test(report_scx, counts_swaps_that_are_too_many)
{
	const struct ktstr_sched_swap swap = { .size = sizeof(swap),
					       .kind = KTSTR_SCHED_SWAP_RESTART };

	for (int i = 0; i < SCX_FACTS_SWAPS_MAX + 3; i++)
		frame(KTSTR_MSG_SCHED_SWAP, 1, &swap, sizeof(swap));
	close_and_read();
	report(false);
	HAS("  ...and 3 swaps more\n");
}

static void add_phase(uint8_t phase, const char *why)
{
	char payload[100];
	int length = snprintf(payload, sizeof(payload), "%c%s", phase, why);

	frame(KTSTR_MSG_LIFECYCLE, 2 * NS_PER_S, payload, (uint32_t)length);
}

Test(report_scx, collapses_the_log_of_the_verifier)
{
	struct str log = { 0 };

	(void)str_addf(&log, "libbpf: prog 'x': BPF program load failed\n"
			     "libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n");
	for (int i = 0; i < 30; i++)
		(void)str_addf(&log, "%d: (07) r1 += 1 ; R1_w=%d\n; i++\na\nb\nc\n", i, i);
	(void)str_addf(&log, "R7 invalid mem access 'scalar'\n"
			     "-- END PROG LOAD LOG --\nlibbpf: failed to load\n");
	add_log(str_text(&log));
	add_phase(KTSTR_PHASE_SCHEDULER_DIED, "cannot load it");
	close_and_read();
	report(false);
	HAS("\nthe verifier's log:\n  | --- the next 5 lines come 30 times ---\n"
	    "  | 0: (07) r1 += 1 ; R1_w=0\n");
	HAS("  | --- end of what comes 30 times ---\n  | R7 invalid mem access 'scalar'\n");
	HAS_NOT("END PROG");
	HAS_NOT("libbpf");
	str_done(&log);
}

Test(report_scx, shows_the_end_of_any_other_log_of_one_that_did_not_start)
{
	struct str log = { 0 };

	for (int i = 0; i < 100; i++)
		(void)str_addf(&log, "line %d of the log \033[31m\n", i * i);
	add_log(str_text(&log));
	add_phase(KTSTR_PHASE_SCHEDULER_DIED, "its program ended");
	close_and_read();
	report(false);
	HAS("\nend of the scheduler's log:\n  | line 3600 of the log ?[31m\n");
	HAS("  | line 9801 of the log");
	str_done(&log);
}

Test(report_scx, shows_no_log_of_one_that_started)
{
	add_log("all is well\n");
	add_phase(KTSTR_PHASE_SCHEDULER_ATTACHED, "");
	close_and_read();
	report(true);
	HAS_NOT("all is well");
}

Test(report_scx, keeps_the_end_of_a_long_log)
{
	static char piece[60000];
	struct facts *facts;

	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 100; i++)
		frame(KTSTR_MSG_SCHED_LOG, 1, piece, sizeof(piece));
	add_log("the end");
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.fd, "run", &facts, &err), 0);
	cr_expect_leq(facts->scx.log.length, 2 * SCX_FACTS_LOG_MAX);
	cr_expect_geq(facts->scx.log.length, SCX_FACTS_LOG_MAX);
	cr_expect(str_ends(str_text(&facts->scx.log), "xthe end"));
	facts_free(facts);
}

Test(report_scx, has_rows_for_the_times_of_a_scheduler)
{
	struct ktstr_sched_time took = { .size = sizeof(took) };
	json_t *json, *timings;

	for (uint32_t phase = 1; phase <= 6; phase++) {
		took.phase = phase;
		took.duration_ns = phase * 250 * NS_PER_MS;
		frame(KTSTR_MSG_SCHED_TIME, 1, &took, sizeof(took));
	}
	frame(KTSTR_MSG_SCHED_TIME, 1, &took, sizeof(took));
	close_and_read();
	report(false);
	HAS("  scheduler start        0.250 s\n"
	    "  scheduler open         0.500 s\n"
	    "  scheduler load         0.750 s\n"
	    "  scheduler attach       1.000 s\n"
	    "  scheduler detach       1.250 s\n"
	    "  scheduler stop         3.000 s\n");
	json = document();
	timings = json_object_get(json, "timings");
	cr_assert_eq(json_real_value(json_object_get(timings, "scheduler_load_s")), 0.75);
	json_decref(json);
}

Test(report_scx, is_in_the_document)
{
	json_t *json, *scx, *program, *left, *events;

	add_step(2);
	add_state();
	add_programs(5);
	add_exit(KTSTR_SCX_EXIT_ERROR_STALL, "runnable task stall", MESSAGE, dump);
	close_and_read();
	json = document();
	scx = json_object_get(json, "sched_ext");
	cr_assert_str_eq(json_string_value(json_object_get(scx, "ops")), "fvt");
	cr_assert_str_eq(json_string_value(json_object_get(scx, "state")), "disabled");
	cr_assert_eq(json_integer_value(json_object_get(scx, "nr_rejected")), 2);
	events = json_object_get(scx, "events");
	cr_assert_eq(json_integer_value(json_object_get(events, "SCX_EV_DISPATCH_KEEP_LAST")), 134);
	program = json_array_get(json_object_get(scx, "programs"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(program, "name")), "fvt_enqueue");
	cr_assert_eq(json_integer_value(json_object_get(program, "verified_insns")), 321);
	cr_assert_eq(json_integer_value(json_object_get(program, "run_count")), 10);
	left = json_object_get(scx, "exit");
	cr_assert_str_eq(json_string_value(json_object_get(left, "kind")), "stall");
	cr_assert_eq(json_integer_value(json_object_get(left, "number")), 1026);
	cr_assert_str_eq(json_string_value(json_object_get(left, "message")), MESSAGE);
	cr_assert_str_eq(json_string_value(json_object_get(left, "backtrace")),
			 "scx_watchdog_workfn+0x1a2/0x240\nprocess_one_work\n");
	cr_assert_str_eq(json_string_value(json_object_get(left, "sentence")),
			 "the scheduler was ejected 2.04 s into step 2: runnable task stall "
			 "(1026): '" MESSAGE "'");
	json_decref(json);
}

Test(report_scx, does_not_look_at_programs_for_ever)
{
	struct {
		struct ktstr_sched_progs head;
		struct ktstr_sched_prog progs[KTSTR_SCHED_PROGS_MAX];
	} *progs = calloc(1, sizeof(*progs));
	struct facts *facts;

	progs->head = (struct ktstr_sched_progs){ .size = sizeof(progs->head),
						  .when = KTSTR_SCX_ATTACHED,
						  .program_count = KTSTR_SCHED_PROGS_MAX };
	for (uint32_t i = 0; i < 8; i++) {
		for (uint32_t j = 0; j < KTSTR_SCHED_PROGS_MAX; j++)
			progs->progs[j].id = i * KTSTR_SCHED_PROGS_MAX + j;
		frame(KTSTR_MSG_SCHED_PROGS, 1, progs, sizeof(*progs));
	}
	run_fixture_close(&fixture);
	cr_assert_eq(facts_read(fixture.fd, "run", &facts, &err), 0);
	cr_assert_eq(facts->scx.program_count, SCX_FACTS_PROGRAMS_MAX);
	facts_free(facts);
	free(progs);
}
