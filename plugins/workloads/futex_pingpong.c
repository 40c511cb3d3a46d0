/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two workers take turns: the one whose turn it is spins, hands over, wakes its partner and sleeps
 * on a futex until the turn comes back. Each wake-up from the futex is a latency sample, from the
 * moment that the partner handed over.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/workload.h"
#include "spin.h"

/*
 * A worker whose partner is gone must still see that it is to stop, and so must one that is told
 * between its look at the flag and its sleep.
 */
#define WAIT_LIMIT_NS 50000000

enum {
	P_SPIN,
};

static const struct ktstr_param params[] = {
	[P_SPIN] = { .key = "spin",
		     .help = "turns of the spin loop before each hand-over, a work unit each",
		     .type = KTSTR_PARAM_INT,
		     .fallback = "1024",
		     .min = 1,
		     .max = 1000000 },
	{ .key = NULL },
};

/* Shared by the two; zero at the start, so the first worker begins. */
struct table {
	uint32_t turn;
	uint32_t reserved;
	uint64_t handed_over_ns;
};

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
	/* The workers are processes, so the futex must not be a private one. */
	return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

/* Wait until it is the turn of @me, or the worker is to stop. */
static int wait_for_turn(struct ktstr_worker *w, struct table *table, uint32_t me,
			 struct ktstr_error *err)
{
	const struct timespec limit = { .tv_nsec = WAIT_LIMIT_NS };
	int has_slept = 0;

	while (!ktstr_worker_stopping(w)) {
		uint32_t turn = __atomic_load_n(&table->turn, __ATOMIC_ACQUIRE);

		if (turn == me) {
			uint64_t now_ns = ktstr_worker_now_ns(w);

			if (has_slept && now_ns >= table->handed_over_ns)
				ktstr_worker_wake_sample(w, now_ns - table->handed_over_ns);
			return 0;
		}
		if (futex(&table->turn, FUTEX_WAIT, turn, &limit) == 0 || errno == ETIMEDOUT)
			has_slept = 1;
		else if (errno != EAGAIN && errno != EINTR)
			return ktstr_fail(err, -errno, "cannot wait on the futex: %s",
					  strerror(errno));
	}
	return 0;
}

static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	struct table *table = w->shared;
	uint32_t me = w->index % 2;
	int64_t turns = w->values[P_SPIN].i;
	int code;

	if (!table)
		return ktstr_fail(err, -EINVAL, "the workers of a pair share no memory");
	for (;;) {
		code = wait_for_turn(w, table, me, err);
		if (code < 0 || ktstr_worker_stopping(w))
			return code;
		spin(turns);
		ktstr_worker_progress(w, (uint64_t)turns);
		table->handed_over_ns = ktstr_worker_now_ns(w);
		__atomic_store_n(&table->turn, 1 - me, __ATOMIC_RELEASE);
		if (futex(&table->turn, FUTEX_WAKE, 1, NULL) < 0)
			return ktstr_fail(err, -errno, "cannot wake the partner: %s",
					  strerror(errno));
	}
}

static const struct ktstr_workload_ops ops = {
	.size = sizeof(ops),
	.group_size = 2,
	.shared_bytes = sizeof(struct table),
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "futex_pingpong", .version = "1.0",
		    .summary = "pairs that hand a turn to and fro", .params = params,
		    .workload = &ops, .license = "GPL-2.0-only");
