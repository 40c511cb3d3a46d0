/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/base.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "param/bind.h"
#include "run/cpu_wait.h"
#include "vm/job.h"
#include "vm/kernel.h"
#include "vm/qemu_argv.h"
#include "vm/tsc.h"
#include "vm/vm.h"
#include "wire/crc_file.h"
#include "wire/job_area.h"

/* Changes when what an agent does before it waits for its job changes in a way that its program
 * does not show, or the way in which machines are saved. */
#define BASE_FORMAT 1
#define SAVE_TIMEOUT_NS (30 * NS_PER_S)
#define QUIT_TIMEOUT_NS (10 * NS_PER_S)
/* How often the agent is asked whether it is ready. */
#define LOOK_MS 5
/* QEMU's numbers of descriptors, as the key has them. */
#define KEY_FD 3

char *run_base_store(void)
{
	struct ktstr_error ignored;
	_cleanup_free_ char *cache = NULL;

	return kernel_cache_dir(&cache, &ignored) == 0 ? str_format("%s/bases", cache) : NULL;
}

/* What a person wants to know of it (run/list_bases.c). */
static int add_description(struct str *key, const struct run_base_spec *spec)
{
	const struct prepared *p = spec->prepared;
	const struct ktstr_topology *t = &p->spec->vm.topology;

	return str_addf(key,
			RUN_BASE_RELEASE "%s\n" RUN_BASE_TOPOLOGY "%" PRIu32 " %" PRIu32 " %" PRIu32
					 " %" PRIu32 "\n" RUN_BASE_MEMORY "%" PRIu64 "\n",
			p->kernel->release ? p->kernel->release : "", t->numa_nodes, t->llcs,
			t->cores, t->threads, spec->image->memory_bytes);
}

/* A file by its path, size and time: "kernel /boot/vmlinuz 12345 1700000000000000000". */
static int add_file(struct str *key, const char *what, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	return str_addf(key, "%s %s %lld %lld.%09ld\n", what, path, (long long)status.st_size,
			(long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

char *run_base_program(void)
{
	const char *name = vm_program(NULL);

	return strchr(name, '/') ? strdup(name) : io_find_program(name);
}

static int add_archive(struct str *key, int fd)
{
	uint64_t length = 0;
	uint32_t crc = 0;
	int rc = crc_file(fd, UINT64_MAX, &crc, &length);

	return rc < 0 ? rc : str_addf(key, "agent %" PRIu64 " %08" PRIx32 "\n", length, crc);
}

/* The host's CPU: a guest sees some of it, and one of KVM nearly all, as the host's kernel lets it.
 */
static int add_host(struct str *key, bool is_kvm)
{
	static const char *const lines[] = { "model name", "microcode", "flags" };
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;
	struct utsname names;
	int rc = 0;

	/* It says of itself that it is empty. */
	(void)io_read_file("/proc/cpuinfo", 1 << 22, &text, NULL, &ignored);
	for (size_t i = 0; i < (is_kvm ? ARRAY_SIZE(lines) : 1) && rc == 0; i++) {
		const char *line = text ? strstr(text, lines[i]) : NULL;

		rc = str_addf(key, "host %.*s\n", line ? (int)strcspn(line, "\n") : 1,
			      line ? line : "?");
	}
	if (rc == 0 && is_kvm && uname(&names) == 0)
		rc = str_addf(key, "host kernel %s %s\n", names.release, names.version);
	return rc;
}

static int add_words(struct str *key, const struct run_base_spec *spec, const char *program,
		     const char *kernel)
{
	/* Without what is measured on this host anew each time. */
	_cleanup_free_ char *append = kernel_command_line(
		spec->prepared->is_kvm, spec->prepared->is_virtual, 0, spec->is_verbose);
	const struct scenario_spec *scenario = spec->prepared->spec;
	int memory_fds[BASE_NODES_MAX];
	struct qemu_spec qemu = {
		.program = program,
		.is_kvm = spec->prepared->is_kvm,
		.instruction_ns = prepared_instruction_ns(spec->prepared),
		.topology = scenario->vm.topology,
		.memory_bytes = spec->image->memory_bytes,
		.kernel = kernel,
		.append = append,
		.qmp_fd = KEY_FD,
		.com1_fd = KEY_FD,
		.com2_fd = KEY_FD,
		.console_fd = KEY_FD,
		.bulk_fd = KEY_FD,
		.stats_fd = KEY_FD,
		.debugger_fd = KEY_FD,
		.memory_fds = memory_fds,
		.job_fd = KEY_FD,
		.job_bytes = JOB_AREA_BYTES,
	};
	struct ktstr_error ignored;
	char **words = NULL;
	int rc;

	if (!append)
		return -ENOMEM;
	for (uint32_t i = 0; i < BASE_NODES_MAX; i++)
		memory_fds[i] = KEY_FD;
	rc = qemu_argv(&qemu, &words, &ignored);
	for (size_t i = 0; rc == 0 && words[i]; i++)
		rc = str_addf(key, "qemu %s\n", words[i]);
	qemu_argv_free(words);
	return rc;
}

int run_base_words(const struct run_base_spec *spec, struct str *out)
{
	return add_words(out, spec, "qemu", "kernel");
}

static int make_key(const struct run_base_spec *spec, char **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *program = run_base_program();
	struct str key = { 0 };
	int rc = program ? str_addf(&key, "format %d\n", BASE_FORMAT) : -ENOENT;

	if (rc == 0)
		rc = add_description(&key, spec);
	if (rc == 0)
		rc = add_file(&key, "program", program);
	if (rc == 0)
		rc = add_file(&key, "kernel", spec->prepared->kernel->boot);
	if (rc == 0)
		rc = add_archive(&key, spec->image->base_fd);
	if (rc == 0)
		rc = add_host(&key, spec->prepared->is_kvm);
	if (rc == 0)
		rc = add_words(&key, spec, program, spec->prepared->kernel->boot);
	if (rc < 0) {
		str_done(&key);
		return ktstr_fail(err, rc, "cannot say what VM this is: %s", strerror(-rc));
	}
	*ret = key.data;
	return 0;
}

uint64_t run_base_bytes_max(void)
{
	const char *text = getenv("KTSTR_BASES_MAX");
	int64_t bytes;

	if (!text || !*text)
		return BASE_STORE_BYTES_MAX;
	if (parse_size(text, &bytes) == 0 && bytes >= 0)
		return (uint64_t)bytes;
	log_warning("KTSTR_BASES_MAX is '%s', which is no size such as 4G, and not heeded", text);
	return BASE_STORE_BYTES_MAX;
}

/* A VM that boots to be saved, and what it prints meanwhile. */
struct boot {
	struct vm *vm;
	int job_fd;
	int console_fd;
	int signal_fd;
	uint64_t start_ns;
	uint64_t timeout_ns;
};

/* Time in which the host had no CPU for it does not count, as far as that goes. */
static bool is_late(const struct boot *boot)
{
	uint64_t elapsed_ns = clock_monotonic_ns() - boot->start_ns;

	if (elapsed_ns < boot->timeout_ns)
		return false;
	return elapsed_ns - boot->timeout_ns >=
	       cpu_wait_allowance_ns(cpu_wait_ns(vm_pid(boot->vm)), elapsed_ns, boot->timeout_ns);
}

/* Whatever it prints: it must not wait for a reader. */
static void drain(const struct boot *boot)
{
	const int fds[] = { vm_com1_fd(boot->vm), vm_com2_fd(boot->vm), vm_bulk_fd(boot->vm),
			    vm_console_fd(boot->vm) };
	char bytes[4096];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		ssize_t n;

		while ((n = read(fds[i], bytes, sizeof(bytes))) > 0)
			if (i == 0 && boot->console_fd >= 0)
				(void)io_write_all(boot->console_fd, bytes, (size_t)n);
	}
}

/* What QEMU cannot write to memory that is a file ends it. */
static int fail_ended(const struct boot *boot, struct ktstr_error *err)
{
	int status = vm_wait(boot->vm);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return ktstr_fail(err, -ENOSPC, "there is no room for the VM's memory on the disk");
	return ktstr_fail(err, -EPIPE, "QEMU ended before the VM had booted");
}

static int wait_until_ready(const struct boot *boot, struct ktstr_error *err)
{
	struct pollfd poll_fds[] = { { .fd = vm_pid_fd(boot->vm), .events = POLLIN },
				     { .fd = boot->signal_fd, .events = POLLIN } };

	for (;;) {
		drain(boot);
		if (job_is_awaited(boot->job_fd))
			return 0;
		if (poll_fds[0].revents)
			return fail_ended(boot, err);
		if (vm_poll(boot->vm) != VM_EVENT_NONE)
			return ktstr_fail(err, -EPIPE, "the VM that was to be saved did not boot");
		if (poll_fds[1].revents)
			return ktstr_fail(err, -EINTR, "interrupted");
		if (is_late(boot))
			return ktstr_fail(err, -ETIMEDOUT,
					  "the VM that was to be saved did not boot in time");
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

static int boot_and_save(const struct run_base_spec *spec, const struct base *base,
			 struct ktstr_error *err)
{
	const struct scenario_spec *scenario = spec->prepared->spec;
	_cleanup_free_ char *append = kernel_command_line(
		spec->prepared->is_kvm, spec->prepared->is_virtual,
		spec->prepared->is_kvm || spec->prepared->is_virtual ? 0 : tsc_measure_khz(),
		spec->is_verbose);
	const struct vm_files files = base_files(base, false);
	struct boot boot = { .job_fd = -1,
			     .console_fd = spec->console_fd,
			     .signal_fd = spec->signal_fd,
			     .start_ns = clock_monotonic_ns(),
			     .timeout_ns = scenario->vm.boot_timeout_ns };
	struct vm_spec vm_spec = {
		.is_kvm = spec->prepared->is_kvm,
		.instruction_ns = prepared_instruction_ns(spec->prepared),
		.topology = scenario->vm.topology,
		.memory_bytes = spec->image->memory_bytes,
		.kernel = spec->prepared->kernel->boot,
		.initramfs_fds = { spec->image->base_fd, -1 },
		.append = append,
		.job_bytes = JOB_AREA_BYTES,
		.files = &files,
	};
	int rc = append ? job_new_empty(&boot.job_fd, err)
			: ktstr_fail(err, -ENOMEM, "cannot start the VM: out of memory");

	vm_spec.job_fd = boot.job_fd;
	if (rc == 0)
		rc = vm_start(&vm_spec, &boot.vm, err);
	if (rc == 0)
		rc = wait_until_ready(&boot, err);
	if (rc == 0)
		rc = vm_save(boot.vm, clock_monotonic_ns() + SAVE_TIMEOUT_NS, err);
	if (rc == 0)
		rc = quit(&boot, err);
	vm_free(boot.vm);
	cleanup_close(&boot.job_fd);
	return rc;
}

static int make(const struct run_base_spec *spec, const char *store, const char *key,
		uint64_t bytes_max, struct ktstr_error *err)
{
	const struct scenario_spec *scenario = spec->prepared->spec;
	uint32_t nodes = scenario->vm.topology.numa_nodes;
	uint64_t bytes[BASE_NODES_MAX];
	struct base_pruned pruned;
	struct base base;
	int rc;

	for (uint32_t i = 0; i < nodes; i++)
		bytes[i] = qemu_node_memory(&scenario->vm.topology, spec->image->memory_bytes, i);
	rc = base_begin(store, key, bytes, nodes, &base, err);
	if (rc < 0)
		return rc;
	rc = boot_and_save(spec, &base, err);
	if (rc < 0) {
		base_discard(&base);
		return rc;
	}
	rc = base_commit(store, key, &base, err);
	if (rc == 0 && base_prune(store, bytes_max, BASE_PRUNE_KEEPS_LAST, &pruned, err) < 0)
		log_warning("%s", err->text); /* it only takes more room */
	return rc;
}

/* The right to make the one of @key, once nobody else makes it. */
static int lock(const struct run_base_spec *spec, const char *store, const char *key,
		struct ktstr_error *err)
{
	struct pollfd poll_fd = { .fd = spec->signal_fd, .events = POLLIN };
	bool has_told = false;

	for (;;) {
		int fd = base_lock(store, key, err);

		if (fd != -EBUSY)
			return fd;
		if (!has_told)
			log_note("another ktstr boots a VM of this kind; waiting for it");
		has_told = true;
		if (poll(&poll_fd, 1, LOOK_MS) > 0)
			return ktstr_fail(err, -EINTR, "interrupted");
	}
}

static bool is_missing(int rc)
{
	return rc == -ENOENT || rc == -EBADMSG;
}

int run_base_get(const struct run_base_spec *spec, struct base *ret, struct ktstr_error *err)
{
	uint32_t nodes = spec->prepared->spec->vm.topology.numa_nodes;
	_cleanup_free_ char *store = run_base_store();
	_cleanup_free_ char *key = NULL;
	_cleanup_close_ int lock_fd = -1;
	uint64_t bytes_max = run_base_bytes_max();
	int rc;

	if (nodes > BASE_NODES_MAX || !store || bytes_max == 0)
		return ktstr_fail(err, -ENOTSUP, "this VM is booted for each run");
	rc = make_key(spec, &key, err);
	if (rc < 0)
		return rc;
	rc = base_open(store, key, nodes, ret, err);
	if (!is_missing(rc))
		return rc;
	lock_fd = lock(spec, store, key, err);
	if (lock_fd < 0)
		return lock_fd;
	rc = base_open(store, key, nodes, ret, err); /* by who had the lock */
	if (!is_missing(rc))
		return rc;
	if (rc == -EBADMSG)
		log_note("%s, and is made anew", err->text);
	else
		log_note("first boot of this kind of VM, later runs start in a tenth of a second");
	rc = make(spec, store, key, bytes_max, err);
	return rc == 0 ? base_open(store, key, nodes, ret, err) : rc;
}

void run_base_distrust(struct base *base)
{
	base_discard(base);
}
