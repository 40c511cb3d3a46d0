/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests for the scheduler's own statistics, over the one line to the guest that there is for
 * them: those of clients that connect while the VM runs, and our own, whose replies go into a log.
 *
 * A request is one line, and so is its reply. They are passed on one after the other, whoever asks,
 * so that each reply finds its asker.
 */
#ifndef COORD_STATS_H
#define COORD_STATS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_CLIENTS_MAX 8
/* Longest lines, with their newlines. A client with a longer one is hung up on. */
#define STATS_REQUEST_MAX ((size_t)256 * 1024)
#define STATS_REPLY_MAX ((size_t)1024 * 1024)
/* What a guest can make us write. */
#define STATS_LOG_MAX (UINT64_C(64) << 20)

/* Of scx_stats: all that a scheduler shows by default. */
#define STATS_REQUEST "{\"req\":\"stats\",\"args\":{\"target\":\"top\"}}\n"

struct stats_spec {
	int port_fd;   /* the host's end of the port; non-blocking */
	int listen_fd; /* a socket that listens; -1: none */
	int stop_fd;   /* readable: end */
	int log_fd;    /* a JSON document a line; -1: we do not ask */
	uint64_t interval_ns;
	uint64_t start_ns; /* CLOCK_MONOTONIC; the log's times count from here */
};

/*
 * Serve until the stop, the end of the port, or a lack of memory. A line of the log is
 * {"at_ns": N, "reply": {...}}, or {"at_ns": N, "error": "..."} for a reply that is no JSON, is too
 * long, or did not come before the next one was due.
 */
void stats_run(const struct stats_spec *spec);

#endif
