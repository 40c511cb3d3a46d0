/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/vm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/internal.h"
#include "vm/qemu_argv.h"
#include "vm/spawn.h"

#define PROGRAM "qemu-system-x86_64"
#define STATUS_TIMEOUT_NS (500 * NS_PER_MS)
/* Of text on a process's mappings. */
#define MAPS_MAX (4u << 20)

/* What QEMU inherits. */
struct wires {
	int fds[CHANNEL_COUNT];
	int initrd_fd;
	int job_fd;
	int state_fd;
	int gate_fd;
	int stderr_fd;
};

static void wires_done(struct wires *wires)
{
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		cleanup_close(&wires->fds[i]);
	cleanup_close(&wires->initrd_fd);
	cleanup_close(&wires->job_fd);
	cleanup_close(&wires->state_fd);
	cleanup_close(&wires->gate_fd);
	cleanup_close(&wires->stderr_fd);
}

static int append_file(int to_fd, int from_fd, struct ktstr_error *err)
{
	struct stat status;
	off_t at = 0;

	if (fstat(from_fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot read the initramfs: %s", strerror(errno));
	while (at < status.st_size) {
		ssize_t n = sendfile(to_fd, from_fd, &at, (size_t)(status.st_size - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ktstr_fail(err, n < 0 ? -errno : -EIO,
					  "cannot copy the initramfs: %s",
					  n < 0 ? strerror(errno) : "it became shorter");
	}
	return 0;
}

/* One file with all archives: the kernel unpacks what lies one after the other. */
static int join_initramfs(const struct vm_spec *spec, int *ret_fd, struct ktstr_error *err)
{
	_cleanup_close_ int fd = memfd_create("ktstr-initrd", MFD_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot keep the initramfs in memory: %s",
				  strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(spec->initramfs_fds) && rc == 0; i++)
		if (spec->initramfs_fds[i] >= 0)
			rc = append_file(fd, spec->initramfs_fds[i], err);
	if (rc < 0)
		return rc;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* QEMU and we need descriptors of our own. */
static int borrow_fd(int fd, int *ret, struct ktstr_error *err)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return *ret < 0 ? ktstr_fail(err, -errno, "cannot start a VM: %s", strerror(errno)) : 0;
}

static int open_memory(const struct vm_files *files, const uint64_t *bytes, uint32_t nodes,
		       struct guest_memory **ret, struct ktstr_error *err)
{
	_cleanup_free_ int *fds = calloc(nodes, sizeof(*fds));
	uint32_t count = 0;
	int rc = 0;

	if (!fds)
		return ktstr_fail(err, -ENOMEM, "cannot start a VM: out of memory");
	for (; count < nodes && rc == 0; count++)
		rc = borrow_fd(files->memory_fds[count], &fds[count], err);
	if (rc == 0)
		return guest_memory_restored(bytes, fds, nodes, ret, err);
	for (uint32_t i = 0; i + 1 < count; i++)
		(void)close(fds[i]); /* nothing was written through it */
	return rc;
}

/* Refuses what has no node; the rest is checked where the command line is built. */
static int create_memory(const struct vm_spec *spec, struct guest_memory **ret,
			 struct ktstr_error *err)
{
	_cleanup_free_ uint64_t *bytes = NULL;
	uint32_t nodes = spec->topology.numa_nodes;
	int rc = topology_check(&spec->topology, err);

	if (rc < 0)
		return rc;
	bytes = calloc(nodes, sizeof(*bytes));
	if (!bytes)
		return ktstr_fail(err, -ENOMEM, "cannot start a VM: out of memory");
	for (uint32_t i = 0; i < nodes; i++)
		bytes[i] = qemu_node_memory(&spec->topology, spec->memory_bytes, i);
	return spec->files ? open_memory(spec->files, bytes, nodes, ret, err)
			   : guest_memory_new(bytes, nodes, ret, err);
}

static int build_argv(const struct vm_spec *spec, const char *program, const struct wires *wires,
		      const struct guest_memory *memory, char ***ret, struct ktstr_error *err)
{
	char initrd[32];
	uint32_t count;
	const struct qemu_spec qemu = {
		.program = program,
		.is_kvm = spec->is_kvm,
		.instruction_ns = spec->instruction_ns,
		.seed = spec->seed,
		.topology = spec->topology,
		.memory_bytes = spec->memory_bytes,
		.kernel = spec->kernel,
		.initrd = initrd,
		.append = spec->append,
		.qmp_fd = wires->fds[CHANNEL_QMP],
		.com1_fd = wires->fds[CHANNEL_COM1],
		.com2_fd = wires->fds[CHANNEL_COM2],
		.console_fd = wires->fds[CHANNEL_CONSOLE],
		.bulk_fd = wires->fds[CHANNEL_BULK],
		.stats_fd = wires->fds[CHANNEL_STATS],
		.freeze_fd = wires->fds[CHANNEL_FREEZE],
		.debugger_fd = wires->fds[CHANNEL_DEBUGGER],
		.memory_fds = guest_memory_fds(memory, &count),
		.job_fd = wires->job_fd,
		.job_bytes = spec->job_bytes,
		.is_restored = spec->files && spec->files->is_saved,
	};

	(void)snprintf(initrd, sizeof(initrd), "/proc/self/fd/%d", wires->initrd_fd);
	return qemu_argv(&qemu, ret, err);
}

/* A library that cannot be loaded would be left out without a word. */
static int open_gate(const char *path, int *ret_fd, struct ktstr_error *err)
{
	if (!path)
		return 0;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? ktstr_fail(err, -errno, "cannot open '%s', a part of ktstr: %s", path,
					strerror(errno))
			   : 0;
}

static int start_program(struct vm *vm, const struct wires *wires, struct ktstr_error *err)
{
	const int files[] = { wires->initrd_fd, wires->job_fd, wires->state_fd };
	_cleanup_free_ int *keep = NULL;
	char preload[32] = "";
	uint32_t nodes;
	const int *memory_fds = guest_memory_fds(vm->memory, &nodes);
	size_t count;
	int rc;

	keep = calloc(CHANNEL_COUNT + 4 + nodes, sizeof(*keep));
	if (!keep)
		return ktstr_fail(err, -ENOMEM, "cannot start a VM: out of memory");
	memcpy(keep, memory_fds, nodes * sizeof(*keep));
	count = nodes;
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		if (wires->fds[i] >= 0)
			keep[count++] = wires->fds[i];
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i] >= 0)
			keep[count++] = files[i];
	if (wires->gate_fd >= 0) {
		/* By its number: a path may have what separates paths there. */
		(void)snprintf(preload, sizeof(preload), "/proc/self/fd/%d", wires->gate_fd);
		keep[count++] = wires->gate_fd;
	}
	rc = spawn_bound(vm->argv, *preload ? preload : NULL, keep, count, wires->stderr_fd,
			 &vm->pid, &vm->pid_fd);
	if (rc == -ENOENT)
		return ktstr_fail(err, rc,
				  "cannot run '%s': not found; install qemu-system-x86 (apt-get "
				  "install qemu-system-x86) or set KTSTR_QEMU",
				  vm->argv[0]);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot run '%s': %s", vm->argv[0], strerror(-rc));
	return 0;
}

static enum vm_event event_of_shutdown(const json_t *data)
{
	static const struct {
		const char *reason;
		enum vm_event event;
	} reasons[] = {
		{ "guest-shutdown", VM_EVENT_SHUTDOWN },
		{ "guest-reset", VM_EVENT_RESET },
		{ "guest-panic", VM_EVENT_PANICKED },
		{ "host-error", VM_EVENT_INTERNAL_ERROR },
	};
	const char *reason = json_string_value(json_object_get(data, "reason"));

	for (size_t i = 0; reason && i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reason, reasons[i].reason) == 0)
			return reasons[i].event;
	return VM_EVENT_NONE; /* the host's own wish */
}

static void take_event(void *arg, const char *name, const json_t *data)
{
	enum vm_event event = VM_EVENT_NONE;
	struct vm *vm = arg;

	if (strcmp(name, "SHUTDOWN") == 0)
		event = event_of_shutdown(data);
	else if (strcmp(name, "GUEST_PANICKED") == 0)
		event = VM_EVENT_PANICKED;
	else if (strcmp(name, "STOP") == 0 && !vm->is_freezing)
		vm->has_stopped = true;
	/* Later ones of the list tell more. */
	if (event > vm->event)
		vm->event = event;
}

const char *vm_program(const char *wanted)
{
	const char *program = wanted ? wanted : getenv("KTSTR_QEMU");

	return program && program[0] ? program : PROGRAM;
}

static struct vm *vm_new(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		vm->fds[i] = -1;
	vm->stderr_fd = -1;
	vm->news_fd = -1;
	vm->freeze_peer_fd = -1;
	vm->answers_fd = -1;
	vm->pid_fd = -1;
	return vm;
}

static bool is_restored(const struct vm_spec *spec)
{
	return spec->files && spec->files->is_saved;
}

int vm_start(const struct vm_spec *spec, struct vm **ret, struct ktstr_error *err)
{
	struct wires wires = { .fds = { [0 ... CHANNEL_COUNT - 1] = -1 },
			       .initrd_fd = -1,
			       .job_fd = -1,
			       .state_fd = -1,
			       .gate_fd = -1,
			       .stderr_fd = -1 };
	struct vm *vm = vm_new();
	int rc;

	if (!vm)
		return ktstr_fail(err, -ENOMEM, "cannot start a VM: out of memory");
	vm->cpus = ktstr_topology_cpus(&spec->topology);
	rc = vm_channels_open(vm, wires.fds, &wires.stderr_fd, spec->instruction_ns > 0, err);
	if (rc == 0)
		rc = create_memory(spec, &vm->memory, err);
	if (rc == 0 && !is_restored(spec))
		rc = join_initramfs(spec, &wires.initrd_fd, err);
	if (rc == 0 && spec->job_bytes > 0)
		rc = borrow_fd(spec->job_fd, &wires.job_fd, err);
	if (rc == 0 && spec->files)
		rc = borrow_fd(spec->files->state_fd, &wires.state_fd, err);
	if (rc == 0 && spec->job_bytes > 0)
		rc = borrow_fd(spec->job_fd, &vm->answers_fd, err);
	vm->state_fd = wires.state_fd;
	if (rc == 0)
		rc = open_gate(spec->gate, &wires.gate_fd, err);
	if (rc == 0)
		rc = build_argv(spec, vm_program(spec->program), &wires, vm->memory, &vm->argv,
				err);
	if (rc == 0)
		rc = start_program(vm, &wires, err);
	wires_done(&wires);
	if (rc == 0)
		rc = qmp_new(steal_fd(&vm->fds[CHANNEL_QMP]), take_event, vm, &vm->qmp, err);
	if (rc == 0)
		qmp_drain(vm->qmp, vm->fds[CHANNEL_FREEZE]);
	if (rc < 0) {
		vm_free(vm);
		return rc;
	}
	*ret = vm;
	return 0;
}

int vm_bulk_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_BULK];
}

int vm_news_fd(const struct vm *vm)
{
	return vm->news_fd;
}

int vm_com1_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_COM1];
}

int vm_com2_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_COM2];
}

int vm_console_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_CONSOLE];
}

int vm_stats_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_STATS];
}

int vm_monitor_fd(const struct vm *vm)
{
	return qmp_fd(vm->qmp);
}

int vm_pid_fd(const struct vm *vm)
{
	return vm->pid_fd;
}

int vm_freeze_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_FREEZE];
}

int vm_debugger_fd(const struct vm *vm)
{
	return vm->fds[CHANNEL_DEBUGGER];
}

int vm_stderr_fd(const struct vm *vm)
{
	return vm->stderr_fd;
}

pid_t vm_pid(const struct vm *vm)
{
	return vm->pid;
}

bool vm_lacks(const struct vm *vm, const char *path)
{
	_cleanup_free_ char *maps_path = str_format("/proc/%d/maps", vm->pid), *maps = NULL;
	const char *slash = strrchr(path, '/');
	struct ktstr_error ignored;
	int rc = maps_path ? io_read_file(maps_path, MAPS_MAX, &maps, NULL, &ignored) : -ENOMEM;

	if (rc == -EACCES || rc == -EPERM)
		return true;
	return rc == 0 && maps[0] && !strstr(maps, slash ? slash : path);
}

char *const *vm_argv(const struct vm *vm)
{
	return vm->argv;
}

/* The machine stands still and nobody here asked for it: why? */
static enum vm_event event_of_status(struct vm *vm)
{
	struct ktstr_error ignored = { 0 };
	enum vm_event event = VM_EVENT_NONE;
	json_t *answer = NULL;
	const char *status;

	/* Without an answer the end of QEMU, or the caller's deadline, will tell. */
	if (qmp_execute(vm->qmp, "query-status", NULL, clock_monotonic_ns() + STATUS_TIMEOUT_NS,
			&answer, &ignored) < 0)
		return VM_EVENT_NONE;
	status = json_string_value(json_object_get(answer, "status"));
	if (status && (strcmp(status, "internal-error") == 0 || strcmp(status, "io-error") == 0))
		event = VM_EVENT_INTERNAL_ERROR;
	else if (status && strcmp(status, "guest-panicked") == 0)
		event = VM_EVENT_PANICKED;
	json_decref(answer);
	return event;
}

enum vm_event vm_poll(struct vm *vm)
{
	struct ktstr_error err = { 0 };
	enum vm_event event = VM_EVENT_NONE;
	int rc = qmp_read(vm->qmp, &err);

	if (rc == -EPROTO)
		event = VM_EVENT_INTERNAL_ERROR;
	if (rc == 0 && vm->has_stopped) {
		vm->has_stopped = false;
		event = event_of_status(vm);
	}
	if (event > vm->event)
		vm->event = event;
	return vm->event;
}

/* Wait until QEMU ended. */
static int await_end(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err)
{
	struct pollfd poll_fd = { .fd = vm->pid_fd, .events = POLLIN };

	for (;;) {
		uint64_t now_ns = clock_monotonic_ns();
		int rc;

		if (now_ns >= deadline_ns)
			return ktstr_fail(err, -ETIMEDOUT, "QEMU closed its monitor and goes on");
		rc = poll(&poll_fd, 1, (int)((deadline_ns - now_ns) / NS_PER_MS % 1000) + 1);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return ktstr_fail(err, -errno, "cannot wait for QEMU: %s", strerror(errno));
	}
}

/* What QEMU said to a person, on one line. */
static void read_words(const struct vm *vm, char *text, size_t size)
{
	char raw[800];
	ssize_t n = read(vm->stderr_fd, raw, sizeof(raw));
	size_t length = n > 0 ? (size_t)n : 0;

	while (length > 0 && raw[length - 1] == '\n')
		length--;
	for (size_t i = 0; i < length; i++)
		if (raw[i] == '\n')
			raw[i] = ' ';
	str_copy_safe(text, size, raw, length);
}

int vm_fail_ended(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc = await_end(vm, deadline_ns, err);
	char words[800];
	int status;

	if (rc < 0)
		return rc;
	status = vm_wait(vm);
	read_words(vm, words, sizeof(words));
	return ktstr_fail(err, -EPIPE, "QEMU ended with %s %d: %s",
			  WIFSIGNALED(status) ? "signal" : "exit status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			  words[0] ? words : "it said nothing");
}

int vm_wait_ready(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err)
{
	int rc = qmp_handshake(vm->qmp, deadline_ns, err);

	return rc == -EPIPE ? vm_fail_ended(vm, deadline_ns, err) : rc;
}

int vm_quit(struct vm *vm, struct ktstr_error *err)
{
	return qmp_send(vm->qmp, "quit", NULL, err);
}

int vm_wait(struct vm *vm)
{
	pid_t rc;

	if (vm->is_collected)
		return vm->status;
	do
		rc = waitpid(vm->pid, &vm->status, 0);
	while (rc < 0 && errno == EINTR);
	/* Only somebody who waits for any child can have been faster. */
	vm->is_collected = true;
	return vm->status;
}

void vm_kill(struct vm *vm)
{
	if (vm->is_collected)
		return;
	/* It may have ended by itself, which is as good. */
	(void)syscall(SYS_pidfd_send_signal, vm->pid_fd, SIGKILL, NULL, 0U);
	(void)vm_wait(vm);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	if (vm->pid > 0)
		vm_kill(vm);
	qmp_free(vm->qmp);
	gdbstub_free(vm->debugger);
	guest_memory_free(vm->memory);
	for (size_t i = 0; i < CHANNEL_COUNT; i++)
		cleanup_close(&vm->fds[i]);
	cleanup_close(&vm->pid_fd);
	cleanup_close(&vm->stderr_fd);
	cleanup_close(&vm->news_fd);
	cleanup_close(&vm->freeze_peer_fd);
	cleanup_close(&vm->answers_fd);
	free(vm->held);
	qemu_argv_free(vm->argv);
	free(vm);
}
