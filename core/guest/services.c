/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/services.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guest/services_kernel.h"
#include "guest/services_scheduler.h"
#include "wire/types.h"

/* How often a hold asks the scheduler whether it lives. */
#define ALIVE_INTERVAL_NS (100 * NS_PER_MS)
/* After the kernel has said something: how long it is not listened to. */
#define KERNEL_REST_NS (10 * NS_PER_MS)

static struct services *services_of(struct ktstr_guest *g)
{
	return (struct services *)g;
}

void services_note_op(struct services *services, uint32_t op)
{
	services->op_kinds |= 1u << op;
	if (services->op_count < UINT16_MAX)
		services->op_count++;
}

static int send_failed(int rc, const char *what, struct ktstr_error *err)
{
	if (rc == 0)
		return 0;
	return ktstr_fail(err, rc, "cannot send %s: larger than %u bytes", what,
			  KTSTR_FRAME_PAYLOAD_MAX);
}

static uint64_t guest_now_ns(struct ktstr_guest *g)
{
	(void)g;
	return clock_monotonic_ns();
}

static uint64_t guest_random(struct ktstr_guest *g)
{
	return random_next(&services_of(g)->random);
}

static void guest_log(struct ktstr_guest *g, uint32_t level, const char *text)
{
	static const char *const names[] = { "error", "warning", "note", "debug" };
	char line[1100];
	int length = snprintf(line, sizeof(line), "%s: %s\n",
			      names[level < ARRAY_SIZE(names) ? level : KTSTR_LOG_DEBUG], text);

	if (length >= (int)sizeof(line))
		length = (int)sizeof(line) - 1;
	/* A log line that cannot be sent has nobody to tell. */
	(void)channel_send(&services_of(g)->link->sender, KTSTR_MSG_STDERR, line, (uint32_t)length);
}

/* Frames that say how the run itself goes: the agent's alone. */
static const uint32_t agents_own[] = {
	KTSTR_MSG_SCENARIO_START, KTSTR_MSG_SCENARIO_PAUSE, KTSTR_MSG_SCENARIO_RESUME,
	KTSTR_MSG_SCENARIO_END,	  KTSTR_MSG_TEST_RESULT,    KTSTR_MSG_EXIT,
	KTSTR_MSG_LIFECYCLE,	  KTSTR_MSG_HELLO,	    KTSTR_MSG_END,
	KTSTR_MSG_SCHED_EXIT,	  KTSTR_MSG_SCHED_SWAP,	    KTSTR_MSG_SCHED_PROGS,
	KTSTR_MSG_SCX_STATE,	  KTSTR_MSG_SCX_DUMP,
};

static int guest_emit(struct ktstr_guest *g, uint32_t msg_type, const void *payload,
		      uint32_t length, struct ktstr_error *err)
{
	const struct wire_type *type = wire_type_find(msg_type);
	char tag[5];

	if (!type || type->is_internal || type->direction != WIRE_TO_HOST) {
		wire_tag_text(msg_type, tag);
		return ktstr_fail(err, -EINVAL, "'%s' is no type of frame that a plugin can send",
				  tag);
	}
	for (size_t i = 0; i < ARRAY_SIZE(agents_own); i++)
		if (msg_type == agents_own[i])
			return ktstr_fail(err, -EINVAL, "only the agent sends %s frames",
					  type->name);
	if (msg_type == KTSTR_MSG_SCX_EXIT)
		life_note_exit(&services_of(g)->life, payload, length);
	return send_failed(channel_send(&services_of(g)->link->sender, msg_type, payload, length),
			   type->name, err);
}

static int guest_stopping(struct ktstr_guest *g)
{
	return services_of(g)->link->status->is_stopping != 0;
}

uint64_t services_elapsed_ms(const struct services *services)
{
	if (!services->start_ns)
		return 0;
	return (clock_monotonic_ns() - services->start_ns) / NS_PER_MS;
}

static int send_stimulus(struct services *services, uint32_t msg_type, struct ktstr_error *err)
{
	uint32_t workers = workers_count(services->workers);
	uint32_t cgroups = cgroups_count(services->cgroups);
	struct ktstr_stimulus stimulus = {
		.elapsed_ms = (uint32_t)services_elapsed_ms(services),
		.step_index = services->life.place.step,
		.op_count = services->op_count,
		.op_kinds = services->op_kinds,
		.cgroup_count = (uint16_t)(cgroups < UINT16_MAX ? cgroups : UINT16_MAX),
		.worker_count = (uint16_t)(workers < UINT16_MAX ? workers : UINT16_MAX),
		.total_iterations = workers_iterations(services->workers),
	};

	services->op_count = 0;
	services->op_kinds = 0;
	return send_failed(
		channel_send(&services->link->sender, msg_type, &stimulus, sizeof(stimulus)),
		"a step", err);
}

static int guest_step_end(struct ktstr_guest *g, struct ktstr_error *err)
{
	struct services *services = services_of(g);

	if (!services->life.place.is_open)
		return ktstr_fail(err, -EINVAL, "no step is open");
	services->life.place.is_open = false;
	return send_stimulus(services, KTSTR_MSG_STEP_END, err);
}

static int guest_step(struct ktstr_guest *g, const char *name, uint32_t index, uint32_t count,
		      uint64_t hold_ns, struct ktstr_error *err)
{
	struct services *services = services_of(g);
	struct ktstr_step_info info = {
		.size = sizeof(info),
		.index = (uint16_t)index,
		.count = (uint16_t)count,
		.hold_ns = hold_ns,
		.name_length = (uint32_t)strnlen(name, 255),
	};
	int rc = 0;

	if (index == 0 || index > UINT16_MAX || count > UINT16_MAX)
		return ktstr_fail(err, -EINVAL, "step '%s': number %u of %u is not in 1 to %u",
				  name, index, count, UINT16_MAX);
	if (services->life.place.is_open)
		rc = guest_step_end(g, err);
	if (rc == 0)
		rc = life_check(&services->life, err);
	if (rc < 0)
		return rc;
	services->life.place = (struct life_place){ .step = info.index, .is_open = true };
	rc = send_failed(channel_send_pair(&services->link->sender, KTSTR_MSG_STEP, &info,
					   sizeof(info), name, info.name_length),
			 "a step", err);
	return rc < 0 ? rc : send_stimulus(services, KTSTR_MSG_STIMULUS, err);
}

/* The scenario may think nothing of it, but its workers are what it is judged by. */
static int note_worker_death(struct services *services, int rc, const struct ktstr_error *err)
{
	if (rc == -ECHILD && !services->worker_death.code)
		services->worker_death = *err;
	return rc;
}

/* Wait until something happens, or @until_ns. */
static void hold_wait(struct services *services, uint64_t now_ns, uint64_t until_ns)
{
	/* A kernel that talks all the time must not keep us from all else. */
	bool is_deaf = now_ns < services->kernel_rest_ns;
	struct pollfd poll_fds[] = {
		{ .fd = services->link->stop_fd, .events = POLLIN },
		{ .fd = workers_watch_fd(services->workers), .events = POLLIN },
		{ .fd = is_deaf ? -1 : life_poll_fd(&services->life), .events = POLLIN },
	};
	struct timespec left;

	if (until_ns - now_ns > ALIVE_INTERVAL_NS && life_is_watched(&services->life))
		until_ns = now_ns + ALIVE_INTERVAL_NS;
	if (is_deaf && until_ns > services->kernel_rest_ns)
		until_ns = services->kernel_rest_ns;
	left.tv_sec = (time_t)((until_ns - now_ns) / NS_PER_S);
	left.tv_nsec = (long)((until_ns - now_ns) % NS_PER_S);
	if (ppoll(poll_fds, ARRAY_SIZE(poll_fds), &left, NULL) > 0 && poll_fds[2].revents)
		services->kernel_rest_ns = clock_monotonic_ns() + KERNEL_REST_NS;
}

static int guest_hold(struct ktstr_guest *g, uint64_t duration_ns, struct ktstr_error *err)
{
	struct services *services = services_of(g);
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t until_ns = duration_ns < UINT64_MAX - now_ns ? now_ns + duration_ns : UINT64_MAX;

	for (;;) {
		int rc;

		if (guest_stopping(g))
			return ktstr_fail(err, -ECANCELED, "the run is to end early");
		rc = life_check(&services->life, err);
		if (rc == 0)
			rc = note_worker_death(services, workers_check(services->workers, err),
					       err);
		if (rc < 0)
			return rc;
		observer_tell_running(&services->life.observer);
		now_ns = clock_monotonic_ns();
		if (now_ns >= until_ns)
			return 0;
		hold_wait(services, now_ns, until_ns);
	}
}

static int send_cgroup(struct services *services, uint32_t id, struct ktstr_error *err)
{
	const char *name = cgroups_name(services->cgroups, id);
	struct ktstr_cgroup_info info = {
		.size = sizeof(info),
		.id = id,
		.flags = cgroups_has_max(services->cgroups, id) ? KTSTR_CGROUP_HAS_MAX : 0,
		.name_length = (uint32_t)strlen(name),
		.cpus = *cgroups_cpus(services->cgroups, id),
		.cpu_weight = cgroups_weight(services->cgroups, id),
	};

	return send_failed(channel_send_pair(&services->link->sender, KTSTR_MSG_CGROUP, &info,
					     sizeof(info), name, info.name_length),
			   "a cgroup", err);
}

static int guest_cgroup_create(struct ktstr_guest *g, const struct ktstr_cgroup_spec *spec,
			       uint32_t *ret_id, struct ktstr_error *err)
{
	struct services *services = services_of(g);
	uint32_t id = 0;
	int rc = cgroups_create(services->cgroups, spec, &id, err);

	if (rc < 0)
		return rc;
	services_note_op(services, KTSTR_OP_CGROUP_CREATE);
	rc = send_cgroup(services, id, err);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

static int guest_cgroup_find(struct ktstr_guest *g, const char *name, uint32_t *ret_id)
{
	return cgroups_find(services_of(g)->cgroups, name, ret_id);
}

static int guest_cgroup_set_cpus(struct ktstr_guest *g, uint32_t id,
				 const struct ktstr_cpuset *cpus, struct ktstr_error *err)
{
	struct services *services = services_of(g);
	int rc = cgroups_set_cpus(services->cgroups, id, cpus, err);

	if (rc < 0)
		return rc;
	services_note_op(services,
			 ktstr_cpuset_count(cpus) ? KTSTR_OP_SET_CPUS : KTSTR_OP_CLEAR_CPUS);
	return send_cgroup(services, id, err);
}

static int find_workload(const struct services *services, const struct ktstr_value *value,
			 const struct ktstr_workload_ops **ret, struct ktstr_error *err)
{
	if (!value || value->type != KTSTR_PARAM_PLUGIN || !value->s)
		return ktstr_fail(err, -EINVAL, "a spawn needs a value that names a workload");
	for (size_t i = 0; i < services->plugin_count; i++) {
		const struct ktstr_plugin *descriptor = services->plugins[i]->descriptor;

		if (descriptor->kind == KTSTR_KIND_WORKLOAD &&
		    strcmp(descriptor->name, value->s) == 0) {
			*ret = descriptor->workload;
			return 0;
		}
	}
	return ktstr_fail(err, -ENOENT, "workload '%s' was not shipped to the guest", value->s);
}

/* Cannot fail: it is not too large. Returns the time that it tells. */
static uint64_t send_time(struct services *services, uint32_t msg_type)
{
	const struct ktstr_guest_time time = { .guest_ns = clock_monotonic_ns() };

	(void)channel_send(&services->link->sender, msg_type, &time, sizeof(time));
	return time.guest_ns;
}

uint32_t services_pause(struct services *services)
{
	struct session_status *status = services->link->status;
	uint32_t before = status->is_winding_up;

	status->is_winding_up = 1;
	limits_pause(&status->limits, send_time(services, KTSTR_MSG_SCENARIO_PAUSE));
	return before;
}

void services_resume(struct services *services, uint32_t before)
{
	struct session_status *status = services->link->status;

	limits_resume(&status->limits, send_time(services, KTSTR_MSG_SCENARIO_RESUME));
	status->is_winding_up = before;
}

static int guest_spawn(struct ktstr_guest *g, const struct ktstr_spawn_spec *spec,
		       uint32_t *ret_group, struct ktstr_error *err)
{
	struct services *services = services_of(g);
	const struct ktstr_workload_ops *ops = NULL;
	int rc = find_workload(services, spec->workload, &ops, err);
	uint32_t before;

	if (rc < 0)
		return rc;
	before = services_pause(services);
	rc = workers_spawn(services->workers, ops, spec->workload->s, spec, ret_group, err);
	services_resume(services, before);
	if (rc == 0)
		services_note_op(services, KTSTR_OP_SPAWN);
	return rc;
}

static int send_report(void *arg, const struct ktstr_worker_report *report, const uint32_t *samples)
{
	struct services *services = arg;

	return channel_send_pair(&services->link->sender, KTSTR_MSG_WORKER, report, sizeof(*report),
				 samples, report->wake_sample_count * (uint32_t)sizeof(*samples));
}

static int collect(struct services *services, const struct worker_filter *filter,
		   struct ktstr_error *err)
{
	uint32_t before = services_pause(services);
	int rc = workers_collect(services->workers, filter, send_report, services, err);

	services_resume(services, before);
	return note_worker_death(services, rc, err);
}

static int guest_stop(struct ktstr_guest *g, uint32_t group, struct ktstr_error *err)
{
	struct worker_filter filter = { .group = group };

	services_note_op(services_of(g), KTSTR_OP_STOP);
	return collect(services_of(g), &filter, err);
}

static int guest_stop_cgroup(struct ktstr_guest *g, uint32_t cgroup_id, struct ktstr_error *err)
{
	struct worker_filter filter = { .is_by_cgroup = 1, .cgroup_id = cgroup_id };

	if (cgroup_id && !cgroups_name(services_of(g)->cgroups, cgroup_id))
		return ktstr_fail(err, -ENOENT, "there is no cgroup with the id %u", cgroup_id);
	services_note_op(services_of(g), KTSTR_OP_STOP);
	return collect(services_of(g), &filter, err);
}

static int guest_cgroup_remove(struct ktstr_guest *g, uint32_t id, struct ktstr_error *err)
{
	int rc = guest_stop_cgroup(g, id, err);

	if (rc == 0)
		rc = cgroups_remove(services_of(g)->cgroups, id, err);
	if (rc == 0)
		services_note_op(services_of(g), KTSTR_OP_CGROUP_REMOVE);
	return rc;
}

static int guest_snapshot(struct ktstr_guest *g, const char *tag,
			  const struct ktstr_kernel_range *ranges, uint32_t count,
			  struct ktstr_error *err)
{
	int rc = services_snapshot(&services_of(g)->requester, tag, ranges, count, err);

	if (rc == 0)
		services_note_op(services_of(g), KTSTR_OP_SNAPSHOT);
	return rc;
}

static int guest_watch(struct ktstr_guest *g, const char *symbol, struct ktstr_error *err)
{
	int rc = services_watch(&services_of(g)->requester, symbol, err);

	if (rc == 0)
		services_note_op(services_of(g), KTSTR_OP_WATCH);
	return rc;
}

static int guest_kernel_read(struct ktstr_guest *g, const char *tag, uint32_t mode,
			     const struct ktstr_kernel_range *ranges, uint32_t count,
			     struct ktstr_error *err)
{
	return services_kernel_read(&services_of(g)->requester, tag, mode, ranges, count, err);
}

static int guest_kernel_write(struct ktstr_guest *g, const char *tag, uint32_t mode,
			      const struct ktstr_kernel_range *ranges, uint32_t count,
			      struct ktstr_error *err)
{
	return services_kernel_write(&services_of(g)->requester, tag, mode, ranges, count, err);
}

static const struct ktstr_guest_ops guest_ops = {
	.size = sizeof(guest_ops),
	.now_ns = guest_now_ns,
	.random = guest_random,
	.log = guest_log,
	.emit = guest_emit,
	.stopping = guest_stopping,
	.step = guest_step,
	.step_end = guest_step_end,
	.hold = guest_hold,
	.cgroup_create = guest_cgroup_create,
	.cgroup_find = guest_cgroup_find,
	.cgroup_set_cpus = guest_cgroup_set_cpus,
	.cgroup_remove = guest_cgroup_remove,
	.spawn = guest_spawn,
	.stop = guest_stop,
	.stop_cgroup = guest_stop_cgroup,
	.snapshot = guest_snapshot,
	.watch = guest_watch,
	.kernel_read = guest_kernel_read,
	.kernel_write = guest_kernel_write,
	.scheduler_log = services_scheduler_log,
	.scheduler_attach = services_scheduler_attach,
	.scheduler_detach = services_scheduler_detach,
	.scheduler_restart = services_scheduler_restart,
	.scheduler_replace = services_scheduler_replace,
};

int services_init(struct services *services, const struct services_spec *spec,
		  struct ktstr_error *err)
{
	struct workers_spec workers_spec = {
		.seed = spec->seed,
		.stop_timeout_ns = WORKER_STOP_TIMEOUT_NS,
		.is_hurried = &spec->link->status->is_stopping,
		.hurried_timeout_ns = WORKER_HURRIED_TIMEOUT_NS,
	};
	struct life_spec life_spec = {
		.guest = &services->guest,
		.link = spec->link,
		.paths = spec->observer_paths,
		.schedulers = spec->schedulers,
		.count = spec->scheduler_count,
		.timeout_ns = spec->scheduler_timeout_ns,
	};
	int rc;

	*services = (struct services){
		.guest = { .ops = &guest_ops, .topology = spec->topology },
		.link = spec->link,
		.plugins = spec->plugins,
		.plugin_count = spec->plugin_count,
	};
	random_init(&services->random, spec->seed, RANDOM_FOR_RUN, 0, 0);
	requester_init(&services->requester, &spec->link->sender, spec->link->reply_fd,
		       &spec->link->status->is_stopping);
	requester_use_freeze(&services->requester, spec->freeze);
	rc = cgroups_new(spec->cgroup_mount, &services->cgroups, err);
	if (rc < 0)
		return rc;
	life_init(&services->life, &life_spec);
	workers_spec.cgroups = services->cgroups;
	rc = workers_new(&workers_spec, &services->workers, err);
	if (rc < 0)
		services_done(services);
	return rc;
}

void services_set_run(struct services *services, uint64_t seed, struct plugin **plugins,
		      size_t plugin_count, size_t scheduler_count)
{
	random_init(&services->random, seed, RANDOM_FOR_RUN, 0, 0);
	workers_set_seed(services->workers, seed);
	services->plugins = plugins;
	services->plugin_count = plugin_count;
	services->life.spec.count = scheduler_count;
}

void services_done(struct services *services)
{
	workers_free(services->workers);
	services->workers = NULL;
	cgroups_free(services->cgroups);
	services->cgroups = NULL;
	life_done(&services->life);
	requester_done(&services->requester);
}

void services_start(struct services *services)
{
	services->start_ns = send_time(services, KTSTR_MSG_SCENARIO_START);
	limits_enter(&services->link->status->limits, LIMITS_OF_SCENARIO, services->start_ns);
}

int services_finish(struct services *services, struct ktstr_error *err)
{
	const struct worker_filter all = { 0 };
	struct ktstr_error later;
	int step_rc = 0, rc;

	if (services->life.place.is_open)
		step_rc = guest_step_end(&services->guest, err);
	rc = collect(services, &all, step_rc < 0 ? &later : err);
	return step_rc < 0 ? step_rc : rc;
}
