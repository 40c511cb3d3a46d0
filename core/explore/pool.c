/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "run/single.h"

/* What the child says of its run, in memory that both have. Its plugins may write there too. */
struct shared {
	volatile bool is_done;
	struct pool_result result;
};

struct slot {
	pid_t pid; /* 0: free */
	int pid_fd;
	int messages_fd;
	uint64_t tag;
	bool is_stopped;
	struct shared *shared;
};

struct pool {
	uint32_t jobs;
	struct shared *shared;
	struct slot *slots;
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot run several at once: out of memory");
}

int pool_new(uint32_t jobs, struct pool **ret, struct ktstr_error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	assert(jobs > 0 && jobs <= POOL_JOBS_MAX);
	if (!pool)
		return no_memory(err);
	pool->jobs = jobs;
	pool->slots = calloc(jobs, sizeof(*pool->slots));
	pool->shared = mmap(NULL, jobs * sizeof(*pool->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pool->shared == MAP_FAILED)
		pool->shared = NULL;
	if (!pool->slots || !pool->shared) {
		pool_free(pool);
		return no_memory(err);
	}
	for (uint32_t i = 0; i < jobs; i++)
		pool->slots[i] = (struct slot){ .pid_fd = -1,
						.messages_fd = -1,
						.shared = &pool->shared[i] };
	*ret = pool;
	return 0;
}

size_t pool_count(const struct pool *pool)
{
	size_t count = 0;

	for (uint32_t i = 0; i < pool->jobs; i++)
		count += pool->slots[i].pid > 0;
	return count;
}

bool pool_is_full(const struct pool *pool)
{
	return pool_count(pool) == pool->jobs;
}

/* Run it, in the child. */
static void run_here(const char *scenario, const struct run_options *options, struct shared *shared)
{
	struct pool_result *result = &shared->result;
	struct single single;
	const char *error;

	single_run(scenario, options, &single);
	result->is_interrupted = single.is_interrupted;
	result->has_verdict = single.has_verdict;
	result->exit_code = single.exit_code;
	result->took_ns = single.took_ns;
	error = single.has_verdict ? single.verdict.reason : single.err.text;
	if (single.has_verdict)
		signature_of_verdict(&single.verdict, &result->signature);
	else
		signature_of_error(error, &result->signature);
	if (result->signature.outcome == KTSTR_OUTCOME_ERROR)
		str_copy_line(result->error, sizeof(result->error), error, strlen(error));
	single_done(&single);
	shared->is_done = true;
}

/* The child: nothing of the parent's but its memory, and no longer there than the parent. */
static void become_run(const struct slot *slot, pid_t parent, const char *scenario,
		       const struct run_options *options)
{
	struct run_options own = *options;
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null_fd < 0)
		_exit(127);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(slot->messages_fd, STDOUT_FILENO) < 0 ||
	    dup2(slot->messages_fd, STDERR_FILENO) < 0)
		_exit(127);
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	log_set(NULL, NULL, LOG_LEVEL_WARNING);
	own.is_quiet = true;
	own.is_verbose = own.is_terminal = own.has_colour = false;
	run_here(scenario, &own, slot->shared);
	_exit(0);
}

static void close_slot(struct slot *slot)
{
	if (slot->pid_fd >= 0)
		(void)close(slot->pid_fd);
	if (slot->messages_fd >= 0)
		(void)close(slot->messages_fd); /* in memory only */
	slot->pid = 0;
	slot->pid_fd = slot->messages_fd = -1;
}

static struct slot *free_slot(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->jobs; i++)
		if (pool->slots[i].pid == 0)
			return &pool->slots[i];
	return NULL;
}

int pool_start(struct pool *pool, uint64_t tag, const char *scenario,
	       const struct run_options *options, struct ktstr_error *err)
{
	struct slot *slot = free_slot(pool);
	pid_t parent = getpid();
	int rc;

	assert(slot);
	*slot->shared = (struct shared){ .is_done = false };
	slot->tag = tag;
	slot->is_stopped = false;
	slot->messages_fd = io_memfd("messages", "", 0, err);
	if (slot->messages_fd < 0)
		return slot->messages_fd;
	(void)fflush(NULL); /* the child must not write it again */
	slot->pid = fork();
	if (slot->pid == 0)
		become_run(slot, parent, scenario, options);
	if (slot->pid > 0)
		slot->pid_fd = pidfd_open(slot->pid, 0);
	if (slot->pid > 0 && slot->pid_fd >= 0)
		return 0;
	rc = -errno;
	if (slot->pid > 0) {
		(void)kill(slot->pid, SIGKILL);
		(void)waitpid(slot->pid, NULL, 0);
	}
	slot->pid = 0;
	close_slot(slot);
	return ktstr_fail(err, rc, "cannot start a process for a run: %s", strerror(-rc));
}

/* Texts in memory that others may have written to end somewhere. */
static void end_texts(struct pool_result *result)
{
	result->signature.text[SIGNATURE_TEXT_MAX] = '\0';
	result->error[SIGNATURE_TEXT_MAX] = '\0';
	if (result->signature.outcome > KTSTR_OUTCOME_ERROR ||
	    result->signature.outcome == KTSTR_OUTCOME_NONE)
		result->signature.outcome = KTSTR_OUTCOME_ERROR;
}

static void read_messages(const struct slot *slot, struct pool_result *ret)
{
	char text[POOL_MESSAGES_MAX];
	ssize_t length = pread(slot->messages_fd, text, sizeof(text) - 1, 0);

	str_copy_safe(ret->messages, sizeof(ret->messages), text, length > 0 ? (size_t)length : 0);
}

/* A process that ended before its run did. */
static void set_crash(struct pool_result *result, int status)
{
	char text[SIGNATURE_TEXT_MAX];

	if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "the process of the run was ended by SIG%s",
			       sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status))
							      : "?");
	else
		(void)snprintf(text, sizeof(text), "the process of the run exited with %d",
			       WEXITSTATUS(status));
	signature_of_error(text, &result->signature);
	str_copy(result->error, sizeof(result->error), text);
	result->exit_code = EXIT_ERROR;
}

static void collect(struct slot *slot, struct pool_result *ret)
{
	int status = 0;

	while (waitpid(slot->pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret = slot->shared->result;
	if (slot->shared->is_done && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		end_texts(ret);
	else
		set_crash(ret, status);
	ret->tag = slot->tag;
	ret->is_interrupted |= slot->is_stopped;
	read_messages(slot, ret);
	close_slot(slot);
}

int pool_wait(struct pool *pool, int signal_fd, int timeout_ms, struct pool_result *ret)
{
	struct pollfd fds[POOL_JOBS_MAX + 1];
	nfds_t count = 1;

	fds[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	for (uint32_t i = 0; i < pool->jobs; i++)
		if (pool->slots[i].pid > 0)
			fds[count++] =
				(struct pollfd){ .fd = pool->slots[i].pid_fd, .events = POLLIN };
	if (count == 1 || poll(fds, count, timeout_ms) <= 0)
		return 0;
	if (fds[0].revents)
		return -EINTR;
	for (uint32_t i = 0, at = 1; i < pool->jobs; i++) {
		if (pool->slots[i].pid > 0 && fds[at++].revents) {
			collect(&pool->slots[i], ret);
			return 1;
		}
	}
	return 0;
}

static void stop(struct slot *slot)
{
	if (slot->pid > 0 && !slot->is_stopped)
		(void)pidfd_send_signal(slot->pid_fd, SIGTERM, NULL, 0); /* gone is fine too */
	slot->is_stopped = true;
}

void pool_stop(struct pool *pool, uint64_t tag)
{
	for (uint32_t i = 0; i < pool->jobs; i++)
		if (pool->slots[i].pid > 0 && pool->slots[i].tag == tag)
			stop(&pool->slots[i]);
}

void pool_stop_all(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->jobs; i++)
		if (pool->slots[i].pid > 0)
			stop(&pool->slots[i]);
}

void pool_free(struct pool *pool)
{
	struct pool_result ignored;

	if (!pool)
		return;
	for (uint32_t i = 0; pool->slots && i < pool->jobs; i++) {
		if (pool->slots[i].pid <= 0)
			continue;
		(void)kill(pool->slots[i].pid, SIGKILL);
		collect(&pool->slots[i], &ignored);
	}
	if (pool->shared)
		(void)munmap(pool->shared, pool->jobs * sizeof(*pool->shared));
	free(pool->slots);
	free(pool);
}
