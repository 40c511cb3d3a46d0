/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/judge.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "judge/request.h"
#include "judge/result.h"
#include "judge/spawn.h"

/* The end of what a checker prints, for the reason of an ERROR. */
#define TAIL_MAX 4096
/* Bytes taken from one pipe before the others and the deadlines are served again. */
#define PIPE_PER_WAKE ((size_t)1024 * 1024)
#define PARALLEL_MAX 256

enum task_state {
	TASK_WAITING,
	TASK_RUNNING,
	TASK_DONE,
};

struct task {
	const struct judge_checker *checker;
	struct decision *decision; /* owned by the verdict */
	enum task_state state;
	struct spawned process;
	uint64_t started_ns;
	uint64_t progress_ns; /* when the result pipe had something last */
	struct str result;
	bool has_too_much;
	bool has_timed_out;
	bool is_stuck;
	char tail[TAIL_MAX];
	size_t tail_length;
};

struct judge {
	const struct judge_spec *spec;
	struct task *tasks;
	size_t count;
	size_t running;
	uint64_t time_limit_ns;
	uint64_t stall_limit_ns;
	uint64_t memory_limit_bytes;
	int interrupted_by; /* signal; 0: none */
};

static size_t parallel_limit(void)
{
	cpu_set_t set;
	size_t count;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	count = (size_t)CPU_COUNT(&set);
	return count < 1 ? 1 : count > PARALLEL_MAX ? PARALLEL_MAX : count;
}

/* The decision is ERROR, with this sentence behind the checker's name. */
__attribute__((format(printf, 2, 3))) static void set_error(struct task *task, const char *format,
							    ...)
{
	const char *kind = task->checker->kind == KTSTR_KIND_SCENARIO ? DECISION_BY_SCENARIO
								      : DECISION_BY_CHECKER;
	char text[KTSTR_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	task->decision->outcome = KTSTR_OUTCOME_ERROR;
	free(task->decision->reason);
	task->decision->reason = str_format(DECISION_BY "%s", kind, task->checker->name, text);
}

/* What it printed last, as part of one sentence. */
static void add_tail(struct task *task)
{
	char safe[TAIL_MAX + 1];
	char *reason;
	size_t length;

	str_copy_safe(safe, sizeof(safe), task->tail, task->tail_length);
	length = strlen(safe);
	while (length > 0 && safe[length - 1] == '\n')
		safe[--length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (safe[i] == '\n')
			safe[i] = '|';
	if (length == 0 || !task->decision->reason)
		return;
	reason = str_format("%s; it printed: %s", task->decision->reason, safe);
	if (!reason)
		return;
	free(task->decision->reason);
	task->decision->reason = reason;
}

static int start_process(const struct judge *judge, struct task *task, struct ktstr_error *err)
{
	_cleanup_close_ int request_fd = -1;
	struct str request = { 0 };
	int rc;

	rc = request_encode(judge->spec, task->checker, &request);
	if (rc < 0) {
		str_done(&request);
		return ktstr_fail(err, rc, "cannot be asked: %s", strerror(-rc));
	}
	request_fd = io_memfd("ktstr-judge-request", request.data, request.length, err);
	str_done(&request);
	if (request_fd < 0)
		return request_fd;
	return spawn_judge(judge->spec->program, judge->spec->runfile_fd, request_fd,
			   judge->memory_limit_bytes, &task->process, err);
}

static void start_task(struct judge *judge, struct task *task)
{
	struct ktstr_error err = { 0 };

	task->started_ns = task->progress_ns = clock_monotonic_ns();
	if (start_process(judge, task, &err) < 0) {
		task->state = TASK_DONE;
		set_error(task, "could not be run: %s", err.text);
		return;
	}
	task->state = TASK_RUNNING;
	judge->running++;
}

static void keep_tail(struct task *task, const char *bytes, size_t length)
{
	size_t over;

	if (length > TAIL_MAX) {
		bytes += length - TAIL_MAX;
		length = TAIL_MAX;
	}
	over = task->tail_length + length > TAIL_MAX ? task->tail_length + length - TAIL_MAX : 0;
	memmove(task->tail, task->tail + over, task->tail_length - over);
	task->tail_length -= over;
	memcpy(task->tail + task->tail_length, bytes, length);
	task->tail_length += length;
}

static void keep_result(struct task *task, const char *bytes, size_t length)
{
	task->progress_ns = clock_monotonic_ns();
	if (task->result.length + length > RESULT_BYTES_MAX ||
	    str_add_bytes(&task->result, bytes, length) < 0)
		task->has_too_much = true;
}

static void read_pipe(struct task *task, int *fd,
		      void (*keep)(struct task *task, const char *bytes, size_t length))
{
	char bytes[16 * 1024];

	for (size_t taken = 0; *fd >= 0 && taken < PIPE_PER_WAKE;) {
		ssize_t n = read(*fd, bytes, sizeof(bytes));

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			(void)close(*fd);
			*fd = -1;
			return;
		}
		keep(task, bytes, (size_t)n);
		taken += (size_t)n;
	}
}

static void read_pipes(struct task *task)
{
	read_pipe(task, &task->process.result_fd, keep_result);
	read_pipe(task, &task->process.output_fd, keep_tail);
}

static const char *signal_name(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "?";
}

static void describe_status(struct task *task, int status, bool has_decided)
{
	if (WIFSIGNALED(status))
		set_error(task, "was killed by SIG%s", signal_name(WTERMSIG(status)));
	else
		set_error(task, "exited with %d %s", WEXITSTATUS(status),
			  has_decided ? "after it had decided" : "before it decided");
}

/* A checker may not think better of the run than what it found. */
static bool compare_findings(struct task *task)
{
	const struct decision *decision = task->decision;

	for (size_t i = 0; i < decision->finding_count; i++) {
		uint32_t found = decision->findings[i].outcome;

		if (found != KTSTR_OUTCOME_SKIP && found > decision->outcome) {
			set_error(task, "decided %s, but found %s", outcome_name(decision->outcome),
				  outcome_name(found));
			return false;
		}
	}
	return true;
}

/* Where the outcome is not the checker's own, what it found good does not count. */
static void forget_good_findings(struct decision *decision)
{
	size_t kept = 0;

	for (size_t i = 0; i < decision->finding_count; i++) {
		if (decision->findings[i].outcome == KTSTR_OUTCOME_PASS)
			finding_done(&decision->findings[i]);
		else
			decision->findings[kept++] = decision->findings[i];
	}
	decision->finding_count = kept;
}

/* What a checker that decided ERROR says of it, in its error or in a finding. */
static void explain_error(struct task *task)
{
	struct decision *decision = task->decision;
	_cleanup_free_ char *said = decision->reason;
	const char *text = said;

	decision->reason = NULL;
	for (size_t i = 0; !text && i < decision->finding_count; i++)
		if (decision->findings[i].outcome == KTSTR_OUTCOME_ERROR)
			text = decision->findings[i].text;
	set_error(task, DECISION_CANNOT "%s", text ? text : "it did not say why");
}

/* Returns whether the outcome stays the one that the checker decided. */
static bool settle_decision(struct task *task)
{
	struct decision *decision = task->decision;

	if (decision->outcome == KTSTR_OUTCOME_ERROR) {
		explain_error(task);
		return true;
	}
	if (!compare_findings(task))
		return false;
	if (decision->outcome != KTSTR_OUTCOME_PASS || decision->wanted > 0)
		return true;
	decision->outcome = KTSTR_OUTCOME_UNDECIDED;
	free(decision->reason);
	decision->reason = strdup("saw none of the frames it needs");
	return false;
}

static void decide(const struct judge *judge, struct task *task, int status)
{
	bool has_decided =
		result_decode(task->result.data, task->result.length, task->decision) == 0;
	bool is_own = false;

	if (judge->interrupted_by)
		set_error(task, "was ended by SIG%s", signal_name(judge->interrupted_by));
	else if (task->is_stuck)
		set_error(task, "was stuck for %g s", (double)judge->stall_limit_ns / NS_PER_S);
	else if (task->has_timed_out)
		set_error(task, "did not finish within %g s",
			  (double)judge->time_limit_ns / NS_PER_S);
	else if (task->has_too_much)
		set_error(task, "wrote more than %zu MiB", RESULT_BYTES_MAX / 1024 / 1024);
	else if (status != 0)
		describe_status(task, status, has_decided);
	else if (has_decided)
		is_own = settle_decision(task);
	else if (!result_is_progress(task->result.data, task->result.length))
		set_error(task, "wrote bytes that are no decision");
	else
		set_error(task, "ended without a decision");
	if (!is_own)
		forget_good_findings(task->decision);
	if (task->decision->outcome == KTSTR_OUTCOME_ERROR)
		add_tail(task);
}

static size_t finding_size(const struct finding *finding)
{
	return sizeof(*finding) + strlen(finding->subject) + strlen(finding->metric) +
	       strlen(finding->unit) + (finding->text ? strlen(finding->text) : 0);
}

/* Cut the findings to this checker's share. What it found good goes before what it found bad. */
static void keep_share(const struct judge *judge, struct decision *decision)
{
	size_t count = JUDGE_FINDINGS_MAX / judge->count + 1;
	size_t bytes = JUDGE_FINDINGS_BYTES_MAX / judge->count;
	bool is_kept[RESULT_FINDINGS_MAX] = { false };
	size_t kept = 0;

	for (int is_good = 0; is_good < 2; is_good++) {
		for (size_t i = 0; i < decision->finding_count && count > 0; i++) {
			const struct finding *finding = &decision->findings[i];
			size_t size = finding_size(finding);

			if ((finding->outcome == KTSTR_OUTCOME_PASS) != is_good || size > bytes)
				continue;
			is_kept[i] = true;
			bytes -= size;
			count--;
		}
	}
	for (size_t i = 0; i < decision->finding_count; i++) {
		if (is_kept[i])
			decision->findings[kept++] = decision->findings[i];
		else
			finding_done(&decision->findings[i]);
	}
	decision->finding_count = kept;
}

static void end_task(struct judge *judge, struct task *task)
{
	int status = spawn_collect(&task->process);

	/* The pipes may be held open by what it left behind; what is in them is all there is. */
	read_pipes(task);
	if (task->process.result_fd >= 0)
		(void)close(task->process.result_fd);
	if (task->process.output_fd >= 0)
		(void)close(task->process.output_fd);
	task->decision->took_ns = clock_monotonic_ns() - task->started_ns;
	task->state = TASK_DONE;
	judge->running--;
	decide(judge, task, status);
	keep_share(judge, task->decision);
	str_done(&task->result);
}

/* When it is ended unless something comes of it. */
static uint64_t deadline_of(const struct judge *judge, const struct task *task)
{
	uint64_t total_ns = task->started_ns + judge->time_limit_ns;
	uint64_t stall_ns = task->progress_ns + judge->stall_limit_ns;

	return total_ns < stall_ns ? total_ns : stall_ns;
}

static int next_timeout_ms(const struct judge *judge, uint64_t now_ns)
{
	uint64_t soonest_ns = UINT64_MAX;

	for (size_t i = 0; i < judge->count; i++) {
		const struct task *task = &judge->tasks[i];

		if (task->state == TASK_RUNNING && deadline_of(judge, task) < soonest_ns)
			soonest_ns = deadline_of(judge, task);
	}
	if (soonest_ns <= now_ns)
		return 0;
	soonest_ns = (soonest_ns - now_ns) / NS_PER_MS + 1;
	return soonest_ns > 60000 ? 60000 : (int)soonest_ns;
}

/* What came of the task while the clock stood at @now_ns, and whether that was all. */
static void serve_task(struct judge *judge, struct task *task, bool has_ended, uint64_t now_ns)
{
	read_pipes(task);
	task->has_timed_out = !has_ended && now_ns - task->started_ns >= judge->time_limit_ns;
	/* The pipes were read after @now_ns was, so progress may be later. */
	task->is_stuck = !has_ended && !task->has_timed_out && now_ns > task->progress_ns &&
			 now_ns - task->progress_ns >= judge->stall_limit_ns;
	if (has_ended || task->has_timed_out || task->is_stuck || task->has_too_much)
		end_task(judge, task);
}

/* The user has had enough: whatever runs is ended, and nothing more is started. */
static void take_signal(struct judge *judge)
{
	struct signalfd_siginfo info;

	if (read(judge->spec->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	judge->interrupted_by = (int)info.ssi_signo;
	for (size_t i = 0; i < judge->count; i++) {
		struct task *task = &judge->tasks[i];

		if (task->state == TASK_RUNNING)
			end_task(judge, task);
		else if (task->state == TASK_WAITING)
			set_error(task, "was not run: SIG%s came before",
				  signal_name(judge->interrupted_by));
	}
}

static void watch(struct judge *judge, struct pollfd *fds)
{
	size_t count = 1, at = 1;
	uint64_t now_ns;

	fds[0] = (struct pollfd){ .fd = judge->spec->signal_fd, .events = POLLIN };

	for (size_t i = 0; i < judge->count; i++) {
		const struct task *task = &judge->tasks[i];

		if (task->state != TASK_RUNNING)
			continue;
		fds[count++] = (struct pollfd){ .fd = task->process.pid_fd, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = task->process.result_fd, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = task->process.output_fd, .events = POLLIN };
	}
	if (poll(fds, count, next_timeout_ms(judge, clock_monotonic_ns())) < 0)
		return; /* interrupted: look again */
	now_ns = clock_monotonic_ns();
	for (size_t i = 0; i < judge->count; i++) {
		struct task *task = &judge->tasks[i];

		if (task->state != TASK_RUNNING)
			continue;
		serve_task(judge, task, fds[at].revents != 0, now_ns);
		at += 3;
	}
	/* Last: what had ended before has decided. */
	if (fds[0].revents != 0)
		take_signal(judge);
}

static void run_tasks(struct judge *judge, struct pollfd *fds)
{
	size_t limit = parallel_limit();
	size_t next = 0;

	while (!judge->interrupted_by && (next < judge->count || judge->running > 0)) {
		while (next < judge->count && judge->running < limit)
			start_task(judge, &judge->tasks[next++]);
		if (judge->running > 0)
			watch(judge, fds);
	}
}

static int prepare(struct judge *judge, struct verdict *verdict, struct ktstr_error *err)
{
	const struct judge_spec *spec = judge->spec;

	verdict->decisions = calloc(spec->checker_count + 1, sizeof(struct decision));
	judge->tasks = calloc(spec->checker_count + 1, sizeof(struct task));
	if (!verdict->decisions || !judge->tasks)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < spec->checker_count; i++) {
		struct decision *decision = &verdict->decisions[verdict->decision_count++];

		decision->name = strdup(spec->checkers[i].name);
		decision->path = strdup(spec->checkers[i].path);
		if (!decision->name || !decision->path)
			return ktstr_fail(err, -ENOMEM, "out of memory");
		judge->tasks[judge->count++] = (struct task){
			.checker = &spec->checkers[i],
			.decision = decision,
		};
	}
	return 0;
}

int judge_run(const struct judge_spec *spec, struct verdict *ret, struct ktstr_error *err)
{
	_cleanup_free_ struct pollfd *fds = calloc(3 * PARALLEL_MAX + 1, sizeof(*fds));
	struct judge judge = {
		.spec = spec,
		.time_limit_ns =
			spec->time_limit_ns > 0 ? spec->time_limit_ns : JUDGE_TIME_LIMIT_NS,
		.stall_limit_ns =
			spec->stall_limit_ns > 0 ? spec->stall_limit_ns : JUDGE_STALL_LIMIT_NS,
		.memory_limit_bytes = spec->memory_limit_bytes > 0 ? spec->memory_limit_bytes
								   : JUDGE_MEMORY_LIMIT_BYTES,
	};
	struct verdict verdict = { 0 };
	int rc;

	if (!fds)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = evidence_read(spec->runfile_fd, spec->runfile, &verdict.evidence, err);
	if (rc == 0)
		rc = prepare(&judge, &verdict, err);
	if (rc == 0) {
		run_tasks(&judge, fds);
		verdict.interrupted_by = judge.interrupted_by;
		verdict.expect = spec->expect;
		verdict_fold(&verdict);
		verdict.expect = NULL;
		*ret = verdict;
	} else {
		verdict_done(&verdict);
	}
	free(judge.tasks);
	return rc;
}
