/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the gate takes for a QEMU: a main thread that polls, and a thread that waits for a condition
 * before anything else does. Plays the one scene that it is called with; exit status 0: as it is to
 * be behind the gate, 1: not so, 2: it cannot be told, 3: it went wrong.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)
/* Less than the gate's patience. */
#define BUSY_NS (10 * MS)
#define PATIENCE_NS (20 * MS)
/* Less than the gate takes to see that a thread does not move at all. */
#define SOON_NS (700 * MS)
#define ROUNDS 20

enum {
	AS_IT_IS_TO_BE,
	OTHERWISE,
	UNKNOWN,
	WENT_WRONG
};

struct stage {
	pthread_mutex_t lock;
	pthread_cond_t halted;
	pthread_t vcpu;
	bool is_there, is_halted, is_kicked;
	bool is_busy; /* it spins for ever, or it is held up in a device */
	int notifier;
	int iothread; /* the other event loop's notifier */
};

static struct stage stage = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.halted = PTHREAD_COND_INITIALIZER,
};

static void need(bool is_so)
{
	if (!is_so)
		_exit(WENT_WRONG);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	need(clock_gettime(clock, &now) == 0);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static void spin(int64_t ns)
{
	int64_t end_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end_ns)
		;
}

static void tell(int notifier)
{
	const uint64_t one = 1;

	need(write(notifier, &one, sizeof(one)) == sizeof(one));
}

static void notify(void)
{
	tell(stage.notifier);
}

/* As the guest does. */
static void notify_from_an_instruction(void)
{
	volatile char spilled[2048] = "";

	spilled[0] = 1;
	notify();
	spilled[2047] = spilled[0];
}

/* In the vCPUs' thread, with the lock. */
static void halt(void)
{
	stage.is_halted = true;
	while (!stage.is_kicked)
		need(pthread_cond_wait(&stage.halted, &stage.lock) == 0);
	stage.is_kicked = stage.is_halted = false;
}

/* In the main thread, with the lock. */
static void kick(void)
{
	stage.is_kicked = true;
	need(pthread_cond_broadcast(&stage.halted) == 0);
}

static void lock(void)
{
	need(pthread_mutex_lock(&stage.lock) == 0);
}

static void unlock(void)
{
	need(pthread_mutex_unlock(&stage.lock) == 0);
}

/* In the vCPUs' thread: until the machine is there. */
static void arrive(void)
{
	lock();
	stage.is_there = true;
	halt();
	unlock();
}

/* Each time that it is kicked: notify, be busy, halt. */
static void *run_bursts(void *arg)
{
	lock();
	stage.is_there = true;
	for (;;) {
		halt();
		unlock();
		notify();
		spin(BUSY_NS);
		lock();
	}
	return arg;
}

/* Timers, for longer than anybody's patience. */
static void *run_timers(void *arg)
{
	arrive();
	/* The other loop is about to poll, or not. */
	for (int i = 0; i < 4; i++) {
		notify();
		if (i != 1)
			tell(stage.iothread);
		spin(PATIENCE_NS);
	}
	lock();
	halt();
	unlock();
	return arg;
}

static void *run_for_ever(void *arg)
{
	arrive();
	notify();
	notify_from_an_instruction();
	while (stage.is_busy)
		spin(BUSY_NS);
	for (;;)
		(void)pause();
	return arg;
}

static void *notify_later(void *arg)
{
	const struct timespec later = { .tv_nsec = 50 * MS };

	(void)nanosleep(&later, NULL);
	notify();
	return arg;
}

static void on_alarm(int number)
{
	(void)number;
	notify();
}

static void start(void *(*vcpu)(void *arg))
{
	bool is_there = false;

	stage.notifier = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	stage.iothread = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	need(stage.notifier >= 0 && stage.iothread >= 0);
	need(pthread_create(&stage.vcpu, NULL, vcpu, NULL) == 0);
	while (!is_there) {
		lock();
		is_there = stage.is_there;
		unlock();
	}
	lock();
	kick();
	unlock();
}

/* Until there is something to read from either. */
static void poll_both(int other)
{
	struct pollfd fds[] = { { .fd = stage.notifier, .events = POLLIN },
				{ .fd = other, .events = POLLIN } };
	uint64_t count;

	while (ppoll(fds, 2, NULL, NULL) < 0)
		;
	(void)!read(stage.notifier, &count, sizeof(count)); /* if it is that */
}

/* It hears of nothing while the vCPUs are awake: not of what they notify, nor of what it does
 * itself before it kicks them. */
static int play_bursts(void)
{
	start(run_bursts);
	for (int i = 0; i < ROUNDS; i++) {
		bool is_halted;

		poll_both(-1);
		lock();
		is_halted = stage.is_halted && !stage.is_kicked;
		if (is_halted && i % 2)
			notify();
		if (is_halted)
			kick();
		unlock();
		if (!is_halted)
			return OTHERWISE;
	}
	return AS_IT_IS_TO_BE;
}

/* Timers alone are nothing that it should hear of. */
static int play_timers(void)
{
	bool is_halted;

	start(run_timers);
	poll_both(-1);
	lock();
	is_halted = stage.is_halted;
	unlock();
	return is_halted ? AS_IT_IS_TO_BE : OTHERWISE;
}

/* What the guest itself wants is heard. */
static int play_busy(void)
{
	clockid_t clock;
	int64_t took_ns;

	stage.is_busy = true;
	start(run_for_ever);
	need(pthread_getcpuclockid(stage.vcpu, &clock) == 0);
	poll_both(-1);
	took_ns = now_ns(clock);
	if (took_ns < PATIENCE_NS)
		return OTHERWISE;
	return took_ns < SOON_NS ? AS_IT_IS_TO_BE : UNKNOWN;
}

/* A machine that is held up hears its monitor. A busy host may be late with that. */
static int play_held_up(void (*help)(void), int other)
{
	int64_t start_ns;

	start(run_for_ever);
	start_ns = now_ns(CLOCK_MONOTONIC);
	if (help)
		help();
	poll_both(other);
	return now_ns(CLOCK_MONOTONIC) - start_ns < SOON_NS ? AS_IT_IS_TO_BE : UNKNOWN;
}

static void start_monitor(void)
{
	pthread_t thread;

	need(pthread_create(&thread, NULL, notify_later, NULL) == 0);
}

static int play_monitor(void)
{
	return play_held_up(start_monitor, -1);
}

static void start_alarm(void)
{
	const struct itimerval later = { .it_value.tv_usec = 50000 };
	const struct sigaction action = { .sa_handler = on_alarm };

	need(sigaction(SIGALRM, &action, NULL) == 0);
	need(setitimer(ITIMER_REAL, &later, NULL) == 0);
}

static int play_signal(void)
{
	return play_held_up(start_alarm, -1);
}

static int play_nobody(void)
{
	return play_held_up(NULL, -1) == AS_IT_IS_TO_BE ? OTHERWISE : AS_IT_IS_TO_BE;
}

/* From its first word on, it is heard, and so is what comes later. */
static int play_debugger(void)
{
	int ends[2], played;
	int64_t start_ns;

	need(pipe(ends) == 0 && write(ends[1], "c", 1) == 1);
	played = play_held_up(NULL, ends[0]);
	start_ns = now_ns(CLOCK_MONOTONIC);
	notify();
	poll_both(-1);
	return now_ns(CLOCK_MONOTONIC) - start_ns < SOON_NS ? played : UNKNOWN;
}

/* Who does not wait is not held up. */
static int play_look(void)
{
	struct pollfd poll_fd;
	int64_t start_ns;

	start(run_for_ever);
	start_ns = now_ns(CLOCK_MONOTONIC);
	poll_fd = (struct pollfd){ .fd = stage.notifier, .events = POLLIN };
	while (ppoll(&poll_fd, 1, &(struct timespec){ 0 }, NULL) != 1)
		;
	return now_ns(CLOCK_MONOTONIC) - start_ns < SOON_NS ? AS_IT_IS_TO_BE : UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*play)(void);
	} scenes[] = {
		{ "bursts", play_bursts },     { "timers", play_timers }, { "busy", play_busy },
		{ "monitor", play_monitor },   { "signal", play_signal }, { "nobody", play_nobody },
		{ "debugger", play_debugger }, { "look", play_look },
	};

	for (size_t i = 0; argc == 2 && i < sizeof(scenes) / sizeof(*scenes); i++)
		if (strcmp(scenes[i].name, argv[1]) == 0)
			return scenes[i].play();
	(void)fprintf(stderr, "no such scene\n");
	return WENT_WRONG;
}
