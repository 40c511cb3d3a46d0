/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoders of payloads with rules beyond "copy the struct". Each returns 0 or -EBADMSG and touches
 * *ret only on success. Structs that only start with their size are read with ktstr_payload_get().
 */
#ifndef WIRE_PAYLOAD_H
#define WIRE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "ktstr/frame.h"
#include "ktstr/sched_ext.h"

/* At least 24 bytes. */
int wire_decode_stimulus(const void *payload, size_t length, struct ktstr_stimulus *ret);
/* Exactly 24 bytes. */
int wire_decode_kern_addrs(const void *payload, size_t length, struct ktstr_kern_addrs *ret);
/* Exactly 72 bytes, request_id not 0, kind not NONE. The tag comes back NUL-terminated where it is
 * shorter. */
int wire_decode_snapshot_request(const void *payload, size_t length,
				 struct ktstr_snapshot_request *ret);
/* Exactly 4 bytes (EXIT), or at least 4 (SCHED_EXIT). */
int wire_decode_i32(const void *payload, size_t length, int32_t *ret);
/* Exactly 24 bytes. */
int wire_decode_stream_end(const void *payload, size_t length, struct ktstr_stream_end *ret);
/* At least 8 bytes; of a frame that is empty nothing is known. */
int wire_decode_guest_time(const void *payload, size_t length, struct ktstr_guest_time *ret);
/* 8 bytes (elapsed only) or at least 16. */
int wire_decode_scenario_end(const void *payload, size_t length, struct ktstr_scenario_end *ret);

/* A payload struct that starts with its size, then text_length (or name_length) bytes of text.
 * Copies at most size - 1 bytes made safe for a terminal. */
int wire_decode_error(const void *payload, size_t length, struct ktstr_error_info *ret, char *text,
		      size_t size);
int wire_decode_test_result(const void *payload, size_t length, struct ktstr_test_result *ret,
			    char *text, size_t size);
int wire_decode_step(const void *payload, size_t length, struct ktstr_step_info *ret, char *name,
		     size_t size);
int wire_decode_cgroup(const void *payload, size_t length, struct ktstr_cgroup_info *ret,
		       char *name, size_t size);

/*
 * What frames say of schedulers. Texts in the structs come back ended by NUL and safe for one line
 * of a terminal; enumerations are known ones; entries, and the four texts of an exit, lie within
 * the payload.
 */
int wire_decode_sched_swap(const void *payload, size_t length, struct ktstr_sched_swap *ret);
int wire_decode_sched_time(const void *payload, size_t length, struct ktstr_sched_time *ret);
/* *ret_entries: the first of event_count, or program_count, for the two functions below. It points
 * into the payload. */
int wire_decode_scx_state(const void *payload, size_t length, struct ktstr_scx_state *ret,
			  const void **ret_entries);
int wire_decode_sched_progs(const void *payload, size_t length, struct ktstr_sched_progs *ret,
			    const void **ret_entries);
void wire_scx_event_get(const void *entries, uint32_t index, struct ktstr_scx_event *ret);
void wire_sched_prog_get(const void *entries, uint32_t index, struct ktstr_sched_prog *ret);

/* The texts of an SCX_EXIT frame, as sent: not ended by NUL, not safe; their lengths are in the
 * struct. They point into the payload. */
struct wire_scx_texts {
	const char *reason;
	const char *message;
	const char *backtrace;
	const char *dump;
};
int wire_decode_scx_exit(const void *payload, size_t length, struct ktstr_scx_exit *ret,
			 struct wire_scx_texts *ret_texts);

/* Name of a lifecycle phase ("PayloadStarting"), or "unknown". */
const char *wire_phase_name(uint8_t phase);

#endif
