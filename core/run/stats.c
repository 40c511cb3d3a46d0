/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

/* The path may be longer than an address, so it is reached through the folder. */
static int bind_in(int folder_fd, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder_fd,
		       RUN_STATS_SOCKET);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, STATS_CLIENTS_MAX) < 0)
		return -errno;
	return 0;
}

static int open_socket(struct run_stats *stats, const char *folder)
{
	_cleanup_close_ int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (folder_fd < 0 || fd < 0)
		return -errno;
	rc = bind_in(folder_fd, fd);
	if (rc < 0)
		return rc;
	stats->socket_path = str_format("%s/" RUN_STATS_SOCKET, folder);
	stats->spec.listen_fd = steal_fd(&fd);
	return 0;
}

static int open_log(struct run_stats *stats, const char *folder, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/" RUN_STATS_LOG, folder);

	if (!path)
		return ktstr_fail(err, -ENOMEM, "cannot record statistics: out of memory");
	stats->spec.log_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (stats->spec.log_fd < 0)
		return ktstr_fail(err, -errno, "cannot create '%s': %s", path, strerror(errno));
	return 0;
}

static void *serve(void *arg)
{
	stats_run(arg);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct run_stats *stats)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	rc = -pthread_sigmask(SIG_SETMASK, &all, &before);
	if (rc < 0)
		return rc;
	rc = -pthread_create(&stats->thread, NULL, serve, &stats->spec);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	stats->has_thread = rc == 0;
	return rc;
}

int run_stats_start(struct run_stats *ret, const char *folder, int port_fd, uint64_t interval_ns,
		    uint64_t start_ns, struct ktstr_error *err)
{
	int rc = 0;

	ret->spec = (struct stats_spec){
		.port_fd = port_fd,
		.listen_fd = -1,
		.stop_fd = -1,
		.log_fd = -1,
		.interval_ns = interval_ns,
		.start_ns = start_ns,
	};
	if (interval_ns > 0)
		rc = open_log(ret, folder, err);
	if (rc < 0)
		return rc;
	rc = open_socket(ret, folder);
	if (rc < 0)
		log_debug("stats: no socket in '%s': %s", folder, strerror(-rc));
	if (ret->spec.listen_fd < 0 && ret->spec.log_fd < 0)
		return 0;
	ret->spec.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = ret->spec.stop_fd < 0 ? -errno : start_thread(ret);
	if (rc == 0)
		return 0;
	run_stats_stop(ret);
	return ktstr_fail(err, rc, "cannot serve statistics: %s", strerror(-rc));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* the log is no evidence */
	*fd = -1;
}

void run_stats_stop(struct run_stats *stats)
{
	uint64_t one = 1;

	if (stats->spec.start_ns == 0)
		return;
	if (stats->has_thread) {
		(void)!write(stats->spec.stop_fd, &one, sizeof(one)); /* cannot be full */
		(void)pthread_join(stats->thread, NULL);
	}
	if (stats->socket_path)
		(void)unlink(stats->socket_path); /* or somebody did before */
	free(stats->socket_path);
	close_fd(&stats->spec.listen_fd);
	close_fd(&stats->spec.log_fd);
	close_fd(&stats->spec.stop_fd);
	*stats = (struct run_stats){ 0 };
}
