/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/cleanup.h"
#include "runfile/reader.h"

/* Changes with what is hashed, so that digests of other versions do not look like other runs. */
#define FORMAT "ktstr stream 1"

/* What comes in an order of its own: how these lie among each other is up to the host. */
enum part {
	PART_FRAMES,
	PART_COM1,
	PART_COM2,
	PART_CAPTURES,
	PART_COUNT,
};

struct stream_hash {
	struct sha256_ctx parts[PART_COUNT];
	uint64_t frames;
};

/* What stands before each frame and each capture, so that no two lists look the same. */
struct item_head {
	uint32_t kind;
	uint32_t tag;
	uint32_t flags;
	uint32_t length;
};

struct stream_hash *stream_hash_new(void)
{
	struct stream_hash *hash = calloc(1, sizeof(*hash));

	for (size_t i = 0; hash && i < PART_COUNT; i++)
		sha256_init(&hash->parts[i]);
	return hash;
}

void stream_hash_free(struct stream_hash *hash)
{
	free(hash);
}

static void add_item(struct sha256_ctx *part, const struct runfile_record *record,
		     const void *payload)
{
	const struct item_head head = { .kind = record->kind,
					.tag = record->tag,
					.flags = record->flags,
					.length = record->length };
	uint8_t capture[sizeof(struct runfile_capture)];
	size_t done = 0;

	sha256_update(part, sizeof(head), (const uint8_t *)&head);
	if (record->kind == RUNFILE_CAPTURE) {
		done = stream_capture_head(payload, record->length, capture);
		sha256_update(part, done, capture);
	}
	sha256_update(part, record->length - done, (const uint8_t *)payload + done);
}

bool stream_is_frame(const struct runfile_record *record)
{
	return record->kind == RUNFILE_FRAME || record->kind == RUNFILE_FRAME_HEADER;
}

size_t stream_capture_head(const void *payload, size_t length, uint8_t *ret)
{
	const size_t at = offsetof(struct runfile_capture, frozen_ns);
	size_t head = length;

	if (head > sizeof(struct runfile_capture))
		head = sizeof(struct runfile_capture);
	memcpy(ret, payload, head);
	if (head >= at + sizeof(uint64_t))
		memset(ret + at, 0, sizeof(uint64_t));
	return head;
}

void stream_hash_add(struct stream_hash *hash, const struct runfile_record *record,
		     const void *payload)
{
	switch (record->kind) {
	case RUNFILE_FRAME:
	case RUNFILE_FRAME_HEADER:
		add_item(&hash->parts[PART_FRAMES], record, payload);
		hash->frames++;
		return;
	case RUNFILE_CAPTURE:
		add_item(&hash->parts[PART_CAPTURES], record, payload);
		return;
	case RUNFILE_CONSOLE:
		sha256_update(&hash->parts[PART_COM1], record->length, payload);
		return;
	case RUNFILE_CRASH:
		sha256_update(&hash->parts[PART_COM2], record->length, payload);
		return;
	}
}

void stream_hash_end(struct stream_hash *hash, struct stream_identity *ret)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx all;

	sha256_init(&all);
	sha256_update(&all, sizeof(FORMAT), (const uint8_t *)FORMAT);
	for (size_t i = 0; i < PART_COUNT; i++) {
		sha256_digest(&hash->parts[i], sizeof(digest), digest);
		sha256_update(&all, sizeof(digest), digest);
	}
	sha256_digest(&all, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret->digest + 2 * i, 3, "%02x", digest[i]);
	ret->frames = hash->frames;
}

int stream_identify(int runfile_fd, const char *name, struct stream_identity *ret,
		    struct ktstr_error *err)
{
	struct stream_hash *hash = stream_hash_new();
	struct runfile_reader *reader = NULL;
	struct runfile_record record;
	const void *payload;
	int rc;

	if (!hash)
		return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", name);
	rc = runfile_open_fd(runfile_fd, name, &reader, err);
	while (rc == 0 && runfile_next(reader, &record, &payload) == 1)
		stream_hash_add(hash, &record, payload);
	if (rc == 0)
		stream_hash_end(hash, ret);
	runfile_reader_free(reader);
	stream_hash_free(hash);
	return rc;
}

bool stream_is_same(const struct stream_identity *a, const struct stream_identity *b)
{
	return strcmp(a->digest, b->digest) == 0;
}
