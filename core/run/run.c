/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "coord/coord.h"
#include "report/facts.h"
#include "run/base.h"
#include "run/base_known.h"
#include "run/budget.h"
#include "run/cpu_wait.h"
#include "run/finish.h"
#include "run/image.h"
#include "run/limits.h"
#include "run/inputs.h"
#include "run/observe.h"
#include "run/paths.h"
#include "run/prepare.h"
#include "run/record.h"
#include "run/recorded.h"
#include "run/signals.h"
#include "run/stats.h"
#include "run/single.h"
#include "run/start.h"
#include "run/until.h"
#include "run/vm_ops.h"
#include "vm/vm.h"

struct run {
	const struct run_options *options;
	const char *scenario;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t start_realtime_ns;
	struct run_paths paths;
	struct prepared *prepared;
	struct image image;
	struct record record;
	bool has_run; /* the coordinator ran: what is recorded stays */
	uint32_t jobs;
	struct budget *budget; /* NULL: not taken */
	bool is_alone;	       /* others cannot be seen */
	struct until_stop until;
	struct started started;
	struct meta_again again; /* until it is recorded */
	struct signals signals;
	struct observe observe;
	/* Milestones since the start; 0: it did not happen. */
	uint64_t prepared_ns, image_ns, waited_ns, qemu_ns;
	struct coord_result result;
	struct verdict verdict;
	uint64_t judging_ns, took_ns;
	bool is_interrupted;
};

static uint64_t since_start(const struct run *run)
{
	return clock_monotonic_ns() - run->start_ns;
}

static int stage_paths(struct run *run, struct ktstr_error *err)
{
	return run_paths_find(NULL, run->options->plugin_folders, run->options->plugin_folder_count,
			      getenv("KTSTR_PLUGIN_PATH"), &run->paths, err);
}

static int stage_jobs(struct run *run, struct ktstr_error *err)
{
	return budget_jobs(getenv("KTSTR_JOBS"), budget_cores(), &run->jobs, err);
}

static int stage_scenario(struct run *run, struct ktstr_error *err)
{
	return prepare_scenario(run->scenario, run->options, &run->paths, &run->prepared, err);
}

static int stage_record(struct run *run, struct ktstr_error *err)
{
	return record_open(run->options->run_folder, run->prepared->spec->name,
			   run->prepared->spec->seed, run->start_realtime_ns, &run->record, err);
}

static int stage_kernel(struct run *run, struct ktstr_error *err)
{
	return prepare_kernel(run->prepared, err);
}

static int stage_machine(struct run *run, struct ktstr_error *err)
{
	int rc = prepare_machine(run->prepared, run->options, err);

	run->prepared_ns = since_start(run);
	return rc;
}

static int stage_image(struct run *run, struct ktstr_error *err)
{
	int rc = image_build(run->prepared, &run->paths, &run->image, err);

	run->image_ns = since_start(run);
	return rc;
}

/* Note what the run depends on; where one is run again, it must be what it was. */
static int stage_inputs(struct run *run, struct ktstr_error *err)
{
	const struct run_options *options = run->options;
	struct str changes = { 0 };
	int rc = inputs_note(run->prepared, &run->image, options, &run->again, err);

	if (rc < 0 || !options->recorded)
		return rc;
	if (inputs_compare(options->recorded->facts->meta, run->prepared, &run->again, &changes) <
	    0)
		rc = ktstr_fail(err, -ENOMEM, "cannot compare the runs: out of memory");
	else if (changes.length > 0 && options->is_forced)
		log_warning("this is not what the run was made with: %s", changes.data);
	else if (changes.length > 0)
		rc = ktstr_fail(err, -ESTALE,
				"this is not what the run was made with: %.600s; --force runs it "
				"all the same",
				changes.data);
	str_done(&changes);
	return rc;
}

static void tell_wait(void *arg, const char *text, bool is_new)
{
	struct run *run = arg;

	if (is_new)
		observe_phase(&run->observe, "waiting", text);
	else
		live_update(run->observe.live, text);
}

/* Take the budget for @need. Whether others can be seen is no reason not to run. */
static int take_budget(struct run *run, const struct budget_need *need, struct ktstr_error *err)
{
	_cleanup_close_ int folder_fd = budget_open_folder(err);
	const struct budget_spec spec = {
		.folder_fd = folder_fd,
		.jobs = run->jobs,
		.need = *need,
		.signal_fd = run->signals.fd,
		.tell = tell_wait,
		.arg = run,
	};
	bool has_waited = false;
	int rc = folder_fd < 0 ? folder_fd : budget_take(&spec, &run->budget, &has_waited, err);

	if (has_waited)
		run->waited_ns = since_start(run);
	if (rc == 0 || rc == -EINTR || rc == -E2BIG)
		return rc;
	log_warning("the VM starts without a look at others that run: %s", err->text);
	run->is_alone = true;
	return 0;
}

/* A VM may use all of its memory when it boots, and is taken to use a part of it when it is
 * restored. */
static int take_room(void *arg, bool is_restored, struct ktstr_error *err)
{
	struct run *run = arg;
	const struct prepared *p = run->prepared;
	const struct budget_need need =
		budget_need(p->is_kvm, ktstr_topology_cpus(&p->spec->vm.topology),
			    run->image.memory_bytes, is_restored);

	if (run->is_alone || budget_lower(run->budget, need.memory_bytes))
		return 0;
	/* Who kept a part while it waits for more could wait for one that does the same. */
	budget_release(steal_ptr(run->budget));
	return take_budget(run, &need, err);
}

/* Where the run is to stop, if it is not to come to its end. */
static int stage_until(struct run *run, struct ktstr_error *err)
{
	if (!run->options->until)
		return 0;
	run->until = (struct until_stop){ .until = run->options->until,
					  .kernel = run->prepared->kernel,
					  .is_virtual = run->prepared->is_virtual,
					  .job_fd = run->image.job_fd,
					  .out = run->options->is_json ? NULL : run->options->out };
	return until_prepare(&run->until, err);
}

static int stage_vm(struct run *run, struct ktstr_error *err)
{
	const struct start_spec spec = {
		.options = run->options,
		.prepared = run->prepared,
		.image = &run->image,
		.console_fd = run->record.console_fd,
		.signal_fd = run->signals.fd,
		.take_room = take_room,
		.arg = run,
	};
	int rc = start_vm(&spec, &run->started, err);

	run->qemu_ns = since_start(run);
	if (rc == 0)
		budget_set_vm(run->budget, vm_pid(run->started.vm));
	return rc;
}

static int stage_meta(struct run *run, struct ktstr_error *err)
{
	const struct {
		const char *name;
		uint64_t ns;
	} milestones[] = {
		{ FACTS_TIMING_PREPARED, run->prepared_ns },
		{ FACTS_TIMING_IMAGE, run->image_ns },
		{ FACTS_TIMING_WAITED, run->waited_ns },
		{ FACTS_TIMING_QEMU, run->qemu_ns },
	};
	struct meta meta;
	const struct record_machine machine = { .memory_bytes = run->image.memory_bytes,
						.argv = vm_argv(run->started.vm),
						.base_id = run->started.base_id,
						.is_attached = run->started.is_attached,
						.again = &run->again };
	int rc = record_meta(run->prepared, run->options, &run->record, &machine, &meta, err);

	if (rc < 0)
		return rc;
	record_link_latest(&run->record);
	rc = record_begin(&run->record, &meta, &run->prepared->spec->source, err);
	meta_done(&meta);
	for (size_t i = 0; i < ARRAY_SIZE(milestones) && rc == 0; i++)
		if (milestones[i].ns > 0)
			rc = record_timing(&run->record, milestones[i].name, milestones[i].ns, err);
	return rc;
}

static int stage_coord(struct run *run, struct ktstr_error *err)
{
	const struct prepared *p = run->prepared;
	const struct run_limits limits = run_limits_of(p);
	struct vm *vm = run->started.vm;
	struct coord_spec spec = {
		.stop = run->options->until ? &run->until.stop : NULL,
		.start_ns = run->start_ns,
		.prefix = run->started.prefix,
		.prefix_length = run->started.prefix_length,
		.bulk_fd = vm_bulk_fd(vm),
		.are_files = vm_news_fd(vm) >= 0,
		.news_fd = vm_news_fd(vm),
		.com1_fd = vm_com1_fd(vm),
		.com2_fd = vm_com2_fd(vm),
		.monitor_fd = vm_monitor_fd(vm),
		.pid_fd = vm_pid_fd(vm),
		.stderr_fd = vm_stderr_fd(vm),
		.kill_evt = -1,
		.sys_rdy_evt = -1,
		.signal_fd = run->signals.fd,
		.console_fd = vm_console_fd(vm),
		.freeze_fd = vm_freeze_fd(vm),
		.debugger_fd = vm_debugger_fd(vm),
		.vm = vm,
		.vm_ops = &run_vm_ops,
		.runfile = run->record.writer,
		.console_log_fd = run->record.console_fd,
		.instruction_ns = prepared_instruction_ns(p),
		/* The host's time counts from the start of the run; the guest has its whole time
		 * from here. */
		.boot_timeout_ns = limits.boot_ns + (p->is_virtual ? 0 : since_start(run)),
		.cpu_wait_max_ns = cpu_wait_max_ns(p->spec->vm.boot_timeout_ns),
		.start_timeout_ns = limits.start_ns,
		.workload_duration_ns = limits.scenario_ns,
		.scheduler_changes_ns = limits.changes_ns,
		.teardown_timeout_ns = limits.teardown_ns,
		.observer = &run->observe.observer,
	};
	struct run_stats stats = { 0 };
	int rc = 0;

	run->until.vm = vm;
	run->observe.is_virtual = p->is_virtual;
	run->observe.vm = vm;
	run->observe.gate = prepared_gate(p);
	run->observe.scheduler = p->scheduler->descriptor->name;
	run->observe.scenario = p->scenario->descriptor->name;
	observe_phase(&run->observe, "kernel", p->kernel->release);
	/* A question would come into the guest's own time from the host's. */
	if (!p->is_virtual)
		rc = run_stats_start(&stats, run->record.folder, vm_stats_fd(vm),
				     run->options->stats_interval_ns, run->start_ns, err);
	if (rc < 0)
		return rc;
	rc = coord_run(&spec, &run->result, err);
	run_stats_stop(&stats);
	run->has_run = rc == 0;
	if (rc == 0 && run->result.attached_ns > run->result.ready_ns)
		run_base_note(run->started.note, run->result.attached_ns - run->result.ready_ns);
	return rc;
}

static int stage_close(struct run *run, struct ktstr_error *err)
{
	started_done(&run->started);
	budget_release(steal_ptr(run->budget));
	image_done(&run->image);
	if (run->result.end != COORD_END_STREAM && !run->until.is_reached)
		log_warning("%s", run->result.text);
	return record_close(&run->record, err);
}

static int stage_judge(struct run *run, struct ktstr_error *err)
{
	const struct prepared *p = run->prepared;
	_cleanup_free_ struct judge_checker *checkers = calloc(p->checker_count, sizeof(*checkers));
	uint64_t start_ns = clock_monotonic_ns();
	struct judge_spec spec = {
		.program = run->paths.judge_program,
		.runfile_fd = run->record.run_fd,
		.runfile = run->record.run_path,
		.checkers = checkers,
		.checker_count = p->checker_count,
		.topology = p->spec->vm.topology,
		.scenario = p->scenario->descriptor->name,
		.scheduler = p->scheduler->descriptor->name,
		.kernel = p->kernel->release,
		.accel = p->is_kvm ? "kvm" : "tcg",
		.clock = p->is_virtual ? "virtual" : "host",
		.plugin_folders = (const char *const *)run->paths.plugin_folders,
		.time_limit_ns = run->options->checker_timeout_ns,
		.signal_fd = run->signals.fd,
		.expect = &p->spec->expect,
	};
	int rc;

	if (!checkers)
		return ktstr_fail(err, -ENOMEM, "cannot judge the run: out of memory");
	for (size_t i = 0; i < p->checker_count; i++) {
		const struct plugin *plugin = p->checkers[i].plugin;

		checkers[i] = (struct judge_checker){ .name = plugin->descriptor->name,
						      .path = plugin->path,
						      .crc32 = plugin->crc32,
						      .kind = plugin->descriptor->kind,
						      .params = p->checkers[i].params };
	}
	/* A second signal may come while the first is served; it has no more to say. */
	run->is_interrupted = run->result.end == COORD_END_INTERRUPTED;
	if (run->is_interrupted)
		signals_forget(&run->signals);
	observe_phase(&run->observe, "judging", "");
	rc = judge_run(&spec, &run->verdict, err);
	run->verdict.expect = NULL; /* it is of the scenario, which ends before the verdict */
	run->is_interrupted |= run->verdict.interrupted_by != 0 || signals_have_come(&run->signals);
	signals_done(&run->signals); /* later ones end us */
	run->judging_ns = clock_monotonic_ns() - start_ns;
	return rc;
}

static int stage_keep(struct run *run, struct ktstr_error *err)
{
	const struct report_spec spec = {
		.run_fd = run->record.run_fd,
		.run_path = run->record.run_path,
		.console_path = run->record.console_path,
		.judging_ns = run->judging_ns,
		.took_ns = run->took_ns = since_start(run),
	};

	(void)err; /* what cannot be kept is a warning */
	live_done(run->observe.live, true);
	finish_keep(&run->verdict, &spec, run->record.verdict_path);
	return 0;
}

/* What is done, in order, and the exit code when it fails. */
static const struct stage {
	int (*run)(struct run *run, struct ktstr_error *err);
	int exit_code;
} stages[] = {
	{ stage_paths, EXIT_ERROR },  { stage_jobs, EXIT_USAGE },   { stage_scenario, EXIT_USAGE },
	{ stage_record, EXIT_ERROR }, { stage_kernel, EXIT_ERROR }, { stage_machine, EXIT_ERROR },
	{ stage_image, EXIT_ERROR },  { stage_inputs, EXIT_ERROR }, { stage_until, EXIT_USAGE },
	{ stage_vm, EXIT_ERROR },     { stage_meta, EXIT_ERROR },   { stage_coord, EXIT_ERROR },
	{ stage_close, EXIT_ERROR },  { stage_judge, EXIT_ERROR },  { stage_keep, EXIT_ERROR },
};

/* Errors that say by themselves whose they are, whatever stage they come from. */
static int exit_code_of(const struct run *run, const struct stage *stage, int rc)
{
	if (rc == -ENOMEM)
		return EXIT_ERROR;
	if (rc < 0 && stage->run == stage_kernel && prepare_names_kernel(run->prepared))
		return EXIT_USAGE;
	/* --plugin-dir, --run-dir, what virtual time alone can do, a run that cannot be had again
	 */
	if (rc == -ENOTDIR || rc == -ENOTEMPTY || rc == -EDOM || rc == -ESTALE)
		return EXIT_USAGE;
	return stage->exit_code;
}

static void run_done(struct run *run)
{
	started_done(&run->started);
	budget_release(run->budget);
	image_done(&run->image);
	if (run->has_run)
		record_done(&run->record);
	else
		record_discard(&run->record);
	prepared_free(run->prepared);
	meta_again_done(&run->again);
	run_paths_done(&run->paths);
	verdict_done(&run->verdict);
	json_decref(run->until.json);
	signals_done(&run->signals);
}

static struct run run_new(const char *scenario, const struct run_options *options)
{
	return (struct run){
		.options = options,
		.scenario = scenario,
		.start_ns = clock_monotonic_ns(),
		.start_realtime_ns = clock_now_ns(CLOCK_REALTIME),
		.image = IMAGE_NONE,
		.record = { .console_fd = -1, .run_fd = -1 },
		.signals = { .fd = -1 },
	};
}

/* Do all stages, but only those before the VM for a rehearsal. */
static int run_stages(struct run *run, bool is_rehearsal, int *ret_exit_code,
		      struct ktstr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(stages) && rc == 0; i++) {
		if (is_rehearsal && stages[i].run == stage_until)
			break;
		if (run->until.is_reached && stages[i].run == stage_judge)
			break;
		rc = stages[i].run(run, err);
		*ret_exit_code = exit_code_of(run, &stages[i], rc);
	}
	return rc;
}

/* What is kept of it for the caller. */
static void hand_over(struct run *run, struct single *ret)
{
	ret->is_stopped = run->until.is_reached;
	ret->stop = steal_ptr(run->until.json);
	ret->has_verdict = !ret->is_stopped;
	ret->exit_code = ret->is_stopped ? EXIT_PASS : verdict_exit_code(run->verdict.outcome);
	ret->verdict = run->verdict;
	run->verdict = (struct verdict){ 0 };
	ret->run_fd = steal_fd(&run->record.run_fd);
	ret->run_path = steal_ptr(run->record.run_path);
	ret->console_path = steal_ptr(run->record.console_path);
	ret->judging_ns = run->judging_ns;
	ret->took_ns = run->took_ns;
	ret->seed = run->prepared->spec->seed;
}

bool run_is_kernel_verbose(const struct run_options *options)
{
	return options->recorded ? options->recorded->facts->meta->again.is_verbose
				 : options->is_verbose;
}

void single_run(const char *scenario, const struct run_options *options, struct single *ret)
{
	struct run run = run_new(scenario, options);
	int rc;

	*ret = (struct single){ .run_fd = -1, .exit_code = EXIT_ERROR };
	observe_init(&run.observe, options);
	rc = signals_watch(&run.signals, &ret->err);
	if (rc == 0)
		rc = run_stages(&run, false, &ret->exit_code, &ret->err);
	if (rc == 0)
		hand_over(&run, ret);
	else
		live_done(run.observe.live, false);
	ret->is_interrupted = run.is_interrupted || signals_have_come(&run.signals);
	observe_done(&run.observe, rc == 0);
	run_done(&run);
}

static int find_inputs(const struct run *run, struct single_inputs *ret, struct ktstr_error *err)
{
	const struct run_base_spec spec = {
		.prepared = run->prepared,
		.image = &run->image,
		.is_verbose = run_is_kernel_verbose(run->options),
		.console_fd = -1,
		.signal_fd = -1,
	};

	*ret = (struct single_inputs){ .agent_crc32 = run->again.agent_crc32,
				       .job_crc32 = run->again.job_crc32,
				       .machine_crc32 = run->again.machine_crc32 };
	return run->options->is_cold
		       ? 0
		       : run_base_known(&spec, &ret->booted_base, &ret->attached_base, err);
}

int single_rehearse(const char *scenario, const struct run_options *options,
		    struct ktstr_error *err)
{
	return single_rehearse_inputs(scenario, options, NULL, err);
}

int single_rehearse_inputs(const char *scenario, const struct run_options *options,
			   struct single_inputs *ret, struct ktstr_error *err)
{
	struct run run = run_new(scenario, options);
	int exit_code = EXIT_ERROR;
	int rc;

	/* What a run notes and warns of, it will say itself. */
	log_set(NULL, NULL, LOG_LEVEL_ERROR);
	rc = run_stages(&run, true, &exit_code, err);
	if (rc == 0 && ret) {
		rc = find_inputs(&run, ret, err);
		exit_code = EXIT_ERROR;
	}
	log_set(NULL, NULL, LOG_LEVEL_NOTE);
	run_done(&run);
	return rc == 0 ? EXIT_PASS : exit_code;
}

int run_scenario(const char *scenario, const struct run_options *options)
{
	struct single single;
	int exit_code;

	single_run(scenario, options, &single);
	exit_code = single_show(&single, options);
	single_done(&single);
	return exit_code;
}
