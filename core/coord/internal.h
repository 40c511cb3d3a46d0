/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the coordinator share. Not for other modules. */
#ifndef COORD_INTERNAL_H
#define COORD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/progress.h"
#include "coord/assembler.h"
#include "coord/console.h"
#include "coord/coord.h"
#include "coord/requests.h"
#include "wire/frame.h"

/* Bytes that one channel may take of one wake, so that signals and deadlines are always served. */
#define COORD_BULK_PER_WAKE ((size_t)1024 * 1024)
#define COORD_TEXT_PER_WAKE ((size_t)64 * 1024)
/* Bytes that are drained from a channel after the VM ended: more than any socket holds. */
#define COORD_DRAIN_MAX ((size_t)64 * 1024 * 1024)
/* Console bytes that are kept; the rest is dropped with one warning. */
#define COORD_CONSOLE_MAX (UINT64_C(64) * 1024 * 1024)
#define COORD_CRASH_MAX (UINT64_C(1) * 1024 * 1024)
#define COORD_STDERR_LINES_MAX 100u
#define COORD_TICK_NS (100 * NS_PER_MS)

/* Headers of dropped frames that are kept. */
#define COORD_DROPPED_HEADERS_MAX 1000

/* In the order in which one wake serves them: evidence before the events that end a run. */
enum source {
	SOURCE_SIGNAL,
	SOURCE_BULK,
	SOURCE_FREEZE,
	SOURCE_COM2,
	SOURCE_COM1,
	SOURCE_STDERR,
	SOURCE_CONSOLE,
	SOURCE_DEBUGGER,
	SOURCE_MONITOR,
	SOURCE_PID,
	SOURCE_NEWS,
	SOURCE_TIMER,
	SOURCE_COUNT,
};

enum stage {
	STAGE_RUNNING,
	STAGE_WINDING,	/* the end is decided or near: the guest may finish until the deadline */
	STAGE_QUITTING, /* QEMU was asked to end */
	STAGE_GONE,
};

/* Console bytes wait here until they make a record worth its header. */
struct console_buffer {
	uint32_t kind; /* RUNFILE_CONSOLE, RUNFILE_CRASH */
	uint64_t kept;
	uint64_t max;
	bool is_full;
	uint32_t length;
	char bytes[16 * 1024];
};

struct coord {
	const struct coord_spec *spec;
	struct coord_result *result;
	struct dispatch_sinks *sinks; /* of the result */
	const struct coord_observer *observer;
	struct assembler *assembler;
	struct wire_account account; /* frames before the END frame */
	uint32_t frames_after_end;
	uint64_t frames_recorded;
	uint64_t headers_recorded; /* of frames that are not recorded whole */
	uint64_t output_bytes;	   /* recorded of what the guest printed */
	bool has_warned_of_pad;

	int epoll_fd;
	int fds[SOURCE_COUNT]; /* -1: closed or none */
	bool is_always_ready[SOURCE_COUNT];
	uint64_t followed_bytes[SOURCE_COUNT]; /* read of files that grow */
	uint64_t timer_at_ns;
	uint64_t next_tick_ns;

	struct console com1;
	struct console com2;
	struct console qemu;
	struct console_buffer com1_buffer;
	struct console_buffer com2_buffer;
	int log_fd;
	uint32_t qemu_lines;
	char qemu_last[300]; /* the last line that QEMU said */

	enum stage stage;
	/* By the host's time, and by the clock of limits: what comes first. UINT64_MAX: none. */
	uint64_t stage_deadline_ns;
	uint64_t stage_deadline_spent_ns;
	bool then_kill; /* at the deadline, without asking QEMU first */
	bool is_decided;
	uint8_t last_wake; /* byte that the guest was told; 0: none */
	bool is_powered_off;
	bool is_reset;
	bool is_killed;
	bool has_first_byte;
	bool is_record_broken;
	char record_error[300];
	uint32_t signals;
	uint64_t ready_cpu_wait_ns; /* of the VM, until SYS_RDY */
	uint64_t cpu_time_ns;	    /* of a VM in virtual time, so far */
	struct progress progress;   /* of that */
	struct requests requests;
	/* Threads of the VM when the scenario started. */
	struct coord_thread threads[COORD_THREADS_MAX];
	uint32_t thread_count;
};

/* Time since the start of the run, never 0. */
uint64_t coord_now(const struct coord *c);
/* Does the guest live in its own time? */
bool coord_is_virtual(const struct coord *c);
/* The clock of limits, never 0: the host's time, or in virtual time watchdog_spent_ns(). */
uint64_t coord_spent(struct coord *c);

/* The run is over because of @end; the first one counts, later ones can only hasten it. */
__attribute__((format(printf, 3, 4))) void coord_decide(struct coord *c, enum coord_end end,
							const char *format, ...);
/* The same, told by a guest in virtual time, which ends the run by itself. */
__attribute__((format(printf, 3, 4))) void coord_note_overdue(struct coord *c, enum coord_end end,
							      const char *format, ...);
/* ending.c: no time is left, or as much as a guest that goes needs; @then_kill: without asking
 * QEMU at its end. */
void coord_hasten(struct coord *c);
void coord_let_go(struct coord *c, bool then_kill);
void coord_kill_vm(struct coord *c);
/* Do what is due now. */
void coord_check_deadlines(struct coord *c);
/* When that will be, should nothing happen before; UINT64_MAX: not known. */
uint64_t coord_next_deadline(const struct coord *c);
/* With each tick: end a VM that is stuck. */
void coord_check_progress(struct coord *c, uint64_t now_ns);

/* Is it a file that grows? */
bool coord_is_followed(const struct coord *c, enum source source);
/* No more will come of this source. */
void coord_close_source(struct coord *c, enum source source);

/* How long the VM waited for a CPU of the host so far; 0: not known. */
uint64_t coord_cpu_wait(const struct coord *c);

/* Ask the monitor what happened, and act on it. */
void coord_poll_monitor(struct coord *c);

/* finish.c: the VM is gone: read what it left, settle why the run ended, write the last records. */
void coord_finish(struct coord *c);

/* record.c: what goes into the run file. A failure decides RECORD_FAILED and ends all recording. */
/* Borrows the payload until record_frames_end(), which writes what is not written yet. */
void record_frame(struct coord *c, const struct bulk_message *message, uint64_t now_ns);
void record_frames_end(struct coord *c);
/* A frame that is not admitted is still one that the END frame counts. */
void record_frame_header(struct coord *c, const struct bulk_message *message, uint64_t now_ns);
void record_milestone(struct coord *c, const char *name, uint64_t now_ns);
void record_warning(struct coord *c, const char *text);
void record_kernel_write(struct coord *c, const char *tag);
/* False: it is not in the file, and the run is decided. */
bool record_capture(struct coord *c, uint32_t cause, uint64_t at_ns, const void *payload,
		    size_t length);
void record_text(struct coord *c, struct console_buffer *buffer, const void *bytes, size_t length);
void record_flush(struct coord *c, struct console_buffer *buffer);
/* END_REASON and SUMMARY, even where recording failed before. */
void record_end(struct coord *c);

/* stream.c: @length bytes of the bulk port were put into the assembler. All that they complete is
 * in the run file before this returns. */
void stream_take(struct coord *c, size_t length);
/* What came before the VM was saved. 0 or -ENOMEM. */
int stream_prefix(struct coord *c);
/* All that the guest has sent so far, of a file. */
void stream_catch_up(struct coord *c);
/* Read one source, at most @max bytes. False: nothing is left for the moment. */
bool stream_bulk(struct coord *c, size_t max);
bool stream_com1(struct coord *c, size_t max);
bool stream_com2(struct coord *c, size_t max);
bool stream_stderr(struct coord *c, size_t max);
bool stream_discard(struct coord *c, size_t max);

#endif
