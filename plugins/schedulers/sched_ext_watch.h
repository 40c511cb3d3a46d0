/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of the sched_ext scheduler in charge, and when it says something new. */
#ifndef SCHEDULERS_SCHED_EXT_WATCH_H
#define SCHEDULERS_SCHED_EXT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ktstr/error.h"

#define SCHED_EXT_FOLDER "/sys/kernel/sched_ext"

struct sched_ext_view {
	char state[32]; /* "enabled", ...; "disabled" for a kernel without sched_ext */
	char ops[128];	/* name of the scheduler in charge; "": there is none */
	bool has_enable_seq;
	uint64_t enable_seq; /* schedulers since boot; 0 where the kernel does not count */
};

/* Read it below @folder (SCHED_EXT_FOLDER). 0, or a negative errno when the state cannot be read.
 */
int sched_ext_view_read(const char *folder, struct sched_ext_view *ret, struct ktstr_error *err);

/* A scheduler is in charge, and has a name. */
bool sched_ext_view_is_enabled(const struct sched_ext_view *view);

/*
 * A descriptor that is readable when the kernel announces that a scheduler came or went; the
 * caller closes it. -1 where such news cannot be had: look at the clock then.
 */
int sched_ext_news_open(void);
/* Take what there is, so that the next news are waited for. */
void sched_ext_news_drain(int fd);

#endif
