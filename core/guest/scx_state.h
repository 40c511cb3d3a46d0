/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of sched_ext in sysfs. */
#ifndef GUEST_SCX_STATE_H
#define GUEST_SCX_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/sched_ext.h"

#define SCX_SYSFS "/sys/kernel/sched_ext"
#define SCX_SYSRQ "/proc/sysrq-trigger"

/* The folder, and the two files that are looked at often; -1: not there. */
struct scx_sysfs {
	int folder_fd;
	int state_fd;
	int seq_fd;
};

/* The least that tells whether the same scheduler is still in charge. */
struct scx_glance {
	char state[16];
	uint64_t enable_seq;
};

/* The payload of an SCX_STATE frame. */
struct scx_reading {
	struct ktstr_scx_state state;
	struct ktstr_scx_event events[KTSTR_SCX_EVENTS_MAX];
};

/* A kernel without sched_ext has no @folder: then all that is read is empty. */
void scx_sysfs_open(struct scx_sysfs *sysfs, const char *folder);
void scx_sysfs_done(struct scx_sysfs *sysfs);

void scx_sysfs_glance(const struct scx_sysfs *sysfs, struct scx_glance *ret);
bool scx_is_enabled(const struct scx_glance *glance);
/* There is sched_ext, and it is not at rest. */
bool scx_is_busy(const struct scx_glance *glance);

/* Until sched_ext is at rest, at most @timeout_ns. Returns whether it is. */
bool scx_wait_idle(const struct scx_sysfs *sysfs, uint64_t timeout_ns);

/* Tell the kernel to throw out what is in charge, by @sysrq ("/proc/sysrq-trigger"). */
void scx_throw_out(const char *sysrq);

/* All of it, with @when and the time. */
void scx_sysfs_read(const struct scx_sysfs *sysfs, uint32_t when, struct scx_reading *ret);
uint32_t scx_reading_size(const struct scx_reading *reading);

/* Lines of "NAME VALUE", as in root/events; others are passed over. Returns how many were kept. */
uint32_t scx_events_parse(const char *text, struct ktstr_scx_event *ret, uint32_t max);

#endif
