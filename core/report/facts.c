/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "coord/coord.h"
#include "runfile/reader.h"
#include "wire/payload.h"

/* What the pass keeps beside its result. */
struct pass {
	struct facts *facts;
	struct stream_hash *stream;
	size_t worker_size; /* how many entries the array has room for */
	uint64_t console_total;
	char line[FACTS_CONSOLE_LINE_MAX];
	size_t line_length;
};

static int worst_first(const void *a, const void *b)
{
	const struct facts_worker *x = a, *y = b;

	if (x->is_complete != y->is_complete)
		return x->is_complete ? 1 : -1;
	if (x->max_gap_ns != y->max_gap_ns)
		return x->max_gap_ns > y->max_gap_ns ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int by_id(const void *a, const void *b)
{
	const struct facts_cgroup *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The entry of a cgroup, new when it was not there; NULL when there are too many. */
static struct facts_cgroup *cgroup_of(struct facts *facts, uint32_t id)
{
	struct facts_cgroup *cgroup;

	for (size_t i = 0; i < facts->cgroup_count; i++)
		if (facts->cgroups[i].id == id)
			return &facts->cgroups[i];
	if (facts->cgroup_count == FACTS_CGROUPS_MAX) {
		facts->cgroups_left_out++;
		return NULL;
	}
	cgroup = &facts->cgroups[facts->cgroup_count++];
	*cgroup = (struct facts_cgroup){ .id = id };
	if (id == 0)
		str_copy(cgroup->name, sizeof(cgroup->name), "(agent)");
	else
		(void)snprintf(cgroup->name, sizeof(cgroup->name), "#%u", id);
	return cgroup;
}

/* One line, nothing in it that moves the cursor. */
static void copy_line(char *target, size_t size, const char *source, size_t length)
{
	str_copy_safe(target, size, source, length);
	for (char *c = target; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
}

static void take_cgroup(struct facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_cgroup_info info;
	struct facts_cgroup *cgroup;
	char name[64];

	if (wire_decode_cgroup(frame->payload, frame->length, &info, name, sizeof(name)) < 0)
		return;
	cgroup = cgroup_of(facts, info.id);
	if (!cgroup)
		return;
	copy_line(cgroup->name, sizeof(cgroup->name), name, strlen(name));
	cgroup->cpus = ktstr_cpuset_count(&info.cpus);
}

/* Make room for one more worker: the best of those kept go when there are too many. */
static int worker_room(struct pass *pass)
{
	struct facts *facts = pass->facts;
	struct facts_worker *more;

	if (facts->worker_count < pass->worker_size)
		return 0;
	if (facts->worker_count >= 2 * FACTS_WORKERS_MAX) {
		qsort(facts->workers, facts->worker_count, sizeof(*facts->workers), worst_first);
		facts->worker_count = FACTS_WORKERS_MAX;
		return 0;
	}
	pass->worker_size = pass->worker_size ? pass->worker_size * 2 : 64;
	more = realloc(facts->workers, pass->worker_size * sizeof(*more));
	if (!more)
		return -ENOMEM;
	facts->workers = more;
	return 0;
}

/* The samples that follow a report, each for as many latencies as there were to one of them. */
static void take_wake(struct facts *facts, const struct ktstr_frame *frame,
		      const struct ktstr_worker_report *report)
{
	uint32_t length, ns;
	const uint8_t *samples = ktstr_payload_tail(frame, &length);
	size_t count = report->wake_sample_count;

	if (count == 0 || length / sizeof(ns) < count || report->wake_sample_total < count)
		return;
	for (size_t i = 0; i < count; i++) {
		memcpy(&ns, samples + i * sizeof(ns), sizeof(ns));
		wake_add(&facts->wake, ns, (double)report->wake_sample_total / (double)count);
	}
}

static void take_share(struct facts_cgroup *cgroup, const struct ktstr_worker_report *report)
{
	double off = 100.0 - facts_cpu_percent(report->cpu_time_ns, report->wall_time_ns);

	if (report->wall_time_ns == 0)
		return;
	/* The two clocks are read one after the other, so the CPU time can come out longer. */
	if (off < 0)
		off = 0;
	if (cgroup->measured == 0 || off < cgroup->least_off_cpu)
		cgroup->least_off_cpu = off;
	if (cgroup->measured == 0 || off > cgroup->most_off_cpu)
		cgroup->most_off_cpu = off;
	cgroup->measured++;
}

static int take_worker(struct pass *pass, const struct ktstr_frame *frame)
{
	struct facts *facts = pass->facts;
	struct ktstr_worker_report report;
	struct facts_cgroup *cgroup;
	struct facts_worker *worker;

	if (ktstr_payload_get(frame, &report, sizeof(report), 24) < 0)
		return 0;
	if (worker_room(pass) < 0)
		return -ENOMEM;
	facts->worker_total++;
	facts->iterations += report.iterations;
	facts->migrations += report.migrations;
	take_wake(facts, frame, &report);
	worker = &facts->workers[facts->worker_count++];
	*worker = (struct facts_worker){
		.tid = report.tid,
		.cgroup_id = report.cgroup_id,
		.group = report.group,
		.index = report.index,
		.is_complete = report.flags & KTSTR_WORKER_COMPLETED,
		.exit_kind = report.exit_kind,
		.exit_value = report.exit_value,
		.work_units = report.work_units,
		.iterations = report.iterations,
		.wall_ns = report.wall_time_ns,
		.cpu_ns = report.cpu_time_ns,
		.max_gap_ns = report.max_gap_ns,
		.migrations = report.migrations,
	};
	copy_line(worker->workload, sizeof(worker->workload), report.workload,
		  strnlen(report.workload, sizeof(report.workload)));
	cgroup = cgroup_of(facts, report.cgroup_id);
	if (!cgroup)
		return 0;
	cgroup->workers++;
	cgroup->incomplete += !worker->is_complete;
	cgroup->iterations += report.iterations;
	cgroup->wall_ns += report.wall_time_ns;
	cgroup->cpu_ns += report.cpu_time_ns;
	cgroup->migrations += report.migrations;
	if (report.max_gap_ns > cgroup->max_gap_ns)
		cgroup->max_gap_ns = report.max_gap_ns;
	take_share(cgroup, &report);
	return 0;
}

static void take_scenario_end(struct facts *facts, const struct ktstr_frame *frame)
{
	struct ktstr_scenario_end end;

	facts->times.scenario_end_ns = frame->host_ns;
	if (wire_decode_scenario_end(frame->payload, frame->length, &end) == 0 &&
	    end.elapsed_ms < UINT64_MAX / NS_PER_MS)
		facts->scenario_ns = end.elapsed_ms * NS_PER_MS;
}

static int take_frame(struct pass *pass, const struct ktstr_frame *frame)
{
	struct facts *facts = pass->facts;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	if (facts->times.ready_ns == 0)
		facts->times.ready_ns = frame->host_ns;
	switch (frame->msg_type) {
	case KTSTR_MSG_CGROUP:
		take_cgroup(facts, frame);
		return 0;
	case KTSTR_MSG_WORKER:
		return take_worker(pass, frame);
	case KTSTR_MSG_SCENARIO_START:
		if (facts->times.scenario_start_ns == 0)
			facts->times.scenario_start_ns = frame->host_ns;
		break;
	case KTSTR_MSG_SCENARIO_END:
		take_scenario_end(facts, frame);
		return 0;
	}
	return scx_facts_take(&facts->scx, frame);
}

static void end_line(struct pass *pass)
{
	struct facts *facts = pass->facts;

	while (pass->line_length > 0 && pass->line[pass->line_length - 1] == '\r')
		pass->line_length--;
	if (pass->line_length > 0)
		copy_line(facts->console[pass->console_total++ % FACTS_CONSOLE_LINES],
			  FACTS_CONSOLE_LINE_MAX, pass->line, pass->line_length);
	pass->line_length = 0;
}

static void take_console(struct pass *pass, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			end_line(pass);
		else if (pass->line_length < sizeof(pass->line))
			pass->line[pass->line_length++] = bytes[i];
	}
}

/* The ring of console lines, put in order. */
static int order_console(struct pass *pass)
{
	struct facts *facts = pass->facts;
	size_t first;
	_cleanup_free_ char(*old)[FACTS_CONSOLE_LINE_MAX] = NULL;

	end_line(pass);
	facts->console_count = pass->console_total < FACTS_CONSOLE_LINES
				       ? (size_t)pass->console_total
				       : FACTS_CONSOLE_LINES;
	first = pass->console_total % FACTS_CONSOLE_LINES;
	if (facts->console_count < FACTS_CONSOLE_LINES || first == 0)
		return 0;
	old = malloc(sizeof(facts->console));
	if (!old)
		return -ENOMEM;
	memcpy(old, facts->console, sizeof(facts->console));
	for (size_t i = 0; i < FACTS_CONSOLE_LINES; i++)
		memcpy(facts->console[i], old[(first + i) % FACTS_CONSOLE_LINES],
		       FACTS_CONSOLE_LINE_MAX);
	return 0;
}

static void take_timing(struct facts *facts, uint64_t host_ns, const char *name, size_t length)
{
	const struct {
		const char *name;
		uint64_t *ns;
	} milestones[] = {
		{ FACTS_TIMING_PREPARED, &facts->times.prepared_ns },
		{ FACTS_TIMING_IMAGE, &facts->times.image_ns },
		{ FACTS_TIMING_WAITED, &facts->times.waited_ns },
		{ FACTS_TIMING_QEMU, &facts->times.qemu_ns },
		{ COORD_TIMING_READY, &facts->times.ready_ns },
	};

	for (size_t i = 0; i < ARRAY_SIZE(milestones); i++)
		if (strlen(milestones[i].name) == length &&
		    memcmp(milestones[i].name, name, length) == 0)
			*milestones[i].ns = host_ns;
}

static int take_record(struct pass *pass, const struct runfile_record *record, const void *payload)
{
	struct facts *facts = pass->facts;
	struct ktstr_frame frame;
	struct ktstr_error ignored;

	facts->times.last_ns = record->host_ns;
	stream_hash_add(pass->stream, record, payload);
	switch (record->kind) {
	case RUNFILE_META:
		/* A report without it says less, and no less true. */
		if (!facts->meta &&
		    meta_parse(payload, record->length, &facts->meta, &ignored) == -ENOMEM)
			return -ENOMEM;
		return 0;
	case RUNFILE_FRAME:
		frame = (struct ktstr_frame){ .msg_type = record->tag,
					      .length = record->length,
					      .flags = record->flags,
					      .host_ns = record->host_ns,
					      .payload = payload };
		return take_frame(pass, &frame);
	case RUNFILE_CONSOLE:
		take_console(pass, payload, record->length);
		return 0;
	case RUNFILE_EVENT:
		if (record->tag == RUNFILE_EVENT_TIMING)
			take_timing(facts, record->host_ns, payload, record->length);
		return 0;
	case RUNFILE_SUMMARY:
		facts->times.summary_ns = record->host_ns;
		return 0;
	}
	return 0;
}

static int read_all(struct runfile_reader *reader, struct pass *pass)
{
	struct runfile_record record;
	const void *payload;
	int rc = 0;

	while (rc == 0 && runfile_next(reader, &record, &payload) == 1)
		rc = take_record(pass, &record, payload);
	if (rc == 0)
		rc = order_console(pass);
	if (rc == 0)
		stream_hash_end(pass->stream, &pass->facts->stream);
	return rc;
}

int facts_read(int runfile_fd, const char *name, struct facts **ret, struct ktstr_error *err)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	struct pass pass = { .facts = facts, .stream = stream_hash_new() };
	struct runfile_reader *reader = NULL;
	struct facts_times *times;
	int rc;

	if (facts)
		facts->cgroups = calloc(FACTS_CGROUPS_MAX, sizeof(*facts->cgroups));
	if (!facts || !facts->cgroups || !pass.stream) {
		stream_hash_free(pass.stream);
		facts_free(facts);
		return ktstr_fail(err, -ENOMEM, "cannot report on '%s': out of memory", name);
	}
	rc = runfile_open_fd(runfile_fd, name, &reader, err);
	if (rc == 0 && read_all(reader, &pass) < 0)
		rc = ktstr_fail(err, -ENOMEM, "cannot report on '%s': out of memory", name);
	runfile_reader_free(reader);
	stream_hash_free(pass.stream);
	if (rc < 0) {
		facts_free(facts);
		return rc;
	}
	if (facts->worker_count > 0)
		qsort(facts->workers, facts->worker_count, sizeof(*facts->workers), worst_first);
	if (facts->worker_count > FACTS_WORKERS_MAX)
		facts->worker_count = FACTS_WORKERS_MAX;
	qsort(facts->cgroups, facts->cgroup_count, sizeof(*facts->cgroups), by_id);
	times = &facts->times;
	if (facts->scenario_ns == 0 && times->scenario_end_ns > times->scenario_start_ns &&
	    times->scenario_start_ns > 0)
		facts->scenario_ns = times->scenario_end_ns - times->scenario_start_ns;
	*ret = facts;
	return 0;
}

void facts_free(struct facts *facts)
{
	if (!facts)
		return;
	meta_free(facts->meta);
	scx_facts_done(&facts->scx);
	free(facts->workers);
	free(facts->cgroups);
	free(facts);
}

double facts_cpu_percent(uint64_t cpu_ns, uint64_t wall_ns)
{
	return wall_ns ? 100.0 * (double)cpu_ns / (double)wall_ns : 0.0;
}

bool facts_spread(const struct facts_cgroup *cgroup, double *ret)
{
	if (cgroup->workers < 2 || cgroup->incomplete > 0 || cgroup->measured < cgroup->workers)
		return false;
	*ret = cgroup->most_off_cpu - cgroup->least_off_cpu;
	return true;
}

static size_t add_scheduler_times(const struct facts *facts, struct timing *ret)
{
	static const struct {
		uint32_t phase;
		const char *key, *name;
	} parts[] = {
		{ KTSTR_SCHED_TIME_START, "scheduler_start", "scheduler start" },
		{ KTSTR_SCHED_TIME_OPEN, "scheduler_open", "scheduler open" },
		{ KTSTR_SCHED_TIME_LOAD, "scheduler_load", "scheduler load" },
		{ KTSTR_SCHED_TIME_ATTACH, "scheduler_attach", "scheduler attach" },
		{ KTSTR_SCHED_TIME_DETACH, "scheduler_detach", "scheduler detach" },
		{ KTSTR_SCHED_TIME_STOP, "scheduler_stop", "scheduler stop" },
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (facts->scx.times_ns[parts[i].phase] > 0)
			ret[count++] = (struct timing){ parts[i].key, parts[i].name,
							facts->scx.times_ns[parts[i].phase] };
	return count;
}

size_t facts_timings(const struct facts *facts, uint64_t judging_ns, uint64_t took_ns,
		     struct timing ret[FACTS_TIMINGS_MAX])
{
	const struct facts_times *t = &facts->times;
	const struct {
		const char *key, *name;
		uint64_t from_ns, to_ns;
	} parts[] = {
		{ "prepare", "prepare", 0, t->prepared_ns },
		{ "image", "image", t->prepared_ns, t->image_ns },
		{ "waiting", "waiting", t->image_ns, t->waited_ns },
		{ "qemu_start", "QEMU start", t->waited_ns ? t->waited_ns : t->image_ns,
		  t->qemu_ns },
		{ "kernel_to_init", "kernel to init", t->qemu_ns, t->ready_ns },
		{ "agent_to_scenario", "agent to scenario", t->ready_ns, t->scenario_start_ns },
		{ "scenario", "scenario", t->scenario_start_ns, t->scenario_end_ns },
		{ "teardown", "teardown", t->scenario_end_ns, t->summary_ns },
		{ "judging", "judging", 0, judging_ns },
	};
	uint64_t other_ns = t->waited_ns > t->image_ns ? t->waited_ns - t->image_ns : 0;
	uint64_t total_ns = took_ns ? took_ns : t->last_ns + judging_ns;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		/* A milestone of 0 did not happen, but the start of the first part is 0. */
		if (parts[i].to_ns <= parts[i].from_ns ||
		    (parts[i].from_ns == 0 && strcmp(parts[i].key, "prepare") != 0 &&
		     strcmp(parts[i].key, "judging") != 0))
			continue;
		ret[count++] = (struct timing){ parts[i].key, parts[i].name,
						parts[i].to_ns - parts[i].from_ns };
	}
	count += add_scheduler_times(facts, ret + count);
	if (t->scenario_start_ns > 0 && t->scenario_end_ns > t->scenario_start_ns)
		other_ns += t->scenario_end_ns - t->scenario_start_ns;
	ret[count++] = (struct timing){ "total", "total", total_ns };
	ret[count++] = (struct timing){ "overhead", "overhead",
					total_ns > other_ns ? total_ns - other_ns : 0 };
	return count;
}
