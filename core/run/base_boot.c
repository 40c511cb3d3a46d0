/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/base_boot.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/progress.h"
#include "coord/watchdog.h"
#include "run/cpu_time.h"
#include "run/cpu_wait.h"
#include "vm/job.h"
#include "vm/qemu_argv.h"
#include "vm/tsc.h"
#include "vm/vm.h"
#include "wire/job_area.h"

#define SAVE_TIMEOUT_NS (30 * NS_PER_S)
#define QUIT_TIMEOUT_NS (10 * NS_PER_S)
/* How often the agent is asked whether it is ready. */
#define LOOK_MS 5

/* A VM that boots to be saved, and what it prints meanwhile. */
struct boot {
	const struct run_base_spec *spec;
	const struct base *base;
	bool is_attached; /* it is saved with its scheduler up */
	struct vm *vm;
	int job_fd;
	uint64_t start_ns;
	uint64_t timeout_ns;	  /* in virtual time of CPU time */
	struct progress progress; /* of QEMU in virtual time */
	uint64_t stream_bytes;	  /* sent so far */
};

static const char *what(const struct boot *boot)
{
	return boot->is_attached ? "have its scheduler attached" : "boot";
}

/* In virtual time it is how much of a CPU it took that counts, or that it takes no more at all. */
static bool is_stuck(struct boot *boot)
{
	pid_t pid = vm_pid(boot->vm);
	uint64_t spent_ns = cpu_time_ns(pid);
	uint64_t nothing_ns = progress_look(&boot->progress, spent_ns, clock_monotonic_ns());

	if (nothing_ns > 0 && cpu_time_is_withheld(pid)) {
		progress_excuse(&boot->progress);
		nothing_ns = 0;
	}
	return spent_ns >= boot->timeout_ns || nothing_ns >= COORD_STUCK_NS;
}

/* Time in which the host had no CPU for it does not count, as far as that goes. */
static bool is_late(struct boot *boot)
{
	uint64_t elapsed_ns = clock_monotonic_ns() - boot->start_ns;

	if (boot->spec->prepared->is_virtual)
		return is_stuck(boot);
	if (elapsed_ns < boot->timeout_ns)
		return false;
	return elapsed_ns - boot->timeout_ns >=
	       cpu_wait_allowance_ns(cpu_wait_ns(vm_pid(boot->vm)), elapsed_ns, boot->timeout_ns);
}

/* What it says on the way: it must not wait for a reader. 0, or why that cannot be kept. */
static int drain(struct boot *boot, struct ktstr_error *err)
{
	const struct {
		int from_fd;
		int to_fd;
	} ways[] = {
		{ vm_com1_fd(boot->vm), boot->spec->console_fd },
		{ vm_com2_fd(boot->vm), -1 },
		{ vm_console_fd(boot->vm), -1 },
		{ vm_bulk_fd(boot->vm), boot->base->stream_fd },
	};
	char bytes[16 * 1024];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		ssize_t n;

		while ((n = read(ways[i].from_fd, bytes, sizeof(bytes))) > 0) {
			if (ways[i].to_fd >= 0)
				rc = io_write_all(ways[i].to_fd, bytes, (size_t)n);
			if (ways[i].to_fd != boot->base->stream_fd)
				continue; /* a copy of the console may end early */
			boot->stream_bytes += (uint64_t)n;
			if (rc < 0)
				return ktstr_fail(err, rc, "cannot keep what the VM sent: %s",
						  strerror(-rc));
			if (boot->stream_bytes > RUN_BASE_STREAM_MAX)
				return ktstr_fail(err, -EFBIG,
						  "the VM that was to be saved sent more than "
						  "%" PRIu64 " MiB",
						  RUN_BASE_STREAM_MAX >> 20);
		}
	}
	return 0;
}

/* What QEMU cannot write to memory that is a file ends it. */
static int fail_ended(const struct boot *boot, struct ktstr_error *err)
{
	int status = vm_wait(boot->vm);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return ktstr_fail(err, -ENOSPC, "there is no room for the VM's memory on the disk");
	return ktstr_fail(err, -EPIPE, "QEMU ended before the VM did %s", what(boot));
}

static int wait_until_ready(struct boot *boot, struct ktstr_error *err)
{
	const uint32_t wanted = boot->is_attached ? JOB_AREA_ATTACHED : JOB_AREA_READY;
	struct pollfd poll_fds[] = { { .fd = vm_pid_fd(boot->vm), .events = POLLIN },
				     { .fd = boot->spec->signal_fd, .events = POLLIN } };

	for (;;) {
		int rc = drain(boot, err);

		if (rc < 0)
			return rc;
		if (job_state(boot->job_fd) == wanted)
			return 0;
		if (poll_fds[0].revents)
			return fail_ended(boot, err);
		if (vm_poll(boot->vm) != VM_EVENT_NONE)
			return ktstr_fail(err, -EPIPE, "the VM that was to be saved did not %s",
					  what(boot));
		if (poll_fds[1].revents)
			return ktstr_fail(err, -EINTR, "interrupted");
		if (is_late(boot))
			return ktstr_fail(err, -ETIMEDOUT,
					  "the VM that was to be saved did not %s in time",
					  what(boot));
		(void)poll(poll_fds, ARRAY_SIZE(poll_fds), LOOK_MS);
	}
}

/* Until QEMU is gone, and what it started to write the state. Then the files are ours alone. */
static int quit(const struct boot *boot, struct ktstr_error *err)
{
	uint64_t deadline_ns = clock_monotonic_ns() + QUIT_TIMEOUT_NS;
	struct pollfd poll_fd = { .fd = vm_stderr_fd(boot->vm), .events = POLLIN };
	int rc = vm_quit(boot->vm, err);
	char words[512];

	if (rc < 0)
		return rc;
	while (clock_monotonic_ns() < deadline_ns) {
		ssize_t n = read(poll_fd.fd, words, sizeof(words));

		if (n == 0)
			return 0;
		if (n < 0)
			(void)poll(&poll_fd, 1, LOOK_MS);
	}
	return ktstr_fail(err, -ETIMEDOUT, "QEMU did not end after it saved the VM");
}

/* It must stand still before its stream is read to the end: what came later would be sent again by
 * each run. */
static int save(struct boot *boot, struct ktstr_error *err)
{
	uint64_t bytes;
	int rc = vm_freeze(boot->vm, err);

	if (rc == 0)
		rc = drain(boot, err);
	bytes = boot->stream_bytes;
	/* It may have died in its last moment. */
	if (rc == 0 && vm_poll(boot->vm) != VM_EVENT_NONE)
		rc = ktstr_fail(err, -EPIPE, "the VM ended when it was to be saved");
	if (rc == 0)
		rc = vm_save(boot->vm, clock_monotonic_ns() + SAVE_TIMEOUT_NS, err);
	if (rc == 0)
		rc = quit(boot, err);
	if (rc == 0)
		rc = drain(boot, err);
	if (rc == 0 && boot->stream_bytes != bytes)
		rc = ktstr_fail(err, -EAGAIN, "the VM sent more while it was saved");
	return rc;
}

int base_boot(const struct run_base_spec *spec, bool is_attached, const struct base *base,
	      struct ktstr_error *err)
{
	const struct scenario_spec *scenario = spec->prepared->spec;
	const struct job_archive *part = is_attached ? &spec->image->scheduler_archive : NULL;
	bool is_kvm = spec->prepared->is_kvm, is_virtual = spec->prepared->is_virtual;
	_cleanup_free_ char *append = kernel_command_line(
		is_kvm, is_virtual, is_kvm || is_virtual ? 0 : tsc_measure_khz(), spec->is_verbose);
	const struct vm_files files = base_files(base, false);
	struct boot boot = { .spec = spec,
			     .base = base,
			     .is_attached = is_attached,
			     .job_fd = -1,
			     .start_ns = clock_monotonic_ns(),
			     .timeout_ns = scenario->vm.boot_timeout_ns };
	struct vm_spec vm_spec = {
		.is_kvm = is_kvm,
		.instruction_ns = prepared_instruction_ns(spec->prepared),
		.gate = prepared_gate(spec->prepared),
		.topology = scenario->vm.topology,
		.memory_bytes = spec->image->memory_bytes,
		.kernel = spec->prepared->kernel->boot,
		.initramfs_fds = { spec->image->base_fd, -1 },
		.append = append,
		.job_bytes = JOB_AREA_BYTES,
		.files = &files,
	};
	int rc = append ? job_new(part, &boot.job_fd, err)
			: ktstr_fail(err, -ENOMEM, "cannot start the VM: out of memory");

	if (is_attached)
		boot.timeout_ns += watchdog_cpu_time_ns(scenario->scheduler_timeout_ns,
							vm_spec.instruction_ns);
	vm_spec.job_fd = boot.job_fd;
	if (rc == 0 && is_virtual)
		rc = job_show_freeze_port(boot.job_fd, err);
	if (rc == 0)
		rc = vm_start(&vm_spec, &boot.vm, err);
	if (rc == 0)
		rc = wait_until_ready(&boot, err);
	if (rc == 0)
		rc = save(&boot, err);
	vm_free(boot.vm);
	cleanup_close(&boot.job_fd);
	return rc;
}
