/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is made of a run file: the evidence in it, the verdict, and the reports. Each input once as
 * it is, and once with its checksums put right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz/fuzz.h"
#include "fuzz/put_right.h"
#include "judge/judge.h"
#include "report/report.h"

/* A text that a terminal shows and does not obey. */
static void check_text(const char *text)
{
	if (!text)
		return;
	for (; *text; text++)
		FUZZ_REQUIRE(*text == '\n' || *text == '\t' ||
			     ((unsigned char)*text >= 0x20 && *text != 0x7f));
}

static void check_scx(const struct scx *scx)
{
	char sentence[SCX_TEXT_MAX];

	check_text(scx->exit_reason);
	check_text(scx->exit_message);
	check_text(scx->start_error);
	check_text(scx->scheduler);
	check_text(scx->state.state);
	check_text(scx->state.ops);
	check_text(scx_sentence(scx, sentence, sizeof(sentence)));
	FUZZ_REQUIRE(!scx->has_exit || (scx->exit_reason && scx->exit_message && sentence[0]));
}

static void check_evidence(const struct evidence *evidence)
{
	check_text(evidence->end_reason);
	check_text(evidence->malformed);
	check_text(evidence->result_text);
	check_text(evidence->error_text);
	check_text(evidence->sched_exit_text);
	check_text(evidence->hello_mismatch);
	check_text(evidence->unfinished);
	check_scx(&evidence->scx);
}

/* What no PASS can be without, one that failed as expected or another. */
static void require_whole(const struct verdict *verdict)
{
	const struct evidence *evidence = &verdict->evidence;
	const struct runfile_summary *summary = &evidence->summary;

	FUZZ_REQUIRE(verdict->decision_count > 0);
	FUZZ_REQUIRE(evidence->has_summary && evidence->is_sealed && !evidence->is_torn);
	FUZZ_REQUIRE(summary->has_end && summary->end_matches && !summary->frames_torn &&
		     !summary->frames_dropped && !summary->frames_oversize &&
		     !summary->bytes_left && !summary->frames_after_end);
	FUZZ_REQUIRE(evidence->frames_recorded == summary->frames_bucketed &&
		     evidence->has_all_sent);
	FUZZ_REQUIRE(!evidence->malformed && !evidence->has_other_error &&
		     !evidence->hello_mismatch && !summary->is_panicked && !summary->is_crashed);
}

/* A checker that likes what it sees cannot make a PASS of a run that is not whole. */
static void fold(struct verdict *verdict)
{
	const struct evidence *evidence = &verdict->evidence;

	verdict_fold(verdict);
	FUZZ_REQUIRE(verdict->rule && strcmp(outcome_name(verdict->outcome), "NONE") != 0);
	check_text(verdict->reason);
	if (verdict->outcome != KTSTR_OUTCOME_PASS) {
		FUZZ_REQUIRE(verdict->reason[0]);
		return;
	}
	require_whole(verdict);
	FUZZ_REQUIRE(!verdict->reason[0] && evidence->has_result && !evidence->has_error);
}

/* An expectation makes a PASS of a FAIL alone, and of nothing that is not whole. */
static void fold_expecting(struct verdict *verdict, const struct expectation *expect)
{
	uint32_t natural = verdict->outcome;

	verdict->expect = expect;
	verdict_fold(verdict);
	verdict->expect = NULL;
	FUZZ_REQUIRE(verdict->reason[0]);
	check_text(verdict->reason);
	if (natural != KTSTR_OUTCOME_PASS && natural != KTSTR_OUTCOME_FAIL)
		FUZZ_REQUIRE(verdict->outcome == natural);
	if (verdict->outcome != KTSTR_OUTCOME_PASS)
		return;
	FUZZ_REQUIRE(natural == KTSTR_OUTCOME_FAIL);
	require_whole(verdict);
	FUZZ_REQUIRE(expect->has_scx_exit ? verdict->evidence.scx.has_exit
					  : verdict->evidence.scx.has_died_at_start);
}

static void fold_all(struct verdict *verdict)
{
	char nothing[] = "";
	const struct expectation expectations[] = {
		{ .is_given = true, .outcome = KTSTR_OUTCOME_FAIL, .has_scx_exit = true },
		{ .is_given = true, .outcome = KTSTR_OUTCOME_FAIL, .start_error = nothing },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		fold(verdict);
		fold_expecting(verdict, &expectations[i]);
	}
	fold(verdict);
}

static int report(int (*write)(FILE *out, const struct verdict *verdict,
			       const struct report_spec *spec, struct ktstr_error *err),
		  const struct verdict *verdict, const struct report_spec *spec, char **ret)
{
	struct ktstr_error err = { 0 };
	size_t length = 0;
	FILE *out = open_memstream(ret, &length);
	int rc;

	if (!out)
		abort();
	rc = write(out, verdict, spec, &err);
	FUZZ_REQUIRE(fclose(out) == 0);
	FUZZ_REQUIRE(rc == 0 || err.text[0]);
	FUZZ_REQUIRE(strlen(*ret) == length);
	return rc;
}

static void check_reports(const struct verdict *verdict, int fd)
{
	struct report_spec spec = {
		.run_fd = fd, .run_path = "run", .is_verbose = true, .has_timings = true
	};
	_cleanup_free_ char *text = NULL, *json = NULL;
	json_t *document;

	if (report(report_text, verdict, &spec, &text) == 0)
		check_text(text);
	if (report(report_json, verdict, &spec, &json) < 0)
		return;
	document = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_REQUIRE(json_is_object(document));
	json_decref(document);
}

static void show(const uint8_t *data, size_t size)
{
	char name[] = "likes all";
	struct decision decision = {
		.name = name,
		.path = name,
		.outcome = KTSTR_OUTCOME_PASS,
		.wanted = 1,
		.has_whole_evidence = true,
	};
	struct verdict verdict = { .decisions = &decision };
	struct ktstr_error err = { 0 };
	_cleanup_close_ int fd = io_memfd("run", data, size, &err);

	if (fd < 0)
		return;
	if (evidence_read(fd, "run", &verdict.evidence, &err) < 0) {
		FUZZ_REQUIRE(err.text[0]);
		return;
	}
	check_evidence(&verdict.evidence);
	fold(&verdict);
	FUZZ_REQUIRE(verdict.outcome != KTSTR_OUTCOME_PASS);
	verdict.decision_count = 1;
	fold_all(&verdict);
	check_reports(&verdict, fd);
	evidence_done(&verdict.evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = NULL;

	show(data, size);
	if (size < sizeof(struct runfile_header))
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	(void)put_runfile_right(copy, size);
	show(copy, size);
	return 0;
}
