/* SPDX-License-Identifier: GPL-2.0-only */
/* The checkers that ship, fed with frames that are built here. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "ktstr/checker.h"
#include "unit/shipped.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

#define FINDINGS_MAX 64

struct found {
	uint32_t outcome;
	char subject[300];
	char metric[32];
	char unit[16];
	double measured;
	double limit;
	char text[16384];
};

/* A checker at work, and what it said. */
struct court {
	struct ktstr_judge judge;
	const struct ktstr_checker_ops *ops;
	void *state;
	uint64_t frames;
	struct ktstr_error err;
	struct found *found;
	size_t count;
};

static void take_finding(struct ktstr_judge *judge, const struct ktstr_finding *finding)
{
	struct court *court = judge->host;
	struct found *found;

	cr_assert_lt(court->count, FINDINGS_MAX);
	cr_assert_eq(finding->size, sizeof(*finding));
	found = &court->found[court->count++];
	found->outcome = finding->outcome;
	found->measured = finding->measured;
	found->limit = finding->limit;
	(void)snprintf(found->subject, sizeof(found->subject), "%s", finding->subject);
	(void)snprintf(found->metric, sizeof(found->metric), "%s", finding->metric);
	(void)snprintf(found->unit, sizeof(found->unit), "%s", finding->unit);
	(void)snprintf(found->text, sizeof(found->text), "%s", finding->text);
}

static struct court *court_open(const char *name, const struct ktstr_value *values)
{
	static const struct ktstr_topology topology = {
		.size = sizeof(topology), .numa_nodes = 1, .llcs = 2, .cores = 2, .threads = 1
	};
	const struct ktstr_plugin *plugin = shipped_load("checkers", name);
	struct court *court = calloc(1, sizeof(*court));

	cr_assert_not_null(court);
	court->found = calloc(FINDINGS_MAX, sizeof(*court->found));
	cr_assert_not_null(court->found);
	cr_assert_eq(plugin->kind, KTSTR_KIND_CHECKER);
	court->ops = plugin->checker;
	court->judge = (struct ktstr_judge){ .size = sizeof(court->judge),
					     .topology = &topology,
					     .host = court,
					     .finding = take_finding };
	cr_assert_eq(court->ops->open(&court->judge, values, &court->state, &court->err), 0);
	return court;
}

static void court_close(struct court *court)
{
	court->ops->close(court->state);
	free(court->found);
	free(court);
}

static int show(struct court *court, uint32_t msg_type, uint32_t flags, const void *payload,
		uint32_t length)
{
	struct ktstr_frame frame = { .msg_type = msg_type,
				     .length = length,
				     .flags = flags,
				     .index = court->frames++,
				     .payload = payload };

	return court->ops->observe(court->state, &frame, &court->err);
}

static void show_cgroup(struct court *court, uint32_t id, const char *name, uint64_t cpus)
{
	unsigned char bytes[1024];
	struct ktstr_cgroup_info info = {
		.size = sizeof(info),
		.id = id,
		.name_length = (uint32_t)strlen(name),
		.cpus = { .bits = { cpus } },
	};

	memcpy(bytes, &info, sizeof(info));
	memcpy(bytes + sizeof(info), name, info.name_length);
	cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, bytes,
			  (uint32_t)sizeof(info) + info.name_length),
		     0, "%s", court->err.text);
}

/* A good worker of 5 s in cgroup 1; a test changes what it is about. */
static struct ktstr_worker_report worker_of(uint32_t tid)
{
	return (struct ktstr_worker_report){
		.size = sizeof(struct ktstr_worker_report),
		.tid = tid,
		.cgroup_id = 1,
		.group = 1,
		.flags = KTSTR_WORKER_COMPLETED,
		.work_units = 1000,
		.iterations = 10,
		.wall_time_ns = 5 * S,
		.cpu_time_ns = 5 * S / 2,
		.max_gap_ns = 10 * MS,
		.max_gap_at_ns = 1500 * MS,
		.max_gap_cpu = 3,
		.cpus_used = { .bits = { 0x3 } },
		.workload = "cpu_spin",
	};
}

static void show_worker(struct court *court, const struct ktstr_worker_report *report)
{
	cr_assert_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, report, sizeof(*report)), 0,
		     "%s", court->err.text);
}

static uint32_t decide(struct court *court)
{
	uint32_t outcome = KTSTR_OUTCOME_NONE;

	cr_assert_eq(court->ops->finish(court->state, &outcome, &court->err), 0, "%s",
		     court->err.text);
	return outcome;
}

static void expect_found(const struct court *court, size_t index, uint32_t outcome,
			 const char *subject, double measured, double limit, const char *text)
{
	const struct found *found = &court->found[index];

	cr_assert_lt(index, court->count);
	cr_expect_eq(found->outcome, outcome, "outcome %u", found->outcome);
	cr_expect_str_eq(found->subject, subject);
	cr_expect_float_eq(found->measured, measured, 1e-6, "measured %f", found->measured);
	cr_expect_float_eq(found->limit, limit, 1e-6, "limit %f", found->limit);
	cr_expect_str_eq(found->text, text);
}

static const struct ktstr_value spread_15[] = { { .type = KTSTR_PARAM_PERCENT, .f = 15 } };
static const struct ktstr_value gap_2s[] = { { .type = KTSTR_PARAM_DURATION, .i = 2 * S } };

static const struct {
	const char *name;
	const struct ktstr_value *values;
	double limit;
} all[] = {
	{ "starvation", NULL, 1 },
	{ "fairness", spread_15, 15 },
	{ "gap", gap_2s, 2000 },
	{ "isolation", NULL, 0 },
};

#define ALL (sizeof(all) / sizeof(all[0]))

/* What they have in common. */

Test(checkers, want_cgroups_and_workers)
{
	for (size_t i = 0; i < ALL; i++) {
		const struct ktstr_plugin *plugin = shipped_load("checkers", all[i].name);

		cr_assert_eq(plugin->checker->wants_count, 2);
		cr_expect_eq(plugin->checker->wants[0], KTSTR_MSG_CGROUP);
		cr_expect_eq(plugin->checker->wants[1], KTSTR_MSG_WORKER);
	}
}

Test(checkers, defaults_are_those_of_a_release)
{
	cr_expect_str_eq(shipped_load("checkers", "fairness")->params[0].fallback, "15%");
	cr_expect_str_eq(shipped_load("checkers", "gap")->params[0].fallback, "2s");
	cr_expect_null(shipped_load("checkers", "starvation")->params);
	cr_expect_null(shipped_load("checkers", "isolation")->params);
}

Test(checkers, a_good_run_passes_with_one_figure_a_cgroup)
{
	static const struct {
		const char *metric, *unit;
		double measured;
	} rows[] = {
		{ "least work", "units", 1000 },
		{ "spread", "%", 0 },
		{ "longest gap", "ms", 10 },
		{ "unexpected CPUs", "CPUs", 0 },
	};

	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);

		for (uint32_t id = 1; id <= 2; id++) {
			show_cgroup(court, id, id == 1 ? "hog0" : "hog1", 0x3);
			for (uint32_t j = 0; j < 2; j++) {
				struct ktstr_worker_report report = worker_of(10 * id + j);

				report.cgroup_id = id;
				show_worker(court, &report);
			}
		}
		cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS, "%s", all[i].name);
		cr_assert_eq(court->count, 2, "%s", all[i].name);
		for (size_t j = 0; j < 2; j++) {
			cr_expect_eq(court->found[j].outcome, KTSTR_OUTCOME_PASS);
			cr_expect_str_eq(court->found[j].subject,
					 j ? "cgroup hog1" : "cgroup hog0");
			cr_expect_str_eq(court->found[j].metric, rows[i].metric);
			cr_expect_str_eq(court->found[j].unit, rows[i].unit);
			cr_expect_float_eq(court->found[j].measured, rows[i].measured, 1e-9);
			cr_expect_float_eq(court->found[j].limit, all[i].limit, 1e-9);
		}
		court_close(court);
	}
}

Test(checkers, without_any_worker_nothing_is_decided)
{
	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);

		show_cgroup(court, 1, "hog0", 0x3);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED, "%s", all[i].name);
		cr_assert_eq(court->count, 1);
		expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "run", 0, all[i].limit,
			     "no worker reported");
		court_close(court);
	}
}

Test(checkers, a_frame_with_a_wrong_crc_is_no_evidence)
{
	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);
		struct ktstr_worker_report report = worker_of(1);

		show_cgroup(court, 1, "hog0", 0x3);
		cr_expect_eq(show(court, KTSTR_MSG_WORKER, 0, &report, sizeof(report)), 0);
		/* Not even a malformed one is looked at. */
		cr_expect_eq(show(court, KTSTR_MSG_WORKER, 0, "x", 1), 0);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED, "%s", all[i].name);
		court_close(court);
	}
}

Test(checkers, frames_of_other_types_are_passed_over)
{
	struct court *court = court_open("starvation", NULL);

	cr_expect_eq(show(court, KTSTR_MSG_STDOUT, KTSTR_FRAME_CRC_OK, "x", 1), 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	court_close(court);
}

Test(checkers, a_worker_without_wall_time_measured_nothing)
{
	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);
		struct ktstr_worker_report report = worker_of(7);

		report.wall_time_ns = 0;
		show_cgroup(court, 1, "hog0", 0x3);
		show_worker(court, &report);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED, "%s", all[i].name);
		expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 0, all[i].limit,
			     "tid 7 reported no wall time, so nothing was measured");
		court_close(court);
	}
}

Test(checkers, a_worker_that_died_is_an_error)
{
	static const struct {
		uint32_t kind;
		int32_t value;
		const char *text;
	} rows[] = {
		{ KTSTR_WORKER_EXIT_SIGNAL, SIGSEGV,
		  "worker tid 7 (cpu_spin) was killed by SIGSEGV" },
		{ KTSTR_WORKER_EXIT_SIGNAL, 999,
		  "worker tid 7 (cpu_spin) was killed by signal 999" },
		{ KTSTR_WORKER_EXIT_SIGNAL, -1, "worker tid 7 (cpu_spin) was killed by signal -1" },
		{ KTSTR_WORKER_EXIT_CODE, 3,
		  "worker tid 7 (cpu_spin) exited with code 3 before it reported" },
		{ KTSTR_WORKER_EXIT_NONE, 0,
		  "worker tid 7 (cpu_spin) left no report and no reason" },
		{ 77, 0, "worker tid 7 (cpu_spin) left no report and no reason" },
	};

	for (size_t i = 0; i < ALL * (sizeof(rows) / sizeof(rows[0])); i++) {
		struct court *court = court_open(all[i % ALL].name, all[i % ALL].values);
		struct ktstr_worker_report report = worker_of(7), other = worker_of(8);

		report.flags = 0;
		report.exit_kind = rows[i / ALL].kind;
		report.exit_value = rows[i / ALL].value;
		show_cgroup(court, 1, "hog0", 0x3);
		show_worker(court, &report);
		show_worker(court, &other);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_ERROR, "%s", all[i % ALL].name);
		expect_found(court, 0, KTSTR_OUTCOME_ERROR, "tid 7", 0, all[i % ALL].limit,
			     rows[i / ALL].text);
		court_close(court);
	}
}

Test(checkers, malformed_frames_are_refused)
{
	static struct ktstr_worker_report report;
	static unsigned char cgroup[sizeof(struct ktstr_cgroup_info) + 300];
	struct ktstr_cgroup_info info = { .size = sizeof(info), .id = 1 };
	struct court *court = court_open("gap", gap_2s);
	char text[128];

	report = worker_of(1);
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, "abc", 3), -EBADMSG);
	(void)snprintf(text, sizeof(text),
		       "frame 0: a worker's report of 3 bytes, at least %zu are needed",
		       sizeof(report));
	cr_expect_str_eq(court->err.text, text);

	/* It says that it is longer than it is. */
	report.size = sizeof(report) + 1;
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
		     -EBADMSG);
	report.size = UINT32_MAX;
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
		     -EBADMSG);

	report = worker_of(1);
	report.wake_sample_count = 0x40000001;
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text,
			 "frame 3: 1073741825 wake-up samples, but 0 bytes follow");

	cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, 8), -EBADMSG);
	(void)snprintf(text, sizeof(text), "frame 4: a cgroup of 8 bytes, at least %zu are needed",
		       sizeof(info));
	cr_expect_str_eq(court->err.text, text);

	info.name_length = 5;
	memcpy(cgroup, &info, sizeof(info));
	cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, cgroup, sizeof(info) + 4),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text,
			 "frame 5: a cgroup's name of 5 bytes, but 4 bytes follow");

	info.name_length = 256;
	memcpy(cgroup, &info, sizeof(info));
	cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, cgroup, sizeof(cgroup)),
		     -EBADMSG);
	cr_expect_str_eq(court->err.text,
			 "frame 6: a cgroup's name of 256 bytes, but 300 bytes follow");
	court_close(court);
}

Test(checkers, text_from_the_guest_is_made_printable)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	/* No NUL in the name of the workload, and bytes that drive a terminal in both. */
	memset(report.workload, 'w', sizeof(report.workload));
	report.workload[1] = '\033';
	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_cgroup(court, 1, "h\033[2Jg\xff", 0);
	show_worker(court, &report);
	report = worker_of(8);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text, "tid 7 (w?wwwwwwwwwwwwwwwwwwwwwwwwwwwww) did not "
					       "respond for 5 s when told to stop");
	cr_expect_str_eq(court->found[1].subject, "cgroup h?[2Jg?");
	court_close(court);
}

Test(checkers, too_many_cgroups_and_workers_are_refused)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(1);
	struct ktstr_cgroup_info info = { .size = sizeof(info) };

	for (info.id = 1; info.id <= 4096; info.id++)
		cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)),
			     0);
	cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)),
		     -E2BIG);
	cr_expect_str_eq(court->err.text, "the run speaks of more than 4096 cgroups");
	/* A cgroup that is known is not one more. */
	info.id = 1;
	cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)), 0);
	report.cgroup_id = 99999;
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
		     -E2BIG);
	report.cgroup_id = 4096;
	for (uint32_t i = 0; i < 65536; i++)
		cr_assert_eq(
			show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
			0);
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, sizeof(report)),
		     -E2BIG);
	cr_expect_str_eq(court->err.text, "the run has more than 65536 workers");
	court_close(court);
}

Test(checkers, longer_reports_of_a_newer_agent_are_read)
{
	struct {
		struct ktstr_worker_report report;
		uint32_t more[3];
	} newer = { .report = worker_of(5) };
	struct court *court = court_open("starvation", NULL);

	newer.report.size = sizeof(newer.report) + sizeof(uint32_t);
	newer.report.wake_sample_count = 2;
	show_cgroup(court, 1, "hog0", 0);
	cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &newer,
			  sizeof(newer.report) + 12),
		     0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(checkers, closing_without_a_decision_is_fine)
{
	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);
		struct ktstr_worker_report report = worker_of(1);

		show_worker(court, &report);
		court_close(court);
	}
}

/* starvation */

Test(starvation, a_worker_without_work_fails)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7), other = worker_of(8);

	report.work_units = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	show_worker(court, &other);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 0, 1,
		     "tid 7 made no progress (0 work units)");
	court_close(court);
}

Test(starvation, one_unit_of_work_is_enough)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.work_units = 1;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 1, 1,
		     "each of 1 workers made progress, the slowest 1 work units");
	court_close(court);
}

Test(starvation, a_worker_that_does_not_stop_fails)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 0, 1,
		     "tid 7 (cpu_spin) did not respond for 5 s when told to stop");
	court_close(court);
}

Test(starvation, a_starved_worker_outweighs_one_that_died)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report dead = worker_of(7), starved = worker_of(8);

	dead.flags = 0;
	dead.exit_kind = KTSTR_WORKER_EXIT_SIGNAL;
	dead.exit_value = SIGKILL;
	starved.work_units = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &dead);
	show_worker(court, &starved);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_eq(court->count, 2);
	court_close(court);
}

Test(starvation, cgroups_that_nobody_described_are_named_by_number)
{
	struct court *court = court_open("starvation", NULL);
	struct ktstr_worker_report report = worker_of(7), agent = worker_of(8);

	report.cgroup_id = 4;
	agent.cgroup_id = 0;
	show_worker(court, &report);
	show_worker(court, &agent);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_str_eq(court->found[0].subject, "cgroup #4");
	cr_expect_str_eq(court->found[1].subject, "the agent's cgroup");
	court_close(court);
}

/* fairness */

/* Workers that ran for these shares of 5 s, in percent, on the CPUs @cpus. */
static struct court *fairness_of(double limit, const double *shares, size_t count)
{
	static struct ktstr_value values[1];
	struct court *court;

	values[0].f = limit;
	court = court_open("fairness", values);
	show_cgroup(court, 1, "hog0", 0);
	for (size_t i = 0; i < count; i++) {
		struct ktstr_worker_report report = worker_of((uint32_t)(i + 1));

		report.cpu_time_ns = (uint64_t)((double)report.wall_time_ns * shares[i] / 100);
		report.cpus_used.bits[0] = UINT64_C(1) << i;
		show_worker(court, &report);
	}
	return court;
}

Test(fairness, a_wide_spread_fails)
{
	static const double shares[] = { 92, 70, 60, 50 };
	struct court *court = fairness_of(35, shares, 4);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "cgroup hog0", 42, 35,
		     "unfair cgroup: spread=42% (8-50%) 4 workers on 4 cpus (threshold 35%)");
	court_close(court);
}

Test(fairness, the_limit_itself_passes)
{
	static const double shares[] = { 75, 50 };
	struct court *court = fairness_of(25, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 25, 25,
		     "spread=25% (25-50%) 2 workers on 2 cpus");
	court_close(court);
}

Test(fairness, a_spread_just_over_the_limit_shows_its_decimals)
{
	static const double shares[] = { 65.04, 50 };
	struct court *court = fairness_of(15, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text, "unfair cgroup: spread=15.04% (34.96-50.00%) "
					       "2 workers on 2 cpus (threshold 15.00%)");
	court_close(court);
}

Test(fairness, a_starved_worker_makes_the_spread_full)
{
	static const double shares[] = { 100, 0 };
	struct court *court = fairness_of(35, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_float_eq(court->found[0].measured, 100, 1e-9);
	court_close(court);
}

Test(fairness, more_cpu_time_than_wall_time_is_no_time_off)
{
	static const double shares[] = { 101, 100 };
	struct court *court = fairness_of(15, shares, 2);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 0, 15,
		     "spread=0% (0-0%) 2 workers on 2 cpus");
	court_close(court);
}

Test(fairness, one_worker_alone_is_skipped)
{
	static const double shares[] = { 10 };
	struct court *court = fairness_of(15, shares, 1);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_SKIP, "cgroup hog0", 0, 15,
		     "cgroup hog0: one worker alone, nothing to compare");
	court_close(court);
}

Test(fairness, cgroups_are_not_compared_with_each_other)
{
	struct court *court = court_open("fairness", spread_15);

	for (uint32_t i = 0; i < 5; i++) {
		struct ktstr_worker_report report = worker_of(i);

		/* Two that run all the time, two that never do, one alone. */
		report.cgroup_id = i / 2 + 1;
		report.cpu_time_ns = i < 2 ? report.wall_time_ns : 0;
		show_worker(court, &report);
	}
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_assert_eq(court->count, 3);
	cr_expect_eq(court->found[2].outcome, KTSTR_OUTCOME_SKIP);
	court_close(court);
}

Test(fairness, a_worker_that_did_not_stop_leaves_it_undecided)
{
	struct court *court = court_open("fairness", spread_15);
	struct ktstr_worker_report stuck = worker_of(7), other = worker_of(8), third = worker_of(9);

	stuck.flags = 0;
	stuck.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	other.cpu_time_ns = 0; /* would be unfair to the third, if it could be compared */
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &stuck);
	show_worker(court, &other);
	show_worker(court, &third);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 2);
	expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 0, 15,
		     "tid 7 did not respond for 5 s when told to stop, so it left no figures");
	expect_found(court, 1, KTSTR_OUTCOME_UNDECIDED, "cgroup hog0", 0, 15,
		     "cgroup hog0: not every worker left figures, so shares cannot be compared");
	court_close(court);
}

Test(fairness, the_largest_numbers_do_no_harm)
{
	struct court *court = court_open("fairness", spread_15);
	struct ktstr_worker_report one = worker_of(1), two = worker_of(2);

	one.wall_time_ns = one.cpu_time_ns = UINT64_MAX;
	two.wall_time_ns = 1;
	two.cpu_time_ns = UINT64_MAX;
	memset(&two.cpus_used, 0xff, sizeof(two.cpus_used));
	show_worker(court, &one);
	show_worker(court, &two);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	cr_expect_str_eq(court->found[0].text, "spread=0% (0-0%) 2 workers on 1024 cpus");
	court_close(court);
}

/* gap */

static struct court *gap_of(uint64_t gap_ns)
{
	struct court *court = court_open("gap", gap_2s);
	struct ktstr_worker_report report = worker_of(7);

	report.max_gap_ns = gap_ns;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	return court;
}

Test(gap, a_long_gap_fails)
{
	struct court *court = gap_of(2500 * MS);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 2500, 2000,
		     "tid 7 stuck 2500ms on cpu3 at +1500ms (threshold 2000ms)");
	court_close(court);
}

Test(gap, the_limit_itself_passes)
{
	struct court *court = gap_of(2000 * MS);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 2000, 2000,
		     "none of 1 workers stood still for longer than 2000ms");
	court_close(court);
}

Test(gap, a_gap_just_over_the_limit_shows_its_decimals)
{
	struct court *court = gap_of(2000 * MS + 40000);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck 2000.04ms on cpu3 at +1500ms (threshold 2000.00ms)");
	court_close(court);
}

Test(gap, a_worker_without_work_stood_still_all_its_life)
{
	struct court *court = court_open("gap", gap_2s);
	struct ktstr_worker_report report = worker_of(7);

	report.work_units = 0;
	report.max_gap_ns = 0;
	show_cgroup(court, 1, "hog0", 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 5000, 2000,
		     "tid 7 stuck 5000ms without any progress (threshold 2000ms)");
	court_close(court);
}

Test(gap, only_the_stuck_workers_are_named)
{
	struct court *court = court_open("gap", gap_2s);

	for (uint32_t tid = 1; tid <= 4; tid++) {
		struct ktstr_worker_report report = worker_of(tid);

		report.max_gap_ns = tid * 1000 * MS;
		show_worker(court, &report);
	}
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 2);
	cr_expect_str_eq(court->found[0].subject, "tid 3");
	cr_expect_str_eq(court->found[1].subject, "tid 4");
	court_close(court);
}

Test(gap, a_worker_that_did_not_stop_was_stuck_that_long)
{
	static const struct ktstr_value patient[] = { { .i = 8 * S } };
	struct ktstr_worker_report report = worker_of(7);
	struct court *court = court_open("gap", gap_2s);

	report.flags = 0;
	report.exit_kind = KTSTR_WORKER_EXIT_TIMEOUT;
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 5000, 2000,
		     "tid 7 stuck at least 5000ms: it did not respond when told to stop (threshold "
		     "2000ms)");
	court_close(court);

	court = court_open("gap", patient);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 5000, 8000,
		     "tid 7 did not respond within 5000ms when told to stop, and left no figures "
		     "(threshold 8000ms)");
	court_close(court);
}

Test(gap, the_largest_gap_is_printed_whole)
{
	struct court *court = gap_of(UINT64_MAX);

	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 stuck 18446744073710ms on cpu3 at +1500ms (threshold 2000ms)");
	court_close(court);
}

/* isolation */

static void show_runner(struct court *court, uint32_t tid, uint32_t cgroup_id, uint64_t cpus)
{
	struct ktstr_worker_report report = worker_of(tid);

	report.cgroup_id = cgroup_id;
	report.cpus_used.bits[0] = cpus;
	show_worker(court, &report);
}

Test(isolation, a_worker_on_other_cpus_fails)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_runner(court, 7, 1, 0xf);
	show_runner(court, 8, 1, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_FAIL, "tid 7", 2, 0,
		     "tid 7 ran on unexpected CPUs {2,3} (cgroup hog0 may use {0,1})");
	court_close(court);
}

Test(isolation, sets_of_cpus_are_written_as_ranges)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", UINT64_C(1) << 63);
	show_runner(court, 7, 1, 0x2f);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_str_eq(court->found[0].text,
			 "tid 7 ran on unexpected CPUs {0-3,5} (cgroup hog0 may use {63})");
	court_close(court);
}

Test(isolation, the_longest_sets_fit)
{
	struct court *court = court_open("isolation", NULL);
	struct ktstr_worker_report report = worker_of(7);
	struct ktstr_cgroup_info info = { .size = sizeof(info), .id = 1 };
	size_t length;

	memset(&info.cpus, 0x55, sizeof(info.cpus));
	memset(&report.cpus_used, 0xaa, sizeof(report.cpus_used));
	cr_assert_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, sizeof(info)), 0);
	show_worker(court, &report);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_expect_float_eq(court->found[0].measured, 512, 1e-9);
	length = strlen(court->found[0].text);
	cr_expect_str_eq(court->found[0].text + length - 12, ",1020,1022})");
	cr_expect_not_null(strstr(court->found[0].text, ",1021,1023} (cgroup #1 may use {0,2,"));
	court_close(court);
}

Test(isolation, a_changed_cpuset_allows_what_it_ever_had)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_cgroup(court, 1, "hog0", 0x4);
	show_runner(court, 7, 1, 0x7);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup hog0", 0, 0,
		     "each of 1 workers stayed on CPUs {0-2}");
	court_close(court);
}

Test(isolation, a_cgroup_without_a_cpuset_is_skipped)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "free", 0);
	show_runner(court, 7, 1, 0xff);
	/* One that was set free for a while, and the agent's own. */
	show_cgroup(court, 2, "freed", 0x1);
	show_cgroup(court, 2, "freed", 0);
	show_runner(court, 8, 2, 0xff);
	show_runner(court, 9, 0, 0xff);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_SKIP);
	cr_assert_eq(court->count, 3);
	expect_found(court, 0, KTSTR_OUTCOME_SKIP, "cgroup free", 0, 0,
		     "cgroup free was not bound to CPUs all the time");
	cr_expect_str_eq(court->found[1].text, "cgroup freed was not bound to CPUs all the time");
	cr_expect_str_eq(court->found[2].text,
			 "the agent's cgroup was not bound to CPUs all the time");
	court_close(court);
}

Test(isolation, one_judged_cgroup_makes_a_pass_beside_skipped_ones)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "free", 0);
	show_cgroup(court, 2, "bound", 0x1);
	show_runner(court, 7, 1, 0xff);
	show_runner(court, 8, 2, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS);
	court_close(court);
}

Test(isolation, a_nested_cgroup_is_bound_by_those_around_it)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "box", 0x3);
	show_cgroup(court, 2, "box/inner", 0);
	show_cgroup(court, 3, "box/inner/most", 0);
	show_cgroup(court, 4, "free/inner", 0);
	show_runner(court, 7, 3, 0x4);
	show_runner(court, 8, 2, 0x3);
	show_runner(court, 9, 4, 0xff);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(court->count, 3);
	expect_found(court, 0, KTSTR_OUTCOME_PASS, "cgroup box/inner", 0, 0,
		     "each of 1 workers stayed on CPUs {0,1}");
	expect_found(court, 1, KTSTR_OUTCOME_FAIL, "tid 7", 1, 0,
		     "tid 7 ran on unexpected CPUs {2} (cgroup box may use {0,1})");
	cr_expect_eq(court->found[2].outcome, KTSTR_OUTCOME_SKIP);
	court_close(court);
}

Test(isolation, a_worker_that_does_not_say_where_it_ran_leaves_it_undecided)
{
	struct court *court = court_open("isolation", NULL);

	show_cgroup(court, 1, "hog0", 0x3);
	show_runner(court, 7, 1, 0);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7", 0, 0,
		     "tid 7 did not say where it ran");
	court_close(court);
}

Test(isolation, a_cgroup_that_nobody_described_is_broken_evidence)
{
	struct court *court = court_open("isolation", NULL);

	show_runner(court, 7, 5, 0x1);
	cr_expect_eq(decide(court), KTSTR_OUTCOME_ERROR);
	cr_assert_eq(court->count, 1);
	expect_found(court, 0, KTSTR_OUTCOME_ERROR, "cgroup #5", 0, 0,
		     "cgroup #5 has workers, but no frame describes it");
	court_close(court);
}
