/* SPDX-License-Identifier: GPL-2.0-only */
/* The templates do what they say: found by name, bound by their own tables, called through their
 * ops. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "ktstr/outcome.h"
#include "param/bind.h"
#include "plugin/registry.h"

static struct registry *registry;
static struct bound *bound;
static struct ktstr_error err;

static void open_registry(void)
{
	static const char *const folders[] = { SKELETON_PLUGINS, NULL };

	cr_assert_eq(registry_new(folders, &registry, &err), 0, "%s", err.text);
}

static void close_registry(void)
{
	bound_free(bound);
	registry_free(registry);
}

TestSuite(skeleton, .init = open_registry, .fini = close_registry);

/* The plugin, and its values for `@key: @text` and the fallbacks. */
static const struct ktstr_plugin *get(uint32_t kind, const char *name, const char *key,
				      const char *text, const struct ktstr_value **ret_values)
{
	const struct source source = { .name = "test" };
	struct plugin_tables tables = registry_tables(registry);
	struct node *map = node_new(NODE_MAP);
	struct plugin *plugin = NULL;

	cr_assert_eq(node_add(map, key, node_new_scalar(text)), 0);
	cr_assert_eq(registry_get(registry, kind, name, &plugin, &err), 0, "%s", err.text);
	cr_assert_eq(bind_params(plugin->descriptor->params, plugin->descriptor->param_size, map,
				 NULL, &source, &tables, &bound, &err),
		     0, "%s", err.text);
	node_free(map);
	*ret_values = bound_values(bound);
	return plugin->descriptor;
}

/* Remembers the findings by their outcome. */
struct seen {
	struct ktstr_judge judge;
	unsigned int findings[KTSTR_OUTCOME_ERROR + 1];
};

static void take_finding(struct ktstr_judge *judge, const struct ktstr_finding *finding)
{
	struct seen *seen = judge->host;

	cr_assert_leq(finding->outcome, KTSTR_OUTCOME_ERROR);
	cr_assert(finding->subject);
	cr_assert(finding->text || (finding->metric && finding->outcome == KTSTR_OUTCOME_PASS));
	cr_assert(finding->limit_kind != KTSTR_LIMIT_NONE || !finding->metric);
	seen->findings[finding->outcome]++;
}

/* Judge @count reports. */
static uint32_t judge(const struct ktstr_checker_ops *ops, const struct ktstr_value *values,
		      const struct ktstr_worker_report *reports, size_t count, struct seen *seen)
{
	uint32_t outcome = KTSTR_OUTCOME_NONE;
	void *state = NULL;

	memset(seen, 0, sizeof(*seen));
	seen->judge = (struct ktstr_judge){ .size = sizeof(seen->judge),
					    .host = seen,
					    .finding = take_finding };
	cr_assert_eq(ops->open(&seen->judge, values, &state, &err), 0, "%s", err.text);
	for (size_t i = 0; i < count; i++) {
		const struct ktstr_frame frame = { .msg_type = KTSTR_MSG_WORKER,
						   .length = sizeof(reports[i]),
						   .flags = KTSTR_FRAME_CRC_OK,
						   .index = i,
						   .payload = &reports[i] };

		cr_assert_eq(ops->observe(state, &frame, &err), 0, "%s", err.text);
	}
	cr_assert_eq(ops->finish(state, &outcome, &err), 0, "%s", err.text);
	ops->close(state);
	return outcome;
}

static struct ktstr_worker_report report(uint64_t work_units, uint64_t wait_ms, uint64_t runs)
{
	return (struct ktstr_worker_report){ .size = sizeof(struct ktstr_worker_report),
					     .tid = 7,
					     .flags = KTSTR_WORKER_COMPLETED,
					     .work_units = work_units,
					     .run_delay_ns = wait_ms * runs * 1000000,
					     .run_count = runs };
}

Test(skeleton, checker_judges_the_wait)
{
	const struct ktstr_worker_report reports[] = { report(1, 5, 100), report(1, 30, 100),
						       report(1, 900, 3) };
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_CHECKER, "my_checker", "max_wait", "20ms", &values);
	struct seen seen;

	cr_assert_eq(judge(plugin->checker, values, reports, 1, &seen), KTSTR_OUTCOME_PASS);
	cr_assert_eq(seen.findings[KTSTR_OUTCOME_PASS], 1);
	cr_assert_eq(judge(plugin->checker, values, reports, 3, &seen), KTSTR_OUTCOME_FAIL);
	cr_assert_eq(seen.findings[KTSTR_OUTCOME_FAIL], 1, "a worker of 3 runs is not judged");
	cr_assert_eq(judge(plugin->checker, values, reports + 2, 1, &seen),
		     KTSTR_OUTCOME_UNDECIDED);
	cr_assert_eq(judge(plugin->checker, values, NULL, 0, &seen), KTSTR_OUTCOME_UNDECIDED);
}

Test(skeleton, checker_refuses_a_short_report)
{
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_CHECKER, "my_checker", "max_wait", "20ms", &values);
	const uint32_t size = 4;
	const struct ktstr_frame frame = { .msg_type = KTSTR_MSG_WORKER,
					   .length = sizeof(size),
					   .flags = KTSTR_FRAME_CRC_OK,
					   .index = 5,
					   .payload = &size };
	struct ktstr_judge host = { .size = sizeof(host), .finding = take_finding };
	void *state;

	cr_assert_eq(plugin->checker->open(&host, values, &state, &err), 0);
	cr_assert_eq(plugin->checker->observe(state, &frame, &err), -EBADMSG);
	cr_assert_str_eq(err.text, "worker report of frame 5 is too short");
	plugin->checker->close(state);
}

Test(skeleton, scenario_asks_for_the_time_of_all_waves)
{
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_SCENARIO, "my_scenario", "workload", "my_workload", &values);
	struct ktstr_needs needs = { .size = sizeof(needs) };

	cr_assert_eq(plugin->scenario->needs(values, &needs, &err), 0, "%s", err.text);
	cr_assert_eq(needs.duration_ns, 3 * UINT64_C(1500000000));
}

Test(skeleton, scenario_judges_that_all_came_to_work)
{
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_SCENARIO, "my_scenario", "workload", "my_workload", &values);
	struct ktstr_worker_report reports[12];
	struct seen seen;

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
		reports[i] = report(1024, 1, 10);
	cr_assert_eq(judge(plugin->scenario->judgement, values, reports, 12, &seen),
		     KTSTR_OUTCOME_PASS);
	cr_assert_eq(judge(plugin->scenario->judgement, values, reports, 11, &seen),
		     KTSTR_OUTCOME_UNDECIDED);
	reports[4].work_units = 0;
	cr_assert_eq(judge(plugin->scenario->judgement, values, reports, 12, &seen),
		     KTSTR_OUTCOME_FAIL);
	cr_assert_eq(seen.findings[KTSTR_OUTCOME_FAIL], 1);
}

/* Told to stop at the third look at the clock. */
static void look(struct ktstr_worker *w)
{
	w->stop = w->iterations >= 3;
}

static uint64_t random_number(struct ktstr_worker *w)
{
	return w->iterations * UINT64_C(0x9e3779b97f4a7c15);
}

Test(skeleton, workload_works_until_told_to_stop)
{
	static const struct ktstr_worker_ops services = { .size = sizeof(services),
							  .look = look,
							  .random = random_number };
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_WORKLOAD, "my_workload", "random", "yes", &values);
	struct ktstr_worker worker = { .ops = &services, .values = values, .workers = 1 };
	struct ktstr_needs needs = { .size = sizeof(needs) };

	cr_assert_eq(plugin->workload->needs(values, &needs, &err), 0);
	cr_assert_eq(needs.memory_bytes, 1048576);
	cr_assert_eq(plugin->workload->run(&worker, &err), 0, "%s", err.text);
	cr_assert_eq(worker.work_units, 3 * 1024);
}

static int need_option(struct ktstr_needs *needs, const char *option, struct ktstr_error *error)
{
	(void)error;
	*(const char **)needs->host = option;
	return 0;
}

static int need_file(struct ktstr_needs *needs, const char *host_path, const char *guest_path,
		     struct ktstr_error *error)
{
	(void)needs;
	cr_assert_eq(strncmp(guest_path, "/payload/", 9), 0);
	return ktstr_fail(error, -ENOENT, "no file '%s'", host_path);
}

Test(skeleton, scheduler_asks_for_sched_ext_and_its_program)
{
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_SCHEDULER, "my_scheduler", "program", "/opt/scx_x", &values);
	const char *option = NULL;
	struct ktstr_needs needs = { .size = sizeof(needs),
				     .host = &option,
				     .kernel_config = need_option,
				     .file = need_file };

	cr_assert_eq(plugin->scheduler->needs(values, &needs, &err), -ENOENT);
	cr_assert_str_eq(err.text, "no file '/opt/scx_x'");
	cr_assert_str_eq(option, "CONFIG_SCHED_CLASS_EXT");
}

/* On a machine where no sched_ext scheduler comes up: start() must say why and leave nothing. */
static uint64_t now_ns(struct ktstr_guest *g)
{
	(void)g;
	return 0;
}

Test(skeleton, scheduler_says_that_its_program_ended)
{
	static const struct ktstr_guest_ops services = { .size = sizeof(services),
							 .now_ns = now_ns };
	struct ktstr_guest guest = { .ops = &services };
	const struct ktstr_value *values;
	const struct ktstr_plugin *plugin =
		get(KTSTR_KIND_SCHEDULER, "my_scheduler", "program", "/opt/scx_x", &values);
	void *state = NULL;

	_cleanup_fclose_ FILE *file = fopen("/sys/kernel/sched_ext/state", "re");
	char text[32] = "";

	if (file && fgets(text, sizeof(text), file) && strncmp(text, "enabled", 7) == 0)
		cr_skip_test("a sched_ext scheduler is in charge of this machine");
	/* The program lies where only a guest has it, so it cannot be run here. */
	cr_assert_eq(plugin->scheduler->start(&guest, values, &state, &err), -ESRCH);
	cr_assert_str_eq(err.text, "the scheduler exited with code 127 before it was in charge");
	cr_assert_null(state);
}
