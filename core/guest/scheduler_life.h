/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of schedulers: which one is up, how it is brought up and taken down within its time, and
 * how its death is noticed, by its plugin or by what the kernel says, whatever the plugin says.
 */
#ifndef GUEST_SCHEDULER_LIFE_H
#define GUEST_SCHEDULER_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/observer.h"
#include "guest/session.h"
#include "ktstr/error.h"
#include "ktstr/guest.h"
#include "ktstr/scheduler.h"

/* For one start() or stop(), where the job does not say. */
#define LIFE_TIMEOUT_NS (30 * NS_PER_S)
/* For one alive(). */
#define LIFE_ALIVE_NS (5 * NS_PER_S)
/* For the stop() of one that has died. */
#define LIFE_DEAD_NS (5 * NS_PER_S)

/* One that can be brought up. */
struct scheduler {
	const char *name; /* in `schedulers:` of the scenario file; "": the run's own */
	const char *plugin;
	const struct ktstr_scheduler_ops *ops;
	const struct ktstr_value *values;
};

/* Where the scenario is. */
struct life_place {
	uint16_t step; /* the newest; 0: none yet */
	bool is_open;
};

/* What is known of a scheduler's end. */
struct life_exit {
	bool is_known; /* an SCX_EXIT frame was sent */
	uint32_t kind;
	char reason[128];
	char message[512];
};

struct life_spec {
	struct ktstr_guest *guest; /* for the plugins */
	struct session_link *link;
	const struct observer_paths *paths; /* NULL: the kernel is not looked at */
	const struct scheduler *schedulers; /* borrowed; the first is the run's own */
	size_t count;
	uint64_t timeout_ns; /* 0: LIFE_TIMEOUT_NS */
};

struct life {
	struct life_spec spec;
	struct observer observer;
	struct life_place place; /* kept up to date by the services */
	const struct scheduler *up;
	void *state; /* the plugin's */
	/* sched_ext before the scheduler's start, and as it was brought up by it. */
	struct scx_glance before;
	bool has_scx;
	struct scx_glance scx;
	struct life_exit exit;
	struct ktstr_error death; /* code 0: none died */
};

void life_init(struct life *life, const struct life_spec *spec);
/* What is up stays so; the frames of its end are not sent. */
void life_done(struct life *life);

/* The scheduler of that name, or NULL. */
const struct scheduler *life_find(const struct life *life, const char *name);

/*
 * Bring @scheduler up; none is. Returns 0; -ESRCH when it is at fault: its start() says so, or the
 * kernel threw it out before start() returned; else what start() said. After a failure none is up.
 */
int life_start(struct life *life, const struct scheduler *scheduler, struct ktstr_error *err);

/*
 * Take down the one that is up. *ret_is_forced tells whether the kernel had to throw it out.
 * Returns 0; -ESRCH when it turns out to have died before, which is then its death; else what
 * stop() said. After a failure it is no longer up, too.
 */
int life_stop(struct life *life, bool *ret_is_forced, struct ktstr_error *err);

/* -ESRCH with the reason once the one that was up has died. */
int life_check(struct life *life, struct ktstr_error *err);

/* Is there something to look at? Then often, and when life_poll_fd() is readable. */
bool life_is_watched(const struct life *life);
int life_poll_fd(const struct life *life);

/* A plugin has sent an SCX_EXIT frame. */
void life_note_exit(struct life *life, const void *payload, uint32_t length);

#endif
