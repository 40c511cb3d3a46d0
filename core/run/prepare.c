/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "run/recorded.h"
#include "run/seed.h"
#include "vm/kvm.h"
#include "vm/qemu_argv.h"

const char *const prepare_kernel_options[] = {
	"CONFIG_64BIT",
	"CONFIG_SMP",
	"CONFIG_BLK_DEV_INITRD",
	"CONFIG_BINFMT_ELF",
	"CONFIG_DEVTMPFS",
	"CONFIG_TMPFS",
	"CONFIG_PROC_FS",
	"CONFIG_SYSFS",
	"CONFIG_PCI",
	"CONFIG_VIRTIO_PCI",
	"CONFIG_VIRTIO_CONSOLE",
	"CONFIG_SERIAL_8250_CONSOLE",
	"CONFIG_CGROUPS",
	"CONFIG_CPUSETS",
	NULL,
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot prepare the run: out of memory");
}

/* Bind @params by the table of @plugin. */
static int bind_plugin(struct registry *registry, const struct plugin *plugin,
		       const struct node *params, const struct source *source, struct bound **ret,
		       struct ktstr_error *err)
{
	struct plugin_tables tables = registry_tables(registry);
	const struct ktstr_plugin *d = plugin->descriptor;

	return bind_params(d->params, d->param_size, params, NULL, source, &tables, ret, err);
}

int prepare_check_params(struct registry *registry, const struct plugin *plugin,
			 const struct node *params, const struct source *source,
			 struct ktstr_error *err)
{
	struct bound *bound = NULL;
	int rc = bind_plugin(registry, plugin, params, source, &bound, err);

	if (rc == 0)
		bound_free(bound);
	return rc;
}

/* An option's argument as a source of messages: "--checker: fairness" stands before them. */
static struct source argument_source(char *name, size_t size, const char *option,
				     const struct plugin *plugin, const char *argument)
{
	(void)snprintf(name, size, "%s: %s", option, plugin->descriptor->name);
	return (struct source){
		.name = name, .text = argument, .length = strlen(argument), .is_argument = true
	};
}

int prepare_argument(struct registry *registry, uint32_t kind, const char *option,
		     const char *argument, struct plugin_ref *ret_ref, struct plugin **ret_plugin,
		     struct ktstr_error *err)
{
	struct plugin_ref ref = { 0 };
	struct source source;
	char name[128];
	int rc = plugin_ref_parse(argument, &ref, err);

	if (rc == 0)
		rc = registry_get(registry, kind, ref.name, ret_plugin, err);
	if (rc < 0) {
		plugin_ref_done(&ref);
		return str_starts(err->text, option) ? rc : ktstr_prefix(err, "%s", option);
	}
	source = argument_source(name, sizeof(name), option, *ret_plugin, argument);
	if (kind == KTSTR_KIND_CHECKER)
		rc = prepare_check_params(registry, *ret_plugin, ref.params, &source, err);
	if (rc < 0) {
		plugin_ref_done(&ref);
		return rc;
	}
	*ret_ref = ref;
	return 0;
}

/* The plugin that the scenario file names at @ref; errors name the place. */
static int get_plugin(struct prepared *p, uint32_t kind, const struct plugin_ref *ref,
		      struct plugin **ret, struct ktstr_error *err)
{
	struct ktstr_error inner;
	int rc = registry_get(p->registry, kind, ref->name, ret, &inner);

	if (rc < 0 && ref->line > 0)
		return source_fail(&p->spec->source, ref->line, ref->column, err, "%s", inner.text);
	if (rc < 0)
		*err = inner;
	return rc;
}

/* The needs of a plugin and of the workloads in its values. */
static int ask_needs(struct prepared *p, const struct plugin *plugin, const struct bound *values,
		     const struct source *source, const struct plugin_ref *ref,
		     struct ktstr_error *err)
{
	struct ktstr_error inner;
	int rc;

	p->needs.source = source;
	rc = run_needs_ask(&p->needs, plugin, bound_values(values), &inner);
	if (rc == 0 && plugin->descriptor->params)
		rc = run_needs_ask_workloads(&p->needs, plugin, bound_values(values), &inner);
	p->needs.source = NULL;
	if (rc < 0 && inner.line > 0)
		return source_fail(source, inner.line, inner.column, err, "%s", inner.text);
	if (rc < 0 && source->text && ref->line > 0)
		return source_fail(source, ref->line, ref->column, err, "%s", inner.text);
	if (rc < 0)
		*err = inner;
	return rc;
}

static int prepare_scheduler(struct prepared *p, const struct run_options *options,
			     struct ktstr_error *err)
{
	struct source source = p->spec->source;
	struct plugin_ref *ref = &p->spec->scheduler;
	struct plugin_ref given = { 0 };
	char name[128];
	uint32_t asked;
	int rc;

	if (options->scheduler) {
		rc = prepare_argument(p->registry, KTSTR_KIND_SCHEDULER, "--scheduler",
				      options->scheduler, &given, &p->scheduler, err);
		if (rc < 0)
			return rc;
		plugin_ref_done(ref);
		*ref = given;
		source = argument_source(name, sizeof(name), "--scheduler", p->scheduler,
					 options->scheduler);
	} else {
		rc = get_plugin(p, KTSTR_KIND_SCHEDULER, ref, &p->scheduler, err);
		if (rc < 0)
			return rc;
	}
	rc = bind_plugin(p->registry, p->scheduler, ref->params, &source, &p->scheduler_values,
			 err);
	asked = p->needs.asked;
	p->needs.is_asking_scheduler = true;
	if (rc == 0)
		rc = ask_needs(p, p->scheduler, p->scheduler_values, &source, ref, err);
	p->needs.is_asking_scheduler = false;
	p->is_kernels_own = p->needs.asked == asked;
	return rc;
}

static int prepare_staged(struct prepared *p, struct ktstr_error *err)
{
	const struct scenario_spec *spec = p->spec;
	int rc = 0;

	p->staged = calloc(spec->staged_count + 1, sizeof(*p->staged));
	if (!p->staged)
		return no_memory(err);
	for (size_t i = 0; i < spec->staged_count && rc == 0; i++) {
		const struct plugin_ref *ref = &spec->staged[i].plugin;
		struct prepared_scheduler *staged = &p->staged[p->staged_count++];

		rc = get_plugin(p, KTSTR_KIND_SCHEDULER, ref, &staged->plugin, err);
		if (rc == 0)
			rc = bind_plugin(p->registry, staged->plugin, ref->params, &spec->source,
					 &staged->values, err);
		if (rc == 0)
			rc = ask_needs(p, staged->plugin, staged->values, &spec->source, ref, err);
	}
	return rc;
}

static int prepare_scenario_plugin(struct prepared *p, struct ktstr_error *err)
{
	struct plugin_ref *ref = &p->spec->scenario;
	int rc = get_plugin(p, KTSTR_KIND_SCENARIO, ref, &p->scenario, err);

	if (rc == 0)
		rc = bind_plugin(p->registry, p->scenario, ref->params, &p->spec->source,
				 &p->scenario_values, err);
	if (rc == 0)
		rc = ask_needs(p, p->scenario, p->scenario_values, &p->spec->source, ref, err);
	return rc;
}

static void add_checker(struct prepared *p, struct plugin *plugin, const struct node *params)
{
	p->checkers[p->checker_count++] = (struct prepared_checker){ plugin, params };
}

static int prepare_file_checkers(struct prepared *p, struct ktstr_error *err)
{
	for (size_t i = 0; i < p->spec->checker_count; i++) {
		const struct plugin_ref *ref = &p->spec->checkers[i];
		struct plugin *plugin;
		int rc = get_plugin(p, KTSTR_KIND_CHECKER, ref, &plugin, err);

		if (rc == 0)
			rc = prepare_check_params(p->registry, plugin, ref->params,
						  &p->spec->source, err);
		if (rc < 0)
			return rc;
		add_checker(p, plugin, ref->params);
	}
	return 0;
}

static int prepare_given_checkers(struct prepared *p, const struct run_options *options,
				  struct ktstr_error *err)
{
	for (size_t i = 0; i < options->checker_count; i++) {
		struct plugin_ref ref = { 0 };
		struct plugin *plugin;
		const struct node *params;
		int rc = prepare_argument(p->registry, KTSTR_KIND_CHECKER, "--checker",
					  options->checkers[i], &ref, &plugin, err);

		if (rc < 0)
			return rc;
		params = ref.params;
		rc = scenario_add_checker(p->spec, &ref, err);
		if (rc < 0)
			return rc;
		add_checker(p, plugin, params);
	}
	return 0;
}

static int prepare_checkers(struct prepared *p, const struct run_options *options,
			    struct ktstr_error *err)
{
	const struct ktstr_scenario_ops *ops = p->scenario->descriptor->scenario;
	size_t most = p->spec->checker_count + options->checker_count + 1;
	int rc = 0;

	p->checkers = calloc(most, sizeof(*p->checkers));
	if (!p->checkers)
		return no_memory(err);
	if (!options->has_only_checkers) {
		rc = prepare_file_checkers(p, err);
		if (rc == 0 && KTSTR_HAS(ops, judgement))
			add_checker(p, p->scenario, p->spec->scenario.params);
	}
	if (rc == 0)
		rc = prepare_given_checkers(p, options, err);
	if (rc == 0 && p->checker_count == 0 && !expectation_judges(&p->spec->expect))
		return ktstr_fail(err, -EINVAL,
				  "%s: no checker is named, so nothing could be judged; add "
				  "'checkers: [starvation]' or --checker starvation",
				  p->spec->source.name);
	return rc;
}

/* A checker that is to FAIL must judge. */
static int check_expected(const struct prepared *p, struct ktstr_error *err)
{
	const struct expectation *expect = &p->spec->expect;

	for (size_t i = 0; i < expect->checker_count; i++) {
		const struct expect_place *place = &expect->checker_places[i];
		size_t k = 0;

		while (k < p->checker_count &&
		       strcmp(p->checkers[k].plugin->descriptor->name, expect->checkers[i]) != 0)
			k++;
		if (k == p->checker_count)
			return source_fail(&p->spec->source, place->line, place->column, err,
					   "checker '%s' is expected to FAIL, but does not judge "
					   "this run; name it in 'checkers' or with --checker",
					   expect->checkers[i]);
	}
	return 0;
}

static int override_spec(struct scenario_spec *spec, const struct run_options *options,
			 struct ktstr_error *err)
{
	if (options->has_seed)
		spec->seed = options->seed;
	else if (!spec->has_seed)
		spec->seed = options->has_drawn_seed ? options->drawn_seed : seed_draw();
	spec->has_seed = true;
	if (options->has_clock)
		spec->vm.clock = options->clock;
	if (options->has_accel)
		spec->vm.accel = options->accel;
	if (options->kernel) {
		char *kernel = strdup(options->kernel);

		if (!kernel)
			return no_memory(err);
		free(spec->vm.kernel);
		spec->vm.kernel = kernel;
	}
	return 0;
}

/* The file, or the text of the run that is run again with what was settled of its VM. */
static int load_scenario(const char *scenario, const struct run_options *options,
			 struct scenario_spec **ret, struct ktstr_error *err)
{
	const struct recorded *recorded = options->recorded;
	const struct meta *meta = recorded ? recorded->facts->meta : NULL;
	int rc;

	if (!recorded && options->text)
		return scenario_parse(scenario, options->text, options->text_length, ret, err);
	if (!recorded)
		return scenario_load(scenario, ret, err);
	rc = scenario_parse(meta->scenario_file, recorded->source, recorded->source_length, ret,
			    err);
	if (rc < 0)
		return rc;
	(*ret)->vm.memory_bytes = meta->memory_bytes;
	if (meta->instruction_ns > 0)
		(*ret)->vm.instruction_ns = meta->instruction_ns;
	return 0;
}

static int prepare_all(struct prepared *p, const char *scenario, const struct run_options *options,
		       const struct run_paths *paths, struct ktstr_error *err)
{
	int rc = load_scenario(scenario, options, &p->spec, err);

	if (rc < 0)
		return rc;
	p->is_seed_drawn = !options->has_seed && !options->has_drawn_seed && !p->spec->has_seed;
	rc = override_spec(p->spec, options, err);
	if (rc < 0)
		return rc;
	rc = topology_check(&p->spec->vm.topology, err);
	if (rc < 0)
		return ktstr_prefix(err, "%s: vm.topology", p->spec->source.name);
	rc = registry_new((const char *const *)paths->plugin_folders, &p->registry, err);
	run_needs_init(&p->needs, p->spec, p->registry);
	if (rc == 0 && options->recorded)
		rc = recorded_load_plugins(options->recorded, options->is_forced, p->registry, err);
	if (rc == 0)
		rc = prepare_scenario_plugin(p, err);
	if (rc == 0)
		rc = prepare_scheduler(p, options, err);
	if (rc == 0)
		rc = prepare_staged(p, err);
	if (rc == 0)
		rc = prepare_checkers(p, options, err);
	if (rc == 0)
		rc = check_expected(p, err);
	return rc;
}

int prepare_scenario(const char *scenario, const struct run_options *options,
		     const struct run_paths *paths, struct prepared **ret, struct ktstr_error *err)
{
	struct prepared *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return no_memory(err);
	rc = prepare_all(p, scenario, options, paths, err);
	if (rc == 0 && paths->gate && !(p->gate = strdup(paths->gate)))
		rc = no_memory(err);
	if (rc < 0) {
		prepared_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

static int need_option(const struct kernel *kernel, const char *option, const char *asker,
		       struct ktstr_error *err)
{
	if (kernel_config_has(kernel, option) != 0)
		return 0;
	return ktstr_fail(
		err, -ENOTSUP,
		"kernel '%s' has no %s=y, which %s needs; take another one with --kernel, "
		"or `ktstr kernel fetch`",
		kernel->image, option, asker);
}

static int check_kernel(const struct prepared *p, struct ktstr_error *err)
{
	int rc = 0;

	if (!p->kernel->is_config_known) {
		log_warning("the config of kernel '%s' is not known, so it may lack what the run "
			    "needs",
			    p->kernel->image);
		return 0;
	}
	for (size_t i = 0; prepare_kernel_options[i] && rc == 0; i++)
		rc = need_option(p->kernel, prepare_kernel_options[i], "ktstr", err);
	for (size_t i = 0; i < p->needs.option_count && rc == 0; i++)
		rc = need_option(p->kernel, p->needs.options[i].option, p->needs.options[i].asker,
				 err);
	return rc;
}

static int choose_accel(struct prepared *p, const struct run_options *options,
			struct ktstr_error *err)
{
	struct kvm_probe own = { 0 }, *probe = options->kvm ? options->kvm : &own;

	p->is_kvm = false;
	if (p->spec->vm.accel == ACCEL_TCG)
		return 0;
	if (probe->took_ns == 0)
		kvm_probe_run("/dev/kvm", probe);
	p->is_kvm = probe->works;
	if (probe->works)
		return 0;
	if (p->spec->vm.accel == ACCEL_KVM)
		return ktstr_fail(
			err, -ENODEV,
			"accel: kvm was asked for, but /dev/kvm does not run a kernel here "
			"(%s); take 'accel: auto' or --accel tcg",
			probe->reason);
	log_note("vm: /dev/kvm does not run a kernel here (%s); using TCG, which is slower",
		 probe->reason);
	return 0;
}

bool prepare_names_kernel(const struct prepared *p)
{
	const char *environment = getenv("KTSTR_KERNEL");

	return p->spec->vm.kernel || (environment && *environment);
}

int prepare_kernel(struct prepared *p, struct ktstr_error *err)
{
	return kernel_find(p->spec->vm.kernel, &p->kernel, err);
}

/* What the host asks for while it runs, by its own clock, would come at another moment each time.
 */
static int choose_clock(struct prepared *p, const struct run_options *options,
			struct ktstr_error *err)
{
	enum vm_clock clock = p->spec->vm.clock;

	if (clock == VM_CLOCK_VIRTUAL && p->is_kvm)
		return ktstr_fail(err, -ENOTSUP,
				  "clock: virtual counts the instructions of an emulated CPU, and "
				  "KVM has none; take --accel tcg, or --clock host");
	p->is_virtual = !p->is_kvm && clock != VM_CLOCK_HOST;
	if (options->must_be_virtual && (!p->is_virtual || options->stats_interval_ns > 0))
		return ktstr_fail(
			err, -EDOM,
			"in the host's time no two runs are the same, so they cannot be "
			"compared; take --accel tcg and --clock virtual, without --stats");
	if (!p->is_virtual || options->stats_interval_ns == 0)
		return 0;
	if (clock == VM_CLOCK_VIRTUAL)
		return ktstr_fail(err, -ENOTSUP,
				  "--stats asks by the host's clock, which has no place in virtual "
				  "time; leave it out, or take --clock host");
	log_note("vm: --stats asks by the host's clock, so the guest lives in the host's time");
	p->is_virtual = false;
	return 0;
}

int prepare_machine(struct prepared *p, const struct run_options *options, struct ktstr_error *err)
{
	int rc = check_kernel(p, err);

	if (rc == 0)
		rc = choose_accel(p, options, err);
	if (rc == 0)
		rc = choose_clock(p, options, err);
	return rc;
}

uint32_t prepared_instruction_ns(const struct prepared *p)
{
	return p->is_virtual ? p->spec->vm.instruction_ns : 0;
}

const char *prepared_gate(const struct prepared *p)
{
	return p->is_virtual ? p->gate : NULL;
}

void prepared_free(struct prepared *p)
{
	if (!p)
		return;
	kernel_free(p->kernel);
	free(p->gate);
	run_needs_done(&p->needs);
	free(p->checkers);
	bound_free(p->scenario_values);
	bound_free(p->scheduler_values);
	for (size_t i = 0; i < p->staged_count; i++)
		bound_free(p->staged[i].values);
	free(p->staged);
	registry_free(p->registry);
	scenario_free(p->spec);
	free(p);
}
