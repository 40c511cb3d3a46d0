/* SPDX-License-Identifier: GPL-2.0-only */
/* Encoded trees and jobs, as the guest and a reader of run files get them. */
#include <string.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "param/node.h"
#include "plugin/job.h"

/* Every tree has one encoding, so what was decoded encodes to the same bytes. */
static void decode_tree(const uint8_t *data, size_t size)
{
	struct ktstr_error err = { 0 };
	struct str again = { 0 };
	struct node *tree = NULL;
	int rc = node_decode(data, size, &tree, &err);

	FUZZ_REQUIRE((rc == 0) == (tree != NULL));
	if (rc < 0) {
		FUZZ_REQUIRE(err.code == rc && err.text[0]);
		return;
	}
	FUZZ_REQUIRE(node_encode(tree, &again) == 0);
	FUZZ_REQUIRE(again.length == size && memcmp(again.data, data, size) == 0);
	str_done(&again);
	node_free(tree);
}

static void decode_job(const uint8_t *data, size_t size)
{
	struct job *job = NULL, *again = NULL;
	struct ktstr_error err = { 0 };
	struct str bytes = { 0 };
	int rc = job_decode(data, size, &job, &err);

	FUZZ_REQUIRE((rc == 0) == (job != NULL));
	if (rc < 0) {
		FUZZ_REQUIRE(err.code == rc && err.text[0]);
		return;
	}
	FUZZ_REQUIRE(job_encode(job, &bytes) == 0);
	FUZZ_REQUIRE(job_decode(bytes.data, bytes.length, &again, &err) == 0);
	FUZZ_REQUIRE(again->seed == job->seed && again->plugin_count == job->plugin_count);
	str_done(&bytes);
	job_free(again);
	job_free(job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_tree(data, size);
	decode_job(data, size);
	return 0;
}
