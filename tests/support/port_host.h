/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the agent: what came out of a port, decoded as a host would. */
#ifndef SUPPORT_PORT_HOST_H
#define SUPPORT_PORT_HOST_H

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/io.h"
#include "guest/port.h"
#include "wire/frame.h"

struct host {
	int fd;
	struct wire_account account;
	struct ktstr_frame_header header;
	char payload[70000];
};

/* Read one frame, which must be there. */
static inline void host_read(struct host *host)
{
	uint8_t header[WIRE_HEADER_SIZE];

	cr_assert_eq(io_read_all(host->fd, header, sizeof(header)), 0);
	wire_header_decode(header, &host->header);
	cr_assert_leq(host->header.length, sizeof(host->payload));
	cr_assert_eq(io_read_all(host->fd, host->payload, host->header.length), 0);
	cr_expect_eq(wire_crc32(0, host->payload, host->header.length), host->header.crc32);
	if (host->header.msg_type != KTSTR_MSG_END)
		wire_account_add(&host->account, header, host->header.length);
}

static inline void connect_port(struct port *port, struct host *host)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	port_init(port, fds[0]);
	*host = (struct host){ .fd = fds[1] };
}

static inline void disconnect_port(struct port *port, struct host *host)
{
	port_done(port);
	(void)close(host->fd);
}

#endif
