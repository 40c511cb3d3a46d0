/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "wire/frame.h"

#define TYPE_FINDING KTSTR_TAG('J', 'F', 'N', 'D')
#define TYPE_PROGRESS KTSTR_TAG('J', 'P', 'R', 'G')
#define TYPE_DECISION KTSTR_TAG('J', 'D', 'E', 'C')

/* A text that is not there, told apart from an empty one. */
#define NO_TEXT UINT32_MAX

enum {
	TEXT_SUBJECT,
	TEXT_METRIC,
	TEXT_UNIT,
	TEXT_SENTENCE,
	TEXT_COUNT,
};

struct finding_head {
	uint32_t outcome;
	uint32_t limit_kind;
	double measured;
	double limit;
	uint32_t lengths[TEXT_COUNT];
};

struct decision_head {
	uint32_t outcome;
	uint32_t has_whole_evidence;
	uint64_t wanted;
	uint32_t reason_length;
	uint32_t reserved;
};

#define PAYLOAD_MAX (sizeof(struct finding_head) + TEXT_COUNT * RESULT_TEXT_MAX)

static uint32_t text_length(const char *text)
{
	return text ? (uint32_t)strnlen(text, RESULT_TEXT_MAX) : NO_TEXT;
}

static int add_frame(struct str *out, uint32_t msg_type, const struct str *payload)
{
	uint8_t header[WIRE_HEADER_SIZE];
	int rc;

	wire_header_encode(msg_type, payload->data, (uint32_t)payload->length, header);
	rc = str_add_bytes(out, header, sizeof(header));
	return rc == 0 ? str_add_bytes(out, payload->data, payload->length) : rc;
}

int result_encode_progress(struct str *out)
{
	return add_frame(out, TYPE_PROGRESS, &(struct str){ 0 });
}

bool result_is_progress(const void *bytes, size_t length)
{
	const uint8_t *at = bytes, *end = at + length;
	struct ktstr_frame_header header;

	for (; (size_t)(end - at) >= WIRE_HEADER_SIZE; at += WIRE_HEADER_SIZE) {
		wire_header_decode(at, &header);
		if (header.msg_type != TYPE_PROGRESS || header.length > 0)
			return false;
	}
	return at == end;
}

int result_encode_finding(const struct finding *finding, struct str *out)
{
	const char *const texts[TEXT_COUNT] = {
		[TEXT_SUBJECT] = finding->subject,
		[TEXT_METRIC] = finding->metric,
		[TEXT_UNIT] = finding->unit,
		[TEXT_SENTENCE] = finding->text,
	};
	struct finding_head head = {
		.outcome = finding->outcome,
		.limit_kind = finding->limit_kind,
		.measured = finding->measured,
		.limit = finding->limit,
	};
	struct str payload = { 0 };
	int rc;

	for (int i = 0; i < TEXT_COUNT; i++)
		head.lengths[i] = text_length(texts[i]);
	rc = str_add_bytes(&payload, &head, sizeof(head));
	for (int i = 0; i < TEXT_COUNT && rc == 0; i++)
		if (texts[i])
			rc = str_add_bytes(&payload, texts[i], head.lengths[i]);
	if (rc == 0)
		rc = add_frame(out, TYPE_FINDING, &payload);
	str_done(&payload);
	return rc;
}

int result_encode_decision(const struct decision *decision, struct str *out)
{
	struct decision_head head = {
		.outcome = decision->outcome,
		.has_whole_evidence = decision->has_whole_evidence,
		.wanted = decision->wanted,
		.reason_length = text_length(decision->reason),
	};
	struct str payload = { 0 };
	int rc = str_add_bytes(&payload, &head, sizeof(head));

	if (rc == 0 && decision->reason)
		rc = str_add_bytes(&payload, decision->reason, head.reason_length);
	if (rc == 0)
		rc = add_frame(out, TYPE_DECISION, &payload);
	str_done(&payload);
	return rc;
}

static bool is_outcome(uint32_t outcome)
{
	return outcome > KTSTR_OUTCOME_NONE && outcome <= KTSTR_OUTCOME_ERROR;
}

/* The text of @length at *@at, made safe; moves *@at behind it. NULL in *ret: there is none. */
static int take_text(const uint8_t **at, const uint8_t *end, uint32_t length, char **ret)
{
	char safe[RESULT_TEXT_MAX + 1];

	*ret = NULL;
	if (length == NO_TEXT)
		return 0;
	if (length > RESULT_TEXT_MAX || length > (size_t)(end - *at))
		return -EBADMSG;
	*ret = strdup(str_copy_safe(safe, sizeof(safe), (const char *)*at, length));
	*at += length;
	return *ret ? 0 : -ENOMEM;
}

static int decode_finding(const uint8_t *payload, uint32_t length, struct finding *ret)
{
	char **const texts[TEXT_COUNT] = {
		[TEXT_SUBJECT] = &ret->subject,
		[TEXT_METRIC] = &ret->metric,
		[TEXT_UNIT] = &ret->unit,
		[TEXT_SENTENCE] = &ret->text,
	};
	const uint8_t *at = payload + sizeof(struct finding_head), *end = payload + length;
	struct finding_head head;
	int rc = 0;

	if (length < sizeof(head))
		return -EBADMSG;
	memcpy(&head, payload, sizeof(head));
	if (!is_outcome(head.outcome) || head.limit_kind > KTSTR_LIMIT_AT_LEAST ||
	    !isfinite(head.measured) || !isfinite(head.limit))
		return -EBADMSG;
	ret->outcome = head.outcome;
	ret->limit_kind = head.limit_kind;
	ret->measured = head.measured;
	ret->limit = head.limit;
	for (int i = 0; i < TEXT_COUNT && rc == 0; i++)
		rc = take_text(&at, end,
			       i < TEXT_SENTENCE && head.lengths[i] == NO_TEXT ? 0
									       : head.lengths[i],
			       texts[i]);
	return rc == 0 && at != end ? -EBADMSG : rc;
}

static int add_finding(struct decision *decision, const uint8_t *payload, uint32_t length)
{
	struct finding *grown;

	if (decision->finding_count >= RESULT_FINDINGS_MAX)
		return -EBADMSG;
	/* At powers of two. */
	if ((decision->finding_count & (decision->finding_count - 1)) == 0) {
		size_t count = decision->finding_count > 0 ? 2 * decision->finding_count : 1;

		grown = reallocarray(decision->findings, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		decision->findings = grown;
	}
	/* Counted before it is whole: whoever cleans up finds its texts. */
	decision->findings[decision->finding_count] = (struct finding){ 0 };
	return decode_finding(payload, length, &decision->findings[decision->finding_count++]);
}

static int decode_decision(const uint8_t *payload, uint32_t length, struct decision *ret)
{
	const uint8_t *at = payload + sizeof(struct decision_head), *end = payload + length;
	struct decision_head head;
	int rc;

	if (length < sizeof(head))
		return -EBADMSG;
	memcpy(&head, payload, sizeof(head));
	if (!is_outcome(head.outcome) || head.has_whole_evidence > 1)
		return -EBADMSG;
	rc = take_text(&at, end, head.reason_length, &ret->reason);
	if (rc < 0)
		return rc;
	if (at != end)
		return -EBADMSG;
	ret->outcome = head.outcome;
	ret->has_whole_evidence = head.has_whole_evidence;
	ret->wanted = head.wanted;
	return 0;
}

static int decode_frames(const uint8_t *at, const uint8_t *end, struct decision *ret)
{
	struct ktstr_frame_header header;
	int rc = 0;

	while (rc == 0 && (size_t)(end - at) >= WIRE_HEADER_SIZE) {
		wire_header_decode(at, &header);
		at += WIRE_HEADER_SIZE;
		if (header.length > PAYLOAD_MAX || header.length > (size_t)(end - at) ||
		    header.pad != 0 || wire_crc32(0, at, header.length) != header.crc32)
			return -EBADMSG;
		if (header.msg_type == TYPE_DECISION) {
			rc = decode_decision(at, header.length, ret);
			return rc == 0 && at + header.length != end ? -EBADMSG : rc;
		}
		if (header.msg_type == TYPE_FINDING)
			rc = add_finding(ret, at, header.length);
		else if (header.msg_type != TYPE_PROGRESS || header.length > 0)
			rc = -EBADMSG;
		at += header.length;
	}
	return rc < 0 ? rc : -EBADMSG; /* the decision is missing */
}

int result_decode(const void *bytes, size_t length, struct decision *ret)
{
	struct decision decoded = { 0 };
	int rc;

	if (length == 0 || length > RESULT_BYTES_MAX)
		return -EBADMSG;
	rc = decode_frames(bytes, (const uint8_t *)bytes + length, &decoded);
	if (rc < 0) {
		decision_done(&decoded);
		return rc;
	}
	decoded.name = ret->name;
	decoded.path = ret->path;
	decoded.took_ns = ret->took_ns;
	*ret = decoded;
	return 0;
}
