/* SPDX-License-Identifier: GPL-2.0-only */
#include "sched_ext_watch.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched_ext_state.h"

/* The multicast group of the kernel's own announcements. */
#define KERNEL_NEWS 1u

/* One line of a small file without its newline; "" when there is none. */
static void read_line(const char *folder, const char *name, char *ret, size_t size)
{
	char path[256];
	ssize_t length = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, ret, size - 1);
		(void)close(fd); /* it was only read */
	}
	ret[length > 0 ? length : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

int sched_ext_view_read(const char *folder, struct sched_ext_view *ret, struct ktstr_error *err)
{
	struct sched_ext_view view = { 0 };
	char path[256], number[32];
	int code;

	(void)snprintf(path, sizeof(path), "%s/state", folder);
	code = sched_ext_state_read(path, view.state, err);
	if (code < 0)
		return code;
	read_line(folder, "root/ops", view.ops, sizeof(view.ops));
	read_line(folder, "enable_seq", number, sizeof(number));
	view.has_enable_seq = number[0] != '\0';
	view.enable_seq = strtoull(number, NULL, 10);
	*ret = view;
	return 0;
}

bool sched_ext_view_is_enabled(const struct sched_ext_view *view)
{
	return strcmp(view->state, "enabled") == 0 && view->ops[0] != '\0';
}

int sched_ext_news_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_NEWS };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(fd); /* nothing went through it */
		return -1;
	}
	return fd;
}

void sched_ext_news_drain(int fd)
{
	char news[4096];

	/* What they say is read from sysfs; an overflow is news too. */
	while (fd >= 0 && (recv(fd, news, sizeof(news), 0) >= 0 || errno == ENOBUFS))
		;
}
