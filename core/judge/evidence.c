/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/judge.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "coord/coord.h"
#include "judge/protocol.h"
#include "plugin/loader.h"
#include "runfile/reader.h"
#include "wire/frame.h"
#include "wire/payload.h"

#define TEXT_MAX 900
/* Plugins that one HELLO may name. */
#define HELLO_PLUGINS_MAX 1024u

/* One pass over a run file. */
struct pass {
	struct evidence *evidence;
	json_t *meta;
	uint64_t seed;
	struct protocol protocol;
	struct wire_account account; /* of what was sent before the END frame */
	bool has_seen_end;
	bool has_seen_summary;
	bool is_out_of_memory;
};

/* Keep a text; the first one that is kept stays. */
__attribute__((format(printf, 3, 4))) static void keep(struct pass *pass, char **text,
						       const char *format, ...)
{
	char buffer[TEXT_MAX], safe[TEXT_MAX];
	va_list args;

	if (*text)
		return;
	va_start(args, format);
	(void)vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	*text = strdup(str_copy_safe(safe, sizeof(safe), buffer, strlen(buffer)));
	pass->is_out_of_memory = pass->is_out_of_memory || !*text;
}

static const char *item_text(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

/* The entry of META for a plugin that the guest names, or NULL. */
static const json_t *sent_plugin(const json_t *plugins, const char *kind, const char *name)
{
	for (size_t i = 0; i < json_array_size(plugins); i++) {
		const json_t *item = json_array_get(plugins, i);

		if (strcmp(item_text(item, "kind"), kind) == 0 &&
		    strcmp(item_text(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

static void compare_plugin(struct pass *pass, const json_t *plugins,
			   const struct ktstr_hello_plugin *loaded)
{
	const char *kind = plugin_kind_name(loaded->kind);
	char name[sizeof(loaded->name) + 1] = "";
	const json_t *sent;

	memcpy(name, loaded->name, sizeof(loaded->name));
	sent = sent_plugin(plugins, kind, name);
	if (!sent)
		keep(pass, &pass->evidence->hello_mismatch,
		     "it loaded the %s '%s', which was not sent", kind, name);
	else if (json_integer_value(json_object_get(sent, "crc32")) != (json_int_t)loaded->crc32)
		keep(pass, &pass->evidence->hello_mismatch,
		     "the file of the %s '%s' is another one there (checksum %08x)", kind, name,
		     loaded->crc32);
}

static bool has_loaded(const uint8_t *entries, uint32_t count, const char *kind, const char *name)
{
	struct ktstr_hello_plugin loaded;

	for (uint32_t i = 0; i < count; i++) {
		memcpy(&loaded, entries + i * sizeof(loaded), sizeof(loaded));
		if (strcmp(plugin_kind_name(loaded.kind), kind) == 0 &&
		    strncmp(loaded.name, name, sizeof(loaded.name)) == 0)
			return true;
	}
	return false;
}

/* The scheduler and the scenario are what the run is about: both must have been loaded. */
static void require_loaded(struct pass *pass, const json_t *plugins, const uint8_t *entries,
			   uint32_t count)
{
	for (size_t i = 0; i < json_array_size(plugins); i++) {
		const json_t *item = json_array_get(plugins, i);
		const char *kind = item_text(item, "kind"), *name = item_text(item, "name");

		if (strcmp(kind, plugin_kind_name(KTSTR_KIND_SCHEDULER)) != 0 &&
		    strcmp(kind, plugin_kind_name(KTSTR_KIND_SCENARIO)) != 0)
			continue;
		if (!has_loaded(entries, count, kind, name))
			keep(pass, &pass->evidence->hello_mismatch, "it did not load the %s '%s'",
			     kind, name);
	}
}

static void take_hello(struct pass *pass, const struct ktstr_frame *frame)
{
	struct evidence *evidence = pass->evidence;
	const json_t *plugins = json_object_get(pass->meta, "plugins");
	struct ktstr_hello hello;
	const uint8_t *entries;
	uint32_t length;

	if (ktstr_payload_get(frame, &hello, sizeof(hello), sizeof(hello)) < 0) {
		keep(pass, &evidence->malformed, "a HELLO frame is too short");
		return;
	}
	entries = ktstr_payload_tail(frame, &length);
	if (hello.plugin_count > HELLO_PLUGINS_MAX ||
	    hello.plugin_count * sizeof(struct ktstr_hello_plugin) > length) {
		keep(pass, &evidence->malformed, "a HELLO frame names more plugins than it holds");
		return;
	}
	evidence->hello_count++;
	if (!json_is_array(plugins)) {
		keep(pass, &evidence->hello_mismatch,
		     "the run file does not say which plugins were sent");
		return;
	}
	if (hello.seed != pass->seed)
		keep(pass, &evidence->hello_mismatch, "its seed is %llu, and not %llu",
		     (unsigned long long)hello.seed, (unsigned long long)pass->seed);
	for (uint32_t i = 0; i < hello.plugin_count; i++) {
		struct ktstr_hello_plugin loaded;

		memcpy(&loaded, entries + i * sizeof(loaded), sizeof(loaded));
		compare_plugin(pass, plugins, &loaded);
	}
	require_loaded(pass, plugins, entries, hello.plugin_count);
}

/* Of several results the worst counts: none of them can be taken back. */
static void take_result(struct pass *pass, const struct ktstr_frame *frame)
{
	struct evidence *evidence = pass->evidence;
	struct ktstr_test_result result;
	char text[TEXT_MAX];

	if (wire_decode_test_result(frame->payload, frame->length, &result, text, sizeof(text)) <
	    0) {
		keep(pass, &evidence->malformed, "a TEST_RESULT frame cannot be decoded");
		return;
	}
	if (result.outcome == KTSTR_OUTCOME_NONE || result.outcome > KTSTR_OUTCOME_ERROR)
		result.outcome = KTSTR_OUTCOME_ERROR;
	if (evidence->has_result && result.outcome <= evidence->result_outcome)
		return;
	evidence->has_result = true;
	evidence->result_outcome = result.outcome;
	free(evidence->result_text);
	evidence->result_text = NULL;
	keep(pass, &evidence->result_text, "%s", text);
}

static void take_error(struct pass *pass, const struct ktstr_frame *frame)
{
	struct evidence *evidence = pass->evidence;
	struct ktstr_error_info info;
	char text[TEXT_MAX];

	if (wire_decode_error(frame->payload, frame->length, &info, text, sizeof(text)) < 0) {
		keep(pass, &evidence->malformed, "an ERROR frame cannot be decoded");
		return;
	}
	if (!evidence->has_error)
		evidence->error_stage = info.stage;
	/* A scheduler that does not start is told of once: what comes after that broke by itself.
	 */
	if (evidence->has_error || info.stage != KTSTR_STAGE_SCHEDULER)
		evidence->has_other_error = true;
	evidence->has_error = true;
	keep(pass, &evidence->error_text, "%s", text);
}

static void take_sched_exit(struct pass *pass, const struct ktstr_frame *frame)
{
	int32_t code = 0;
	char text[TEXT_MAX] = "";

	if (wire_decode_i32(frame->payload, frame->length, &code) == 0)
		str_copy_safe(text, sizeof(text), (const char *)frame->payload + sizeof(code),
			      frame->length - sizeof(code));
	if (text[0])
		keep(pass, &pass->evidence->sched_exit_text, "%s", text);
	else
		keep(pass, &pass->evidence->sched_exit_text, "exit status %d", code);
}

static void take_phase(struct pass *pass, const struct ktstr_frame *frame)
{
	const uint8_t *phase = frame->payload;

	if (frame->length > 0 && *phase == KTSTR_PHASE_OVERDUE)
		pass->evidence->is_overdue = true;
}

static const struct {
	uint32_t msg_type;
	void (*take)(struct pass *pass, const struct ktstr_frame *frame);
} takers[] = {
	{ KTSTR_MSG_HELLO, take_hello },     { KTSTR_MSG_TEST_RESULT, take_result },
	{ KTSTR_MSG_ERROR, take_error },     { KTSTR_MSG_SCHED_EXIT, take_sched_exit },
	{ KTSTR_MSG_LIFECYCLE, take_phase },
};

/* Count a frame by its header, and hold the END frame against what came before it. */
static void count_sent(struct pass *pass, const uint8_t header[WIRE_HEADER_SIZE],
		       const struct ktstr_frame *end)
{
	struct ktstr_frame_header decoded;
	struct ktstr_stream_end said;

	if (pass->has_seen_end)
		return;
	wire_header_decode(header, &decoded);
	if (!end) {
		wire_account_add(&pass->account, header, decoded.length);
		return;
	}
	pass->has_seen_end = true;
	pass->evidence->has_all_sent =
		wire_decode_stream_end(end->payload, end->length, &said) == 0 &&
		wire_account_matches(&pass->account, &said);
}

static void take_frame(struct pass *pass, const struct runfile_record *record, const void *payload)
{
	const struct ktstr_frame frame = {
		.msg_type = record->tag,
		.length = record->length,
		.flags = record->flags,
		.host_ns = record->host_ns,
		.payload = payload,
	};
	const bool is_end = record->tag == KTSTR_MSG_END && (record->flags & KTSTR_FRAME_CRC_OK);
	uint8_t header[WIRE_HEADER_SIZE];
	const char *wrong;

	wire_header_put(record->tag, record->length, record->payload_crc32, header);
	count_sent(pass, header, is_end ? &frame : NULL);
	pass->evidence->frames_recorded++;
	if (!(record->flags & KTSTR_FRAME_CRC_OK))
		return; /* the summary counts it */
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++)
		if (takers[i].msg_type == record->tag)
			takers[i].take(pass, &frame);
	if (scx_take(&pass->evidence->scx, &frame) < 0)
		pass->is_out_of_memory = true;
	wrong = protocol_take(&pass->protocol, &frame);
	if (wrong)
		keep(pass, &pass->evidence->malformed, "%s", wrong);
}

static void take_timing(struct pass *pass, const void *payload, uint32_t length)
{
	if (length == strlen(COORD_TIMING_READY) &&
	    memcmp(payload, COORD_TIMING_READY, length) == 0)
		pass->protocol.is_ready = true;
}

static void take_end_reason(struct pass *pass, const void *payload, uint32_t length)
{
	json_t *root = json_loadb(payload, length, 0, NULL);

	free(pass->evidence->end_reason);
	pass->evidence->end_reason = NULL;
	keep(pass, &pass->evidence->end_reason, "%s", item_text(root, "text"));
	json_decref(root);
}

/* One that is shorter than the first ones leaves out what a PASS needs. */
static void take_summary(struct pass *pass, const void *payload, uint32_t length)
{
	struct evidence *evidence = pass->evidence;
	const struct ktstr_frame frame = { .length = length, .payload = payload };

	if (pass->has_seen_summary)
		return;
	pass->has_seen_summary = true;
	evidence->is_sealed = true;
	evidence->has_summary =
		ktstr_payload_get(&frame, &evidence->summary, sizeof(evidence->summary),
				  RUNFILE_SUMMARY_MIN) == 0;
}

static void take_meta(struct pass *pass, const void *payload, uint32_t length)
{
	const char *scheduler;

	if (pass->meta)
		return;
	pass->meta = json_loadb(payload, length, 0, NULL);
	pass->evidence->is_virtual =
		strcmp(item_text(json_object_get(pass->meta, "vm"), "clock"), "virtual") == 0;
	scheduler = item_text(json_object_get(pass->meta, "scheduler"), "plugin");
	str_copy_line(pass->evidence->scx.first, sizeof(pass->evidence->scx.first), scheduler,
		      strlen(scheduler));
	str_copy(pass->evidence->scx.scheduler, sizeof(pass->evidence->scx.scheduler),
		 pass->evidence->scx.first);
}

static void take_record(struct pass *pass, const struct runfile_record *record, const void *payload)
{
	pass->evidence->is_sealed = false; /* unless this is the first summary */
	switch (record->kind) {
	case RUNFILE_META:
		take_meta(pass, payload, record->length);
		break;
	case RUNFILE_FRAME:
		take_frame(pass, record, payload);
		break;
	case RUNFILE_FRAME_HEADER:
		if (record->length == WIRE_HEADER_SIZE)
			count_sent(pass, payload, NULL);
		break;
	case RUNFILE_EVENT:
		if (record->tag == RUNFILE_EVENT_END_REASON)
			take_end_reason(pass, payload, record->length);
		else if (record->tag == RUNFILE_EVENT_TIMING)
			take_timing(pass, payload, record->length);
		break;
	case RUNFILE_SUMMARY:
		take_summary(pass, payload, record->length);
		break;
	}
}

static void finish(struct pass *pass)
{
	const struct evidence *evidence = pass->evidence;
	const char *missing = protocol_finish(&pass->protocol, false);

	if (missing)
		keep(pass, &pass->evidence->unfinished, "%s", missing);
	if (!evidence->has_result || evidence->result_outcome != KTSTR_OUTCOME_PASS)
		return;
	missing = protocol_finish(&pass->protocol, true);
	if (missing)
		keep(pass, &pass->evidence->malformed, "%s", missing);
}

int evidence_read(int runfile_fd, const char *name, struct evidence *ret, struct ktstr_error *err)
{
	struct evidence evidence = { 0 };
	struct pass pass = { .evidence = &evidence };
	struct runfile_reader *reader;
	struct runfile_record record;
	const void *payload;
	int rc = runfile_open_fd(runfile_fd, name, &reader, err);

	if (rc < 0)
		return rc;
	pass.seed = runfile_header_of(reader)->seed;
	while (runfile_next(reader, &record, &payload))
		take_record(&pass, &record, payload);
	finish(&pass);
	evidence.is_torn = runfile_is_torn(reader);
	runfile_reader_free(reader);
	json_decref(pass.meta);
	if (pass.is_out_of_memory) {
		evidence_done(&evidence);
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	*ret = evidence;
	return 0;
}

void evidence_done(struct evidence *evidence)
{
	if (!evidence)
		return;
	free(evidence->end_reason);
	free(evidence->malformed);
	free(evidence->unfinished);
	free(evidence->result_text);
	free(evidence->error_text);
	free(evidence->sched_exit_text);
	free(evidence->hello_mismatch);
	scx_done(&evidence->scx);
	*evidence = (struct evidence){ 0 };
}
