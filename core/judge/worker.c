/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/worker.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "judge/result.h"
#include "param/bind.h"
#include "plugin/op.h"
#include "plugin/registry.h"
#include "runfile/reader.h"
#include "wire/guest_clock.h"

/* So often the host is told that calls of the checker return. */
#define PROGRESS_NS (NS_PER_S / 2)

struct worker {
	const struct request *request;
	int result_fd;
	int write_rc;		 /* of the first write that failed */
	uint64_t progress_at_ns; /* when the host was told last */
	uint32_t sent;
	char bad_finding[200]; /* why a finding of the checker cannot be believed; "": none */
	uint64_t wanted;
	bool has_whole_evidence;
};

static void send_bytes(struct worker *worker, const struct str *bytes, int encode_rc)
{
	int rc = encode_rc;

	if (rc == 0 && worker->write_rc == 0)
		rc = io_write_all(worker->result_fd, bytes->data, bytes->length);
	if (worker->write_rc == 0)
		worker->write_rc = rc;
}

static void tell_progress(struct worker *worker)
{
	struct str bytes = { 0 };

	worker->progress_at_ns = clock_monotonic_ns();
	send_bytes(worker, &bytes, result_encode_progress(&bytes));
	str_done(&bytes);
}

static bool has_words(const char *text)
{
	return text && *text;
}

static const char *what_is_wrong(const struct ktstr_finding *finding)
{
	if (finding->size < sizeof(*finding))
		return "it was built with other headers";
	if (finding->outcome == KTSTR_OUTCOME_NONE || finding->outcome > KTSTR_OUTCOME_ERROR)
		return "its outcome is none";
	if (!isfinite(finding->measured) || !isfinite(finding->limit))
		return "its figure is no number";
	if (finding->limit_kind > KTSTR_LIMIT_AT_LEAST)
		return "its kind of limit is unknown";
	if (!has_words(finding->metric) && !has_words(finding->text))
		return "it has neither a metric nor a text";
	return NULL;
}

static void take_finding(struct ktstr_judge *judge, const struct ktstr_finding *finding)
{
	struct worker *worker = judge->host;
	const char *wrong = what_is_wrong(finding);
	struct finding copy;
	struct str bytes = { 0 };

	if (wrong) {
		const char *metric = finding->size >= sizeof(*finding) ? finding->metric : NULL;

		(void)snprintf(worker->bad_finding, sizeof(worker->bad_finding),
			       "a finding about '%.60s' cannot be believed: %s",
			       has_words(metric) ? metric : "?", wrong);
		return;
	}
	if (worker->sent++ >= RESULT_FINDINGS_MAX)
		return;
	copy = (struct finding){
		.outcome = finding->outcome,
		.subject = (char *)finding->subject,
		.metric = (char *)finding->metric,
		.unit = (char *)finding->unit,
		.measured = finding->measured,
		.limit = finding->limit,
		.limit_kind = finding->limit_kind,
		.text = (char *)finding->text,
	};
	send_bytes(worker, &bytes, result_encode_finding(&copy, &bytes) < 0 ? -ENOMEM : 0);
	str_done(&bytes);
}

static bool is_wanted(const struct ktstr_checker_ops *ops, uint32_t msg_type)
{
	for (uint32_t i = 0; i < ops->wants_count; i++)
		if (ops->wants[i] == msg_type)
			return true;
	return false;
}

static void take_summary(struct ktstr_judge *judge, const void *payload, uint32_t length)
{
	const struct ktstr_frame frame = { .length = length, .payload = payload };
	struct runfile_summary summary;

	if (ktstr_payload_get(&frame, &summary, sizeof(summary), RUNFILE_SUMMARY_MIN) == 0)
		judge->host_wait_ns = summary.host_wait_ns;
}

static int observe_all(struct worker *worker, const struct ktstr_checker_ops *ops, void *state,
		       struct ktstr_judge *judge, struct runfile_reader *reader,
		       struct ktstr_error *err)
{
	bool is_virtual = judge->clock && strcmp(judge->clock, "virtual") == 0;
	struct guest_clock clock = { 0 };
	struct runfile_record record;
	const void *payload;
	uint64_t guest_ns;

	worker->has_whole_evidence = true;
	while (runfile_next(reader, &record, &payload)) {
		struct ktstr_frame frame;

		if (clock_monotonic_ns() - worker->progress_at_ns >= PROGRESS_NS)
			tell_progress(worker);
		if (record.kind == RUNFILE_SUMMARY)
			take_summary(judge, payload, record.length);
		if (record.kind != RUNFILE_FRAME)
			continue;
		frame = (struct ktstr_frame){
			.msg_type = record.tag,
			.length = record.length,
			.flags = record.flags,
			.index = record.index,
			.host_ns = record.host_ns,
			.payload = payload,
		};
		guest_ns = guest_clock_take(&clock, &frame);
		if (!is_wanted(ops, record.tag))
			continue;
		if (is_virtual)
			frame.host_ns = guest_ns;
		worker->wanted++;
		if (!(record.flags & KTSTR_FRAME_CRC_OK))
			worker->has_whole_evidence = false;
		if (plugin_op_result(ops->observe(state, &frame, err), "observe", err) < 0)
			return -EPROTO;
	}
	return 0;
}

/* From open() to close(). What a checker says in @err is about the run; the caller adds who. */
static int judge_run_file(struct worker *worker, const struct ktstr_checker_ops *ops,
			  const struct ktstr_value *values, struct runfile_reader *reader,
			  uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct ktstr_judge judge = {
		.size = sizeof(judge),
		.topology = &worker->request->topology,
		.scenario = worker->request->scenario,
		.scheduler = worker->request->scheduler,
		.kernel = worker->request->kernel,
		.accel = worker->request->accel,
		.clock = worker->request->clock,
		.host = worker,
		.finding = take_finding,
	};
	uint32_t outcome = KTSTR_OUTCOME_NONE;
	void *state = NULL;
	int rc = 0;

	if (KTSTR_HAS(ops, open) &&
	    plugin_op_result(ops->open(&judge, values, &state, err), "open", err) < 0)
		return -EPROTO;
	tell_progress(worker);
	rc = observe_all(worker, ops, state, &judge, reader, err);
	tell_progress(worker);
	if (rc == 0 && plugin_op_result(ops->finish(state, &outcome, err), "finish", err) < 0)
		rc = -EPROTO;
	if (KTSTR_HAS(ops, close))
		ops->close(state);
	if (rc < 0)
		return rc;
	if (outcome == KTSTR_OUTCOME_NONE || outcome > KTSTR_OUTCOME_ERROR)
		return ktstr_fail(err, -EPROTO, "it never decided");
	if (worker->bad_finding[0])
		return ktstr_fail(err, -EPROTO, "%s", worker->bad_finding);
	*ret_outcome = outcome;
	return 0;
}

static int find_ops(const struct plugin *plugin, const struct ktstr_checker_ops **ret,
		    struct ktstr_error *err)
{
	const struct ktstr_plugin *descriptor = plugin->descriptor;
	const struct ktstr_checker_ops *ops = descriptor->checker;

	if (descriptor->kind == KTSTR_KIND_SCENARIO)
		ops = KTSTR_HAS(descriptor->scenario, judgement) ? descriptor->scenario->judgement
								 : NULL;
	else if (descriptor->kind != KTSTR_KIND_CHECKER)
		ops = NULL;
	if (!ops)
		return ktstr_fail(err, -EINVAL, "the %s has no judgement of its own",
				  plugin_kind_name(descriptor->kind));
	if (!KTSTR_HAS(ops, observe) || !KTSTR_HAS(ops, finish) ||
	    (ops->wants_count > 0 && !ops->wants))
		return ktstr_fail(err, -EINVAL, "its table of functions is not complete");
	*ret = ops;
	return 0;
}

static int check_crc32(const struct request *request, uint32_t crc32, struct ktstr_error *err)
{
	return crc32 == request->crc32
		       ? 0
		       : ktstr_fail(err, -ESTALE, "'%s' has changed since the run began",
				    request->path);
}

/* No code of another file than the one that was chosen may run, nor judge. */
static int load_checker(struct registry *registry, const struct request *request,
			struct plugin **ret, struct ktstr_error *err)
{
	uint32_t crc32;
	int rc = plugin_file_crc32(request->path, &crc32, err);

	if (rc == 0)
		rc = check_crc32(request, crc32, err);
	if (rc == 0)
		rc = registry_get(registry, request->kind, request->path, ret, err);
	return rc == 0 ? check_crc32(request, (*ret)->crc32, err) : rc;
}

static int judge_with(struct worker *worker, struct registry *registry,
		      struct runfile_reader *reader, uint32_t *ret_outcome, struct ktstr_error *err)
{
	const struct request *request = worker->request;
	const struct source source = { .name = request->name };
	struct plugin_tables tables = registry_tables(registry);
	const struct ktstr_checker_ops *ops = NULL;
	struct plugin *plugin;
	struct bound *bound = NULL;
	int rc;

	rc = load_checker(registry, request, &plugin, err);
	if (rc == 0)
		rc = find_ops(plugin, &ops, err);
	if (rc == 0)
		rc = bind_params(plugin->descriptor->params, plugin->descriptor->param_size,
				 request->params, NULL, &source, &tables, &bound, err);
	if (rc < 0)
		return rc;
	rc = judge_run_file(worker, ops, bound_values(bound), reader, ret_outcome, err);
	bound_free(bound);
	return rc;
}

static int judge_file(struct worker *worker, int runfile_fd, uint32_t *ret_outcome,
		      struct ktstr_error *err)
{
	struct runfile_reader *reader;
	struct registry *registry;
	int rc = runfile_open_fd(runfile_fd, "the run file", &reader, err);

	if (rc < 0)
		return rc;
	rc = registry_new((const char *const *)worker->request->plugin_folders, &registry, err);
	if (rc == 0) {
		rc = judge_with(worker, registry, reader, ret_outcome, err);
		registry_free(registry);
	}
	runfile_reader_free(reader);
	return rc;
}

int worker_run(const struct request *request, int runfile_fd, int result_fd)
{
	struct worker worker = { .request = request, .result_fd = result_fd };
	struct ktstr_error err = { 0 };
	struct decision decision = { .outcome = KTSTR_OUTCOME_ERROR };
	struct str bytes = { 0 };

	if (judge_file(&worker, runfile_fd, &decision.outcome, &err) < 0) {
		if (!err.text[0])
			(void)ktstr_fail(&err, -EPROTO, "it failed, and did not say why");
		decision.reason = err.text;
	}
	decision.wanted = worker.wanted;
	decision.has_whole_evidence = worker.has_whole_evidence;
	send_bytes(&worker, &bytes, result_encode_decision(&decision, &bytes));
	str_done(&bytes);
	return worker.write_rc;
}
