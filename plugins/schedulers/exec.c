/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any program that brings a sched_ext scheduler with it: the kernel's examples, those of the scx
 * project, or one's own.
 *
 * It is the scheduler's own fault (-ESRCH) when the program ends or the kernel throws its scheduler
 * out; a program that is merely not ready in time may be a slow machine's.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "child.h"
#include "exec_command.h"
#include "ktstr/scheduler.h"
#include "sched_ext_watch.h"

#define NS_PER_MS UINT64_C(1000000)
/* The kernel announces a scheduler, but not on every kernel, and not its failure. */
#define LOOK_MS 50
/* From the announcement to the count. */
#define COUNT_MS 2
/* How long a program may take to be gone whose scheduler is. */
#define ENDING_MS 200
/* How long the kernel may take to let go of a scheduler whose program has ended. */
#define FALLBACK_MS 3000
/* A killed program that is not gone by then is kept from running by its own scheduler. */
#define KILL_MS 500

/* What start() made and the later ops work with. */
struct scheduler {
	struct child child;
	int news_fd;
	const char *name;	     /* of the program, for messages; borrowed from the values */
	struct sched_ext_view first; /* before it came, then when it was in charge */
	bool is_announced;	     /* it was seen in charge, though not counted yet */
	uint64_t start_ns;
	uint32_t stop_ms;
	int stop_signal;
};

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	int code = ktstr_need_kernel_config(needs, "CONFIG_SCHED_CLASS_EXT", err);

	if (code == 0)
		code = exec_command_needs(values, needs, err);
	/* What the program and its maps take, beyond its files. */
	needs->memory_bytes += EXEC_MEMORY;
	return code;
}

static uint64_t age_ms(struct ktstr_guest *g, const struct scheduler *s)
{
	return (ktstr_now_ns(g) - s->start_ns) / NS_PER_MS;
}

static int fail_ended(struct ktstr_guest *g, const struct scheduler *s, const char *when,
		      struct ktstr_error *err)
{
	uint64_t ms = age_ms(g, s);
	char text[64];

	return ktstr_fail(err, -ESRCH,
			  "the scheduler '%s' %s %" PRIu64 ".%02" PRIu64 " s after its start, %s",
			  s->name, child_end_text(&s->child, text, sizeof(text)), ms / 1000,
			  ms % 1000 / 10, when);
}

/* 1 once it is in charge, 0 when it is not yet, -ESRCH when it was and is no longer. */
static int look(struct scheduler *s, struct ktstr_error *err)
{
	struct sched_ext_view view;
	int code = sched_ext_view_read(SCHED_EXT_FOLDER, &view, err);

	if (code < 0)
		return code;
	if (sched_ext_view_is_enabled(&view)) {
		/* It is announced a moment before it is counted. */
		s->is_announced = true;
		if (view.has_enable_seq && view.enable_seq == s->first.enable_seq)
			return 0;
		s->first = view;
		return 1;
	}
	if (view.enable_seq > s->first.enable_seq && strcmp(view.state, "disabled") == 0)
		return ktstr_fail(err, -ESRCH,
				  "the kernel threw the scheduler '%s' out as soon as it was in "
				  "charge",
				  s->name);
	return 0;
}

static int wait_in_charge(struct ktstr_guest *g, struct scheduler *s, uint64_t timeout_ns,
			  struct ktstr_error *err)
{
	for (;;) {
		int code = look(s, err);

		if (code != 0)
			return code < 0 ? code : 0;
		if (ktstr_now_ns(g) - s->start_ns >= timeout_ns)
			break;
		if (ktstr_stopping(g))
			return ktstr_fail(err, -ECANCELED, "the run is to end early");
		if (child_wait(&s->child, s->news_fd, s->is_announced ? COUNT_MS : LOOK_MS))
			return fail_ended(g, s, "before it was in charge", err);
		sched_ext_news_drain(s->news_fd);
	}
	return ktstr_fail(err, -ETIMEDOUT,
			  "the scheduler '%s' runs but is not in charge %" PRIu64
			  " ms after its start; see its output, or raise 'attach_timeout'",
			  s->name, age_ms(g, s));
}

/* Wait until the kernel's own class schedules, at most @timeout_ms. */
static bool wait_fallback(struct ktstr_guest *g, const struct scheduler *s, uint32_t timeout_ms)
{
	uint64_t end_ns = ktstr_now_ns(g) + timeout_ms * NS_PER_MS;
	const struct child nobody = { .pidfd = -1 };

	for (;;) {
		struct sched_ext_view view;
		struct ktstr_error ignored; /* tried again until the end */

		if (sched_ext_view_read(SCHED_EXT_FOLDER, &view, &ignored) == 0 &&
		    strcmp(view.state, "disabled") == 0)
			return true;
		if (ktstr_now_ns(g) >= end_ns)
			return false;
		(void)child_wait(&nobody, s->news_fd, LOOK_MS);
		sched_ext_news_drain(s->news_fd);
	}
}

/* The kernel throws out whatever schedules, also when nothing else gets to run. */
static void throw_out(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "S", 1); /* what came of it is seen in the state */
	(void)close(fd);
}

/* End the program. True when it had to be killed. */
static bool end_program(struct scheduler *s)
{
	bool has_ended = child_wait(&s->child, -1, 0);
	bool is_killed = false;

	if (!has_ended) {
		child_signal(&s->child, s->stop_signal);
		has_ended = child_wait(&s->child, -1, (int)s->stop_ms);
	}
	if (!has_ended) {
		is_killed = true;
		child_signal(&s->child, SIGKILL);
		has_ended = child_wait(&s->child, -1, KILL_MS);
	}
	if (!has_ended)
		throw_out();
	child_done(&s->child);
	return is_killed;
}

/* Take it down and free it. */
static int take_down(struct ktstr_guest *g, struct scheduler *s, struct ktstr_error *err)
{
	bool is_killed = end_program(s);
	int code = 0;

	if (!wait_fallback(g, s, FALLBACK_MS)) {
		throw_out();
		code = ktstr_fail(err, -EBUSY,
				  "a sched_ext scheduler is still in charge %d ms after '%s' ended",
				  FALLBACK_MS, s->name);
		(void)wait_fallback(g, s, FALLBACK_MS); /* the best that can be done */
	} else if (is_killed) {
		code = ktstr_fail(err, -ETIMEDOUT,
				  "the scheduler '%s' ignored SIG%s for %" PRIu32
				  " ms and was killed",
				  s->name, sigabbrev_np(s->stop_signal), s->stop_ms);
	}
	if (s->news_fd >= 0)
		(void)close(s->news_fd); /* it was only read */
	free(s);
	return code;
}

/* Nobody else may be in charge, or it would be taken for this one. */
static int check_free(struct scheduler *s, struct ktstr_error *err)
{
	int code;

	if (access(SCHED_EXT_FOLDER, F_OK) < 0)
		return ktstr_fail(err, -ENOTSUP, "the kernel has no sched_ext: no '%s'",
				  SCHED_EXT_FOLDER);
	code = sched_ext_view_read(SCHED_EXT_FOLDER, &s->first, err);
	if (code < 0)
		return code;
	if (strcmp(s->first.state, "disabled") != 0)
		return ktstr_fail(err, -EBUSY, "a sched_ext scheduler is in charge already: '%s'",
				  s->first.ops);
	return 0;
}

static int run_program(struct ktstr_guest *g, const struct ktstr_value *values, struct scheduler *s,
		       struct ktstr_error *err)
{
	struct exec_command command;
	int code = exec_command_make(values, &command, err);

	if (code < 0)
		return code;
	/* Without the service the output goes where the agent's own goes. */
	code = child_start(&s->child, command.argv, command.envp, ktstr_scheduler_log(g), err);
	exec_command_done(&command);
	return code;
}

static int start(struct ktstr_guest *g, const struct ktstr_value *values, void **ret_state,
		 struct ktstr_error *err)
{
	struct scheduler *s = calloc(1, sizeof(*s));
	struct ktstr_error later;
	int code;

	if (!s)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	*s = (struct scheduler){
		.child = { .pidfd = -1 },
		.name = exec_command_name(values),
		.start_ns = ktstr_now_ns(g),
		.stop_ms = (uint32_t)((uint64_t)values[EXEC_STOP_TIMEOUT].i / NS_PER_MS),
		.stop_signal = exec_command_signal(values),
	};
	code = check_free(s, err);
	/* Before the program runs, so that no news are missed. */
	s->news_fd = code == 0 ? sched_ext_news_open() : -1;
	if (code == 0)
		code = run_program(g, values, s, err);
	if (code < 0) {
		if (s->news_fd >= 0)
			(void)close(s->news_fd); /* it was only read */
		free(s);
		return code;
	}
	code = wait_in_charge(g, s, (uint64_t)values[EXEC_ATTACH_TIMEOUT].i, err);
	if (code < 0) {
		(void)take_down(g, s, &later); /* the first failure is the one to tell */
		return code;
	}
	ktstr_log(g, KTSTR_LOG_INFO, "'%s' of '%s' schedules", s->first.ops, s->name);
	*ret_state = s;
	return 0;
}

static int alive(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	const struct scheduler *s = state;
	struct sched_ext_view view;
	int code = sched_ext_view_read(SCHED_EXT_FOLDER, &view, err);

	if (code < 0)
		return code;
	if (child_wait(&s->child, -1, 0))
		return fail_ended(g, s, "during the run", err);
	if (strcmp(view.state, "disabled") == 0) {
		/* The kernel lets go of it a moment before the program has ended. */
		if (child_wait(&s->child, -1, ENDING_MS))
			return fail_ended(g, s, "during the run", err);
		return ktstr_fail(err, -ESRCH,
				  "the scheduler '%s' is no longer in charge: the kernel threw it "
				  "out, or it let go",
				  s->name);
	}
	if (view.ops[0] && strcmp(view.ops, s->first.ops) != 0)
		return ktstr_fail(err, -ESRCH, "'%s' is in charge and not '%s' of '%s'", view.ops,
				  s->first.ops, s->name);
	return 0;
}

static int stop(struct ktstr_guest *g, void *state, struct ktstr_error *err)
{
	return take_down(g, state, err);
}

static const struct ktstr_scheduler_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.start = start,
	.alive = alive,
	.stop = stop,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCHEDULER, .name = "exec", .version = "1.0",
		    .summary = "any program that brings a sched_ext scheduler",
		    .params = exec_params, .scheduler = &ops, .license = "GPL-2.0-only");
