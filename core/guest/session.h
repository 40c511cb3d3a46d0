/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The session: the process that loads plugins, starts the scheduler and runs the scenario. It is a
 * child of PID 1, so that a plugin's crash is a thing to report and not the end of the machine.
 */
#ifndef GUEST_SESSION_H
#define GUEST_SESSION_H

#include <stdint.h>

#include "guest/channel.h"
#include "guest/crash.h"
#include "guest/limits.h"

/* What of a scheduler is at work: PID 1 ends it when it takes too long. */
#define SESSION_OP_NONE 0u
#define SESSION_OP_START 1u
#define SESSION_OP_STOP 2u
#define SESSION_OP_ALIVE 3u

/* Why a session is to end early. */
#define SESSION_STOP_WANTED 1u	/* the host asked for it */
#define SESSION_STOP_OVERDUE 2u /* a limit of time has passed */

/* In memory that PID 1 and the session share. */
struct session_status {
	volatile uint32_t is_stopping; /* by PID 1: SESSION_STOP_, or 0 */
	volatile uint32_t stage;       /* KTSTR_STAGE_: where the session is */
	/* Workers are being stopped, or the scenario is over: what follows takes a moment. Else a
	 * plugin is at work. */
	volatile uint32_t is_winding_up;
	volatile uint32_t is_done; /* the session came to its own end */
	volatile uint32_t op;	   /* SESSION_OP_; set after the two below */
	volatile uint64_t op_start_ns;
	volatile uint64_t op_limit_ns;
	/* By PID 1: the stop took so long that the kernel was told to throw the scheduler out. */
	volatile uint32_t is_forced;
	struct limits limits;
	struct crash_record crash;
	char subject[64]; /* whose code runs: "scenario 'cpu_hog'" */
};

/* What ties the session to PID 1. */
struct session_link {
	struct channel_sender sender;
	struct session_status *status;
	int stop_fd;  /* readable once is_stopping is set */
	int reply_fd; /* what the host answers to requests */
	int log_fd;   /* what schedulers log goes in here; -1: nowhere */
};

struct freeze;
struct observer_paths;

struct session_spec {
	const char *job_path;
	/* The job of a machine that is to be saved with its scheduler up: the scheduler alone. What
	 * is at @job_path comes later, as an archive for below @root, from the device below @pci
	 * (guest/job_area.h). NULL: the job is there. */
	const char *scheduler_path;
	const char *pci;
	const char *root;
	const char *cgroup_mount;
	const struct observer_paths *observer_paths; /* NULL: the kernel is not looked at */
	struct freeze *freeze; /* in virtual time: how the host answers; NULL: by the port */
};

/* The whole session. The exit code of the agent: 0, or 1 after an error that was sent. */
int session_run(const struct session_spec *spec, struct session_link *link);

#endif
