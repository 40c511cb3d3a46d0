/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "guest/crash.h"
#include "guest/privilege.h"
#include "guest/worker_set.h"

/* How long all workers of a spawn may take to get ready; then they are released as they are. */
#define READY_TIMEOUT_NS (1 * NS_PER_S)
/* The session outranks the workers: while some work already, it lets go of its CPU this long after
 * each fork, so that a big spawn is no gap of theirs. */
#define BREATH_NS (2 * NS_PER_MS)

int workers_new(const struct workers_spec *spec, struct workers **ret, struct ktstr_error *err)
{
	struct workers *workers = calloc(1, sizeof(*workers));

	if (!workers)
		return ktstr_fail(err, -ENOMEM, "no memory for the workers");
	workers->spec = *spec;
	workers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (workers->epoll_fd < 0) {
		int rc = ktstr_fail(err, -errno, "cannot watch workers: %s", strerror(errno));

		free(workers);
		return rc;
	}
	*ret = workers;
	return 0;
}

void workers_set_seed(struct workers *workers, uint64_t seed)
{
	workers->spec.seed = seed;
}

void workers_free(struct workers *workers)
{
	if (!workers)
		return;
	for (size_t i = 0; i < workers->spawn_count; i++) {
		spawn_kill(workers->spawns[i]);
		spawn_free(workers->spawns[i]);
	}
	free(workers->spawns);
	(void)close(workers->epoll_fd);
	free(workers);
}

uint32_t worker_group_size(const struct ktstr_workload_ops *ops, const struct ktstr_value *values)
{
	uint32_t size = KTSTR_HAS(ops, group) ? ops->group(values) : ops->group_size;

	return size ? size : 1;
}

static int check_spec(const struct workers *workers, const struct ktstr_workload_ops *ops,
		      const char *name, const struct ktstr_spawn_spec *spec,
		      struct ktstr_error *err)
{
	uint32_t group_size;

	if (spec->size < sizeof(*spec))
		return ktstr_fail(err, -EINVAL, "spawn spec without its size");
	if (spec->workers == 0 || spec->workers > WORKERS_MAX - workers_count(workers))
		return ktstr_fail(err, -EINVAL,
				  "cannot start %u workers: there must be at least 1, and no more "
				  "than %u at a time",
				  spec->workers, WORKERS_MAX);
	if (spec->nice < -20 || spec->nice > 19)
		return ktstr_fail(err, -EINVAL, "nice value %d is not in -20 to 19", spec->nice);
	group_size = worker_group_size(ops, spec->workload->items);
	if (spec->workers % group_size)
		return ktstr_fail(err, -EINVAL,
				  "workload '%s' works in groups of %u; %u workers do not fill "
				  "them",
				  name, group_size, spec->workers);
	if (spec->cgroup_id &&
	    (!workers->spec.cgroups || !cgroups_name(workers->spec.cgroups, spec->cgroup_id)))
		return ktstr_fail(err, -ENOENT, "there is no cgroup with the id %u",
				  spec->cgroup_id);
	return 0;
}

static void *map_shared(size_t length)
{
	void *memory =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void spawn_free(struct spawn *spawn)
{
	if (!spawn)
		return;
	for (uint32_t i = 0; i < spawn->count; i++)
		if (spawn->workers[i].pidfd >= 0)
			(void)close(spawn->workers[i].pidfd);
	if (spawn->slots)
		(void)munmap(spawn->slots, spawn->slots_length);
	if (spawn->shared)
		(void)munmap(spawn->shared, spawn->shared_length);
	free(spawn->workers);
	free(spawn->name);
	free(spawn);
}

static struct spawn *spawn_new(struct workers *workers, const struct ktstr_workload_ops *ops,
			       const char *name, const struct ktstr_spawn_spec *spec)
{
	struct spawn *spawn = calloc(1, sizeof(*spawn));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint32_t groups;

	if (!spawn)
		return NULL;
	spawn->number = workers->next_number + 1;
	spawn->cgroup_id = spec->cgroup_id;
	spawn->nice = spec->nice;
	spawn->ops = ops;
	spawn->group_size = worker_group_size(ops, spec->workload->items);
	groups = spec->workers / spawn->group_size;
	spawn->name = strdup(name);
	spawn->workers = calloc(spec->workers, sizeof(*spawn->workers));
	spawn->slots_length = spec->workers * sizeof(struct worker_slot);
	spawn->slots = map_shared(spawn->slots_length);
	/* Groups start on pages of their own, so that one's traffic is not another's. */
	if (ops->shared_bytes > SPAWN_SHARED_MAX / groups - page)
		goto fail;
	spawn->shared_stride = (ops->shared_bytes + page - 1) / page * page;
	spawn->shared_length = spawn->shared_stride * groups;
	if (spawn->shared_length)
		spawn->shared = map_shared(spawn->shared_length);
	if (!spawn->name || !spawn->workers || !spawn->slots ||
	    (spawn->shared_length && !spawn->shared))
		goto fail;
	return spawn;

fail:
	spawn_free(spawn);
	return NULL;
}

static void prepare_slot(struct workers *workers, struct spawn *spawn,
			 const struct ktstr_spawn_spec *spec, uint32_t index)
{
	struct worker_slot *slot = &spawn->slots[index];

	worker_slot_init(slot, workers->spec.seed, spawn->number, index);
	slot->worker.values = spec->workload->items;
	slot->worker.workers = spec->workers;
	slot->worker.group_size = spawn->group_size;
	if (spawn->shared)
		slot->worker.shared =
			(char *)spawn->shared + index / spawn->group_size * spawn->shared_stride;
	slot->report.cgroup_id = spawn->cgroup_id;
	(void)str_copy(slot->report.workload, sizeof(slot->report.workload), spawn->name);
}

/* Pipes between the session and the workers of one spawn while it starts. */
struct gate {
	int ready[2]; /* each worker writes one byte */
	int start[2]; /* closed to release them all */
	uint32_t ready_count;
};

static void gate_close(struct gate *gate)
{
	int *fds[] = { &gate->ready[0], &gate->ready[1], &gate->start[0], &gate->start[1] };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

static int gate_open(struct gate *gate, struct ktstr_error *err)
{
	*gate = (struct gate){ .ready = { -1, -1 }, .start = { -1, -1 } };
	if (pipe2(gate->ready, O_CLOEXEC) == 0 && pipe2(gate->start, O_CLOEXEC) == 0)
		return 0;
	(void)ktstr_fail(err, -errno, "cannot make a pipe for the workers: %s", strerror(errno));
	gate_close(gate);
	return err->code;
}

/* Keep nothing of the session's but the two ends given, which become fds 3 and 4. */
static void close_session_fds(int ready_fd, int start_fd)
{
	int ready = fcntl(ready_fd, F_DUPFD_CLOEXEC, 10),
	    start = fcntl(start_fd, F_DUPFD_CLOEXEC, 10);

	if (ready < 0 || start < 0 || dup2(ready, 3) < 0 || dup2(start, 4) < 0)
		_exit(1);
	(void)close_range(5, ~0U, 0); /* it exists since Linux 5.9 */
}

__attribute__((noreturn)) static void worker_main(struct worker_slot *slot,
						  const struct ktstr_workload_ops *ops,
						  const struct gate *gate, pid_t session)
{
	char byte = 0;
	int rc;

	(void)setpgid(0, 0); /* the session does the same: whoever comes first */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != session)
		_exit(1);
	crash_ignore();
	close_session_fds(gate->ready[1], gate->start[0]);
	if (privilege_drop() < 0)
		_exit(1);
	worker_loop_prepare(slot);
	(void)!write(3, &byte, 1); /* the session waits for it, but not for ever */
	(void)close(3);
	while (read(4, &byte, 1) < 0 && errno == EINTR)
		;
	(void)close(4);
	rc = worker_loop_run(slot, ops);
	(void)fflush(NULL);
	_exit(rc < 0 ? 1 : 0);
}

/* Where the worker runs: before its first instruction. */
static int place(struct workers *workers, const struct ktstr_spawn_spec *spec, const char *name,
		 uint32_t index, pid_t pid, struct ktstr_error *err)
{
	int rc;

	if (spec->cgroup_id) {
		rc = cgroups_place(workers->spec.cgroups, spec->cgroup_id, pid, err);
		if (rc < 0)
			return ktstr_prefix(err, "worker %u (%s)", index, name);
	}
	if (ktstr_cpuset_count(&spec->affinity) > 0 &&
	    sched_setaffinity(pid, sizeof(spec->affinity), (const cpu_set_t *)&spec->affinity) <
		    0) {
		_cleanup_free_ char *cpus = cpuset_format(&spec->affinity);

		return ktstr_fail(err, -errno, "worker %u (%s) cannot be bound to CPUs %s: %s",
				  index, name, cpus ? cpus : "", strerror(errno));
	}
	if (spec->nice && setpriority(PRIO_PROCESS, (id_t)pid, spec->nice) < 0)
		return ktstr_fail(err, -errno, "worker %u (%s) cannot get the nice value %d: %s",
				  index, name, spec->nice, strerror(errno));
	return 0;
}

static int start_worker(struct workers *workers, struct spawn *spawn,
			const struct ktstr_spawn_spec *spec, const struct gate *gate,
			struct ktstr_error *err)
{
	uint32_t index = spawn->count;
	struct worker *worker = &spawn->workers[index];
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t stop_signal, before;
	char name[16] = "";
	pid_t session = getpid();

	prepare_slot(workers, spawn, spec, index);
	worker->slot = &spawn->slots[index];
	worker->pidfd = -1;
	/* A stop signal must find its handler, however late the worker first runs. */
	(void)sigemptyset(&stop_signal);
	(void)sigaddset(&stop_signal, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &stop_signal, &before);
	/* A worker has its name from birth: a scheduler may not even let it begin, and then it is
	 * what the kernel calls it. */
	(void)prctl(PR_GET_NAME, name);
	(void)prctl(PR_SET_NAME, "worker");
	worker->pid = fork();
	if (worker->pid == 0)
		worker_main(worker->slot, spawn->ops, gate, session);
	(void)prctl(PR_SET_NAME, name);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (worker->pid < 0)
		return ktstr_fail(err, -errno, "cannot start worker %u (%s): %s", index,
				  spawn->name, strerror(errno));
	spawn->count++;
	(void)setpgid(worker->pid, worker->pid);
	worker->pidfd = pidfd_open(worker->pid, 0);
	if (worker->pidfd < 0 ||
	    epoll_ctl(workers->epoll_fd, EPOLL_CTL_ADD, worker->pidfd, &event) < 0)
		return ktstr_fail(err, -errno, "cannot watch worker %u (%s): %s", index,
				  spawn->name, strerror(errno));
	return place(workers, spec, spawn->name, index, worker->pid, err);
}

/* Until @count workers wait at the gate, or @timeout_ns. */
static void wait_ready(struct gate *gate, uint32_t count, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_monotonic_ns(), end_ns = now_ns + timeout_ns;
	struct pollfd poll_fd = { .fd = gate->ready[0], .events = POLLIN };
	char bytes[256];

	while (gate->ready_count < count && now_ns < end_ns) {
		struct timespec left = { .tv_sec = (time_t)((end_ns - now_ns) / NS_PER_S),
					 .tv_nsec = (long)((end_ns - now_ns) % NS_PER_S) };

		if (ppoll(&poll_fd, 1, &left, NULL) > 0) {
			ssize_t n = read(gate->ready[0], bytes, sizeof(bytes));

			if (n == 0)
				return; /* the rest died: workers_check() tells */
			if (n > 0)
				gate->ready_count += (uint32_t)n;
		}
		now_ns = clock_monotonic_ns();
	}
}

static void release(struct spawn *spawn, struct gate *gate)
{
	uint64_t now_ns;

	(void)close(gate->ready[1]);
	gate->ready[1] = -1;
	wait_ready(gate, spawn->count, READY_TIMEOUT_NS);
	now_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < spawn->count; i++)
		spawn->slots[i].start_ns = now_ns + spawn->slots[i].delay_ns;
	gate_close(gate);
}

/* A large spawn takes a while. */
static bool is_hurried(const struct workers *workers)
{
	return workers->spec.is_hurried && *workers->spec.is_hurried;
}

int workers_spawn(struct workers *workers, const struct ktstr_workload_ops *ops, const char *name,
		  const struct ktstr_spawn_spec *spec, uint32_t *ret_group, struct ktstr_error *err)
{
	struct spawn **spawns;
	struct spawn *spawn;
	struct gate gate;
	bool is_crowded = workers_count(workers) > 0;
	int rc = check_spec(workers, ops, name, spec, err);

	if (rc < 0)
		return rc;
	spawns = realloc(workers->spawns, (workers->spawn_count + 1) * sizeof(*spawns));
	if (spawns)
		workers->spawns = spawns;
	spawn = spawns ? spawn_new(workers, ops, name, spec) : NULL;
	if (!spawn)
		return ktstr_fail(err, -ENOMEM, "no memory for %u workers (%s)", spec->workers,
				  name);
	rc = gate_open(&gate, err);
	if (rc < 0)
		goto free_spawn;
	(void)fflush(NULL); /* or every worker prints it again */
	while (rc == 0 && spawn->count < spec->workers) {
		rc = is_hurried(workers) ? ktstr_fail(err, -ECANCELED, "the run is to end early")
					 : start_worker(workers, spawn, spec, &gate, err);
		if (rc == 0 && is_crowded)
			wait_ready(&gate, spawn->count, BREATH_NS);
	}
	if (rc < 0) {
		/* Before the gate opens, or they would run. */
		spawn_kill(spawn);
		gate_close(&gate);
		goto free_spawn;
	}
	release(spawn, &gate);
	workers->next_number++;
	workers->spawns[workers->spawn_count++] = spawn;
	*ret_group = spawn->number;
	return 0;

free_spawn:
	spawn_free(spawn);
	return rc;
}
