/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of the scheduler in charge, as frames, whoever brought it up. */
#ifndef GUEST_OBSERVER_H
#define GUEST_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/channel.h"
#include "guest/scx_dump.h"
#include "guest/scx_log.h"
#include "guest/scx_state.h"

/* Where the kernel says it. */
struct observer_paths {
	const char *sched_ext;
	const char *tracing;
	const char *kmsg;
};

#define OBSERVER_PATHS                                                                             \
	{                                                                                          \
		.sched_ext = SCX_SYSFS, .tracing = SCX_DUMP_TRACING, .kmsg = SCX_LOG_KMSG          \
	}

struct observer {
	struct channel_sender *sender;
	bool is_blind;
	struct scx_sysfs sysfs;
	struct scx_log log;
	struct scx_dump dump;
	uint64_t state_ns;    /* of the last frame that told the state */
	uint32_t old_program; /* programs up to this id are of somebody else */
};

/* Without @paths it is blind: it sees nothing, and sends nothing. */
void observer_open(struct observer *observer, const struct observer_paths *paths,
		   struct channel_sender *sender);
void observer_done(struct observer *observer);
/* What of it takes the kernel a while, but the first time alone. */
void observer_prepare(const struct observer_paths *paths);

/* Readable when the kernel has said something; -1: it cannot be waited for. */
int observer_poll_fd(const struct observer *observer);

/* A scheduler is about to be started: what the kernel says and has from now on is its. */
void observer_begin(struct observer *observer);

/* SCX_STATE. */
void observer_tell_state(struct observer *observer, uint32_t when);
/* The same as KTSTR_SCX_RUNNING, once a second. */
void observer_tell_running(struct observer *observer);
/* KTSTR_SCX_DIED: with the events of @before, if there are none any more. */
void observer_tell_died(struct observer *observer, const struct scx_reading *before);
/* SCHED_PROGS. */
void observer_tell_programs(struct observer *observer, uint32_t when);
/* SCX_EXIT, out of the kernel's log. */
void observer_tell_exit(struct observer *observer, const struct scx_exit_record *record);
/* SCX_DUMP, if there is any. */
void observer_tell_dump(struct observer *observer);

#endif
