/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/budget.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"

#define GIB (UINT64_C(1) << 30)
/* How often who is next looks, and those behind it. */
#define LOOK_NEXT_MS 20
#define LOOK_MS 100
/* While another process has the list. */
#define LOOK_LOCKED_MS 2
/* How often others are shown that one still waits. */
#define SEEN_NS NS_PER_S
/* How often the same is told again, which only its time has changed of. */
#define TELL_NS NS_PER_S
/* How often something new is told. */
#define TELL_NEW_NS (5 * NS_PER_S)

struct budget {
	struct queue *queue;
	struct queue_entry own;
};

/* What one look at the queue and the machine showed. */
struct view {
	enum budget_answer answer;
	struct budget_wait wait;
	struct budget_memory memory;
};

/* What was told last of a wait. */
struct telling {
	struct budget_wait wait;
	uint64_t at_ns;	    /* 0: nothing */
	uint64_t new_at_ns; /* the last time that it was something new */
};

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t result;

	return __builtin_add_overflow(a, b, &result) ? UINT64_MAX : result;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct budget_need budget_need(bool is_kvm, uint32_t cpus, uint64_t memory_bytes, bool is_restored)
{
	return (struct budget_need){
		.threads = is_kvm ? cpus : 1,
		.memory_bytes =
			sum(BUDGET_QEMU_BYTES,
			    is_restored ? memory_bytes / BUDGET_RESTORED_SHARE : memory_bytes),
	};
}

int budget_jobs(const char *jobs, uint32_t cores, uint32_t *ret, struct ktstr_error *err)
{
	char *end;
	unsigned long number;

	if (!jobs || !*jobs) {
		*ret = cores > 0 ? cores : 1;
		return 0;
	}
	if (strcmp(jobs, "unlimited") == 0) {
		*ret = 0;
		return 0;
	}
	errno = 0;
	number = strtoul(jobs, &end, 10);
	if (errno || *end || !isdigit((unsigned char)jobs[0]) || number > BUDGET_JOBS_MAX)
		return ktstr_fail(err, -EINVAL,
				  "KTSTR_JOBS is '%s': give it the number of VMs that may run at "
				  "once, 1 to %u, or 'unlimited'",
				  jobs, BUDGET_JOBS_MAX);
	*ret = (uint32_t)number;
	return 0;
}

uint32_t budget_cores(void)
{
	cpu_set_t cpus;
	int count;

	/* More than fit in the set are more than enough. */
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return BUDGET_JOBS_MAX;
	count = CPU_COUNT(&cpus);
	return count > 0 ? (uint32_t)count : 1;
}

int budget_open_folder(struct ktstr_error *err)
{
	char usual[64], fallback[64];
	/* A job of cron's has no such variable, and must find the list of the user's terminals. */
	const char *const folders[QUEUE_RUNTIME_FOLDERS] = { getenv("XDG_RUNTIME_DIR"), usual };

	(void)snprintf(usual, sizeof(usual), "/run/user/%u", geteuid());
	(void)snprintf(fallback, sizeof(fallback), "/tmp/ktstr-%u", geteuid());
	return queue_open_folder(folders, fallback, err);
}

/* What is not used yet of what a VM may use. */
static uint64_t still_to_use(const struct budget_other *other)
{
	return less(other->entry.memory_bytes, other->used_bytes);
}

/* Is there room beside all that run but the first @ended of them? */
static bool fits(const struct budget_need *need, uint32_t jobs, const struct budget_memory *memory,
		 const struct budget_other *others, size_t count, uint32_t ended,
		 bool *ret_is_for_memory)
{
	uint64_t reserve = memory->total / BUDGET_RESERVE_SHARE;
	uint64_t threads = need->threads < jobs ? need->threads : jobs;
	uint64_t available = memory->available;
	uint64_t bytes = need->memory_bytes;
	uint32_t running = 0;

	reserve = reserve > BUDGET_RESERVE_BYTES ? reserve : BUDGET_RESERVE_BYTES;
	for (size_t i = 0; i < count; i++) {
		const struct queue_entry *entry = &others[i].entry;

		if (!entry->is_running)
			continue;
		if (running++ < ended) {
			available = sum(available, others[i].used_bytes);
			continue;
		}
		threads = sum(threads, entry->threads);
		bytes = sum(bytes, still_to_use(&others[i]));
	}
	bytes = sum(bytes, reserve);
	/* Who is alone would wait for nobody. */
	*ret_is_for_memory =
		threads <= jobs && running > ended && memory->total > 0 && bytes > available;
	return threads <= jobs && !*ret_is_for_memory;
}

/* Count them; the oldest that runs, and the first that waits before, or NULL. */
static void count_others(uint64_t ticket, const struct budget_other *others, size_t count,
			 uint64_t now_ns, struct budget_wait *ret,
			 const struct queue_entry **ret_oldest,
			 const struct queue_entry **ret_first)
{
	for (size_t i = count; i-- > 0;) {
		const struct queue_entry *entry = &others[i].entry;

		if (entry->is_running) {
			*ret_oldest = entry;
			ret->running++;
		} else if (entry->ticket < ticket &&
			   less(now_ns, entry->seen_ns) < BUDGET_ABSENT_NS) {
			*ret_first = entry;
			ret->before++;
		}
	}
}

enum budget_answer budget_decide(const struct budget_need *need, uint64_t ticket, uint32_t jobs,
				 const struct budget_memory *memory,
				 const struct budget_other *others, size_t count, uint64_t now_ns,
				 struct budget_wait *ret)
{
	const struct queue_entry *oldest = NULL, *first = NULL, *whose;

	*ret = (struct budget_wait){ 0 };
	if (jobs == 0)
		return BUDGET_GO;
	if (memory->total > 0 && need->memory_bytes > memory->total)
		return BUDGET_NEVER;
	count_others(ticket, others, count, now_ns, ret, &oldest, &first);
	while (!fits(need, jobs, memory, others, count, ret->to_end, &ret->is_for_memory))
		ret->to_end++;
	if (ret->to_end > 0)
		(void)fits(need, jobs, memory, others, count, 0, &ret->is_for_memory);
	whose = ret->to_end > 0 ? oldest : first;
	if (!whose)
		return BUDGET_GO;
	ret->pid = whose->pid;
	ret->since_ns = whose->since_ns;
	return BUDGET_WAIT;
}

void budget_wait_text(const struct budget_wait *wait, uint64_t now_ns, char *text, size_t size)
{
	char before[64] = "", vms[96] = "";

	if (wait->before > 0)
		(void)snprintf(before, sizeof(before), "for %u run%s before it%s", wait->before,
			       wait->before > 1 ? "s" : "", wait->to_end > 0 ? " and " : "");
	if (wait->to_end > 0)
		(void)snprintf(vms, sizeof(vms), "for %u of %u VM%s to end%s", wait->to_end,
			       wait->running, wait->running > 1 ? "s" : "",
			       wait->is_for_memory ? " and leave memory" : "");
	(void)snprintf(text, size, "%s%s (pid %d, since %" PRIu64 " s)", before, vms, wait->pid,
		       less(now_ns, wait->since_ns) / NS_PER_S);
}

/* "Name:    123 kB" of a file of /proc, in bytes; 0: not there. */
static uint64_t field_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static struct budget_memory read_memory(void)
{
	struct budget_memory memory = { 0 };
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;

	/* Not known is no limit. */
	if (io_read_file("/proc/meminfo", 1 << 16, &text, NULL, &ignored) == 0)
		memory = (struct budget_memory){ .total = field_bytes(text, "MemTotal:"),
						 .available = field_bytes(text, "MemAvailable:") };
	return memory;
}

/* What is of the VM alone: pages of files that it maps are there for others, too. */
static uint64_t used_bytes(const struct queue_entry *entry)
{
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;
	uint64_t bytes;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", entry->vm_pid);
	/* One that is gone uses nothing. */
	if (entry->vm_pid <= 0 || io_read_file(path, 1 << 16, &text, NULL, &ignored) < 0)
		return 0;
	bytes = sum(field_bytes(text, "\nRssAnon:"), field_bytes(text, "\nRssShmem:"));
	return bytes < entry->memory_bytes ? bytes : entry->memory_bytes;
}

/* With the queue locked: look, and when it may, run. */
static int look(const struct budget_spec *spec, struct budget *budget, struct view *ret,
		struct ktstr_error *err)
{
	_cleanup_free_ struct queue_entry *entries = calloc(QUEUE_PLACES, sizeof(*entries));
	_cleanup_free_ struct budget_other *others = calloc(QUEUE_PLACES, sizeof(*others));
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	size_t count;

	if (!entries || !others)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	count = queue_read(budget->queue, entries);
	for (size_t i = 0; i < count; i++)
		others[i] = (struct budget_other){
			.entry = entries[i],
			.used_bytes = entries[i].is_running ? used_bytes(&entries[i]) : 0,
		};
	ret->memory = spec->memory ? spec->memory(spec->arg) : read_memory();
	ret->answer = budget_decide(&spec->need, budget->own.ticket, spec->jobs, &ret->memory,
				    others, count, now_ns, &ret->wait);
	if (ret->answer == BUDGET_NEVER ||
	    (ret->answer == BUDGET_WAIT && now_ns - budget->own.seen_ns < SEEN_NS))
		return 0;
	budget->own.seen_ns = now_ns;
	if (ret->answer == BUDGET_GO) {
		budget->own.is_running = true;
		budget->own.since_ns = now_ns;
	}
	return queue_update(budget->queue, &budget->own, err);
}

static bool is_same(const struct budget_wait *a, const struct budget_wait *b)
{
	return a->before == b->before && a->running == b->running && a->to_end == b->to_end &&
	       a->is_for_memory == b->is_for_memory && a->pid == b->pid;
}

static void tell(const struct budget_spec *spec, const struct budget_wait *wait,
		 struct telling *telling)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	bool is_first = telling->at_ns == 0;
	bool is_new = is_first || (!is_same(wait, &telling->wait) &&
				   now_ns - telling->new_at_ns >= TELL_NEW_NS);
	char text[200];

	if (!spec->tell || (!is_new && now_ns - telling->at_ns < TELL_NS))
		return;
	budget_wait_text(wait, now_ns, text, sizeof(text));
	spec->tell(spec->arg, text, is_new);
	telling->at_ns = now_ns;
	if (is_new) {
		telling->new_at_ns = now_ns;
		telling->wait = *wait;
	}
}

static int pause_ms(const struct budget_spec *spec, int time_ms, struct ktstr_error *err)
{
	struct pollfd poll_fd = { .fd = spec->signal_fd, .events = POLLIN };

	if (poll(&poll_fd, 1, time_ms) <= 0 || !poll_fd.revents)
		return 0;
	return ktstr_fail(err, -EINTR, "interrupted before its VM could start");
}

static int lock_queue(const struct budget_spec *spec, struct queue *queue, struct ktstr_error *err)
{
	int rc;

	while ((rc = queue_lock(queue, err)) == -EAGAIN) {
		rc = pause_ms(spec, LOOK_LOCKED_MS, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* Take a place behind all others. */
static int enter(const struct budget_spec *spec, struct budget *budget, struct ktstr_error *err)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);

	budget->own = (struct queue_entry){
		.since_ns = now_ns,
		.seen_ns = now_ns,
		.memory_bytes = spec->need.memory_bytes,
		.threads = spec->need.threads,
		.pid = (int32_t)getpid(),
	};
	if (spec->jobs > 0 && spec->need.threads > spec->jobs)
		budget->own.threads = spec->jobs;
	return queue_enter(budget->queue, &budget->own, err);
}

static int fail_never(const struct budget_spec *spec, const struct budget_memory *memory,
		      struct ktstr_error *err)
{
	return ktstr_fail(err, -E2BIG,
			  "the VM may use %.1f GiB of memory, but this machine has only %.1f GiB: "
			  "lower vm.memory, or have KTSTR_JOBS=unlimited start it all the same",
			  (double)spec->need.memory_bytes / GIB, (double)memory->total / GIB);
}

/* It is alone, and may start; but who knows. */
static void warn_of_memory(const struct budget_spec *spec, const struct view *view)
{
	if (spec->jobs > 0 && view->memory.total > 0 &&
	    spec->need.memory_bytes > view->memory.available)
		log_warning("the VM may use %.1f GiB of memory, and %.1f GiB are available",
			    (double)spec->need.memory_bytes / GIB,
			    (double)view->memory.available / GIB);
}

/* Take a place with the first look. */
static int look_locked(const struct budget_spec *spec, struct budget *budget, struct view *ret,
		       struct ktstr_error *err)
{
	int rc = lock_queue(spec, budget->queue, err);

	if (rc < 0)
		return rc;
	if (budget->own.ticket == 0)
		rc = enter(spec, budget, err);
	if (rc == 0)
		rc = look(spec, budget, ret, err);
	queue_unlock(budget->queue);
	return rc;
}

static int wait_for_turn(const struct budget_spec *spec, struct budget *budget,
			 bool *ret_has_waited, struct ktstr_error *err)
{
	struct telling telling = { 0 };
	struct view view = { 0 };

	for (;;) {
		int rc = look_locked(spec, budget, &view, err);

		if (rc == 0 && view.answer == BUDGET_NEVER)
			rc = fail_never(spec, &view.memory, err);
		if (rc == 0 && view.answer == BUDGET_WAIT) {
			*ret_has_waited = true;
			tell(spec, &view.wait, &telling);
			rc = pause_ms(spec, view.wait.before > 0 ? LOOK_MS : LOOK_NEXT_MS, err);
		}
		if (rc < 0)
			return rc;
		if (view.answer == BUDGET_GO) {
			warn_of_memory(spec, &view);
			return 0;
		}
	}
}

int budget_take(const struct budget_spec *spec, struct budget **ret, bool *ret_has_waited,
		struct ktstr_error *err)
{
	struct budget *budget = calloc(1, sizeof(*budget));
	bool has_waited = false;
	int rc;

	if (!budget)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = queue_open(spec->folder_fd, &budget->queue, err);
	if (rc == 0)
		rc = wait_for_turn(spec, budget, &has_waited, err);
	if (rc < 0) {
		budget_release(budget);
		return rc;
	}
	*ret = budget;
	*ret_has_waited = has_waited;
	return 0;
}

/* Where another one has the list for long, others go on with what they know. */
static void tell_others(struct budget *budget)
{
	struct ktstr_error ignored;

	for (int tries = 0; tries < 3; tries++) {
		if (queue_lock(budget->queue, &ignored) == 0) {
			(void)queue_update(budget->queue, &budget->own, &ignored);
			queue_unlock(budget->queue);
			return;
		}
		(void)poll(NULL, 0, LOOK_LOCKED_MS);
	}
}

bool budget_lower(struct budget *budget, uint64_t memory_bytes)
{
	if (!budget || budget->own.memory_bytes < memory_bytes)
		return false;
	if (budget->own.memory_bytes > memory_bytes) {
		budget->own.memory_bytes = memory_bytes;
		tell_others(budget);
	}
	return true;
}

void budget_set_vm(struct budget *budget, pid_t vm_pid)
{
	if (!budget)
		return;
	budget->own.vm_pid = (int32_t)vm_pid;
	/* Where that is not told, the VM is taken to use all that it may. */
	tell_others(budget);
}

void budget_release(struct budget *budget)
{
	if (!budget)
		return;
	queue_free(budget->queue);
	free(budget);
}
