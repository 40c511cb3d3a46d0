/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "ktstr/checker.h"
#include "report/facts.h"
#include "report/figure.h"
#include "report/scx_json.h"

static json_t *text_or_empty_json(const char *text)
{
	return json_text(text ? text : "");
}

/* JSON has no NaN and no infinity. */
static json_t *real_json(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count_json(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *seconds_json(uint64_t ns)
{
	return json_real((double)ns / (double)NS_PER_S);
}

static const char *limit_word(uint32_t kind)
{
	static const char *const words[] = {
		[KTSTR_LIMIT_NONE] = "none",
		[KTSTR_LIMIT_AT_MOST] = "at_most",
		[KTSTR_LIMIT_AT_LEAST] = "at_least",
	};

	return kind < ARRAY_SIZE(words) ? words[kind] : "none";
}

static json_t *finding_json(const struct finding *f)
{
	bool has_figure = figure_is_there(f);
	bool has_limit = has_figure && f->limit_kind != KTSTR_LIMIT_NONE;

	return json_pack("{ss so so so so so ss so}", "outcome", outcome_name(f->outcome),
			 "subject", text_or_empty_json(f->subject), "metric",
			 text_or_empty_json(f->metric), "unit", text_or_empty_json(f->unit),
			 "measured", has_figure ? real_json(f->measured) : json_null(), "limit",
			 has_limit ? real_json(f->limit) : json_null(), "limit_kind",
			 limit_word(has_limit ? f->limit_kind : KTSTR_LIMIT_NONE), "text",
			 json_text(f->text));
}

static json_t *findings_json(const struct decision *d)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < d->finding_count; i++)
		json_add(&list, finding_json(&d->findings[i]));
	return list;
}

static json_t *checkers_json(const struct verdict *verdict)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < verdict->decision_count; i++) {
		const struct decision *d = &verdict->decisions[i];

		json_add(&list,
			 json_pack("{so so ss so so so so}", "name", text_or_empty_json(d->name),
				   "path", text_or_empty_json(d->path), "outcome",
				   outcome_name(d->outcome), "reason", json_text(d->reason),
				   "frames_seen", count_json(d->wanted), "took_s",
				   seconds_json(d->took_ns), "findings", findings_json(d)));
	}
	return list;
}

/* Did everything that was sent arrive, and nothing else? */
static bool is_whole(const struct evidence *e)
{
	const struct runfile_summary *s = &e->summary;

	return e->has_summary && e->is_sealed && !e->is_torn && s->has_end && s->end_matches &&
	       e->has_all_sent && s->frames_torn == 0 && s->frames_dropped == 0 &&
	       s->frames_oversize == 0;
}

static json_t *evidence_json(const struct evidence *e)
{
	const struct runfile_summary *s = &e->summary;
	json_t *json = json_object();
	const struct {
		const char *key;
		json_t *value;
	} members[] = {
		{ "is_whole", json_boolean(is_whole(e)) },
		{ "end_reason", json_text(e->end_reason) },
		{ "frames_received", count_json(s->frames_received) },
		{ "frames_recorded", count_json(s->frames_bucketed) },
		{ "frames_torn", count_json(s->frames_torn) },
		{ "frames_dropped", count_json(s->frames_dropped) },
		{ "frames_oversize", count_json(s->frames_oversize) },
		{ "bytes_received", count_json(s->bytes_received) },
		{ "has_end", json_boolean(s->has_end) },
		{ "end_matches", json_boolean(s->end_matches) },
		{ "host_wait_s", seconds_json(s->host_wait_ns) },
		{ "is_torn", json_boolean(e->is_torn) },
		{ "is_sealed", json_boolean(e->is_sealed) },
		{ "agent_error", json_text(e->has_error ? e->error_text : NULL) },
		{ "scenario_outcome",
		  e->has_result ? json_string(outcome_name(e->result_outcome)) : json_null() },
		{ "scenario_text", json_text(e->has_result ? e->result_text : NULL) },
		{ "hello_mismatch", json_text(e->hello_mismatch) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_put(&json, members[i].key, members[i].value);
	return json;
}

/* The columns that cgroups and workers share. */
static void set_figures(json_t **json, uint64_t cpu_ns, uint64_t wall_ns, uint64_t max_gap_ns,
			uint64_t migrations, uint64_t iterations)
{
	double cpu = facts_cpu_percent(cpu_ns, wall_ns);

	json_put(json, "cpu_percent", real_json(cpu));
	json_put(json, "off_cpu_percent", real_json(wall_ns ? 100.0 - cpu : 0.0));
	json_put(json, "max_gap_ms", real_json((double)max_gap_ns / (double)NS_PER_MS));
	json_put(json, "migrations", count_json(migrations));
	json_put(json, "iterations", count_json(iterations));
}

static json_t *cgroups_json(const struct facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < facts->cgroup_count; i++) {
		const struct facts_cgroup *c = &facts->cgroups[i];
		json_t *json =
			json_pack("{so so so so so}", "id", count_json(c->id), "name",
				  json_text(c->name), "cpus", count_json(c->cpus), "workers",
				  count_json(c->workers), "incomplete", count_json(c->incomplete));

		set_figures(&json, c->cpu_ns, c->wall_ns, c->max_gap_ns, c->migrations,
			    c->iterations);
		json_add(&list, json);
	}
	return list;
}

static const char *exit_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[KTSTR_WORKER_EXIT_NONE] = "none",
		[KTSTR_WORKER_EXIT_CODE] = "code",
		[KTSTR_WORKER_EXIT_SIGNAL] = "signal",
		[KTSTR_WORKER_EXIT_TIMEOUT] = "timeout",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static json_t *workers_json(const struct facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < facts->worker_count; i++) {
		const struct facts_worker *w = &facts->workers[i];
		json_t *json = json_pack(
			"{so so so so so sb ss si so}", "tid", count_json(w->tid), "cgroup_id",
			count_json(w->cgroup_id), "group", count_json(w->group), "index",
			count_json(w->index), "workload", json_text(w->workload), "is_complete",
			w->is_complete, "exit_kind", exit_kind_name(w->exit_kind), "exit_value",
			w->exit_value, "work_units", count_json(w->work_units));

		set_figures(&json, w->cpu_ns, w->wall_ns, w->max_gap_ns, w->migrations,
			    w->iterations);
		json_add(&list, json);
	}
	return list;
}

static json_t *timings_json(const struct facts *facts, const struct report_spec *spec)
{
	struct timing timings[FACTS_TIMINGS_MAX];
	size_t count = facts_timings(facts, spec->judging_ns, spec->took_ns, timings);
	json_t *json = json_object();

	for (size_t i = 0; i < count; i++) {
		char key[40];

		(void)snprintf(key, sizeof(key), "%s_s", timings[i].key);
		json_put(&json, key, seconds_json(timings[i].ns));
	}
	return json;
}

static json_t *console_json(const struct facts *facts, uint32_t outcome)
{
	json_t *list = json_array();

	for (size_t i = 0; outcome != KTSTR_OUTCOME_PASS && i < facts->console_count; i++)
		json_add(&list, json_text(facts->console[i]));
	return list;
}

/* The part of the META record that says where it ran. */
static json_t *environment_json(const json_t *meta)
{
	static const char *const keys[] = { "kernel", "vm", "host", "plugins" };
	json_t *json;

	if (!meta)
		return json_null();
	json = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_put(&json, keys[i], json_incref(json_object_get(meta, keys[i])));
	return json;
}

static json_t *scenario_json(const json_t *meta, const struct facts *facts)
{
	json_t *json = meta ? json_copy(json_object_get(meta, "scenario")) : json_object();

	json_put(&json, "duration_s",
		 facts->scenario_ns ? seconds_json(facts->scenario_ns) : json_null());
	return json;
}

static json_t *scheduler_json(const json_t *meta, const struct evidence *e)
{
	json_t *json = meta ? json_copy(json_object_get(meta, "scheduler")) : json_object();

	json_put(&json, "exit", json_text(e->sched_exit_text));
	return json;
}

static json_t *paths_json(const struct report_spec *spec)
{
	return json_pack("{so so so so}", "run", json_text(spec->run_path), "console_log",
			 json_text(spec->console_path), "scheduler_log",
			 json_text(spec->scheduler_log_path), "sched_ext_dump",
			 json_text(spec->dump_path));
}

static json_t *stream_json(const struct facts *facts)
{
	return json_pack("{ss so}", "digest", facts->stream.digest, "frames",
			 count_json(facts->stream.frames));
}

static json_t *document(const struct verdict *v, const struct report_spec *spec,
			const struct facts *facts)
{
	json_t *meta = facts->meta ? meta_to_json(facts->meta) : NULL;
	const char *again = spec->again ? spec->again : facts->meta ? facts->meta->command : "";
	json_t *json = json_object();
	const struct {
		const char *key;
		json_t *value;
	} members[] = {
		{ "schema_version", json_integer(REPORT_SCHEMA_VERSION) },
		{ "kind", json_string("verdict") },
		{ "ktstr_version",
		  text_or_empty_json(facts->meta ? facts->meta->ktstr_version : NULL) },
		{ "verdict", json_pack("{ss so so}", "outcome", outcome_name(v->outcome), "reason",
				       json_text(v->reason), "rule", text_or_empty_json(v->rule)) },
		{ "exit_code", json_integer(verdict_exit_code(v->outcome)) },
		{ "scenario", scenario_json(meta, facts) },
		{ "scheduler", scheduler_json(meta, &v->evidence) },
		{ "checkers", checkers_json(v) },
		{ "evidence", evidence_json(&v->evidence) },
		{ "stream", stream_json(facts) },
		{ "cgroups", cgroups_json(facts) },
		{ "workers", workers_json(facts) },
		{ "workers_total", count_json(facts->worker_total) },
		{ "timings", timings_json(facts, spec) },
		{ "sched_ext", scx_json(&v->evidence.scx, &facts->scx) },
		{ "paths", paths_json(spec) },
		{ "environment", environment_json(meta) },
		{ "console_tail", console_json(facts, v->outcome) },
		{ "command", text_or_empty_json(again) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_put(&json, members[i].key, members[i].value);
	if (facts->meta && !meta) {
		json_decref(json);
		return NULL;
	}
	json_decref(meta);
	return json;
}

int report_dump(FILE *out, const json_t *json, struct ktstr_error *err)
{
	if (!json)
		return ktstr_fail(err, -ENOMEM, "cannot write the report: out of memory");
	errno = 0;
	if (json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0 &&
	    fputc('\n', out) != EOF && fflush(out) == 0)
		return 0;
	/* jansson says nothing of what it lacks, but a failed write does. */
	return errno == 0 || errno == ENOMEM
		       ? ktstr_fail(err, -ENOMEM, "cannot write the report: out of memory")
		       : ktstr_fail(err, -EIO, "cannot write the report: %s", strerror(errno));
}

int report_document(const struct verdict *verdict, const struct report_spec *spec, json_t **ret,
		    struct ktstr_error *err)
{
	struct facts *facts = NULL;
	int rc = facts_read(spec->run_fd, spec->run_path, &facts, err);
	json_t *json;

	if (rc < 0)
		return rc;
	json = document(verdict, spec, facts);
	facts_free(facts);
	if (!json)
		return ktstr_fail(err, -ENOMEM, "cannot write the report: out of memory");
	*ret = json;
	return 0;
}

int report_json(FILE *out, const struct verdict *verdict, const struct report_spec *spec,
		struct ktstr_error *err)
{
	json_t *json = NULL;
	int rc = report_document(verdict, spec, &json, err);

	if (rc == 0)
		rc = report_dump(out, json, err);
	json_decref(json);
	return rc;
}

json_t *report_error_document(int exit_code, const char *text)
{
	return json_pack("{si ss si so}", "schema_version", REPORT_SCHEMA_VERSION, "kind", "error",
			 "exit_code", exit_code, "error", json_text(text));
}

int report_error_json(FILE *out, int exit_code, const char *text, struct ktstr_error *err)
{
	json_t *json = report_error_document(exit_code, text);
	int rc = report_dump(out, json, err);

	json_decref(json);
	return rc;
}
