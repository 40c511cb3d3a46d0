/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/recorder.h"

#include <criterion/criterion.h>

#include "unit/shipped.h"

const struct ktstr_topology four = {
	.size = sizeof(four), .numa_nodes = 1, .llcs = 2, .cores = 2, .threads = 1
};
static struct recorder *recorder_of(struct ktstr_guest *g)
{
	return (struct recorder *)g;
}

/* Count one call. A negative errno: this is the one that fails. */
static int count_call(struct recorder *recorder, struct ktstr_error *err)
{
	if (++recorder->calls != recorder->fail_at)
		return 0;
	return ktstr_fail(err, recorder->fail_code, "call %d fails", recorder->calls);
}

static void log_cpus(struct recorder *recorder, const char *label, const struct ktstr_cpuset *cpus)
{
	if (ktstr_cpuset_count(cpus))
		cr_assert_eq(str_addf(&recorder->log, " %s=%llx", label,
				      (unsigned long long)cpus->bits[0]),
			     0);
}

static int record_stopping(struct ktstr_guest *g)
{
	struct recorder *recorder = recorder_of(g);

	return recorder->stop_at && recorder->calls >= recorder->stop_at;
}

static int record_step(struct ktstr_guest *g, const char *name, uint32_t index, uint32_t count,
		       uint64_t hold_ns, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "step %u/%u '%s' %llums\n", index, count, name,
		       (unsigned long long)hold_ns / 1000000);
	return count_call(recorder_of(g), err);
}

static int record_step_end(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)str_add(&recorder_of(g)->log, "end\n");
	return count_call(recorder_of(g), err);
}

static int record_hold(struct ktstr_guest *g, uint64_t duration_ns, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "hold %llums\n",
		       (unsigned long long)duration_ns / 1000000);
	return count_call(recorder_of(g), err);
}

static int record_create(struct ktstr_guest *g, const struct ktstr_cgroup_spec *spec,
			 uint32_t *ret_id, struct ktstr_error *err)
{
	struct recorder *recorder = recorder_of(g);
	int code;

	cr_assert_eq(spec->size, sizeof(*spec));
	(void)str_addf(&recorder->log, "create %s", spec->name);
	log_cpus(recorder, "cpus", &spec->cpus);
	if (spec->cpu_weight)
		(void)str_addf(&recorder->log, " weight=%u", spec->cpu_weight);
	if (spec->cpu_max_quota_us)
		(void)str_addf(&recorder->log, " max=%llu/%llu",
			       (unsigned long long)spec->cpu_max_quota_us,
			       (unsigned long long)spec->cpu_max_period_us);
	(void)str_add(&recorder->log, "\n");
	code = count_call(recorder, err);
	if (code < 0)
		return code;
	(void)str_addf(&recorder->names, "%s\n", spec->name);
	*ret_id = ++recorder->next_id;
	return 0;
}

static int record_find(struct ktstr_guest *g, const char *name, uint32_t *ret_id)
{
	const char *at = str_text(&recorder_of(g)->names);

	for (uint32_t id = 1; *at; id++, at = strchr(at, '\n') + 1) {
		size_t length = strcspn(at, "\n");

		if (strlen(name) == length && memcmp(name, at, length) == 0) {
			*ret_id = id;
			return 0;
		}
	}
	return -ENOENT;
}

static int record_set_cpus(struct ktstr_guest *g, uint32_t id, const struct ktstr_cpuset *cpus,
			   struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "set %u", id);
	log_cpus(recorder_of(g), "cpus", cpus);
	(void)str_add(&recorder_of(g)->log, "\n");
	return count_call(recorder_of(g), err);
}

static int record_remove(struct ktstr_guest *g, uint32_t id, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "remove %u\n", id);
	return count_call(recorder_of(g), err);
}

static int record_spawn(struct ktstr_guest *g, const struct ktstr_spawn_spec *spec,
			uint32_t *ret_group, struct ktstr_error *err)
{
	struct recorder *recorder = recorder_of(g);

	cr_assert_eq(spec->size, sizeof(*spec));
	cr_assert_eq(spec->workload->type, KTSTR_PARAM_PLUGIN);
	(void)str_addf(&recorder->log, "spawn %u %s x%u", spec->cgroup_id, spec->workload->s,
		       spec->workers);
	if (spec->nice)
		(void)str_addf(&recorder->log, " nice=%d", spec->nice);
	log_cpus(recorder, "affinity", &spec->affinity);
	(void)str_add(&recorder->log, "\n");
	*ret_group = ++recorder->next_group;
	return count_call(recorder, err);
}

static int record_stop(struct ktstr_guest *g, uint32_t group, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "stop %u\n", group);
	return count_call(recorder_of(g), err);
}

static int record_stop_cgroup(struct ktstr_guest *g, uint32_t cgroup_id, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "stop cgroup %u\n", cgroup_id);
	return count_call(recorder_of(g), err);
}

static int record_snapshot(struct ktstr_guest *g, const char *tag,
			   const struct ktstr_kernel_range *ranges, uint32_t count,
			   struct ktstr_error *err)
{
	(void)ranges;
	(void)str_addf(&recorder_of(g)->log, "snapshot '%s' +%u\n", tag, count);
	return count_call(recorder_of(g), err);
}

static int record_watch(struct ktstr_guest *g, const char *symbol, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "watch %s\n", symbol);
	return count_call(recorder_of(g), err);
}

static int record_attach(struct ktstr_guest *g, const char *name, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "attach '%s'\n", name);
	return count_call(recorder_of(g), err);
}

static int record_detach(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)str_add(&recorder_of(g)->log, "detach\n");
	return count_call(recorder_of(g), err);
}

static int record_restart(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)str_add(&recorder_of(g)->log, "restart\n");
	return count_call(recorder_of(g), err);
}

static int record_replace(struct ktstr_guest *g, const char *name, struct ktstr_error *err)
{
	(void)str_addf(&recorder_of(g)->log, "replace '%s'\n", name);
	return count_call(recorder_of(g), err);
}

static const struct ktstr_guest_ops recorder_ops = {
	.size = sizeof(recorder_ops),
	.stopping = record_stopping,
	.step = record_step,
	.step_end = record_step_end,
	.hold = record_hold,
	.cgroup_create = record_create,
	.cgroup_find = record_find,
	.cgroup_set_cpus = record_set_cpus,
	.cgroup_remove = record_remove,
	.spawn = record_spawn,
	.stop = record_stop,
	.stop_cgroup = record_stop_cgroup,
	.snapshot = record_snapshot,
	.watch = record_watch,
	.scheduler_attach = record_attach,
	.scheduler_detach = record_detach,
	.scheduler_restart = record_restart,
	.scheduler_replace = record_replace,
};

char scheduler_asks[256];

static int know_scheduler(struct ktstr_needs *needs, const char *name, struct ktstr_error *err)
{
	size_t length = strlen(scheduler_asks);

	(void)needs;
	(void)snprintf(scheduler_asks + length, sizeof(scheduler_asks) - length,
		       name ? "'%s' " : "- ", name);
	if (!name || !*name || strcmp(name, "fifo") == 0)
		return 0;
	return ktstr_fail(err, -ENOENT, "there is no '%s'", name);
}

void recorder_reset(struct recorder *recorder, const struct ktstr_topology *topology)
{
	str_done(&recorder->log);
	str_done(&recorder->names);
	*recorder = (struct recorder){ .guest = { .ops = &recorder_ops, .topology = topology } };
}

struct bound *must_bind(const struct ktstr_plugin *plugin, const char *yaml)
{
	struct ktstr_error err = { 0 };
	struct bound *bound = shipped_bind(plugin, yaml, &err);

	cr_assert_not_null(bound, "%s", err.text);
	return bound;
}

int ask(const struct ktstr_plugin *plugin, const struct bound *bound,
	const struct ktstr_topology *topology, uint64_t *ret_duration_ns, struct ktstr_error *err)
{
	struct ktstr_needs needs = { .size = sizeof(needs),
				     .topology = topology,
				     .scheduler = know_scheduler };
	int code = plugin->scenario->needs(bound_values(bound), &needs, err);

	*ret_duration_ns = needs.duration_ns;
	return code;
}

void expect_calls(const char *name, const char *yaml, const char *calls)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = must_bind(plugin, yaml);
	struct recorder recorder = { 0 };
	struct ktstr_error err = { 0 };
	uint64_t duration_ns;

	recorder_reset(&recorder, &four);
	cr_assert_eq(ask(plugin, bound, &four, &duration_ns, &err), 0, "%s", err.text);
	cr_expect_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(str_text(&recorder.log), calls);
	recorder_reset(&recorder, &four);
	bound_free(bound);
}

void expect_unwinding(const char *name, const char *yaml, const char *const *texts)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = must_bind(plugin, yaml);
	struct recorder recorder = { 0 };
	int calls;

	recorder_reset(&recorder, &four);
	cr_assert_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL,
					   &(struct ktstr_error){ 0 }),
		     0);
	calls = recorder.calls;
	for (int i = 1; i <= calls; i++) {
		struct ktstr_error err = { 0 };

		cr_assert_not_null(texts[i - 1], "call %d is not in the table", i);
		recorder_reset(&recorder, &four);
		recorder.fail_at = i;
		recorder.fail_code = -EIO;
		cr_expect_eq(
			plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err),
			-EIO, "call %d", i);
		cr_expect_str_eq(err.text, texts[i - 1]);
		/* One call more, which is the stop; where the stop itself failed there is none. */
		cr_expect_eq(recorder.calls, i == calls ? i : i + 1, "call %d: %d calls", i,
			     recorder.calls);
		cr_expect(str_ends(str_text(&recorder.log), "stop 0\n"), "call %d", i);
	}
	cr_expect_null(texts[calls]);
	recorder_reset(&recorder, &four);
	bound_free(bound);
}

void expect_early_end(const char *name, const char *yaml, int hold, const char *calls)
{
	const struct ktstr_plugin *plugin = shipped_load("scenarios", name);
	struct bound *bound = must_bind(plugin, yaml);
	struct recorder recorder = { 0 };
	struct ktstr_error err = { 0 };

	recorder_reset(&recorder, &four);
	recorder.fail_at = hold;
	recorder.fail_code = -ECANCELED;
	cr_expect_eq(plugin->scenario->run(&recorder.guest, bound_values(bound), NULL, &err), 0);
	cr_expect_str_eq(err.text, "");
	cr_expect_eq(err.code, 0);
	cr_expect_str_eq(str_text(&recorder.log), calls);
	recorder_reset(&recorder, &four);
	bound_free(bound);
}
