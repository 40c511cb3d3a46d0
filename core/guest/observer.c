/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/observer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guest/bpf_programs.h"

#define RUNNING_INTERVAL_NS NS_PER_S

void observer_open(struct observer *observer, const struct observer_paths *paths,
		   struct channel_sender *sender)
{
	*observer = (struct observer){
		.sender = sender,
		.is_blind = !paths,
		.sysfs = { .folder_fd = -1, .state_fd = -1, .seq_fd = -1 },
		.log = { .fd = -1 },
		.dump = { .fd = -1 },
	};
	if (!paths)
		return;
	scx_sysfs_open(&observer->sysfs, paths->sched_ext);
	if (observer->sysfs.folder_fd < 0)
		return; /* there will be no news of it, either */
	scx_log_open(&observer->log, paths->kmsg);
	scx_dump_open(&observer->dump, paths->tracing, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN));
}

void observer_done(struct observer *observer)
{
	scx_sysfs_done(&observer->sysfs);
	scx_log_done(&observer->log);
	scx_dump_done(&observer->dump);
}

void observer_prepare(const struct observer_paths *paths)
{
	struct observer observer;

	observer_open(&observer, paths, NULL);
	observer_done(&observer);
}

void observer_begin(struct observer *observer)
{
	scx_log_drain(&observer->log);
	scx_log_forget(&observer->log);
	if (!observer->is_blind)
		observer->old_program = bpf_programs_last();
}

int observer_poll_fd(const struct observer *observer)
{
	return observer->log.fd;
}

/* None of the frames here and below is too large, so sending cannot fail. */
static void send_reading(struct observer *observer, const struct scx_reading *reading)
{
	observer->state_ns = clock_monotonic_ns();
	(void)channel_send(observer->sender, KTSTR_MSG_SCX_STATE, reading,
			   scx_reading_size(reading));
}

void observer_tell_state(struct observer *observer, uint32_t when)
{
	struct scx_reading reading;

	if (observer->is_blind)
		return;
	scx_sysfs_read(&observer->sysfs, when, &reading);
	send_reading(observer, &reading);
}

void observer_tell_running(struct observer *observer)
{
	if (clock_monotonic_ns() - observer->state_ns >= RUNNING_INTERVAL_NS)
		observer_tell_state(observer, KTSTR_SCX_RUNNING);
}

void observer_tell_died(struct observer *observer, const struct scx_reading *before)
{
	struct scx_reading reading;

	if (observer->is_blind)
		return;
	scx_sysfs_read(&observer->sysfs, KTSTR_SCX_DIED, &reading);
	if (!reading.state.event_count) {
		reading.state.event_count = before->state.event_count;
		memcpy(reading.events, before->events, sizeof(reading.events));
	}
	send_reading(observer, &reading);
}

void observer_tell_programs(struct observer *observer, uint32_t when)
{
	_cleanup_free_ struct ktstr_sched_prog *programs = NULL;
	struct ktstr_sched_progs head = { .size = sizeof(head), .when = when };

	if (observer->is_blind)
		return;
	programs = calloc(KTSTR_SCHED_PROGS_MAX, sizeof(*programs));
	if (!programs)
		return;
	head.program_count =
		bpf_programs_read(observer->old_program, programs, KTSTR_SCHED_PROGS_MAX);
	(void)channel_send_pair(observer->sender, KTSTR_MSG_SCHED_PROGS, &head, sizeof(head),
				programs, head.program_count * (uint32_t)sizeof(programs[0]));
}

void observer_tell_exit(struct observer *observer, const struct scx_exit_record *record)
{
	struct ktstr_scx_exit head = {
		.size = sizeof(head),
		.kind = record->kind,
		.source = KTSTR_SCX_EXIT_OF_LOG,
		.reason_length = (uint32_t)strlen(record->reason),
		.message_length = (uint32_t)strlen(record->message),
		.backtrace_length = (uint32_t)strlen(record->backtrace),
	};
	char texts[sizeof(record->reason) + sizeof(record->message) + sizeof(record->backtrace)];
	uint32_t length = 0;

	memcpy(texts, record->reason, head.reason_length);
	length += head.reason_length;
	memcpy(texts + length, record->message, head.message_length);
	length += head.message_length;
	memcpy(texts + length, record->backtrace, head.backtrace_length);
	length += head.backtrace_length;
	(void)channel_send_pair(observer->sender, KTSTR_MSG_SCX_EXIT, &head, sizeof(head), texts,
				length);
}

void observer_tell_dump(struct observer *observer)
{
	scx_dump_drain(&observer->dump, observer->sender);
}
