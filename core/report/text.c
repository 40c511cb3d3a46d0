/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "coord/coord.h"
#include "report/checkers.h"
#include "report/facts.h"
#include "report/scx_text.h"
#include "report/table.h"

/* Rows of workers that are shown without --verbose. */
#define WORKERS_SHOWN 16

struct text {
	struct str out;
	const struct verdict *verdict;
	const struct report_spec *spec;
	const struct facts *facts;
	int rc; /* the first failure; appending is all that can fail */
};

static void keep(struct text *t, int rc)
{
	if (t->rc == 0)
		t->rc = rc;
}

#define ADD(t, ...) keep((t), str_addf(&(t)->out, __VA_ARGS__))

/* One line of text from outside, after @before. */
static void add_safe_line(struct text *t, const char *before, const char *text)
{
	ADD(t, "%s", before);
	keep(t, text_add_safe(&t->out, text));
	ADD(t, "\n");
}

static void add_headline(struct text *t)
{
	const struct meta *meta = t->facts->meta;

	keep(t, outcome_add(t->verdict->outcome, 0, t->spec->has_colour, &t->out));
	if (meta && meta->scenario_name[0]) {
		ADD(t, " ");
		keep(t, text_add_safe(&t->out, meta->scenario_name));
	}
	if (meta && meta->scheduler[0]) {
		ADD(t, " under ");
		keep(t, text_add_safe(&t->out, meta->scheduler));
	}
	if (t->facts->scenario_ns > 0)
		ADD(t, ", scenario %.1f s", (double)t->facts->scenario_ns / (double)NS_PER_S);
	ADD(t, "\n");
}

/* How a guest says good-bye is no evidence; that it went too early, the reason says. */
static size_t count_console(const struct facts *facts)
{
	size_t count = facts->console_count;

	while (count > 0 && (str_ends(facts->console[count - 1], "reboot: Power down") ||
			     str_ends(facts->console[count - 1], "reboot: Restarting system")))
		count--;
	return count;
}

static void add_console_tail(struct text *t)
{
	size_t count = count_console(t->facts);

	if (count == 0)
		return;
	ADD(t, "\nend of the console:\n");
	for (size_t i = 0; i < count; i++)
		add_safe_line(t, "  | ", t->facts->console[i]);
}

static const char *again_command(const struct text *t)
{
	const char *again = t->spec->again;

	if (!again && t->facts->meta)
		again = t->facts->meta->command;
	return again && *again ? again : NULL;
}

static bool has_good_end(const struct evidence *e)
{
	return e->has_summary && e->summary.end_reason == COORD_END_STREAM;
}

/* Is it how the kernel ended the scheduler, in other words? The reason has it. */
static bool says_exit(const struct scx *scx, const char *text)
{
	return scx->has_exit && scx->exit_message[0] && strstr(text, scx->exit_message);
}

/* What the run file itself says of what went wrong, but for what the reason says already. */
static void add_run_evidence(struct text *t)
{
	const struct evidence *e = &t->verdict->evidence;
	bool has_bad_result = e->has_result && e->result_outcome != KTSTR_OUTCOME_PASS;
	const struct {
		const char *before;
		const char *text;
	} lines[] = {
		{ "  scheduler exit: ", e->sched_exit_text },
		{ "  scenario: ", has_bad_result ? e->result_text : NULL },
		{ "  agent: ", e->has_error ? e->error_text : NULL },
		{ "  plugins: ", e->hello_mismatch },
		{ "  end of the run: ", has_good_end(e) ? NULL : e->end_reason },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (lines[i].text && *lines[i].text && !strstr(t->verdict->reason, lines[i].text) &&
		    !says_exit(&e->scx, lines[i].text))
			add_safe_line(t, lines[i].before, lines[i].text);
}

static void add_checkers(struct text *t)
{
	const struct checkers_style style = { .has_colour = t->spec->has_colour,
					      .is_verbose = t->spec->is_verbose };

	keep(t, checkers_add(t->verdict, &style, &t->out));
}

static struct scx_style scx_style(const struct text *t)
{
	return (struct scx_style){ .has_colour = t->spec->has_colour,
				   .is_verbose = t->spec->is_verbose };
}

static void add_scheduler_end(struct text *t)
{
	const struct scx_style style = scx_style(t);

	keep(t, scx_text_add_end(&t->verdict->evidence.scx, &t->facts->scx, &style, &t->out));
}

/*
 * Why it is not a PASS, before all figures of cgroups and workers. A sentence that stands in the
 * table of checkers does not stand before it too.
 */
static void add_evidence(struct text *t)
{
	const struct verdict *v = t->verdict;
	const char *again = again_command(t);

	if (v->outcome == KTSTR_OUTCOME_PASS) {
		if (v->reason[0])
			add_safe_line(t, "  ", v->reason);
		add_checkers(t);
		return;
	}
	if (v->reason[0] && !checkers_say_reason(v))
		add_safe_line(t, "  ", v->reason);
	add_run_evidence(t);
	add_checkers(t);
	add_scheduler_end(t);
	add_console_tail(t);
	if (again)
		add_safe_line(t, "\nrun it again: ", again);
}

static void add_sched_ext(struct text *t)
{
	const struct scx_style style = scx_style(t);

	keep(t, scx_text_add_state(&t->facts->scx, &style, &t->out));
}

static double milliseconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

static void add_cgroups(struct text *t)
{
	static const struct table_column columns[] = {
		{ "cgroup", true },	 { "workers", false }, { "CPU %", false },
		{ "off-CPU %", false },	 { "gap ms", false },  { "migrations", false },
		{ "iterations", false },
	};
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < t->facts->cgroup_count; i++) {
		const struct facts_cgroup *c = &t->facts->cgroups[i];
		double cpu = facts_cpu_percent(c->cpu_ns, c->wall_ns);

		if (c->workers == 0)
			continue;
		keep(t, table_cell(&table, "%s", c->name));
		keep(t, table_cell(&table, "%" PRIu32, c->workers));
		keep(t, table_cell(&table, "%.1f", cpu));
		keep(t, table_cell(&table, "%.1f", c->wall_ns ? 100.0 - cpu : 0.0));
		keep(t, table_cell(&table, "%.1f", milliseconds(c->max_gap_ns)));
		keep(t, table_cell(&table, "%" PRIu64, c->migrations));
		keep(t, table_cell(&table, "%" PRIu64, c->iterations));
	}
	if (t->rc == 0 && table.cell_count > 0) {
		ADD(t, "\n");
		keep(t, table_render(&table, "  ", &t->out));
	}
	table_done(&table);
	if (t->facts->cgroups_left_out > 0)
		ADD(t, "  cgroups beyond the first %d are left out\n", FACTS_CGROUPS_MAX);
}

static const char *cgroup_name(const struct facts *facts, uint32_t id)
{
	for (size_t i = 0; i < facts->cgroup_count; i++)
		if (facts->cgroups[i].id == id)
			return facts->cgroups[i].name;
	return "?";
}

/* How a worker ended: "" when it did what it should. */
static void exit_text(char *target, size_t size, const struct facts_worker *w)
{
	const char *signal_name;

	target[0] = '\0';
	if (w->is_complete)
		return;
	switch (w->exit_kind) {
	case KTSTR_WORKER_EXIT_CODE:
		(void)snprintf(target, size, "exit %" PRId32, w->exit_value);
		return;
	case KTSTR_WORKER_EXIT_SIGNAL:
		signal_name = sigabbrev_np(w->exit_value);
		if (signal_name)
			(void)snprintf(target, size, "SIG%s", signal_name);
		else
			(void)snprintf(target, size, "signal %" PRId32, w->exit_value);
		return;
	case KTSTR_WORKER_EXIT_TIMEOUT:
		(void)snprintf(target, size, "did not stop");
		return;
	default:
		(void)snprintf(target, size, "incomplete");
	}
}

static void add_worker(struct text *t, struct table *table, const struct facts_worker *w)
{
	double cpu = facts_cpu_percent(w->cpu_ns, w->wall_ns);
	char end[32];

	exit_text(end, sizeof(end), w);
	keep(t, table_cell(table, "%" PRIu32, w->tid));
	keep(t, table_cell(table, "%s", cgroup_name(t->facts, w->cgroup_id)));
	keep(t, table_cell(table, "%s", w->workload));
	keep(t, table_cell(table, "%.1f", cpu));
	keep(t, table_cell(table, "%.1f", w->wall_ns ? 100.0 - cpu : 0.0));
	keep(t, table_cell(table, "%.1f", milliseconds(w->max_gap_ns)));
	keep(t, table_cell(table, "%" PRIu64, w->migrations));
	keep(t, table_cell(table, "%" PRIu64, w->iterations));
	keep(t, table_cell(table, "%s", end));
}

static void add_workers(struct text *t)
{
	static const struct table_column columns[] = {
		{ "tid", false },	 { "cgroup", true },	  { "workload", true },
		{ "CPU %", false },	 { "off-CPU %", false },  { "gap ms", false },
		{ "migrations", false }, { "iterations", false }, { "", true },
	};
	const struct facts *facts = t->facts;
	size_t shown = facts->worker_count;
	struct table table;

	if (shown > WORKERS_SHOWN && !t->spec->is_verbose)
		shown = WORKERS_SHOWN;
	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < shown; i++)
		add_worker(t, &table, &facts->workers[i]);
	if (t->rc == 0 && shown > 0) {
		ADD(t, "\n");
		keep(t, table_render(&table, "  ", &t->out));
	}
	table_done(&table);
	if (shown < facts->worker_count)
		ADD(t, "  the %zu worst of %" PRIu64 " workers (--verbose shows more)\n", shown,
		    facts->worker_total);
	else if (shown < facts->worker_total)
		ADD(t, "  the %zu worst of %" PRIu64 " workers\n", shown, facts->worker_total);
}

static void add_timings(struct text *t)
{
	struct timing timings[FACTS_TIMINGS_MAX];
	size_t count;

	if (!t->spec->has_timings)
		return;
	count = facts_timings(t->facts, t->spec->judging_ns, t->spec->took_ns, timings);
	ADD(t, "\ntimings\n");
	for (size_t i = 0; i < count; i++)
		ADD(t, "  %-18s %9.3f s\n", timings[i].name,
		    (double)timings[i].ns / (double)NS_PER_S);
}

/* @text, after the parts that are there before it; nothing where it is not known. */
static void add_part(struct text *t, const char **separator, const char *text)
{
	if (!*text)
		return;
	ADD(t, "%s", *separator);
	keep(t, text_add_safe(&t->out, text));
	*separator = ", ";
}

static bool is_virtual(const struct facts *facts)
{
	return facts->meta && strcmp(facts->meta->clock, "virtual") == 0;
}

static void add_environment(struct text *t)
{
	const struct meta *meta = t->facts->meta;
	const char *separator = "kernel       ";
	uint64_t cpus;

	if (!meta)
		return;
	cpus = (uint64_t)meta->topology.llcs * meta->topology.cores * meta->topology.threads;
	add_part(t, &separator, meta->kernel_release[0] ? meta->kernel_release : meta->kernel_path);
	add_part(t, &separator, meta->accel);
	if (is_virtual(t->facts))
		add_part(t, &separator, "virtual time");
	if (cpus > 0)
		ADD(t, "%s%" PRIu64 " CPUs", separator, cpus);
	else if (separator[0] != ',')
		return;
	ADD(t, ", seed %" PRIu64 "\n", meta->seed);
}

static void add_paths(struct text *t)
{
	ADD(t, "\n");
	add_environment(t);
	if (t->spec->is_verbose || t->spec->has_timings || is_virtual(t->facts))
		ADD(t, "stream       %.*s (%" PRIu64 " frames)\n", STREAM_DIGEST_SHOWN,
		    t->facts->stream.digest, t->facts->stream.frames);
	if (t->spec->run_path)
		add_safe_line(t, "run file     ", t->spec->run_path);
	if (t->spec->console_path)
		add_safe_line(t, "console log  ", t->spec->console_path);
	if (t->spec->scheduler_log_path)
		add_safe_line(t, "sched log    ", t->spec->scheduler_log_path);
	if (t->spec->dump_path)
		add_safe_line(t, "dump         ", t->spec->dump_path);
	if (t->spec->is_verbose && t->verdict->rule)
		add_safe_line(t, "rule         ", t->verdict->rule);
	if (t->spec->is_verbose && t->facts->meta && t->facts->meta->argv_count > 0) {
		ADD(t, "QEMU        ");
		for (size_t i = 0; i < t->facts->meta->argv_count; i++) {
			ADD(t, " ");
			keep(t, text_add_safe(&t->out, t->facts->meta->argv[i]));
		}
		ADD(t, "\n");
	}
}

static void add_last_line(struct text *t)
{
	keep(t, outcome_add(t->verdict->outcome, 0, t->spec->has_colour, &t->out));
	if (t->verdict->reason[0] && t->verdict->outcome != KTSTR_OUTCOME_PASS)
		add_safe_line(t, ": ", t->verdict->reason);
	else if (t->spec->took_ns > 0)
		ADD(t, " in %.1f s\n", (double)t->spec->took_ns / (double)NS_PER_S);
	else
		ADD(t, "\n");
}

int report_print(FILE *out, const char *text, struct ktstr_error *err)
{
	if (fputs(text, out) < 0 || fflush(out) != 0)
		return ktstr_fail(err, -EIO, "cannot write the report: %s", strerror(errno));
	return 0;
}

int report_text(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err)
{
	struct facts *facts = NULL;
	bool is_whole = !spec->is_short || verdict->outcome != KTSTR_OUTCOME_PASS;
	struct text t = { .verdict = verdict, .spec = spec };
	int rc = facts_read(spec->run_fd, spec->run_path, &facts, err);

	if (rc < 0)
		return rc;
	t.facts = facts;
	add_headline(&t);
	if (is_whole)
		add_evidence(&t);
	if (!spec->is_short) {
		add_cgroups(&t);
		add_workers(&t);
		add_sched_ext(&t);
	}
	add_timings(&t);
	if (is_whole)
		add_paths(&t);
	if (!spec->is_short)
		add_last_line(&t);
	if (t.rc < 0)
		rc = ktstr_fail(err, t.rc, "cannot write the report: %s", strerror(-t.rc));
	else
		rc = report_print(out, str_text(&t.out), err);
	str_done(&t.out);
	facts_free(facts);
	return rc;
}
