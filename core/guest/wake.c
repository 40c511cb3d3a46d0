/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
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

int wake_read(int fd, struct wake_news *news)
{
	uint8_t bytes[16];

	for (;;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n > 0) {
			news->is_shutdown |= memchr(bytes, WIRE_WAKE_SHUTDOWN, (size_t)n) != NULL;
			news->is_received |=
				memchr(bytes, WIRE_WAKE_STREAM_RECEIVED, (size_t)n) != NULL;
		} else if (n == 0) {
			return -ENODATA;
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

void wake_wait_received(int fd, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_monotonic_ns(), end_ns = now_ns + timeout_ns;
	struct wake_news news = { 0 };

	while (now_ns < end_ns && !news.is_received && !news.is_shutdown) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		struct timespec left = { .tv_sec = (time_t)((end_ns - now_ns) / NS_PER_S),
					 .tv_nsec = (long)((end_ns - now_ns) % NS_PER_S) };

		(void)ppoll(&poll_fd, 1, &left, NULL);
		if (poll_fd.revents && wake_read(fd, &news) < 0)
			return;
		now_ns = clock_monotonic_ns();
	}
}
