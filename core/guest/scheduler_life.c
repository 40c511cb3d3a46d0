/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/scheduler_life.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "plugin/op.h"

/* How long the kernel may take to be rid of a scheduler that it throws out. */
#define SETTLE_NS (2 * NS_PER_S)
/* The same after its plugin said that it is dead and the kernel did not. */
#define FOLLOW_NS (500 * NS_PER_MS)

void life_init(struct life *life, const struct life_spec *spec)
{
	*life = (struct life){ .spec = *spec };
	if (!spec->timeout_ns)
		life->spec.timeout_ns = LIFE_TIMEOUT_NS;
	observer_open(&life->observer, spec->paths, &spec->link->sender);
}

void life_done(struct life *life)
{
	observer_done(&life->observer);
}

const struct scheduler *life_find(const struct life *life, const char *name)
{
	for (size_t i = 0; i < life->spec.count; i++)
		if (strcmp(life->spec.schedulers[i].name, name) == 0)
			return &life->spec.schedulers[i];
	return NULL;
}

bool life_is_watched(const struct life *life)
{
	return life->up && (!life->observer.is_blind || KTSTR_HAS(life->up->ops, alive));
}

int life_poll_fd(const struct life *life)
{
	return observer_poll_fd(&life->observer);
}

static void note_exit(struct life *life, uint32_t kind, const char *reason, size_t reason_length,
		      const char *message, size_t message_length)
{
	struct life_exit *known = &life->exit;

	known->is_known = true;
	known->kind = kind;
	(void)snprintf(known->reason, sizeof(known->reason), "%.*s", (int)reason_length, reason);
	(void)snprintf(known->message, sizeof(known->message), "%.*s", (int)message_length,
		       message);
}

void life_note_exit(struct life *life, const void *payload, uint32_t length)
{
	struct ktstr_scx_exit head;
	const char *texts = (const char *)payload + sizeof(head);
	uint64_t need;

	if (length < sizeof(head))
		return;
	memcpy(&head, payload, sizeof(head));
	need = sizeof(head) + (uint64_t)head.reason_length + head.message_length;
	if (head.size != sizeof(head) || need > length)
		return;
	note_exit(life, head.kind, texts, head.reason_length, texts + head.reason_length,
		  head.message_length);
}

/* What the kernel's log tells, where the plugin tells nothing. */
static void tell_exit(struct life *life)
{
	struct scx_log *log = &life->observer.log;
	const struct scx_exit_record *record = &log->record;

	scx_log_drain(log);
	if (!log->has_record || life->exit.is_known)
		return;
	observer_tell_exit(&life->observer, record);
	note_exit(life, record->kind, record->reason, strlen(record->reason), record->message,
		  strlen(record->message));
}

/* PID 1 sees to it that a plugin comes back; and whose fault it is, should it not. */

struct previous {
	uint32_t stage;
	char subject[sizeof(((struct session_status *)0)->subject)];
};

static void tell_init(struct life *life)
{
	const uint64_t one = 1;

	/* It waits for this, too: so it looks again. */
	(void)!write(life->spec.link->sender.channel->frames_fd, &one, sizeof(one));
}

static struct previous op_begin(struct life *life, uint32_t op, uint64_t limit_ns,
				const struct scheduler *scheduler)
{
	struct session_status *status = life->spec.link->status;
	struct previous previous = { .stage = status->stage };

	memcpy(previous.subject, status->subject, sizeof(previous.subject));
	(void)snprintf(status->subject, sizeof(status->subject), "scheduler '%s'",
		       scheduler->plugin);
	status->stage = KTSTR_STAGE_SCHEDULER;
	status->is_forced = 0;
	status->op_start_ns = clock_monotonic_ns();
	status->op_limit_ns = limit_ns;
	__atomic_store_n(&status->op, op, __ATOMIC_RELEASE);
	return previous;
}

static void op_end(struct life *life, const struct previous *previous)
{
	struct session_status *status = life->spec.link->status;

	__atomic_store_n(&status->op, SESSION_OP_NONE, __ATOMIC_RELEASE);
	status->stage = previous->stage;
	memcpy(status->subject, previous->subject, sizeof(status->subject));
}

/* start() or stop(): watched from its first moment, and its time is told. */
static struct previous turn_begin(struct life *life, uint32_t op, const struct scheduler *scheduler)
{
	uint64_t limit_ns = life->spec.timeout_ns;
	struct previous previous;

	/* There is a verdict already, and it waits for this. */
	if (life->death.code && limit_ns > LIFE_DEAD_NS)
		limit_ns = LIFE_DEAD_NS;
	previous = op_begin(life, op, limit_ns, scheduler);

	tell_init(life);
	return previous;
}

static void turn_end(struct life *life, const struct previous *previous, uint32_t phase)
{
	struct ktstr_sched_time time = {
		.size = sizeof(time),
		.phase = phase,
		.duration_ns = clock_monotonic_ns() - life->spec.link->status->op_start_ns,
	};

	op_end(life, previous);
	/* Cannot fail: it is small. */
	(void)channel_send(&life->spec.link->sender, KTSTR_MSG_SCHED_TIME, &time, sizeof(time));
}

/* Death. */

/* Was it this scheduler that brought sched_ext up? */
static void adopt(struct life *life)
{
	struct scx_glance now;

	scx_sysfs_glance(&life->observer.sysfs, &now);
	if (!scx_is_enabled(&now) ||
	    (scx_is_enabled(&life->before) && now.enable_seq == life->before.enable_seq))
		return;
	life->has_scx = true;
	life->scx = now;
}

static bool is_gone(const struct life *life)
{
	struct scx_glance now;

	if (!life->has_scx)
		return false;
	scx_sysfs_glance(&life->observer.sysfs, &now);
	return !scx_is_enabled(&now) || now.enable_seq != life->scx.enable_seq;
}

/* How far into it is for the report to say: two clocks would tell two times. */
static void describe_place(const struct life *life, char *text, size_t size)
{
	const struct life_place *place = &life->place;

	if (!place->step)
		(void)snprintf(text, size, "before the first step");
	else if (!place->is_open)
		(void)snprintf(text, size, "after step %u", place->step);
	else
		(void)snprintf(text, size, "in step %u", place->step);
}

/* "'x' was ejected at @place: REASON (KIND): 'MESSAGE'" */
static int ejected(const struct life *life, const struct scheduler *scheduler, const char *place,
		   struct ktstr_error *err)
{
	const struct life_exit *known = &life->exit;
	bool has_message = known->message[0] != '\0';

	return ktstr_fail(err, -ESRCH, "'%s' %s %s: %s (%u)%s%s%s", scheduler->plugin,
			  known->kind == KTSTR_SCX_EXIT_UNREG ? "let go" : "was ejected", place,
			  known->reason, known->kind, has_message ? ": '" : "", known->message,
			  has_message ? "'" : "");
}

/* The kernel's reason before the plugin's, but for what the plugin itself did. */
static void set_death(struct life *life, const char *place, const struct ktstr_error *said)
{
	const struct life_exit *known = &life->exit;
	struct scx_glance now;

	if (known->is_known && (known->kind != KTSTR_SCX_EXIT_UNREG || !said->text[0])) {
		(void)ejected(life, life->up, place, &life->death);
		return;
	}
	if (said->text[0]) {
		life->death = *said;
		life->death.code = -ESRCH;
		return;
	}
	scx_sysfs_glance(&life->observer.sysfs, &now);
	(void)ktstr_fail(&life->death, -ESRCH, "'%s' lost the CPUs %s: %s", life->up->plugin, place,
			 scx_is_enabled(&now) ? "another scheduler is in charge"
					      : "no scheduler of sched_ext is in charge");
}

static int ask_alive(struct life *life, struct ktstr_error *said)
{
	struct previous previous = op_begin(life, SESSION_OP_ALIVE, LIFE_ALIVE_NS, life->up);
	int rc = life->up->ops->alive(life->spec.guest, life->state, said);

	op_end(life, &previous);
	rc = plugin_op_result(rc, "alive", said);
	if (rc < 0 && !said->text[0])
		(void)ktstr_fail(said, -ESRCH, "%s", strerror(-rc));
	return rc;
}

/* @said: what the plugin says of it, if anything. */
static void die(struct life *life, bool is_ejected, struct ktstr_error *said)
{
	struct observer *observer = &life->observer;
	struct scx_reading before;
	char place[64];

	describe_place(life, place, sizeof(place));
	scx_sysfs_read(&observer->sysfs, KTSTR_SCX_DIED, &before);
	if (life->has_scx)
		(void)scx_wait_idle(&observer->sysfs, is_ejected ? SETTLE_NS : FOLLOW_NS);
	/* By now a plugin has its own record of it. */
	if (is_ejected && !said->text[0] && KTSTR_HAS(life->up->ops, alive))
		(void)ask_alive(life, said);
	tell_exit(life);
	observer_tell_died(observer, &before);
	observer_tell_dump(observer);
	set_death(life, place, said);
}

int life_check(struct life *life, struct ktstr_error *err)
{
	struct ktstr_error said = { 0 };
	int rc = 0;

	scx_log_drain(&life->observer.log); /* what is there wakes no more */
	if (!life->death.code && life->up) {
		bool is_ejected;

		if (!life->has_scx)
			adopt(life);
		is_ejected = is_gone(life);
		if (KTSTR_HAS(life->up->ops, alive))
			rc = ask_alive(life, &said);
		if (rc < 0 || is_ejected)
			die(life, is_ejected, &said);
	}
	if (life->death.code)
		*err = life->death;
	return life->death.code;
}

/* Start and stop. */

/* Did the kernel throw it out although, or because, its start() was at work? */
static bool was_ejected(const struct life *life)
{
	return life->exit.is_known && life->exit.kind >= KTSTR_SCX_EXIT_ERROR;
}

static void forget(struct life *life)
{
	life->up = NULL;
	life->state = NULL;
	life->has_scx = false;
}

/* start() has failed, or the kernel says that it has. */
static int start_failed(struct life *life, const struct scheduler *scheduler, int rc,
			struct ktstr_error *err)
{
	struct scx_reading nothing = { 0 };
	struct ktstr_error why = { 0 };

	tell_exit(life);
	if (rc == -ESRCH || was_ejected(life))
		observer_tell_died(&life->observer, &nothing);
	observer_tell_dump(&life->observer);
	forget(life);
	if (was_ejected(life)) {
		rc = ejected(life, scheduler, "while it started", &why);
		if (!life->exit.message[0] || !strstr(err->text, life->exit.message))
			*err = why; /* the kernel knows better */
	}
	if (!err->text[0])
		(void)ktstr_fail(err, rc, "scheduler '%s': %s", scheduler->plugin, strerror(-rc));
	err->code = rc;
	return rc;
}

int life_start(struct life *life, const struct scheduler *scheduler, struct ktstr_error *err)
{
	struct observer *observer = &life->observer;
	struct ktstr_error later = { 0 };
	struct previous previous;
	bool is_up;
	int rc;

	observer_begin(observer);
	life->exit = (struct life_exit){ 0 };
	scx_sysfs_glance(&observer->sysfs, &life->before);
	previous = turn_begin(life, SESSION_OP_START, scheduler);
	rc = scheduler->ops->start(life->spec.guest, scheduler->values, &life->state, err);
	rc = plugin_op_result(rc, "start", err);
	turn_end(life, &previous, KTSTR_SCHED_TIME_START);
	if (rc < 0)
		return start_failed(life, scheduler, rc, err);
	life->up = scheduler;
	adopt(life);
	scx_log_drain(&observer->log);
	is_up = life->has_scx || !observer->log.has_record;
	if (is_up) {
		observer_tell_state(observer, KTSTR_SCX_ATTACHED);
		observer_tell_programs(observer, KTSTR_SCX_ATTACHED);
		return 0;
	}
	/* The kernel may let the start of a scheduler succeed that it throws out in the same call.
	 */
	previous = turn_begin(life, SESSION_OP_STOP, scheduler);
	(void)scheduler->ops->stop(life->spec.guest, life->state, &later);
	turn_end(life, &previous, KTSTR_SCHED_TIME_STOP);
	return start_failed(life, scheduler, -ESRCH, err);
}

/* The plugin is done; is the kernel? PID 1 helps, and ends it all when that is no help. */
static int wait_released(struct life *life, struct ktstr_error *err)
{
	const struct scheduler *scheduler = life->up;
	uint64_t timeout_ns = life->spec.timeout_ns;

	if (!life->has_scx || scx_wait_idle(&life->observer.sysfs, timeout_ns))
		return 0;
	return ktstr_fail(err, -ETIMEDOUT, "scheduler '%s' is still in charge %g s after its stop",
			  scheduler->plugin, (double)timeout_ns / (double)NS_PER_S);
}

/* What a stop() that returned @rc comes to, once all is known of the end of @scheduler. */
static int judge_stop(struct life *life, const struct scheduler *scheduler, int rc, bool is_forced,
		      struct ktstr_error *err)
{
	if (life->death.code)
		return rc; /* of one that is dead already */
	/* It was thrown out because we wanted it to be. */
	if (is_forced && life->exit.is_known && life->exit.kind == KTSTR_SCX_EXIT_SYSRQ &&
	    (rc == -ESRCH || rc == 0))
		return 0;
	if (was_ejected(life))
		rc = ejected(life, scheduler, "before it was stopped", err);
	if (rc == -ESRCH)
		life->death = *err;
	return rc;
}

int life_stop(struct life *life, bool *ret_is_forced, struct ktstr_error *err)
{
	const struct scheduler *scheduler = life->up;
	struct observer *observer = &life->observer;
	struct ktstr_error later = { 0 };
	struct previous previous;
	bool has_died = false;
	int rc, wait_rc;

	if (!life->death.code)
		has_died = life_check(life, &later) < 0;
	if (!life->death.code) {
		observer_tell_state(observer, KTSTR_SCX_BEFORE_STOP);
		observer_tell_programs(observer, KTSTR_SCX_BEFORE_STOP);
	}
	previous = turn_begin(life, SESSION_OP_STOP, scheduler);
	rc = scheduler->ops->stop(life->spec.guest, life->state, err);
	rc = plugin_op_result(rc, "stop", err);
	wait_rc = wait_released(life, rc < 0 ? &later : err);
	turn_end(life, &previous, KTSTR_SCHED_TIME_STOP);
	*ret_is_forced = life->spec.link->status->is_forced != 0;
	forget(life);
	tell_exit(life);
	observer_tell_state(observer, KTSTR_SCX_STOPPED);
	observer_tell_dump(observer);
	if (has_died) {
		*err = life->death;
		return -ESRCH;
	}
	rc = judge_stop(life, scheduler, rc, *ret_is_forced, err);
	return rc < 0 ? rc : wait_rc;
}
