/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/runfile_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ktstr/outcome.h"
#include "ktstr/plugin.h"

const char maker_meta[] = "{\"schema_version\": 1, \"plugins\": ["
			  "{\"kind\": \"scheduler\", \"name\": \"eevdf\", \"crc32\": 286331153},"
			  "{\"kind\": \"scenario\", \"name\": \"steps\", \"crc32\": 572662306},"
			  "{\"kind\": \"checker\", \"name\": \"gap\", \"crc32\": 1}]}";

static void check(int rc, const struct ktstr_error *err)
{
	if (rc >= 0)
		return;
	(void)fprintf(stderr, "cannot make a run file: %s\n", err->text);
	abort();
}

static void append(struct runfile_maker *maker, uint32_t kind, uint32_t tag, uint32_t flags,
		   const void *payload, uint32_t length)
{
	struct ktstr_error err = { 0 };

	check(runfile_append(maker->writer, kind, tag, flags, 1000, payload, length, &err), &err);
}

void maker_start(struct runfile_maker *maker, const char *path, const char *meta)
{
	struct ktstr_error err = { 0 };

	memset(maker, 0, sizeof(*maker));
	check(runfile_create(path, MAKER_SEED, 1, &maker->writer, &err), &err);
	maker->summary = (struct runfile_summary){
		.size = sizeof(maker->summary),
		.end_reason = COORD_END_STREAM,
		.exit_code = 0,
	};
	if (meta)
		append(maker, RUNFILE_META, 0, 0, meta, (uint32_t)strlen(meta));
}

void maker_frame(struct runfile_maker *maker, uint32_t msg_type, const void *payload,
		 uint32_t length, bool crc_ok)
{
	uint8_t header[WIRE_HEADER_SIZE];

	wire_header_encode(msg_type, payload, length, header);
	wire_account_add(&maker->account, header, length);
	append(maker, RUNFILE_FRAME, msg_type, crc_ok ? KTSTR_FRAME_CRC_OK : 0, payload, length);
	maker->summary.frames_received++;
	maker->summary.frames_bucketed++;
	maker->summary.frames_torn += !crc_ok;
	if (msg_type == KTSTR_MSG_SCHED_EXIT && crc_ok)
		maker->summary.is_sched_exit = 1;
}

static void add_plugin(struct str *out, uint32_t kind, const char *name, uint32_t crc32)
{
	struct ktstr_hello_plugin plugin = { .kind = kind, .crc32 = crc32 };

	str_copy(plugin.name, sizeof(plugin.name), name);
	(void)str_add_bytes(out, &plugin, sizeof(plugin));
}

void maker_hello(struct runfile_maker *maker, const struct maker_hello *hello)
{
	struct ktstr_hello head = {
		.size = sizeof(head),
		.plugin_count = hello->scenario ? 2 : 1,
		.seed = hello->seed,
	};
	struct str payload = { 0 };

	(void)str_add_bytes(&payload, &head, sizeof(head));
	add_plugin(&payload, KTSTR_KIND_SCHEDULER, hello->scheduler, hello->scheduler_crc);
	if (hello->scenario)
		add_plugin(&payload, KTSTR_KIND_SCENARIO, hello->scenario, MAKER_SCENARIO_CRC);
	maker_frame(maker, KTSTR_MSG_HELLO, payload.data, (uint32_t)payload.length, true);
	str_done(&payload);
}

static void add_with_text(struct runfile_maker *maker, uint32_t msg_type, const void *head,
			  size_t size, const char *text)
{
	struct str payload = { 0 };

	(void)str_add_bytes(&payload, head, size);
	(void)str_add(&payload, text);
	maker_frame(maker, msg_type, payload.data, (uint32_t)payload.length, true);
	str_done(&payload);
}

void maker_result(struct runfile_maker *maker, uint32_t outcome, const char *text)
{
	const struct ktstr_test_result head = {
		.size = sizeof(head),
		.outcome = outcome,
		.text_length = (uint32_t)strlen(text),
	};

	add_with_text(maker, KTSTR_MSG_TEST_RESULT, &head, sizeof(head), text);
}

void maker_error(struct runfile_maker *maker, uint32_t stage, const char *text)
{
	const struct ktstr_error_info head = {
		.size = sizeof(head),
		.stage = stage,
		.text_length = (uint32_t)strlen(text),
	};

	add_with_text(maker, KTSTR_MSG_ERROR, &head, sizeof(head), text);
}

void maker_seal(struct runfile_maker *maker, enum coord_end end, const char *text)
{
	const struct ktstr_stream_end stream_end = {
		.frame_count = maker->account.frame_count,
		.byte_count = maker->account.byte_count,
		.headers_crc32 = maker->account.headers_crc32,
	};
	char reason[512];

	maker_frame(maker, KTSTR_MSG_END, &stream_end, sizeof(stream_end), true);
	maker->summary.has_end = 1;
	maker->summary.end_matches = 1;
	maker->summary.end_reason = end;
	(void)snprintf(reason, sizeof(reason), "{\"reason\": \"%s\", \"text\": \"%s\"}",
		       coord_end_name(end), text);
	append(maker, RUNFILE_EVENT, RUNFILE_EVENT_END_REASON, 0, reason, (uint32_t)strlen(reason));
	append(maker, RUNFILE_SUMMARY, 0, 0, &maker->summary, sizeof(maker->summary));
	maker_close(maker);
}

void maker_close(struct runfile_maker *maker)
{
	struct ktstr_error err = { 0 };

	check(runfile_close(maker->writer, &err), &err);
	maker->writer = NULL;
}

void maker_begin(struct runfile_maker *maker, const struct maker_hello *hello)
{
	append(maker, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 0, COORD_TIMING_READY,
	       (uint32_t)strlen(COORD_TIMING_READY));
	maker_hello(maker, hello);
	maker_frame(maker, KTSTR_MSG_SCENARIO_START, NULL, 0, true);
}

void maker_pass(struct runfile_maker *maker)
{
	const struct ktstr_scenario_end end = { .elapsed_ms = 1 };
	const int32_t code = 0;

	maker_frame(maker, KTSTR_MSG_SCENARIO_END, &end, sizeof(end), true);
	maker_result(maker, KTSTR_OUTCOME_PASS, "");
	maker_frame(maker, KTSTR_MSG_EXIT, &code, sizeof(code), true);
}

void maker_good_run(const char *path, uint32_t stdout_count)
{
	const struct maker_hello hello = {
		.seed = MAKER_SEED,
		.scheduler_crc = MAKER_SCHEDULER_CRC,
		.scheduler = "eevdf",
		.scenario = "steps",
	};
	struct runfile_maker maker;

	maker_start(&maker, path, maker_meta);
	maker_begin(&maker, &hello);
	for (uint32_t i = 0; i < stdout_count; i++)
		maker_frame(&maker, KTSTR_MSG_STDOUT, "line\n", 5, true);
	maker_pass(&maker);
	maker_seal(&maker, COORD_END_STREAM, "the guest ended its stream");
}
