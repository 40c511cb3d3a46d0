/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's monitor protocol (JSON lines, docs/interop/qmp-spec) over a connected socket. Capabilities
 * are negotiated without waiting for the greeting, so commands may be sent at once; QEMU takes them
 * in order. Never blocks but in qmp_handshake() and qmp_execute().
 */
#ifndef VM_QMP_H
#define VM_QMP_H

#include <jansson.h>
#include <stdint.h>

#include "ktstr/error.h"

struct qmp;

/* @fd is taken, on failure too. Events are handed to @event as they are read; @data may be NULL.
 * @event must not call back into @qmp. */
typedef void (*qmp_event)(void *arg, const char *name, const json_t *data);
int qmp_new(int fd, qmp_event event, void *arg, struct qmp **ret, struct ktstr_error *err);
void qmp_free(struct qmp *qmp);
int qmp_fd(const struct qmp *qmp);

/*
 * Wait until QEMU is up: greeting seen and capabilities negotiated, at most until @deadline_ns
 * (CLOCK_MONOTONIC). -ETIMEDOUT, -EPIPE, -EPROTO or -EREMOTEIO. 0 at once when that has happened.
 */
int qmp_handshake(struct qmp *qmp, uint64_t deadline_ns, struct ktstr_error *err);
/* The first number of QEMU's version, from its greeting; 0: not known. */
int qmp_major(const struct qmp *qmp);

/*
 * Read what is there and deliver events. 0; -EPIPE when QEMU is gone, after every whole line was
 * delivered; -EPROTO when it said something that is no QMP, or a line of more than QMP_LINE_MAX
 * bytes. Both stay.
 */
#define QMP_LINE_MAX (1U << 20)
int qmp_read(struct qmp *qmp, struct ktstr_error *err);

/* Send without waiting for the answer, which is dropped when it comes. @arguments (may be NULL) is
 * taken. */
int qmp_send(struct qmp *qmp, const char *command, json_t *arguments, struct ktstr_error *err);

/* Send and wait for the answer; *ret (may be NULL) is a new reference. @arguments (may be NULL) is
 * taken. -ETIMEDOUT, -EPIPE, -EPROTO, or -EREMOTEIO with QEMU's own words. */
int qmp_execute(struct qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
		json_t **ret, struct ktstr_error *err);

/*
 * Ask now and take the answer later: qmp_take() reads what is there, and returns 1 when the answer
 * is (*ret is a new reference), 0 while it is not, or an error as qmp_execute(). One question at a
 * time; until it is answered or forgotten nothing else may be executed.
 */
int qmp_ask(struct qmp *qmp, const char *command, json_t *arguments, struct ktstr_error *err);
int qmp_take(struct qmp *qmp, json_t **ret, struct ktstr_error *err);
void qmp_forget(struct qmp *qmp);

/* While an answer is waited for, read and drop what comes of @fd (a socket; -1: none): the guest
 * may wait for that, with QEMU's lock in its hands. */
void qmp_drain(struct qmp *qmp, int fd);

#endif
