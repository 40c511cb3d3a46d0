/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/court.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "unit/shipped.h"

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
	found->limit_kind = finding->limit_kind;
	cr_assert(finding->text || finding->metric);
	cr_assert_eq(finding->reserved, 0);
	(void)snprintf(found->subject, sizeof(found->subject), "%s", finding->subject);
	(void)snprintf(found->metric, sizeof(found->metric), "%s",
		       finding->metric ? finding->metric : "");
	(void)snprintf(found->unit, sizeof(found->unit), "%s", finding->unit ? finding->unit : "");
	(void)snprintf(found->text, sizeof(found->text), "%s", finding->text ? finding->text : "");
}

struct court *court_open(const char *name, const struct ktstr_value *values)
{
	return court_open_with(name, values, NULL);
}

struct court *court_open_with(const char *name, const struct ktstr_value *values, const char *clock)
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
					     .clock = clock,
					     .host = court,
					     .finding = take_finding };
	cr_assert_eq(court->ops->open(&court->judge, values, &court->state, &court->err), 0);
	return court;
}

void court_close(struct court *court)
{
	court->ops->close(court->state);
	free(court->found);
	free(court);
}

int show(struct court *court, uint32_t msg_type, uint32_t flags, const void *payload,
	 uint32_t length)
{
	struct ktstr_frame frame = { .msg_type = msg_type,
				     .length = length,
				     .flags = flags,
				     .index = court->frames++,
				     .host_ns = court->now_ns,
				     .payload = payload };

	return court->ops->observe(court->state, &frame, &court->err);
}

void show_cgroup(struct court *court, uint32_t id, const char *name, uint64_t cpus)
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

struct ktstr_worker_report worker_of(uint32_t tid)
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

void show_worker(struct court *court, const struct ktstr_worker_report *report)
{
	cr_assert_eq(show(court, KTSTR_MSG_WORKER, KTSTR_FRAME_CRC_OK, report, sizeof(*report)), 0,
		     "%s", court->err.text);
}

uint32_t decide(struct court *court)
{
	uint32_t outcome = KTSTR_OUTCOME_NONE;

	cr_assert_eq(court->ops->finish(court->state, &outcome, &court->err), 0, "%s",
		     court->err.text);
	return outcome;
}

void expect_found(const struct court *court, size_t index, uint32_t outcome, const char *subject,
		  double measured, double limit, const char *text)
{
	const struct found *found = &court->found[index];

	cr_assert_lt(index, court->count);
	cr_expect_eq(found->outcome, outcome, "outcome %u", found->outcome);
	cr_expect_str_eq(found->subject, subject);
	cr_expect_float_eq(found->measured, measured, 1e-6, "measured %f", found->measured);
	cr_expect_float_eq(found->limit, limit, 1e-6, "limit %f", found->limit);
	cr_expect_str_eq(found->text, text);
}

void expect_sentence(const struct court *court, size_t index, uint32_t outcome, const char *subject,
		     const char *text)
{
	expect_found(court, index, outcome, subject, 0, 0, text);
	cr_expect_str_empty(court->found[index].metric);
	cr_expect_str_empty(court->found[index].unit);
	cr_expect_eq(court->found[index].limit_kind, KTSTR_LIMIT_NONE);
}
