/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/signals.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"

int signals_watch(struct signals *signals, struct ktstr_error *err)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &mask, &signals->old_mask) < 0)
		return ktstr_fail(err, -errno, "cannot block signals: %s", strerror(errno));
	signals->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0) {
		int error = errno;

		(void)sigprocmask(SIG_SETMASK, &signals->old_mask, NULL);
		return ktstr_fail(err, -error, "cannot watch signals: %s", strerror(error));
	}
	return 0;
}

void signals_forget(struct signals *signals)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
}

void signals_done(struct signals *signals)
{
	if (signals->fd < 0)
		return;
	signals_forget(signals);
	(void)close(steal_fd(&signals->fd)); /* only read */
	(void)sigprocmask(SIG_SETMASK, &signals->old_mask, NULL);
}

bool signals_have_come(const struct signals *signals)
{
	struct pollfd poll_fd = { .fd = signals->fd, .events = POLLIN };

	return signals->fd >= 0 && poll(&poll_fd, 1, 0) == 1;
}
