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
 * - or the vCPUs have been busy for so long that they are unlikely to be in that window, and
 *   somebody may wait for the main thread: a guest that powered off spins until it is heard.
 *
 * Other descriptors are not held up, nor is QEMU's big lock: QEMU holds it when it polls without
 * waiting, which is let alone. One that the main thread itself reads is a debugger's, and from the
 * first word of it on nothing is held up any more: a guest is stopped at its hits, so its run is
 * not the same again in any case.
 */
#include <dlfcn.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 4096
#define CONDITIONS "GLIBC_2.3.2"

/* Between two looks at the vCPUs' thread. */
#define LOOK_NS 1000000
/* The CPU time of the vCPUs' thread that a notification waits for. */
#define PATIENCE_NS (20 * INT64_C(1000000))
/* So many looks at a thread that does not move, and waits for something else, end the wait, too. */
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

/* The first thread but the main one that waits for a condition is that of the vCPUs: it waits for
 * the machine to be there. */
static atomic_int vcpu_thread; /* 0: not there yet */
static clockid_t vcpu_clock;
/* From the wait for a condition to the call that ends it, not to the wait's return: the thread may
 * be long in getting a CPU. */
static atomic_bool is_asleep;
static _Atomic(pthread_cond_t *) awaited;

static bool has_debugger; /* the main thread's own */
static atomic_bool is_urgent;
static atomic_bool is_held; /* the main thread */
static atomic_uint news;    /* a futex, counts what may end the hold */

__attribute__((constructor)) static void find(void)
{
	*(void **)&real_ppoll = dlsym(RTLD_NEXT, "ppoll");
	*(void **)&real_eventfd = dlsym(RTLD_NEXT, "eventfd");
	*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	/* Without the version they would be those of before 2003. */
	*(void **)&real_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", CONDITIONS);
	*(void **)&real_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", CONDITIONS);
	*(void **)&real_broadcast = dlvsym(RTLD_NEXT, "pthread_cond_broadcast", CONDITIONS);
	if (!real_ppoll || !real_eventfd || !real_write || !real_wait || !real_signal ||
	    !real_broadcast)
		abort();
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

int eventfd(unsigned int value, int flags)
{
	int fd = real_eventfd(value, flags);

	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&is_eventfd[fd], true);
	return fd;
}

static bool notifies(int fd)
{
	return fd >= 0 && fd < FDS_MAX && atomic_load(&is_eventfd[fd]);
}

/* Async-signal-safe, as write() is. The main thread notifies itself all the time; when it is held
 * that is a signal handler's doing. */
ssize_t write(int fd, const void *data, size_t length)
{
	ssize_t n = real_write(fd, data, length);

	if (notifies(fd) && thread_id() != atomic_load(&vcpu_thread) &&
	    (atomic_load(&is_held) || !is_main())) {
		atomic_store(&is_urgent, true);
		tell_news();
	}
	return n;
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

	if (!is_vcpu())
		return real_wait(cond, mutex);
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
	wake(cond);
	return real_signal(cond);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
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

/* Until the main thread may hear of a notification, or until something else has come. Returns what
 * ppoll() would. */
static int hold(struct pollfd *fds, nfds_t count, const sigset_t *mask)
{
	const struct timespec look = { .tv_nsec = LOOK_NS };
	int64_t start_ns = vcpu_ns(), last_ns = start_ns;
	unsigned int idle_looks = 0;
	int rc;

	atomic_store(&is_held, true);
	for (;;) {
		unsigned int seen = atomic_load(&news);
		int64_t now_ns;

		if (atomic_load(&is_asleep) || atomic_load(&is_urgent))
			break;
		(void)syscall(SYS_futex, &news, FUTEX_WAIT_PRIVATE, seen, &look, NULL, 0);
		now_ns = vcpu_ns();
		idle_looks = now_ns == last_ns ? idle_looks + 1 : 0;
		last_ns = now_ns;
		if (now_ns - start_ns >= PATIENCE_NS || idle_looks > IDLE_LOOKS_MAX)
			break;
		rc = real_ppoll(fds, count, &(struct timespec){ 0 }, mask);
		if (rc <= 0 || has_other(fds, count))
			goto done;
	}
	rc = real_ppoll(fds, count, &(struct timespec){ 0 }, mask);
done:
	atomic_store(&is_urgent, false);
	atomic_store(&is_held, false);
	return rc;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	bool waits = !timeout || timeout->tv_sec > 0 || timeout->tv_nsec > 0;
	int rc = real_ppoll(fds, count, timeout, mask);

	if (rc <= 0 || !waits || atomic_load(&vcpu_thread) == 0 || !is_main() ||
	    has_other(fds, count))
		return rc;
	return hold(fds, count, mask);
}
