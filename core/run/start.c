/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "report/facts.h"
#include "report/meta.h"
#include "run/answer.h"
#include "run/base.h"
#include "run/recorded.h"
#include "vm/job.h"
#include "vm/qemu_argv.h"
#include "vm/tsc.h"
#include "wire/job_area.h"

/* For QEMU to take up a saved machine. */
#define RESTORE_TIMEOUT_NS (20 * NS_PER_S)
/* For the guest of a restored machine to say something: one whose clocks are wrong may hang. */
#define ANSWER_TIMEOUT_NS (5 * NS_PER_S)

/* A start, and whether it was told to be none. */
struct start {
	const struct start_spec *spec;
	bool is_refused;
};

static int take_room(struct start *start, bool is_restored, struct ktstr_error *err)
{
	int rc = start->spec->take_room(start->spec->arg, is_restored, err);

	start->is_refused = rc < 0;
	return rc;
}

static int may_boot(void *arg, struct ktstr_error *err)
{
	return take_room(arg, false, err);
}

/* Boot it for this run alone. */
static int boot(const struct start_spec *spec, struct vm_spec *vm_spec, struct started *ret,
		struct ktstr_error *err)
{
	bool is_virtual = spec->prepared->is_virtual;
	_cleanup_free_ char *append = kernel_command_line(
		vm_spec->is_kvm, is_virtual, vm_spec->is_kvm || is_virtual ? 0 : tsc_measure_khz(),
		run_is_kernel_verbose(spec->options));
	int rc = job_show_scheduler(spec->image->job_fd, true, err);

	if (rc < 0)
		return rc;
	if (!append)
		return ktstr_fail(err, -ENOMEM, "cannot start the VM: out of memory");
	vm_spec->append = append;
	rc = vm_start(vm_spec, &ret->vm, err);
	vm_spec->append = NULL;
	return rc;
}

/* Runs with one seed are the same in virtual time, whatever was run before: they all begin in one
 * place. */
static enum run_base wanted_base(const struct start_spec *spec)
{
	const struct prepared *p = spec->prepared;

	if (spec->options->base != RUN_BASE_AUTO)
		return spec->options->base;
	return p->is_virtual && !p->is_seed_drawn ? RUN_BASE_BOOTED : RUN_BASE_AUTO;
}

static int identify(const struct start_spec *spec, const struct run_base_found *found,
		    struct started *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *id = NULL;
	int rc = base_id(&found->base, &id);

	if (rc == 0 && found->is_attached)
		ret->base_id = str_format("%s+%s", id, spec->prepared->scheduler->descriptor->name);
	else
		ret->base_id = steal_ptr(id);
	return ret->base_id ? 0 : ktstr_fail(err, -EIO, "the saved VM cannot be read");
}

/* Is it the one that this run is to start from? */
static int check_base(const struct start_spec *spec, const char *base_id, struct ktstr_error *err)
{
	const struct recorded *recorded = spec->options->recorded;
	const char *then = recorded ? recorded->facts->meta->base : "";

	if (!then[0] || strcmp(then, base_id) == 0)
		return 0;
	if (!spec->options->is_forced)
		return ktstr_fail(
			err, -ESTALE,
			"the one that the run started from, '%s', is gone, and the one of "
			"its kind is '%s'; --force takes that",
			then, base_id);
	log_warning("the saved VM that the run started from, '%s', is gone; this one is '%s'", then,
		    base_id);
	return 0;
}

/* QEMU has it: let it go on. *ret_is_bad: it is the saved machine's fault that it does not. */
static int go_on(const struct start_spec *spec, const struct base *base, struct vm *vm,
		 bool *ret_is_bad, struct ktstr_error *err)
{
	int rc = vm_wait_restored(vm, clock_monotonic_ns() + RESTORE_TIMEOUT_NS, err);

	*ret_is_bad = rc == -EBADMSG;
	/* What flows out of a virtual machine is a file, and its clocks are as it is. */
	if (rc == 0 && !spec->prepared->is_virtual) {
		rc = answer_wait(vm, spec->signal_fd, ANSWER_TIMEOUT_NS, err);
		*ret_is_bad = rc == -EBADMSG || rc == -ETIMEDOUT;
	}
	/* Files that have not changed by their times were not read before. */
	if (rc < 0 && rc != -EINTR && !*ret_is_bad)
		*ret_is_bad = base_is_damaged(base);
	return rc;
}

/* The machine of @found, once it goes on. */
static int start_saved(const struct start_spec *spec, struct vm_spec *vm_spec,
		       const struct run_base_found *found, struct started *ret, bool *ret_is_bad,
		       struct ktstr_error *err)
{
	const struct vm_files files = base_files(&found->base, true);
	int rc = run_base_stream(&found->base, &ret->prefix, &ret->prefix_length, err);

	if (rc == 0)
		rc = job_show_scheduler(spec->image->job_fd, !found->is_attached, err);
	if (rc < 0)
		return rc;
	vm_spec->files = &files;
	rc = vm_start(vm_spec, &ret->vm, err);
	vm_spec->files = NULL;
	return rc < 0 ? rc : go_on(spec, &found->base, ret->vm, ret_is_bad, err);
}

/* Start from a saved machine. Whatever is wrong with that, the run can boot. One that did not start
 * because of what the host lacks at the moment stays: replays of its runs have no other. */
static int restore(struct start *start, struct vm_spec *vm_spec, struct started *ret,
		   struct ktstr_error *err)
{
	const struct start_spec *spec = start->spec;
	const struct run_base_spec base_spec = {
		.prepared = spec->prepared,
		.image = spec->image,
		.wanted = wanted_base(spec),
		.is_demanded = spec->options->is_restored,
		.is_verbose = run_is_kernel_verbose(spec->options),
		.console_fd = spec->console_fd,
		.signal_fd = spec->signal_fd,
		.may_boot = may_boot,
		.arg = start,
	};
	bool is_bad = false;
	struct run_base_found found;
	int rc = run_base_get(&base_spec, &found, err);

	if (rc < 0)
		return rc;
	rc = identify(spec, &found, ret, err);
	if (rc == 0)
		rc = check_base(spec, ret->base_id, err);
	if (rc == 0)
		rc = take_room(start, true, err);
	if (rc == 0)
		rc = start_saved(spec, vm_spec, &found, ret, &is_bad, err);
	ret->is_attached = found.is_attached;
	ret->note = steal_ptr(found.note);
	if (rc < 0)
		started_done(ret);
	if (is_bad)
		base_remove(&found.base);
	run_base_found_done(&found);
	return rc;
}

int start_vm(const struct start_spec *spec, struct started *ret, struct ktstr_error *err)
{
	const struct prepared *p = spec->prepared;
	struct vm_spec vm_spec = {
		.is_kvm = p->is_kvm,
		.instruction_ns = prepared_instruction_ns(p),
		.seed = p->spec->seed,
		.gate = prepared_gate(p),
		.topology = p->spec->vm.topology,
		.memory_bytes = spec->image->memory_bytes,
		.kernel = p->kernel->boot,
		.initramfs_fds = { spec->image->base_fd, -1 },
		.job_fd = spec->image->job_fd,
		.job_bytes = JOB_AREA_BYTES,
	};
	struct start start = { .spec = spec };
	int rc;

	*ret = (struct started){ 0 };
	rc = spec->options->is_cold ? -ENOTSUP : restore(&start, &vm_spec, ret, err);
	if (rc == 0 || start.is_refused)
		return rc;
	if (spec->options->is_restored)
		return ktstr_prefix(err, "this run cannot start from a saved VM");
	if (rc != -ENOTSUP && rc != -EINTR)
		log_warning("this run boots, because no saved VM can be had: %s", err->text);
	rc = take_room(&start, false, err);
	return rc < 0 ? rc : boot(spec, &vm_spec, ret, err);
}

void started_done(struct started *started)
{
	vm_free(started->vm);
	free(started->base_id);
	free(started->prefix);
	free(started->note);
	*started = (struct started){ 0 };
}
