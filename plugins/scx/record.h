/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of a scheduler's end, as the BPF half leaves it, and as it is told on. */
#ifndef SCX_RECORD_H
#define SCX_RECORD_H

#include <stdint.h>

#include "ktstr/error.h"
#include "ktstr/scx_record.h"

/* The kind, once the record is complete; else KTSTR_SCX_EXIT_NONE. */
uint32_t record_kind(const struct ktstr_scx_record *record);

/*
 * The payload of an SCX_EXIT frame, to be freed by the caller. The backtrace is taken from the
 * dump, where the kernel has put names to its addresses. NULL: out of memory.
 */
void *record_frame(const struct ktstr_scx_record *record, uint32_t *ret_length);

/* Fail with -ESRCH and a sentence: "ejected by the kernel: runnable task stall: ...". */
int record_fail(const struct ktstr_scx_record *record, struct ktstr_error *err);

#endif
