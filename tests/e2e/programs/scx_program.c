/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sched_ext scheduler that is a program, with the BPF half of the scx_ktstr fixture. It behaves,
 * or does not, as its arguments say:
 *
 *	exit=CODE	end before anything is loaded
 *	hang		never load anything
 *	fault=NUMBER	one of scx_ktstr.h, after=MS milliseconds, with timeout=MS
 *	quit=CODE	end 300 ms after it is in charge
 *	crash		the same by SIGSEGV
 *	stay		go on when the kernel threw the scheduler out
 *	deaf		do not end when asked to
 *	flood=MIB	write so much, once it is in charge
 *	stats		serve statistics as the scx project's schedulers do
 *	show=FILE	write that file's first line to the log, and environment variable KTSTR_TEST
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/guest.h"
#include "ktstr/scx.h"
#include "schedulers/sched_ext_watch.h"
#include "scx/loader.h"

#define LOOK_MS 50
#define LINGER_NS UINT64_C(300000000)
#define STATS_FOLDER "/var/run/scx/root"

KTSTR_SCX_OBJECT(program_object);

struct options {
	int exit_code; /* -1: not */
	int quit_code;
	int fault, after_ms, timeout_ms;
	long flood_mib;
	bool hangs, crashes, stays, is_deaf, has_stats;
	const char *show;
};

static volatile sig_atomic_t is_asked;

static void take_signal(int number)
{
	(void)number;
	is_asked = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static int fail(const char *what)
{
	printf("scx_program: %s\n", what);
	return 1;
}

static bool take_number(const char *word, const char *name, int *ret)
{
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return false;
	*ret = (int)strtol(word + length + 1, NULL, 10);
	return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){ .exit_code = -1, .quit_code = -1 };
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		int mib = 0;

		if (take_number(word, "exit", &o->exit_code) ||
		    take_number(word, "quit", &o->quit_code) ||
		    take_number(word, "fault", &o->fault) ||
		    take_number(word, "after", &o->after_ms) ||
		    take_number(word, "timeout", &o->timeout_ms))
			continue;
		if (take_number(word, "flood", &mib))
			o->flood_mib = mib;
		else if (strcmp(word, "hang") == 0)
			o->hangs = true;
		else if (strcmp(word, "crash") == 0)
			o->crashes = true;
		else if (strcmp(word, "stay") == 0)
			o->stays = true;
		else if (strcmp(word, "deaf") == 0)
			o->is_deaf = true;
		else if (strcmp(word, "stats") == 0)
			o->has_stats = true;
		else if (strncmp(word, "show=", 5) == 0)
			o->show = word + 5;
		else if (strcmp(word, "--config") == 0 && i + 1 < argc)
			o->show = argv[++i];
		else
			return false;
	}
	return true;
}

static void show_file(const char *path)
{
	const char *variable = getenv("KTSTR_TEST");
	FILE *file = fopen(path, "r");
	char line[128] = "";

	if (!file || !fgets(line, sizeof(line), file))
		printf("cannot show '%s'\n", path);
	else
		printf("shown: %s", line);
	if (file)
		(void)fclose(file);
	printf("KTSTR_TEST: %s\n", variable ? variable : "not set");
}

/* libbpf's words go to the log. */
static int log_fd(struct ktstr_guest *g)
{
	(void)g;
	return STDERR_FILENO;
}

static int bring_up(const struct options *o, struct loader *loader, struct ktstr_error *err)
{
	static const struct ktstr_guest_ops guest_ops = { .size = sizeof(guest_ops),
							  .scheduler_log = log_fd };
	struct ktstr_guest guest = { .ops = &guest_ops };
	struct object *object = NULL;
	struct scx_log log;
	int code = object_new(program_object, (size_t)(program_object_end - program_object),
			      "ktstr", &object, err);

	if (code == 0)
		code = object_set_int(object, "fault", o->fault, err);
	if (code == 0)
		code = object_set_int(object, "after_ns", o->after_ms * INT64_C(1000000), err);
	if (code == 0 && o->timeout_ms)
		code = object_set_ops(object, "timeout_ms", o->timeout_ms, err);
	if (code < 0)
		return code;
	log_enter(&log, &guest);
	code = loader_open(loader, object, "scx_program", "ktstr", err);
	if (code == 0)
		code = loader_load(loader, &log, err);
	if (code == 0)
		code = loader_attach(loader, &log, err);
	log_leave(&log);
	object_free(object);
	return code;
}

static bool is_in_charge(void)
{
	struct sched_ext_view view;
	struct ktstr_error err;

	return sched_ext_view_read(SCHED_EXT_FOLDER, &view, &err) == 0 &&
	       sched_ext_view_is_enabled(&view);
}

static void flood(long mib)
{
	static char text[1024];

	memset(text, 'f', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	for (long i = 0; i < mib * 1024 && !is_asked; i++)
		if (write(STDOUT_FILENO, text, sizeof(text)) < 0 && errno != EINTR)
			return;
}

static int listen_for_stats(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = STATS_FOLDER "/stats" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)mkdir("/var", 0755);
	(void)mkdir("/var/run", 0755);
	(void)mkdir("/var/run/scx", 0755);
	(void)mkdir(STATS_FOLDER, 0755);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
		return -1;
	return fd;
}

/* One request, on a connection that stays. */
static void serve_stats(int listen_fd, int *client_fd)
{
	static const char reply[] = "{\"errno\":0,\"args\":{\"resp\":{\"name\":\"ktstr\"}}}\n";
	char request[512];
	ssize_t n;

	if (*client_fd < 0) {
		*client_fd = accept(listen_fd, NULL, NULL);
		return;
	}
	n = read(*client_fd, request, sizeof(request) - 1);
	if (n <= 0) {
		(void)close(*client_fd);
		*client_fd = -1;
		return;
	}
	request[n] = '\0';
	printf("request: %s", request);
	(void)!write(*client_fd, reply, sizeof(reply) - 1);
}

static int schedule(const struct options *o)
{
	uint64_t start_ns = now_ns();
	int listen_fd = o->has_stats ? listen_for_stats() : -1, client_fd = -1;

	if (o->flood_mib)
		flood(o->flood_mib);
	while (!is_asked || o->is_deaf) {
		struct pollfd poll_fd = { .fd = client_fd >= 0 ? client_fd : listen_fd,
					  .events = POLLIN };

		if (poll(&poll_fd, 1, LOOK_MS) > 0)
			serve_stats(listen_fd, &client_fd);
		if (!o->stays && !is_in_charge())
			return fail("the kernel threw the scheduler out");
		if (now_ns() - start_ns < LINGER_NS)
			continue;
		if (o->crashes)
			(void)raise(SIGSEGV);
		if (o->quit_code >= 0)
			return o->quit_code;
	}
	printf("scx_program: asked to end\n");
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = take_signal };
	struct loader loader = { .link_fd = -1 };
	struct ktstr_error err = { 0 };
	struct options options;
	int code;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(argc, argv, &options))
		return fail("unknown argument");
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	printf("scx_program: started\n");
	if (options.show)
		show_file(options.show);
	if (options.exit_code >= 0)
		return options.exit_code;
	while (options.hangs && !is_asked)
		(void)pause();
	if (options.hangs)
		return 0;
	code = bring_up(&options, &loader, &err);
	if (code < 0)
		return fail(err.text);
	printf("scx_program: attached\n");
	code = schedule(&options);
	loader_done(&loader);
	return code;
}
