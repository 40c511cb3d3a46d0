/* SPDX-License-Identifier: GPL-2.0-only */
/* What the checkers that ship have in common: which evidence they take, and which they do not. */
#include <criterion/criterion.h>
#include <signal.h>

#include "unit/court.h"
#include "unit/shipped.h"

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
		uint32_t limit_kind;
		double measured;
	} rows[] = {
		{ "least work", "units", KTSTR_LIMIT_AT_LEAST, 1000 },
		{ "spread", "%", KTSTR_LIMIT_AT_MOST, 0 },
		{ "longest gap", "ms", KTSTR_LIMIT_AT_MOST, 10 },
		{ "unexpected CPUs", "", KTSTR_LIMIT_AT_MOST, 0 },
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
			cr_expect_eq(court->found[j].limit_kind, rows[i].limit_kind);
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
		expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "run", "no worker reported");
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
		expect_sentence(court, 0, KTSTR_OUTCOME_UNDECIDED, "tid 7",
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
		expect_sentence(court, 0, KTSTR_OUTCOME_ERROR, "tid 7", rows[i / ALL].text);
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
		       offsetof(struct ktstr_worker_report, nice));
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
		       offsetof(struct ktstr_cgroup_info, cpu_weight));
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

Test(checkers, frames_of_the_first_agents_are_read)
{
	for (size_t i = 0; i < ALL; i++) {
		struct court *court = court_open(all[i].name, all[i].values);
		struct ktstr_cgroup_info info = { .id = 1, .cpus = { .bits = { 0x3 } } };
		struct ktstr_worker_report report = worker_of(1), other = worker_of(2);

		info.size = offsetof(struct ktstr_cgroup_info, cpu_weight);
		report.size = other.size = offsetof(struct ktstr_worker_report, nice);
		cr_expect_eq(show(court, KTSTR_MSG_CGROUP, KTSTR_FRAME_CRC_OK, &info, info.size),
			     0);
		cr_expect_eq(
			show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &report, report.size), 0);
		cr_expect_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, &other, other.size),
			     0);
		cr_expect_eq(decide(court), KTSTR_OUTCOME_PASS, "%s", all[i].name);
		court_close(court);
	}
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
