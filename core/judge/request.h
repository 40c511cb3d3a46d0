/* SPDX-License-Identifier: GPL-2.0-only */
/* What ktstr-judge is asked to do, as it crosses from parent to child: one encoded tree of text. */
#ifndef JUDGE_REQUEST_H
#define JUDGE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "judge/judge.h"

/* Descriptors that the parent leaves to ktstr-judge, above stdin, stdout and stderr. */
#define REQUEST_FD_RUNFILE 3
#define REQUEST_FD_REQUEST 4
#define REQUEST_FD_RESULT 5
#define REQUEST_FD_COUNT 6

struct request {
	struct node *tree; /* owns all texts below */
	const char *name;
	const char *path;
	uint32_t crc32; /* of the file at @path */
	uint32_t kind;
	const struct node *params; /* may be NULL */
	const char *scenario, *scheduler, *kernel, *accel, *clock;
	struct ktstr_topology topology;
	const char **plugin_folders; /* ended by NULL; never NULL itself */
};

/* Append the request for @checker as bytes. 0 or -ENOMEM. */
int request_encode(const struct judge_spec *spec, const struct judge_checker *checker,
		   struct str *out);
/* -EBADMSG for anything that request_encode() does not make. request_done() frees. */
int request_decode(const void *bytes, size_t length, struct request *ret, struct ktstr_error *err);
void request_done(struct request *request);

#endif
