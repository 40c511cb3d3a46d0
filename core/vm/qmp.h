/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's monitor protocol (JSON lines, docs/interop/qmp-spec) over a connected, non-blocking
 * socket. Never blocks but in qmp_execute().
 */
#ifndef VM_QMP_H
#define VM_QMP_H

#include <jansson.h>
#include <stdint.h>

#include "ktstr/error.h"

struct qmp;

/* @fd is taken. Events are handed to @event as they are read; @data may be NULL. */
typedef void (*qmp_event)(void *arg, const char *name, const json_t *data);
int qmp_new(int fd, qmp_event event, void *arg, struct qmp **ret, struct ktstr_error *err);
void qmp_free(struct qmp *qmp);
int qmp_fd(const struct qmp *qmp);

/* Wait for the greeting and negotiate capabilities, at most until @deadline_ns (CLOCK_MONOTONIC).
 */
int qmp_handshake(struct qmp *qmp, uint64_t deadline_ns, struct ktstr_error *err);

/* Read what is there and deliver events. 0, or -EPIPE when QEMU is gone. */
int qmp_read(struct qmp *qmp, struct ktstr_error *err);

/* Send without waiting for the answer, which is dropped when it comes. */
int qmp_send(struct qmp *qmp, const char *command, json_t *arguments, struct ktstr_error *err);

/* Send and wait for the answer; *ret (may be NULL) is a new reference. @arguments (may be NULL) is
 * taken. -ETIMEDOUT, -EPIPE, or -EREMOTEIO with QEMU's own words. */
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
		json_t **ret, struct ktstr_error *err);

#endif
