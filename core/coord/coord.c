/* SPDX-License-Identifier: GPL-2.0-only */
#include "coord/coord.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "coord/internal.h"
#include "coord/watchdog.h"
#include "wire/types.h"

uint64_t coord_now(const struct coord *c)
{
	uint64_t now_ns = clock_monotonic_ns();

	return now_ns > c->spec->start_ns ? now_ns - c->spec->start_ns : 1;
}

bool coord_is_virtual(const struct coord *c)
{
	return c->spec->instruction_ns > 0;
}

uint64_t coord_spent(struct coord *c)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	uint64_t cpu_time_ns, spent_ns;

	if (!coord_is_virtual(c))
		return coord_now(c);
	cpu_time_ns = ops && ops->cpu_time_ns ? ops->cpu_time_ns(c->spec->vm) : 0;
	if (cpu_time_ns > c->cpu_time_ns) /* not of one that is gone */
		c->cpu_time_ns = cpu_time_ns;
	spent_ns = watchdog_spent_ns(c->cpu_time_ns, c->spec->instruction_ns);
	return spent_ns > 0 ? spent_ns : 1;
}

bool coord_is_followed(const struct coord *c, enum source source)
{
	return c->spec->are_files &&
	       (source == SOURCE_BULK || source == SOURCE_COM1 || source == SOURCE_COM2);
}

void coord_close_source(struct coord *c, enum source source)
{
	if (c->fds[source] < 0)
		return;
	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fds[source], NULL); /* a file is not in */
	c->fds[source] = -1;
	c->is_always_ready[source] = false;
	if (source != SOURCE_BULK)
		return;
	if (c->spec->pid_fd < 0)
		c->stage = STAGE_GONE; /* nothing else can tell */
	else
		coord_let_go(c, true);
}

static void serve_text(struct coord *c, bool (*take)(struct coord *c, size_t max), size_t max,
		       size_t read_size)
{
	for (size_t taken = 0; taken < max && take(c, read_size); taken += read_size)
		;
}

static void serve_bulk(struct coord *c)
{
	uint64_t before = assembler_counters(c->assembler)->bytes;
	uint64_t taken = 0;

	requests_flush(c);
	while (taken < COORD_BULK_PER_WAKE && stream_bulk(c, COORD_BULK_PER_WAKE - taken))
		taken = assembler_counters(c->assembler)->bytes - before;
}

static void serve_com1(struct coord *c)
{
	serve_text(c, stream_com1, COORD_TEXT_PER_WAKE, 16 * 1024);
}

static void serve_com2(struct coord *c)
{
	serve_text(c, stream_com2, COORD_TEXT_PER_WAKE, 4 * 1024);
}

static void serve_stderr(struct coord *c)
{
	serve_text(c, stream_stderr, COORD_TEXT_PER_WAKE, 4 * 1024);
}

static void serve_console(struct coord *c)
{
	serve_text(c, stream_discard, COORD_TEXT_PER_WAKE, 4 * 1024);
}

/* The first signal ends the run in order, unless it is ending already; the second at once. */
static void take_signal(struct coord *c, int number)
{
	const char *name = sigabbrev_np(number);

	c->signals++;
	if (c->result->signal == 0)
		c->result->signal = number;
	if (c->signals > 1)
		coord_kill_vm(c);
	else if (c->stage == STAGE_RUNNING)
		coord_decide(c, COORD_END_INTERRUPTED,
			     "interrupted by SIG%s %.1f s after the start", name ? name : "?",
			     (double)coord_now(c) / NS_PER_S);
	else
		coord_hasten(c);
}

static void serve_signal(struct coord *c)
{
	struct signalfd_siginfo info;
	ssize_t n = read(c->fds[SOURCE_SIGNAL], &info, sizeof(info));

	if (n == (ssize_t)sizeof(info))
		take_signal(c, (int)info.ssi_signo);
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		coord_close_source(c, SOURCE_SIGNAL);
}

void coord_poll_monitor(struct coord *c)
{
	double at_s = (double)coord_now(c) / NS_PER_S;

	if (!c->spec->vm_ops || !c->spec->vm_ops->poll)
		return;
	switch (c->spec->vm_ops->poll(c->spec->vm)) {
	case 1:
		if (!c->is_powered_off)
			coord_let_go(c, false);
		c->is_powered_off = true;
		break;
	case 2:
		c->is_reset = true;
		coord_decide(c, COORD_END_PANIC,
			     "the guest panicked or reset itself %.1f s after the start", at_s);
		break;
	case 3:
		coord_decide(c, COORD_END_VM_ERROR,
			     "QEMU reported an internal error %.1f s after the start", at_s);
		break;
	}
}

static void serve_pid(struct coord *c)
{
	c->stage = STAGE_GONE;
}

/* Files cannot be waited for: they are looked at until there is nothing more in them. */
static void follow_files(struct coord *c)
{
	for (int i = 0; i < SOURCE_COUNT; i++)
		if (coord_is_followed(c, i) && c->fds[i] >= 0)
			c->is_always_ready[i] = true;
}

static void serve_news(struct coord *c)
{
	char events[4096];

	/* Before the files, so that none comes unseen. */
	while (read(c->fds[SOURCE_NEWS], events, sizeof(events)) > 0)
		;
	follow_files(c);
}

static void serve_timer(struct coord *c)
{
	uint64_t expirations;

	c->timer_at_ns = UINT64_MAX;
	if (read(c->fds[SOURCE_TIMER], &expirations, sizeof(expirations)) < 0)
		return; /* not due any more; the clock is asked anyway */
}

static void (*const serve[SOURCE_COUNT])(struct coord *c) = {
	[SOURCE_SIGNAL] = serve_signal,
	[SOURCE_BULK] = serve_bulk,
	[SOURCE_FREEZE] = freeze_serve,
	[SOURCE_COM2] = serve_com2,
	[SOURCE_COM1] = serve_com1,
	[SOURCE_STDERR] = serve_stderr,
	[SOURCE_CONSOLE] = serve_console,
	[SOURCE_DEBUGGER] = watches_look,
	[SOURCE_MONITOR] = coord_poll_monitor,
	[SOURCE_PID] = serve_pid,
	[SOURCE_NEWS] = serve_news,
	[SOURCE_TIMER] = serve_timer,
};

uint64_t coord_cpu_wait(const struct coord *c)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;

	return ops && ops->cpu_wait_ns ? ops->cpu_wait_ns(c->spec->vm) : 0;
}

static void tick(struct coord *c)
{
	uint64_t now_ns = coord_now(c);

	if (now_ns < c->next_tick_ns)
		return;
	c->next_tick_ns = now_ns + COORD_TICK_NS;
	if (c->spec->are_files)
		follow_files(c); /* also where the host tells no news */
	record_flush(c, &c->com1_buffer);
	record_flush(c, &c->com2_buffer);
	watches_tick(c);
	coord_check_progress(c, now_ns);
	if (c->observer && c->observer->tick)
		c->observer->tick(c->observer->arg, c->sinks,
				  assembler_counters(c->assembler)->frames);
}

/* Wake at the next tick or deadline, whichever comes first. */
static int arm_timer(struct coord *c)
{
	uint64_t at_ns = c->next_tick_ns;
	uint64_t deadline_ns = coord_next_deadline(c);
	struct itimerspec timer = { 0 };

	if (deadline_ns < at_ns)
		at_ns = deadline_ns;
	if (at_ns == c->timer_at_ns)
		return 0;
	c->timer_at_ns = at_ns;
	timer.it_value.tv_sec = (time_t)((c->spec->start_ns + at_ns) / NS_PER_S);
	timer.it_value.tv_nsec = (long)((c->spec->start_ns + at_ns) % NS_PER_S);
	if (timerfd_settime(c->fds[SOURCE_TIMER], TFD_TIMER_ABSTIME, &timer, NULL) < 0)
		return -errno;
	return 0;
}

/* As epoll_wait(); of a shorter time than a millisecond where somebody wants to stop the VM. */
static int wait_for_events(struct coord *c, struct epoll_event *events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = c->epoll_fd, .events = POLLIN };
	struct timespec wait = { .tv_nsec = c->spec->stop ? (long)c->spec->stop->wait_ns : 0 };

	if (timeout_ms != 0 && c->spec->stop) {
		(void)ppoll(&poll_fd, 1, &wait, NULL); /* what is wrong shows below */
		timeout_ms = 0;
	}
	return epoll_wait(c->epoll_fd, events, SOURCE_COUNT, timeout_ms);
}

/* Wait, then serve what is ready in the order of enum source. */
static int serve_once(struct coord *c)
{
	struct epoll_event events[SOURCE_COUNT];
	bool is_ready[SOURCE_COUNT], is_hung_up[SOURCE_COUNT] = { false };
	int timeout_ms = requests_are_due(c) ? 0 : -1, count;

	for (int i = 0; i < SOURCE_COUNT; i++) {
		is_ready[i] = c->is_always_ready[i];
		if (is_ready[i])
			timeout_ms = 0;
	}
	count = wait_for_events(c, events, timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		is_ready[events[i].data.u32] = true;
		is_hung_up[events[i].data.u32] = (events[i].events & (EPOLLHUP | EPOLLERR)) != 0;
	}
	for (int i = 0; i < SOURCE_COUNT; i++) {
		if (is_ready[i] && c->fds[i] >= 0)
			serve[i](c);
		/* These are read by their owner, who cannot tell us that they were closed. */
		if ((i == SOURCE_MONITOR || i == SOURCE_DEBUGGER) && is_hung_up[i])
			coord_close_source(c, (enum source)i);
	}
	return 0;
}

/* Has the machine come to where it is to stop? Then it stands still, where it is suspended for the
 * question: what it has sent is all there is. */
static bool is_at_stop(struct coord *c)
{
	const struct coord_stop *stop = c->spec->stop;
	const struct coord_vm_ops *ops = c->spec->vm_ops;
	struct ktstr_error ignored; /* it has ended, which others tell */
	bool is_there;

	if (stop->is_suspending && ops->suspend(c->spec->vm, &ignored) < 0)
		return false;
	if (stop->is_suspending)
		stream_catch_up(c);
	is_there = !c->is_decided &&
		   stop->is_there(stop->arg, c->sinks, assembler_counters(c->assembler)->frames);
	if (stop->is_suspending && !is_there)
		ops->resume(c->spec->vm);
	return is_there;
}

static void look_for_stop(struct coord *c)
{
	const struct coord_stop *stop = c->spec->stop;
	uint64_t frames;
	struct ktstr_error err = { 0 };

	if (!stop || c->is_decided || !is_at_stop(c))
		return;
	frames = assembler_counters(c->assembler)->frames;
	if (c->spec->vm_ops->freeze(c->spec->vm, &err) == 0)
		stop->look(stop->arg, c->sinks, frames);
	if (err.code < 0)
		coord_decide(c, COORD_END_INTERNAL, "the VM cannot be stopped: %s", err.text);
	coord_decide(c, COORD_END_STOPPED, "stopped where it was asked for");
	coord_kill_vm(c);
}

static void loop(struct coord *c)
{
	int rc = 0;

	while (c->stage != STAGE_GONE && rc == 0) {
		rc = arm_timer(c);
		if (rc == 0)
			rc = serve_once(c);
		if (requests_are_due(c))
			requests_serve(c);
		look_for_stop(c);
		coord_check_deadlines(c);
		tick(c);
	}
	if (rc < 0) {
		coord_decide(c, COORD_END_INTERNAL, "the coordinator's loop failed: %s",
			     strerror(-rc));
		coord_kill_vm(c);
	}
}

static void show_console_line(void *arg, const char *line)
{
	struct coord *c = arg;

	if (c->observer && c->observer->console_line)
		c->observer->console_line(c->observer->arg, line);
}

static void take_qemu_line(void *arg, const char *line)
{
	struct coord *c = arg;
	char text[sizeof(c->qemu_last) + 8];

	str_copy(c->qemu_last, sizeof(c->qemu_last), line);
	if (c->qemu_lines++ >= COORD_STDERR_LINES_MAX)
		return;
	(void)snprintf(text, sizeof(text), "QEMU: %s", c->qemu_last);
	record_warning(c, text);
}

static int add_source(struct coord *c, enum source source, int fd, struct ktstr_error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };
	int flags;

	if (fd < 0)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 &&
			  source != SOURCE_PID))
		return ktstr_fail(err, -errno, "cannot make channel %d non-blocking: %s", source,
				  strerror(errno));
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		if (errno != EPERM)
			return ktstr_fail(err, -errno, "cannot watch channel %d: %s", source,
					  strerror(errno));
		c->is_always_ready[source] = true; /* a regular file: a replay */
	}
	c->fds[source] = fd;
	return 0;
}

static int add_sources(struct coord *c, struct ktstr_error *err)
{
	const struct coord_spec *spec = c->spec;
	const int fds[SOURCE_COUNT] = {
		[SOURCE_SIGNAL] = spec->signal_fd,
		[SOURCE_BULK] = spec->bulk_fd,
		[SOURCE_FREEZE] = coord_has_freezes(c) ? spec->freeze_fd : -1,
		[SOURCE_COM2] = spec->com2_fd,
		[SOURCE_COM1] = spec->com1_fd,
		[SOURCE_STDERR] = spec->stderr_fd,
		[SOURCE_CONSOLE] = spec->console_fd,
		[SOURCE_DEBUGGER] =
			spec->vm_ops && spec->vm_ops->watch_hit ? spec->debugger_fd : -1,
		[SOURCE_MONITOR] = spec->vm_ops && spec->vm_ops->poll ? spec->monitor_fd : -1,
		[SOURCE_PID] = spec->pid_fd,
		[SOURCE_NEWS] = spec->are_files ? spec->news_fd : -1,
	};
	int rc, timer_fd;

	for (int i = 0; i < SOURCE_TIMER; i++) {
		rc = add_source(c, i, fds[i], err);
		if (rc < 0)
			return rc;
	}
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer_fd < 0)
		return ktstr_fail(err, -errno, "cannot create a timer: %s", strerror(errno));
	rc = add_source(c, SOURCE_TIMER, timer_fd, err);
	if (rc < 0)
		(void)close(timer_fd);
	return rc;
}

static int coord_init(struct coord *c, struct ktstr_error *err)
{
	const struct coord_spec *spec = c->spec;

	for (int i = 0; i < SOURCE_COUNT; i++)
		c->fds[i] = -1;
	c->timer_at_ns = c->stage_deadline_ns = c->stage_deadline_spent_ns = UINT64_MAX;
	c->sinks = &c->result->sinks;
	dispatch_init(c->sinks);
	c->sinks->is_virtual = coord_is_virtual(c);
	c->sinks->kill_evt = spec->kill_evt;
	c->sinks->sys_rdy_evt = spec->sys_rdy_evt;
	c->sinks->workload_duration_ns = spec->workload_duration_ns;
	c->sinks->scheduler_changes_ns = spec->scheduler_changes_ns;
	c->sinks->kernel_text_link_kva = spec->kernel_text_link_kva;
	c->observer = spec->observer;
	c->log_fd = spec->console_log_fd;
	c->com1 = (struct console){ .word = "Kernel panic", .line = show_console_line, .arg = c };
	c->com2 = (struct console){ .word = WIRE_CRASH_PREFIX };
	c->qemu = (struct console){ .line = take_qemu_line, .arg = c };
	c->com1_buffer.kind = RUNFILE_CONSOLE;
	c->com1_buffer.max = COORD_CONSOLE_MAX;
	c->com2_buffer.kind = RUNFILE_CRASH;
	c->com2_buffer.max = COORD_CRASH_MAX;
	requests_init(c);
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return ktstr_fail(err, -errno, "cannot create an epoll set: %s", strerror(errno));
	c->assembler = assembler_new();
	if (!c->assembler)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (stream_prefix(c) < 0)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	return add_sources(c, err);
}

static void coord_done(struct coord *c)
{
	if (c->fds[SOURCE_TIMER] >= 0)
		(void)close(c->fds[SOURCE_TIMER]);
	if (c->epoll_fd >= 0)
		(void)close(c->epoll_fd);
	assembler_free(c->assembler);
	requests_done(c);
}

int coord_run(const struct coord_spec *spec, struct coord_result *ret, struct ktstr_error *err)
{
	_cleanup_free_ struct coord *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	*ret = (struct coord_result){ 0 };
	c->spec = spec;
	c->result = ret;
	c->epoll_fd = -1;
	rc = coord_init(c, err);
	if (rc == 0) {
		loop(c);
		coord_finish(c);
	} else {
		coord_kill_vm(c);
	}
	coord_done(c);
	return rc;
}
