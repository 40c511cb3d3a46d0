/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who runs VMs on this machine, and who waits for that: one small file that all processes of a user
 * share, with a place for each.
 *
 * Whoever has a place holds a lock on it (F_OFD_SETLK), which the kernel lets go of when the
 * process is gone, whatever ended it. So a place without a lock is free, whatever stands in it, and
 * nobody has to clean up. Each queue_open() is somebody of its own, also within one process.
 */
#ifndef RUN_QUEUE_H
#define RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

#define QUEUE_PLACES 256u

/* What stands in a place. In the file as it is here. */
struct queue_entry {
	uint64_t ticket;       /* the smaller, the earlier it came; 0: nothing stands here */
	uint64_t since_ns;     /* CLOCK_BOOTTIME: from when on it runs, or waits */
	uint64_t seen_ns;      /* CLOCK_BOOTTIME: when it last looked, while it waits */
	uint64_t memory_bytes; /* that its VM may use */
	uint32_t threads;      /* that its VM may keep busy */
	int32_t pid;
	int32_t vm_pid; /* of its QEMU; 0: not known */
	uint32_t is_running;
};

struct queue;

/*
 * The folder for it, made where it is not there: `ktstr` in the first of @runtime_folders that is
 * ours and has it (XDG_RUNTIME_DIR, and what that usually is; NULL: not there), else @fallback
 * ("/tmp/ktstr-1000"). Returns a descriptor, or -EPERM for a folder that somebody else could write
 * to.
 */
#define QUEUE_RUNTIME_FOLDERS 2u
int queue_open_folder(const char *const runtime_folders[QUEUE_RUNTIME_FOLDERS],
		      const char *fallback, struct ktstr_error *err);

/* Open the file in that folder. No place is taken yet. Must be freed by queue_free(). */
int queue_open(int folder_fd, struct queue **ret, struct ktstr_error *err);

/*
 * Everything else happens between these two. -EAGAIN when another process is at it, which takes
 * less than a millisecond.
 */
int queue_lock(struct queue *queue, struct ktstr_error *err);
void queue_unlock(struct queue *queue);

/* All others that live, in the order in which they came; how many. */
size_t queue_read(struct queue *queue, struct queue_entry ret[QUEUE_PLACES]);

/* Take a place behind all others; entry->ticket is set. -ENOSPC when there is none. */
int queue_enter(struct queue *queue, struct queue_entry *entry, struct ktstr_error *err);

/* Write the own entry again. */
int queue_update(struct queue *queue, const struct queue_entry *entry, struct ktstr_error *err);

/* Leave, and close. NULL is fine. */
void queue_free(struct queue *queue);

#endif
