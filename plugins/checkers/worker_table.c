/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker_table.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>

/* Of a VM that has a CPU, in which every worker that may run does. */
#define ENOUGH_NS UINT64_C(1000000000)
/* What the frames of the first agents had. */
#define CGROUP_INFO_MIN offsetof(struct ktstr_cgroup_info, cpu_weight)
#define WORKER_REPORT_MIN offsetof(struct ktstr_worker_report, nice)

/* CGROUP stands first, but the agent may announce a cgroup after its workers. */
const uint32_t worker_table_wants[WORKER_TABLE_WANTS_COUNT] = {
	KTSTR_MSG_CGROUP,
	KTSTR_MSG_WORKER,
};

int worker_table_open(struct ktstr_judge *judge, const struct table_rule *rule, double limit,
		      void **ret_table, struct ktstr_error *err)
{
	struct worker_table *table = calloc(1, sizeof(*table));

	if (!table)
		return ktstr_fail(err, -ENOMEM, "no memory for the table of workers");
	table->findings.judge = judge;
	table->rule = rule;
	table->limit = limit;
	*ret_table = table;
	return 0;
}

void worker_table_close(void *state)
{
	struct worker_table *table = state;

	if (!table)
		return;
	free(table->cgroups);
	free(table->workers);
	free(table);
}

/* Room for one more element of an array that doubles at each power of two. NULL: no memory. */
static void *array_grow(void *array, size_t count, size_t element)
{
	size_t size;

	if (count & (count - 1))
		return array;
	size = count ? count * 2 : 1;
	return realloc(array, size * element);
}

/* The row of cgroup @id, made when there is none yet. */
static int cgroup_get(struct worker_table *table, uint32_t id, struct table_cgroup **ret,
		      struct ktstr_error *err)
{
	struct table_cgroup *cgroups, *cgroup;

	/* A run has few cgroups, and the newest is asked for most often. */
	for (size_t i = table->cgroup_count; i-- > 0;) {
		if (table->cgroups[i].id == id) {
			*ret = &table->cgroups[i];
			return 0;
		}
	}
	if (table->cgroup_count >= WORKER_TABLE_CGROUPS_MAX)
		return ktstr_fail(err, -E2BIG, "the run speaks of more than %u cgroups",
				  WORKER_TABLE_CGROUPS_MAX);
	cgroups = array_grow(table->cgroups, table->cgroup_count, sizeof(*cgroups));
	if (!cgroups)
		return ktstr_fail(err, -ENOMEM, "no memory for cgroup %u", id);
	table->cgroups = cgroups;
	cgroup = &cgroups[table->cgroup_count++];
	memset(cgroup, 0, sizeof(*cgroup));
	cgroup->id = id;
	if (id == 0)
		(void)snprintf(cgroup->subject, sizeof(cgroup->subject), "the agent's cgroup");
	else
		(void)snprintf(cgroup->subject, sizeof(cgroup->subject), "cgroup #%u", id);
	*ret = cgroup;
	return 0;
}

static int cgroup_observe(struct worker_table *table, const struct ktstr_frame *frame,
			  struct ktstr_error *err)
{
	struct ktstr_cgroup_info info;
	struct table_cgroup *cgroup = NULL;
	bool is_unlimited;
	const char *name;
	uint32_t length;
	int code;

	if (ktstr_payload_get(frame, &info, sizeof(info), CGROUP_INFO_MIN) < 0)
		return ktstr_fail(err, -EBADMSG,
				  "frame %llu: a cgroup of %u bytes, at least %zu are needed",
				  (unsigned long long)frame->index, frame->length, CGROUP_INFO_MIN);
	name = ktstr_payload_tail(frame, &length);
	if (info.name_length > length || info.name_length > WORKER_TABLE_NAME_MAX)
		return ktstr_fail(err, -EBADMSG,
				  "frame %llu: a cgroup's name of %u bytes, but %u bytes follow",
				  (unsigned long long)frame->index, info.name_length, length);
	code = cgroup_get(table, info.id, &cgroup, err);
	if (code < 0)
		return code;
	is_unlimited = !ktstr_cpuset_count(&info.cpus);
	if (cgroup->is_described) {
		cgroup->has_other_cpus |=
			memcmp(&cgroup->cpus, &info.cpus, sizeof(info.cpus)) != 0 ||
			cgroup->was_unlimited != is_unlimited;
		cgroup->has_other_weight |= cgroup->cpu_weight != info.cpu_weight;
	}
	cgroup->has_max |= (info.flags & KTSTR_CGROUP_HAS_MAX) != 0;
	cgroup->is_described = true;
	cgroup->cpu_weight = info.cpu_weight;
	(void)text_copy(cgroup->name, sizeof(cgroup->name), name, info.name_length);
	if (info.name_length)
		(void)snprintf(cgroup->subject, sizeof(cgroup->subject), "cgroup %s", cgroup->name);
	cgroup->was_unlimited |= is_unlimited;
	for (size_t i = 0; i < KTSTR_CPUS_MAX / 64; i++)
		cgroup->cpus.bits[i] |= info.cpus.bits[i];
	return 0;
}

static int worker_observe(struct worker_table *table, const struct ktstr_frame *frame,
			  struct ktstr_error *err)
{
	struct ktstr_worker_report report;
	struct table_cgroup *cgroup = NULL;
	struct table_worker *workers;
	char name[sizeof(report.workload)];
	uint32_t length;
	int code;

	if (ktstr_payload_get(frame, &report, sizeof(report), WORKER_REPORT_MIN) < 0)
		return ktstr_fail(
			err, -EBADMSG,
			"frame %llu: a worker's report of %u bytes, at least %zu are needed",
			(unsigned long long)frame->index, frame->length, WORKER_REPORT_MIN);
	(void)ktstr_payload_tail(frame, &length);
	if (report.wake_sample_count > length / sizeof(uint32_t))
		return ktstr_fail(
			err, -EBADMSG, "frame %llu: %u wake-up samples, but %u bytes follow",
			(unsigned long long)frame->index, report.wake_sample_count, length);
	if (table->worker_count >= WORKER_TABLE_WORKERS_MAX)
		return ktstr_fail(err, -E2BIG, "the run has more than %u workers",
				  WORKER_TABLE_WORKERS_MAX);
	code = cgroup_get(table, report.cgroup_id, &cgroup, err);
	if (code < 0)
		return code;
	workers = array_grow(table->workers, table->worker_count, sizeof(*workers));
	if (!workers)
		return ktstr_fail(err, -ENOMEM, "no memory for the report of tid %u", report.tid);
	table->workers = workers;
	(void)text_copy(name, sizeof(name), report.workload,
			strnlen(report.workload, sizeof(report.workload)));
	memcpy(report.workload, name, sizeof(name));
	workers[table->worker_count++] = (struct table_worker){
		.report = report,
		.stopped_ns = table->paused_ns ? table->paused_ns : frame->host_ns,
	};
	return 0;
}

int worker_table_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct worker_table *table = state;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK))
		return 0;
	if (frame->msg_type == KTSTR_MSG_CGROUP)
		return cgroup_observe(table, frame, err);
	if (frame->msg_type == KTSTR_MSG_WORKER)
		return worker_observe(table, frame, err);
	if (frame->msg_type == KTSTR_MSG_SCENARIO_PAUSE)
		table->paused_ns = frame->host_ns;
	return 0;
}

const struct table_cgroup *table_parent(const struct worker_table *table,
					const struct table_cgroup *cgroup)
{
	const char *slash = strrchr(cgroup->name, '/');
	size_t length;

	if (!slash)
		return NULL;
	length = (size_t)(slash - cgroup->name);
	for (size_t i = 0; i < table->cgroup_count; i++) {
		const struct table_cgroup *parent = &table->cgroups[i];

		if (strlen(parent->name) == length &&
		    memcmp(parent->name, cgroup->name, length) == 0)
			return parent;
	}
	return NULL;
}

const struct table_cgroup *table_limit(const struct worker_table *table,
				       const struct table_cgroup *cgroup)
{
	while (cgroup && cgroup->was_unlimited)
		cgroup = table_parent(table, cgroup);
	return cgroup;
}

void table_find(struct worker_table *table, uint32_t outcome, const char *subject, double measured,
		const char *format, ...)
{
	struct ktstr_finding finding = {
		.outcome = outcome,
		.subject = subject,
		.metric = table->rule->metric,
		.unit = table->rule->unit,
		.measured = measured,
		.limit = table->limit,
		.limit_kind = table->rule->limit_kind,
	};
	va_list args;

	va_start(args, format);
	findings_add(&table->findings, &finding, format, args);
	va_end(args);
}

void table_say(struct worker_table *table, uint32_t outcome, const char *subject,
	       const char *format, ...)
{
	struct ktstr_finding finding = { .outcome = outcome, .subject = subject };
	va_list args;

	va_start(args, format);
	findings_add(&table->findings, &finding, format, args);
	va_end(args);
}

const char *table_tid(char *text, size_t size, const struct ktstr_worker_report *worker)
{
	(void)snprintf(text, size, "tid %u", worker->tid);
	return text;
}

int32_t table_stop_limit_ms(const struct ktstr_worker_report *worker)
{
	return worker->exit_value > 0 ? worker->exit_value : WORKER_TABLE_STOP_LIMIT_MS;
}

const char *table_stop_limit(char *text, size_t size, const struct ktstr_worker_report *worker)
{
	int32_t limit_ms = table_stop_limit_ms(worker);

	if (limit_ms % 1000)
		(void)snprintf(text, size, "%d ms", (int)limit_ms);
	else
		(void)snprintf(text, size, "%d s", (int)limit_ms / 1000);
	return text;
}

bool table_is_virtual(const struct ktstr_judge *judge)
{
	return judge->size >= offsetof(struct ktstr_judge, clock) + sizeof(judge->clock) &&
	       judge->clock && strcmp(judge->clock, "virtual") == 0;
}

uint64_t table_host_wait_ns(const struct worker_table *table)
{
	const struct ktstr_judge *judge = table->findings.judge;

	return judge->size >= offsetof(struct ktstr_judge, host_wait_ns) + sizeof(uint64_t)
		       ? judge->host_wait_ns
		       : 0;
}

bool table_is_excused(const struct worker_table *table, uint64_t wall_ns)
{
	uint64_t wait_ns = table_host_wait_ns(table);

	if (wait_ns < wall_ns / 4 || wait_ns == 0)
		return false;
	return wait_ns >= wall_ns || wall_ns - wait_ns < ENOUGH_NS;
}

const char *table_excuse(char *text, size_t size, const struct worker_table *table)
{
	(void)snprintf(text, size,
		       "the host had no CPU for the VM for %.1f s of the scenario, so the "
		       "scheduler may not be to blame",
		       (double)table_host_wait_ns(table) / 1e9);
	return text;
}

int table_decimals(double measured, double limit)
{
	char texts[2][400];
	int decimals;

	for (decimals = 0; decimals < 6; decimals++) {
		(void)snprintf(texts[0], sizeof(texts[0]), "%.*f", decimals, measured);
		(void)snprintf(texts[1], sizeof(texts[1]), "%.*f", decimals, limit);
		if (strcmp(texts[0], texts[1]) != 0 && fabs(strtod(texts[1], NULL) - limit) < 1e-9)
			break;
	}
	return decimals;
}

const char *table_cpus(char *text, size_t size, const struct ktstr_cpuset *cpus)
{
	size_t used = (size_t)snprintf(text, size, "{");
	const char *separator = "";
	uint32_t cpu = 0;

	while (cpu < KTSTR_CPUS_MAX && used < size) {
		uint32_t first = cpu, last;

		if (!ktstr_cpuset_has(cpus, cpu++))
			continue;
		while (ktstr_cpuset_has(cpus, cpu))
			cpu++;
		last = cpu - 1;
		if (first == last)
			used += (size_t)snprintf(text + used, size - used, "%s%u", separator,
						 first);
		else
			used += (size_t)snprintf(text + used, size - used, "%s%u%c%u", separator,
						 first, last == first + 1 ? ',' : '-', last);
		separator = ",";
	}
	if (used + 1 < size)
		(void)snprintf(text + used, size - used, "}");
	return text;
}

/* A worker without a report of its own: say how it ended. */
static void broken_find(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	char subject[32], limit[32];
	const char *signal_name;

	(void)table_tid(subject, sizeof(subject), worker);
	switch (worker->exit_kind) {
	case KTSTR_WORKER_EXIT_CODE:
		table_say(table, KTSTR_OUTCOME_ERROR, subject,
			  "worker tid %u (%s) exited with code %d before it reported", worker->tid,
			  worker->workload, worker->exit_value);
		return;
	case KTSTR_WORKER_EXIT_SIGNAL:
		signal_name = sigabbrev_np(worker->exit_value);
		if (signal_name)
			table_say(table, KTSTR_OUTCOME_ERROR, subject,
				  "worker tid %u (%s) was killed by SIG%s", worker->tid,
				  worker->workload, signal_name);
		else
			table_say(table, KTSTR_OUTCOME_ERROR, subject,
				  "worker tid %u (%s) was killed by signal %d", worker->tid,
				  worker->workload, worker->exit_value);
		return;
	case KTSTR_WORKER_EXIT_TIMEOUT:
		if (table->rule->timeout)
			table->rule->timeout(table, worker);
		else
			table_say(table, KTSTR_OUTCOME_UNDECIDED, subject,
				  "tid %u did not respond for %s when told to stop, so it left "
				  "no figures",
				  worker->tid, table_stop_limit(limit, sizeof(limit), worker));
		return;
	default:
		table_say(table, KTSTR_OUTCOME_ERROR, subject,
			  "worker tid %u (%s) left no report and no reason", worker->tid,
			  worker->workload);
	}
}

/* Can anything be said about this worker? If not, say why. */
static bool worker_is_measured(struct worker_table *table, const struct ktstr_worker_report *worker)
{
	char subject[32];

	if (!(worker->flags & KTSTR_WORKER_COMPLETED)) {
		broken_find(table, worker);
		return false;
	}
	if (!worker->wall_time_ns) {
		table_say(table, KTSTR_OUTCOME_UNDECIDED,
			  table_tid(subject, sizeof(subject), worker),
			  "tid %u reported no wall time, so nothing was measured", worker->tid);
		return false;
	}
	return true;
}

/* The measured workers of @cgroup, to @members. Returns how many there are. */
static size_t cgroup_members(struct worker_table *table, const struct table_cgroup *cgroup,
			     const struct table_worker **members, bool *has_broken)
{
	size_t count = 0;

	for (size_t i = 0; i < table->worker_count; i++) {
		const struct table_worker *worker = &table->workers[i];

		if (worker->report.cgroup_id != cgroup->id)
			continue;
		if (worker_is_measured(table, &worker->report))
			members[count++] = worker;
		else
			*has_broken = true;
	}
	return count;
}

static int judge_all(struct worker_table *table, const struct table_worker **members,
		     struct ktstr_error *err)
{
	bool has_broken = false;
	size_t count = 0;

	for (size_t i = 0; i < table->cgroup_count; i++)
		count += cgroup_members(table, &table->cgroups[i], members + count, &has_broken);
	return count ? table->rule->judge_all(table, members, count, has_broken, err) : 0;
}

static int judge_each(struct worker_table *table, const struct table_worker **members)
{
	const struct ktstr_worker_report **reports;

	reports = calloc(table->worker_count, sizeof(struct ktstr_worker_report *));
	if (!reports)
		return -ENOMEM;
	for (size_t i = 0; i < table->cgroup_count; i++) {
		const struct table_cgroup *cgroup = &table->cgroups[i];
		bool has_broken = false;
		size_t count = cgroup_members(table, cgroup, members, &has_broken);

		for (size_t j = 0; j < count; j++)
			reports[j] = &members[j]->report;
		if (count)
			table->rule->judge(table, cgroup, reports, count, has_broken);
	}
	free(reports);
	return 0;
}

int worker_table_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct worker_table *table = state;
	const struct table_worker **members;
	int code = -ENOMEM;

	if (!table->worker_count) {
		table_say(table, KTSTR_OUTCOME_UNDECIDED, "run", "no worker reported");
		*ret_outcome = table->findings.outcome;
		return 0;
	}
	members = calloc(table->worker_count, sizeof(struct table_worker *));
	if (members)
		code = table->rule->judge_all ? judge_all(table, members, err)
					      : judge_each(table, members);
	free(members);
	if (code == -ENOMEM)
		return ktstr_fail(err, -ENOMEM, "no memory to judge %zu workers",
				  table->worker_count);
	if (code == 0)
		*ret_outcome = table->findings.outcome;
	return code;
}
