/* SPDX-License-Identifier: GPL-2.0-only */
/* SIGINT, SIGTERM and SIGHUP as something to read, so that a run ends in order. */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "ktstr/error.h"

struct signals {
	int fd; /* a non-blocking signalfd; -1: none */
	sigset_t old_mask;
};

/* Block them, and open the signalfd. Ignores SIGPIPE from then on: a reader of our output that goes
 * away is an error of a write. */
int signals_watch(struct signals *signals, struct ktstr_error *err);

/* Drop those that came until now. */
void signals_forget(struct signals *signals);

/* Drop them and let later ones do what they did before. Fine without signals_watch() when fd is
 * -1. */
void signals_done(struct signals *signals);

/* Has one come that nobody has read yet? It stays to be read. */
bool signals_have_come(const struct signals *signals);

#endif
