/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "wire/types.h"

int wake_open(const char *path)
{
	struct termios settings;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* A terminal would keep a byte until its line ends, and echo it. */
	if (tcgetattr(fd, &settings) == 0) {
		cfmakeraw(&settings);
		(void)tcsetattr(fd, TCSANOW, &settings); /* then bytes come late, not never */
	}
	return fd;
}

int wake_read(int fd, bool *ret_shutdown)
{
	uint8_t bytes[16];

	for (;;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n > 0) {
			if (memchr(bytes, WIRE_WAKE_SHUTDOWN, (size_t)n))
				*ret_shutdown = true;
		} else if (n == 0) {
			return -ENODATA;
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}
