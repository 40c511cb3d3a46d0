/* SPDX-License-Identifier: GPL-2.0-only */
/* What both halves of scx_ktstr call its faults. */
#ifndef SCHEDULERS_SCX_KTSTR_H
#define SCHEDULERS_SCX_KTSTR_H

enum scx_ktstr_fault {
	SCX_KTSTR_NONE,
	SCX_KTSTR_STALL,	 /* no task gets to run */
	SCX_KTSTR_STARVE,	 /* one task does not */
	SCX_KTSTR_ERROR,	 /* scx_bpf_error() */
	SCX_KTSTR_BAD_DSQ,	 /* a task is put into a queue that does not exist */
	SCX_KTSTR_INIT,		 /* init() fails */
	SCX_KTSTR_VERIFIER,	 /* a program that the verifier refuses */
	SCX_KTSTR_VERIFIER_LONG, /* one that it refuses after a long repetition */
	SCX_KTSTR_ONE_CPU,	 /* all tasks on CPU 0, but for those that may not */
	SCX_KTSTR_SLOW,		 /* enqueue() takes its time */
	SCX_KTSTR_SCATTER,	 /* each task on a CPU by chance */
	SCX_KTSTR_CRASH,	 /* scx_bpf_error(), on command */
	SCX_KTSTR_FAULTS,
};

#endif
