/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The relay between the stats port and the socket where a scheduler serves its own statistics. A
 * request is a line, and so is its reply. It is a process of its own: neither side can stop PID 1.
 */
#ifndef GUEST_STATS_H
#define GUEST_STATS_H

#include <stddef.h>

/* Where schedulers of the scx project listen. */
#define STATS_SOCKET "/var/run/scx/root/stats"
/* Longest request, with its newline. */
#define STATS_REQUEST_MAX ((size_t)256 * 1024)
/* What the host gets when nobody serves, the server went away before it replied, or the request was
 * too long. */
#define STATS_NOBODY "{\"ktstr_relay_error\":\"no scheduler available\"}\n"

/* Start the process. It goes on alone, and ends with the port; where it cannot be started there are
 * no statistics. */
void stats_start(void);

/*
 * Pass requests from @port_fd, which is made non-blocking, to a server at @socket_path, and replies
 * back, until the port ends. A server is looked for when there is a request, and again after it
 * went away.
 */
void stats_relay(int port_fd, const char *socket_path);

#endif
