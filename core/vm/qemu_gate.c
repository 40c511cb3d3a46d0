/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loaded into QEMU (LD_PRELOAD) when its guest lives in virtual time: QEMU's main thread does its
 * work while the thread of the vCPUs sleeps.
 *
 * With -icount sleep=off it is the main thread that lets the clock jump when all vCPUs wait. Each
 * timer of the guest wakes it, and whether all vCPUs wait it sees by a flag that the last of them
 * sets inside its HLT, before QEMU has counted the instructions that led there. When it looks
 * within that window, the clock jumps too far by these instructions; when it looks right after it,
 * the vCPUs take their turns in another order. The window is short, but a guest that sleeps ten
 * thousand times a second has met it within seconds, and more so on a busy host.
 *
 * So the main thread's ppoll() returns for a mere notification (an eventfd) only when
 * - the thread of the vCPUs sleeps, from which nobody but the main thread wakes it;
 * - or a third thread or a signal handler notifies: the monitor has a command;
 * - or the guest itself has notified it, and been busy for long since then: one that powered off
 *   spins until that is heard. Between two turns of the vCPUs it is timers that notify, and these
 *   their own thread serves; a guest does so from within an instruction, deeper on the stack.
 *
 * Other descriptors are not held up. One that the main thread itself reads is a debugger's, and
 * from the first word of it on nothing is held up any more: a guest is stopped at its hits, so its
 * run is not the same again in any case. Nor is a poll without waiting, with which the main thread
 * goes on with what it has begun.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 4096
/* Conditions as they have been since 2003, on x86; elsewhere there are no others. */
#define CONDITIONS "GLIBC_2.3.2"

/* By so much at least the stack is longer within an instruction than between two turns: that is
 * what TCG takes for values that it spills. */
#define INSTRUCTION_BYTES 1024
/* Between two looks at the vCPUs' thread. */
#define LOOK_NS 1000000
/* The CPU time of the vCPUs' thread that what the guest notifies of waits for. */
#define PATIENCE_NS (20 * INT64_C(1000000))
/* And that any other waits for: nothing is to wait for ever, should the rest be wrong. */
#define LONG_NS (4000 * INT64_C(1000000))
/* So many looks at a thread that waits for something else end the hold, too. */
#define IDLE_LOOKS_MAX 1000

typedef int ppoll_function(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
			   const sigset_t *mask);
typedef int wait_function(pthread_cond_t *cond, pthread_mutex_t *mutex);
typedef int wake_function(pthread_cond_t *cond);
typedef int eventfd_function(unsigned int value, int flags);
typedef ssize_t write_function(int fd, const void *data, size_t length);

/* What is behind us. */
static ppoll_function *real_ppoll;
static wait_function *real_wait;
static wake_function *real_signal, *real_broadcast;
static eventfd_function *real_eventfd;
static write_function *real_write;

static atomic_bool is_eventfd[FDS_MAX];
/* It is told of them between turns. */
static atomic_bool has_timers[FDS_MAX];

/* How often the guest has notified from within an instruction, and how often it had when the main
 * thread went to work, before it looks what there is to do. */
static atomic_uint wishes;
static unsigned int wishes_heard;

/* The first thread but the main one that waits for a condition is that of the vCPUs: it waits for
 * the machine to be there. */
static atomic_int vcpu_thread; /* 0: not there yet */
static clockid_t vcpu_clock;
/* From the wait for a condition to the call that ends it, not to the wait's return: the thread may
 * be long in getting a CPU. */
static atomic_bool is_asleep;
static atomic_uintptr_t turns_end; /* about where its stack ends between two turns */
static _Atomic(pthread_cond_t *) awaited;

static bool has_debugger; /* the main thread's own */
static atomic_bool is_urgent;
static atomic_bool is_held; /* the main thread */
static atomic_uint news;    /* a futex, counts what may end the hold */

static void *find_condition_call(const char *name)
{
	void *call = dlvsym(RTLD_NEXT, name, CONDITIONS);

	return call ? call : dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void find(void)
{
	static const char sorry[] = "ktstr: QEMU's C library lacks what QEMU is held up by\n";

	*(void **)&real_ppoll = dlsym(RTLD_NEXT, "ppoll");
	*(void **)&real_eventfd = dlsym(RTLD_NEXT, "eventfd");
	*(void **)&real_wait = find_condition_call("pthread_cond_wait");
	*(void **)&real_signal = find_condition_call("pthread_cond_signal");
	*(void **)&real_broadcast = find_condition_call("pthread_cond_broadcast");
	*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	if (real_ppoll && real_eventfd && real_wait && real_signal && real_broadcast && real_write)
		return;
	(void)!syscall(SYS_write, STDERR_FILENO, sorry, sizeof(sorry) - 1);
	abort();
}

/* Other libraries may begin before us. */
static void need_calls(void)
{
	if (!real_write)
		find();
}

static int thread_id(void)
{
	static _Thread_local int id;

	if (id == 0)
		id = (int)syscall(SYS_gettid);
	return id;
}

static bool is_main(void)
{
	return thread_id() == getpid();
}

static void tell_news(void)
{
	(void)atomic_fetch_add(&news, 1);
	if (atomic_load(&is_held))
		(void)syscall(SYS_futex, &news, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* What QEMU starts needs no gate, and does not have the descriptor that we may have come by. A
 * program that only starts QEMU makes no eventfd. */
static void spare_children(void)
{
	const char *preloads = getenv("LD_PRELOAD");
	const char *others = preloads ? strchr(preloads, ':') : NULL;

	if (others)
		(void)setenv("LD_PRELOAD", others + 1, 1);
	else
		(void)unsetenv("LD_PRELOAD");
}

int eventfd(unsigned int value, int flags)
{
	static atomic_flag has_spared = ATOMIC_FLAG_INIT;
	int fd;

	need_calls();
	if (!atomic_flag_test_and_set(&has_spared))
		spare_children();
	fd = real_eventfd(value, flags);
	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&is_eventfd[fd], true);
	return fd;
}

static bool notifies(int fd)
{
	return fd >= 0 && fd < FDS_MAX && atomic_load(&is_eventfd[fd]);
}

/* What is told of no timers is no event loop's: glib's own is told when descriptors change. */
static void count_wish(int fd)
{
	uintptr_t end = (uintptr_t)__builtin_frame_address(0);

	if (end + INSTRUCTION_BYTES > atomic_load(&turns_end))
		atomic_store(&has_timers[fd], true);
	else if (atomic_load(&has_timers[fd]))
		(void)atomic_fetch_add(&wishes, 1);
}

/* Async-signal-safe, as write() is. The main thread notifies itself all the time; when it is held
 * that is a signal handler's doing. */
ssize_t write(int fd, const void *data, size_t length)
{
	bool is_told = notifies(fd);

	need_calls();
	if (is_told && thread_id() == atomic_load(&vcpu_thread)) {
		count_wish(fd);
	} else if (is_told && (atomic_load(&is_held) || !is_main())) {
		atomic_store(&is_urgent, true);
		tell_news();
	}
	return real_write(fd, data, length);
}

/* Is the calling thread that of the vCPUs? */
static bool is_vcpu(void)
{
	int known = atomic_load(&vcpu_thread);

	if (known != 0 || is_main())
		return known == thread_id();
	if (pthread_getcpuclockid(pthread_self(), &vcpu_clock) != 0)
		return false;
	return atomic_compare_exchange_strong(&vcpu_thread, &known, thread_id());
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	int rc;

	need_calls();
	if (!is_vcpu())
		return real_wait(cond, mutex);
	atomic_store(&turns_end, (uintptr_t)__builtin_frame_address(0));
	atomic_store(&awaited, cond);
	atomic_store(&is_asleep, true);
	tell_news();
	rc = real_wait(cond, mutex);
	atomic_store(&is_asleep, false);
	return rc;
}

static void wake(const pthread_cond_t *cond)
{
	if (cond == atomic_load(&awaited))
		atomic_store(&is_asleep, false);
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	need_calls();
	wake(cond);
	return real_signal(cond);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	need_calls();
	wake(cond);
	return real_broadcast(cond);
}

/* Has more come than notifications? */
static bool has_other(const struct pollfd *fds, nfds_t count)
{
	for (nfds_t i = 0; i < count && !has_debugger; i++)
		has_debugger = fds[i].revents && !notifies(fds[i].fd);
	return has_debugger;
}

static int64_t vcpu_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(vcpu_clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Does the vCPUs' thread want a CPU of the host? "TID (NAME) STATE ...": the name may hold
 * anything.
 */
static bool is_vcpu_runnable(void)
{
	char path[64], text[256];
	const char *end = NULL;
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&vcpu_thread));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length > 0) {
		text[length] = '\0';
		end = strrchr(text, ')');
	}
	if (fd >= 0)
		(void)close(fd);
	return end && strncmp(end, ") R", 3) == 0;
}

/* How long the main thread has been held up, as the vCPUs' thread sees it. */
struct patience {
	int64_t first_ns; /* of the CPU time */
	int64_t start_ns; /* of that which counts */
	int64_t last_ns;
	unsigned int idle_looks;
};

static bool is_over(struct patience *patience)
{
	int64_t now_ns = vcpu_ns();
	bool moves = now_ns != patience->last_ns;

	patience->last_ns = now_ns;
	patience->idle_looks = moves ? 0 : patience->idle_looks + 1;
	if (patience->idle_looks > IDLE_LOOKS_MAX && is_vcpu_runnable())
		patience->idle_looks = 0;
	if (atomic_load(&wishes) == wishes_heard)
		patience->start_ns = now_ns;
	return patience->idle_looks > IDLE_LOOKS_MAX ||
	       now_ns - patience->start_ns >= PATIENCE_NS || now_ns - patience->first_ns >= LONG_NS;
}

/* Until the main thread may hear of a notification, or until something else has come. Returns what
 * ppoll() would. */
static int hold(struct pollfd *fds, nfds_t count, const sigset_t *mask)
{
	const struct timespec look = { .tv_nsec = LOOK_NS };
	struct patience patience = { .start_ns = vcpu_ns() };
	int rc = 1;

	patience.first_ns = patience.last_ns = patience.start_ns;
	atomic_store(&is_held, true);
	while (rc > 0 && !has_other(fds, count)) {
		unsigned int seen = atomic_load(&news);

		if (atomic_load(&is_asleep) || atomic_load(&is_urgent))
			break;
		(void)syscall(SYS_futex, &news, FUTEX_WAIT_PRIVATE, seen, &look, NULL, 0);
		rc = real_ppoll(fds, count, &(struct timespec){ 0 }, mask);
		if (is_over(&patience))
			break;
	}
	atomic_store(&is_urgent, false);
	atomic_store(&is_held, false);
	return rc;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	bool waits = !timeout || timeout->tv_sec > 0 || timeout->tv_nsec > 0;
	int rc;

	need_calls();
	if (!waits || atomic_load(&vcpu_thread) == 0 || !is_main())
		return real_ppoll(fds, count, timeout, mask);
	rc = real_ppoll(fds, count, timeout, mask);
	if (rc > 0 && !has_other(fds, count))
		rc = hold(fds, count, mask);
	wishes_heard = atomic_load(&wishes);
	return rc;
}
