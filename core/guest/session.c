/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "guest/rest.h"
#include "guest/services.h"
#include "ktstr/outcome.h"
#include "param/bind.h"
#include "plugin/job.h"
#include "plugin/loader.h"
#include "plugin/op.h"

#define JOB_BYTES_MAX (2u * NODE_BYTES_MAX)

/* All that a session holds. */
struct session {
	struct session_link *link;
	struct job *job;
	struct job *scheduler_job; /* what was known while the scheduler came up; may be @job */
	struct plugin **plugins;
	size_t plugin_count;
	/* The run's own, then those of the job's `staged`. */
	struct scheduler schedulers[1 + JOB_STAGED_MAX];
	struct bound *scheduler_bounds[1 + JOB_STAGED_MAX];
	size_t scheduler_count;
	const struct ktstr_scenario_ops *scenario;
	struct bound *scenario_bound;
	struct services services;
	bool has_services;
};

/* Where we are, for PID 1, should this process not come back. */
__attribute__((format(printf, 3, 4))) static void enter(struct session *session, uint32_t stage,
							const char *format, ...)
{
	struct session_status *status = session->link->status;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(status->subject, sizeof(status->subject), format, args);
	va_end(args);
	status->stage = stage;
}

/* The port's end is the host's to notice, so results of sends are passed over here and below. */
static int failed(struct session *session, uint32_t stage, struct ktstr_error *err, int rc)
{
	err->code = rc;
	if (!err->text[0])
		(void)ktstr_fail(err, rc, "%s: %s", session->link->status->subject, strerror(-rc));
	(void)channel_send_error(&session->link->sender, stage, err);
	return rc;
}

static int read_job(struct session *session, const char *path, struct job **ret,
		    struct ktstr_error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t length = 0;
	int rc;

	enter(session, KTSTR_STAGE_JOB, "the reading of the job");
	rc = io_read_file(path, JOB_BYTES_MAX, &bytes, &length, err);
	if (rc == 0)
		rc = job_decode(bytes, length, ret, err);
	return rc;
}

static const struct ktstr_plugin *find_plugin(const struct session *session, uint32_t kind,
					      const char *name)
{
	for (size_t i = 0; i < session->plugin_count; i++) {
		const struct ktstr_plugin *descriptor = session->plugins[i]->descriptor;

		if (descriptor->kind == kind && strcmp(descriptor->name, name) == 0)
			return descriptor;
	}
	return NULL;
}

/* Those of @job that are not loaded yet. */
static int load_plugins(struct session *session, const struct job *job, struct ktstr_error *err)
{
	struct plugin **more = reallocarray(
		session->plugins, session->plugin_count + job->plugin_count + 1, sizeof(*more));

	if (!more)
		return ktstr_fail(err, -ENOMEM, "no memory for the plugins");
	session->plugins = more;
	for (size_t i = 0; i < job->plugin_count; i++) {
		const struct job_plugin *plugin = &job->plugins[i];
		int rc;

		enter(session, KTSTR_STAGE_PLUGIN, "%s '%s'", plugin_kind_name(plugin->kind),
		      plugin->name);
		if (find_plugin(session, plugin->kind, plugin->name))
			continue;
		rc = plugin_load(plugin->path, plugin->kind, &more[session->plugin_count], err);
		if (rc < 0)
			return rc;
		session->plugin_count++;
	}
	return 0;
}

static int send_hello(struct session *session, struct ktstr_error *err)
{
	size_t count = session->plugin_count;
	_cleanup_free_ struct ktstr_hello_plugin *plugins = calloc(count + 1, sizeof(*plugins));
	struct ktstr_hello hello = {
		.size = sizeof(hello),
		.abi_major = KTSTR_ABI_MAJOR,
		.abi_minor = KTSTR_ABI_MINOR,
		.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
		.plugin_count = (uint32_t)count,
		.seed = session->job->seed,
	};
	struct utsname names;

	if (!plugins)
		return ktstr_fail(err, -ENOMEM, "no memory for the plugins");
	if (uname(&names) == 0)
		(void)str_copy(hello.kernel, sizeof(hello.kernel), names.release);
	for (size_t i = 0; i < count; i++) {
		plugins[i].kind = session->plugins[i]->descriptor->kind;
		plugins[i].crc32 = session->plugins[i]->crc32;
		(void)str_copy(plugins[i].name, sizeof(plugins[i].name),
			       session->plugins[i]->descriptor->name);
	}
	(void)channel_send_pair(&session->link->sender, KTSTR_MSG_HELLO, &hello, sizeof(hello),
				plugins, (uint32_t)(count * sizeof(*plugins)));
	return 0;
}

/* For bind_params(): tables of plugins that parameters name. */
static int find_table(void *arg, uint32_t kind, const char *name,
		      const struct ktstr_param **ret_params, size_t *ret_stride,
		      struct ktstr_error *err)
{
	const struct ktstr_plugin *descriptor = find_plugin(arg, kind, name);

	if (!descriptor)
		return ktstr_fail(err, -ENOENT, "%s '%s' was not shipped to the guest",
				  plugin_kind_name(kind), name);
	*ret_params = descriptor->params;
	*ret_stride = descriptor->param_size;
	return 0;
}

static int bind(struct session *session, uint32_t kind, const char *name, const struct node *params,
		const struct ktstr_plugin **ret_descriptor, struct bound **ret_bound,
		struct ktstr_error *err)
{
	const struct job *job = session->job ? session->job : session->scheduler_job;
	struct source source = { .name = job->source_name };
	struct plugin_tables tables = { .arg = session, .find = find_table };
	const struct ktstr_plugin *descriptor = find_plugin(session, kind, name);

	enter(session, KTSTR_STAGE_PLUGIN, "%s '%s'", plugin_kind_name(kind), name);
	if (!descriptor)
		return ktstr_fail(err, -ENOENT, "%s '%s' was not shipped to the guest",
				  plugin_kind_name(kind), name);
	*ret_descriptor = descriptor;
	return bind_params(descriptor->params, descriptor->param_size, params, NULL, &source,
			   &tables, ret_bound, err);
}

static int bind_scheduler(struct session *session, const char *name, const char *plugin,
			  const struct node *params, struct ktstr_error *err)
{
	size_t index = session->scheduler_count;
	struct scheduler *scheduler = &session->schedulers[index];
	const struct ktstr_plugin *descriptor = NULL;
	int rc = bind(session, KTSTR_KIND_SCHEDULER, plugin, params, &descriptor,
		      &session->scheduler_bounds[index], err);

	if (rc < 0)
		return rc;
	*scheduler = (struct scheduler){
		.name = name,
		.plugin = plugin,
		.ops = descriptor->scheduler,
		.values = bound_values(session->scheduler_bounds[index]),
	};
	session->scheduler_count++;
	return 0;
}

/* All but the run's own scheduler. */
static int bind_rest(struct session *session, struct ktstr_error *err)
{
	const struct job *job = session->job;
	const struct ktstr_plugin *descriptor = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < job->staged_count; i++) {
		const struct job_scheduler *staged = &job->staged[i];

		rc = bind_scheduler(session, staged->name, staged->plugin, staged->params, err);
	}
	if (rc == 0)
		rc = bind(session, KTSTR_KIND_SCENARIO, job->scenario, job->scenario_params,
			  &descriptor, &session->scenario_bound, err);
	if (rc < 0)
		return rc;
	session->scenario = descriptor->scenario;
	return 0;
}

static int bind_own_scheduler(struct session *session, struct ktstr_error *err)
{
	const struct job *job = session->scheduler_job;

	return bind_scheduler(session, "", job->scheduler, job->scheduler_params, err);
}

/* What the run is, once it is there: as frames, and ready to be played. */
static int take_run(struct session *session, const struct session_spec *spec,
		    struct ktstr_error *err)
{
	struct limits *limits = &session->link->status->limits;
	int rc = read_job(session, spec->job_path, &session->job, err);

	if (rc == 0 && !session->job->scenario)
		rc = ktstr_fail(err, -EBADMSG, "malformed job: 'scenario' is missing");
	if (rc < 0)
		return rc;
	limits->job = session->job->limits;
	limits_enter(limits, LIMITS_OF_START, clock_monotonic_ns());
	rc = load_plugins(session, session->job, err);
	return rc == 0 ? send_hello(session, err) : rc;
}

static int make_services(struct session *session, const struct session_spec *session_spec,
			 struct ktstr_error *err)
{
	struct services_spec spec = {
		.link = session->link,
		.cgroup_mount = session_spec->cgroup_mount,
		.observer_paths = session_spec->observer_paths,
		.freeze = session_spec->freeze,
		.schedulers = session->schedulers,
		.scheduler_count = session->scheduler_count,
		.scheduler_timeout_ns = session->scheduler_job->scheduler_timeout_ns,
		.topology = &session->scheduler_job->topology,
		.seed = session->scheduler_job->seed,
		.plugins = session->plugins,
		.plugin_count = session->plugin_count,
	};
	int rc;

	enter(session, KTSTR_STAGE_BOOT, "the setup of cgroups");
	rc = services_init(&session->services, &spec, err);
	session->has_services = rc == 0;
	return rc;
}

static int start_scheduler(struct session *session, struct ktstr_error *err)
{
	struct channel_sender *sender = &session->link->sender;
	const struct scheduler *scheduler = &session->schedulers[0];
	int rc;

	enter(session, KTSTR_STAGE_SCHEDULER, "scheduler '%s'", scheduler->plugin);
	rc = life_start(&session->services.life, scheduler, err);
	if (rc < 0) {
		(void)failed(session, KTSTR_STAGE_SCHEDULER, err, rc);
		(void)channel_send_phase(sender,
					 rc == -ESRCH ? KTSTR_PHASE_SCHEDULER_DIED
						      : KTSTR_PHASE_SCHEDULER_NOT_ATTACHED,
					 err->text);
		return rc;
	}
	(void)channel_send_phase(sender, KTSTR_PHASE_SCHEDULER_ATTACHED, "");
	return 0;
}

/* setup(), run(), and the collection of what was left running. */
static int play(struct session *session, struct ktstr_error *err)
{
	struct services *services = &session->services;
	const struct ktstr_scenario_ops *scenario = session->scenario;
	const struct ktstr_value *values = bound_values(session->scenario_bound);
	struct ktstr_scenario_end end = { 0 };
	struct ktstr_error later = { 0 };
	void *state = NULL;
	int rc = 0, finish_rc;

	enter(session, KTSTR_STAGE_SCENARIO, "scenario '%s'", session->job->scenario);
	if (KTSTR_HAS(scenario, setup))
		rc = plugin_op_result(scenario->setup(&services->guest, values, &state, err),
				      "setup", err);
	if (rc < 0)
		return rc;
	services_start(services);
	rc = plugin_op_result(scenario->run(&services->guest, values, state, err), "run", err);
	session->link->status->is_winding_up = 1;
	/* It may have died since the scenario last looked, or the scenario did not care. */
	if (life_check(&services->life, rc < 0 ? &later : err) < 0 && rc == 0)
		rc = -ESRCH;
	finish_rc = services_finish(services, rc < 0 ? &later : err);
	end.elapsed_ms = services_elapsed_ms(services);
	end.total_iterations = workers_iterations(services->workers);
	(void)channel_send(&session->link->sender, KTSTR_MSG_SCENARIO_END, &end, sizeof(end));
	limits_enter(&session->link->status->limits, LIMITS_OF_TEARDOWN, clock_monotonic_ns());
	if (KTSTR_HAS(scenario, teardown))
		scenario->teardown(&services->guest, state);
	return rc < 0 ? rc : finish_rc;
}

/* What became of the scenario, as frames. Returns 0 unless it is an error. */
static int tell_result(struct session *session, int rc, struct ktstr_error *err)
{
	struct channel_sender *sender = &session->link->sender;
	const struct ktstr_error *death = &session->services.life.death;
	const struct ktstr_error *worker_death = &session->services.worker_death;
	uint32_t stopping = session->link->status->is_stopping;

	/* Whatever the scenario says, there is no judging without the dead. */
	if (worker_death->code && (rc == 0 || rc == -ECANCELED || rc == -EOPNOTSUPP)) {
		*err = *worker_death;
		rc = worker_death->code;
	}
	if (stopping && (rc == 0 || rc == -ECANCELED)) {
		(void)ktstr_fail(err, -ECANCELED, "ended early, %s",
				 stopping == SESSION_STOP_OVERDUE ? "because its time was over"
								  : "as the host asked");
		(void)channel_send_result(sender, KTSTR_OUTCOME_UNDECIDED, err);
		return 0;
	}
	if (rc == 0) {
		*err = (struct ktstr_error){ 0 };
		(void)channel_send_result(sender, KTSTR_OUTCOME_PASS, err);
		return 0;
	}
	if (rc == -ESRCH && death->code) {
		(void)channel_send_result(sender, KTSTR_OUTCOME_FAIL, death);
		return 0;
	}
	if (rc == -EOPNOTSUPP) {
		if (!err->text[0])
			(void)ktstr_fail(err, rc, "%s does not apply here",
					 session->link->status->subject);
		(void)channel_send_result(sender, KTSTR_OUTCOME_SKIP, err);
		return 0;
	}
	(void)failed(session, rc == -ECHILD ? KTSTR_STAGE_WORKLOAD : KTSTR_STAGE_SCENARIO, err, rc);
	(void)channel_send_result(sender, KTSTR_OUTCOME_ERROR, err);
	return rc;
}

static int stop_scheduler(struct session *session)
{
	struct life *life = &session->services.life;
	struct ktstr_error err = { 0 };
	bool is_forced = false;
	const char *plugin;
	int rc;

	if (!life->up)
		return 0;
	plugin = life->up->plugin;
	enter(session, KTSTR_STAGE_SCHEDULER, "scheduler '%s'", plugin);
	rc = life_stop(life, &is_forced, &err);
	if (is_forced)
		ktstr_log(&session->services.guest, KTSTR_LOG_WARN,
			  "scheduler '%s' let go only when the kernel was told to throw it out",
			  plugin);
	/* A dead one may well refuse to stop. */
	if (rc < 0 && !life->death.code)
		return failed(session, KTSTR_STAGE_SCHEDULER, &err, rc);
	return 0;
}

/* The last word on a scheduler that died: the host ends the run when it hears it. */
static void tell_death(struct session *session)
{
	const struct ktstr_error *death = &session->services.life.death;
	int32_t code = 1;

	if (death->code)
		(void)channel_send_pair(&session->link->sender, KTSTR_MSG_SCHED_EXIT, &code,
					sizeof(code), death->text,
					(uint32_t)strnlen(death->text, sizeof(death->text)));
}

static void session_done(struct session *session)
{
	if (session->has_services)
		services_done(&session->services);
	bound_free(session->scenario_bound);
	for (size_t i = 0; i < session->scheduler_count; i++)
		bound_free(session->scheduler_bounds[i]);
	for (size_t i = 0; i < session->plugin_count; i++)
		plugin_free(session->plugins[i]);
	free(session->plugins);
	if (session->scheduler_job != session->job)
		job_free(session->scheduler_job);
	job_free(session->job);
}

/* Everything up to the scheduler's start. */
static int prepare(struct session *session, const struct session_spec *spec)
{
	bool is_whole = !spec->scheduler_path;
	struct ktstr_error err = { 0 };
	int rc;

	if (is_whole) {
		rc = take_run(session, spec, &err);
		session->scheduler_job = session->job;
	} else {
		rc = read_job(session, spec->scheduler_path, &session->scheduler_job, &err);
		if (rc == 0)
			rc = load_plugins(session, session->scheduler_job, &err);
	}
	if (rc == 0)
		rc = bind_own_scheduler(session, &err);
	if (rc == 0 && is_whole)
		rc = bind_rest(session, &err);
	if (rc == 0)
		rc = make_services(session, spec, &err);
	if (rc < 0)
		return failed(session, session->link->status->stage, &err, rc);
	return 0;
}

/* The rest of that, where the scheduler came up before anything else was known. */
static int prepare_rest(struct session *session, const struct session_spec *spec)
{
	struct ktstr_error err = { 0 };
	uint64_t seed = 0;
	int rc;

	if (!spec->scheduler_path)
		return 0;
	enter(session, KTSTR_STAGE_JOB, "the wait for the job");
	rc = rest_take(spec, session->link->status, &session->services.life, &seed, &err);
	if (rc == 0)
		rc = take_run(session, spec, &err);
	if (rc == 0)
		rc = bind_rest(session, &err);
	if (rc < 0)
		return failed(session, session->link->status->stage, &err, rc);
	services_set_run(&session->services, session->job->seed, session->plugins,
			 session->plugin_count, session->scheduler_count);
	return 0;
}

int session_run(const struct session_spec *spec, struct session_link *link)
{
	struct session session = { .link = link };
	struct ktstr_error err = { 0 };
	int rc = prepare(&session, spec), stop_rc;

	if (rc == 0)
		rc = start_scheduler(&session, &err);
	if (rc == 0) {
		rc = prepare_rest(&session, spec);
		if (rc == 0) {
			(void)channel_send_phase(&link->sender, KTSTR_PHASE_PAYLOAD_STARTING, "");
			rc = play(&session, &err);
			rc = tell_result(&session, rc, &err);
		}
		stop_rc = stop_scheduler(&session);
		if (rc == 0)
			rc = stop_rc;
		tell_death(&session);
	}
	session_done(&session);
	return rc < 0 ? 1 : 0;
}
