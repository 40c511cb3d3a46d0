/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench_start KTSTR SCENARIO FOLDER ROUNDS: time, in turn, a run of the scenario from a saved VM, a
 * bare QEMU that restores the same saved VM, and (every tenth time) one that boots the same kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "coord/coord.h"
#include "ktstr/frame.h"
#include "report/facts.h"
#include "run/base.h"
#include "run/paths.h"
#include "runfile/reader.h"
#include "vm/base_store.h"
#include "vm/initramfs.h"
#include "vm/job.h"
#include "vm/kernel.h"
#include "vm/qemu_argv.h"
#include "vm/tsc.h"
#include "vm/vm.h"
#include "wire/job_area.h"

#define ROUNDS_MAX 1000
#define BOOT_EVERY 10
#define TIMEOUT_NS (60 * NS_PER_S)

/* All in ns since the command or the start of QEMU. */
struct figure {
	const char *name;
	uint64_t values[ROUNDS_MAX];
	size_t count;
};

enum {
	OURS,
	QEMU,
	READY,
	START,
	WORKER,
	VERDICT,
	BARE_PAUSED,
	BARE_ANSWER,
	BARE_BOOT,
	CPU,
	FIGURES
};

static struct figure figures[FIGURES] = {
	[OURS] = { .name = "ktstr: command to the start of QEMU" },
	[QEMU] = { .name = "ktstr: command to a VM that goes on" },
	[READY] = { .name = "ktstr: command to agent ready" },
	[START] = { .name = "ktstr: command to start of the scenario" },
	[WORKER] = { .name = "ktstr: command to workers running" },
	[VERDICT] = { .name = "ktstr: command to end, less the scenario" },
	[CPU] = { .name = "ktstr: CPU time of all, with the scenario" },
	[BARE_PAUSED] = { .name = "QEMU alone, restored: to a VM that goes on" },
	[BARE_ANSWER] = { .name = "QEMU alone, restored: to its first answer" },
	[BARE_BOOT] = { .name = "QEMU alone, booted: to agent ready" },
};

static _Noreturn void fail(const char *what, const struct ktstr_error *err)
{
	(void)fprintf(stderr, "bench_start: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

static void add(int figure, uint64_t ns)
{
	figures[figure].values[figures[figure].count++] = ns;
}

static bool is_milestone(const struct runfile_record *record, const void *payload, const char *name)
{
	return record->kind == RUNFILE_EVENT && record->tag == RUNFILE_EVENT_TIMING &&
	       record->length == strlen(name) && memcmp(payload, name, record->length) == 0;
}

/* The run file's milestones: frames as they came to the host. */
static void read_run(const char *folder, uint64_t took_ns)
{
	_cleanup_free_ char *path = str_format("%s/run.ktr", folder);
	uint64_t image_ns = 0, ready_ns = 0, start_ns = 0, end_ns = 0, worker_ns = 0, qemu_ns = 0;
	struct runfile_reader *reader;
	struct runfile_record record;
	struct ktstr_error err;
	const void *payload;

	if (runfile_open(path, &reader, &err) < 0)
		fail("cannot read the run", &err);
	while (runfile_next(reader, &record, &payload) == 1) {
		if (is_milestone(&record, payload, FACTS_TIMING_IMAGE))
			image_ns = record.host_ns;
		if (is_milestone(&record, payload, FACTS_TIMING_QEMU))
			qemu_ns = record.host_ns;
		if (is_milestone(&record, payload, COORD_TIMING_READY))
			ready_ns = record.host_ns;
		if (record.kind != RUNFILE_FRAME)
			continue;
		if (record.tag == KTSTR_MSG_SCENARIO_START)
			start_ns = record.host_ns;
		else if (record.tag == KTSTR_MSG_SCENARIO_RESUME)
			worker_ns = worker_ns ? worker_ns : record.host_ns; /* they are let go */
		else if (record.tag == KTSTR_MSG_SCENARIO_END)
			end_ns = record.host_ns;
	}
	runfile_reader_free(reader);
	if (!qemu_ns || !ready_ns || !start_ns || !worker_ns || !end_ns)
		fail("the run has not all milestones", &(struct ktstr_error){ .text = "?" });
	add(OURS, image_ns);
	add(QEMU, qemu_ns);
	add(READY, ready_ns);
	add(START, start_ns);
	add(WORKER, worker_ns);
	add(VERDICT, took_ns - (end_ns - start_ns));
}

static uint64_t time_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * NS_PER_US;
}

static void run_ktstr(const char *program, const char *scenario, const char *folder,
		      bool is_counted)
{
	uint64_t before_ns = clock_monotonic_ns();
	pid_t pid = fork();
	struct rusage usage;
	int status;

	if (pid == 0) {
		int null_fd = open("/dev/null", O_WRONLY);

		(void)dup2(null_fd, STDOUT_FILENO);
		(void)execl(program, program, "run", scenario, "--quiet", "--run-dir", folder,
			    (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		fail("cannot run ktstr", NULL);
	if (status != 0)
		fail("the run did not pass", &(struct ktstr_error){ .text = "see above" });
	if (!is_counted)
		return;
	read_run(folder, clock_monotonic_ns() - before_ns);
	add(CPU, time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime));
}

/* The saved VM that the last run started from, and what machine it is. */
struct saved {
	char *store;
	char *key;
	struct vm_spec spec;
};

static const char *find(const char *key, const char *start)
{
	const char *line = strstr(key, start);

	if (!line)
		fail("the saved VM has another key", &(struct ktstr_error){ .text = "?" });
	return line + strlen(start);
}

static void find_saved(struct saved *saved)
{
	struct base_entry *entries;
	struct ktstr_error err;
	struct ktstr_topology *t = &saved->spec.topology;
	const char *shift;
	size_t count = 0;

	saved->store = run_base_store();
	if (!saved->store || base_list(saved->store, &entries, &count, &err) < 0 || count == 0)
		fail("there is no saved VM", &err);
	saved->key = strdup(entries[0].key);
	base_list_free(entries, count);
	(void)sscanf(find(saved->key, "\n" RUN_BASE_TOPOLOGY),
		     "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &t->numa_nodes, &t->llcs,
		     &t->cores, &t->threads);
	saved->spec.memory_bytes = strtoull(find(saved->key, "\n" RUN_BASE_MEMORY), NULL, 10);
	saved->spec.job_bytes = JOB_AREA_BYTES;
	shift = strstr(saved->key, "\nqemu shift=");
	if (shift) /* of the instructions of virtual time */
		saved->spec.instruction_ns = 1u
					     << strtoul(shift + strlen("\nqemu shift="), NULL, 10);
	saved->spec.initramfs_fds[0] = saved->spec.initramfs_fds[1] = -1;
}

/* A job that is none: the agent says so on the console, which is its first answer. */
static int bad_job(void)
{
	const struct job_area head = { .parts = { [JOB_AREA_SCHEDULER] = { .is_there = 1 } } };
	struct ktstr_error err;
	int fd = -1;

	if (job_new(NULL, &fd, &err) < 0)
		fail("cannot make a job", &err);
	if (pwrite(fd, &head, sizeof(head), (off_t)JOB_AREA_AT) != (ssize_t)sizeof(head))
		fail("cannot make a job", NULL);
	return fd;
}

static off_t file_bytes(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_size : 0;
}

static void restore_bare(const struct saved *saved)
{
	struct vm_spec spec = saved->spec;
	uint64_t before_ns = clock_monotonic_ns();
	struct pollfd poll_fd = { .events = POLLIN };
	struct ktstr_error err;
	struct vm_files files;
	struct base base;
	struct vm *vm;

	if (base_open(saved->store, saved->key, spec.topology.numa_nodes, &base, &err) < 0)
		fail("cannot open the saved VM", &err);
	files = base_files(&base, true);
	spec.files = &files;
	spec.job_fd = bad_job();
	if (vm_start(&spec, &vm, &err) < 0 ||
	    vm_wait_restored(vm, before_ns + TIMEOUT_NS, &err) < 0)
		fail("cannot restore", &err);
	add(BARE_PAUSED, clock_monotonic_ns() - before_ns);
	poll_fd.fd = vm_com1_fd(vm);
	/* A file is always ready. */
	while (vm_news_fd(vm) >= 0 && file_bytes(vm_com1_fd(vm)) == 0)
		(void)usleep(200);
	if (poll(&poll_fd, 1, (int)(TIMEOUT_NS / NS_PER_MS)) != 1)
		fail("no answer", NULL);
	add(BARE_ANSWER, clock_monotonic_ns() - before_ns);
	vm_free(vm);
	base_done(&base);
	(void)close(spec.job_fd);
}

static int base_archive(const char *program)
{
	static const char *const folders[] = { "/dev", "/proc", "/sys", "/tmp", "/run" };
	struct initramfs *initramfs;
	struct run_paths paths;
	struct ktstr_error err;
	uint64_t length;
	int fd, copy;

	if (run_paths_find(program, NULL, 0, NULL, &paths, &err) < 0 ||
	    initramfs_new(&initramfs, &err) < 0)
		fail("cannot find the agent", &err);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (initramfs_add_dir(initramfs, folders[i], 0755, &err) < 0)
			fail("cannot make an initramfs", &err);
	if (initramfs_add_elf(initramfs, "/init", paths.guest_program, &err) < 0 ||
	    initramfs_finish(initramfs, &fd, &length, &err) < 0)
		fail("cannot make an initramfs", &err);
	copy = dup(fd); /* the other one is the archive's */
	initramfs_free(initramfs);
	run_paths_done(&paths);
	return copy;
}

static void boot_bare(const struct saved *saved, const struct kernel *kernel, int archive_fd)
{
	bool is_virtual = saved->spec.instruction_ns > 0;
	_cleanup_free_ char *append =
		kernel_command_line(false, is_virtual, is_virtual ? 0 : tsc_measure_khz(), false);
	const struct timespec pause = { .tv_nsec = (long)NS_PER_MS };
	struct vm_spec spec = saved->spec;
	uint64_t before_ns = clock_monotonic_ns();
	struct ktstr_error err;
	struct vm *vm;

	spec.kernel = kernel->boot;
	spec.append = append;
	spec.initramfs_fds[0] = archive_fd;
	if (job_new(NULL, &spec.job_fd, &err) < 0 || vm_start(&spec, &vm, &err) < 0)
		fail("cannot boot", &err);
	while (job_state(spec.job_fd) != JOB_AREA_READY) {
		if (clock_monotonic_ns() - before_ns > TIMEOUT_NS || vm_poll(vm) != VM_EVENT_NONE)
			fail("the bare VM did not boot", NULL);
		(void)nanosleep(&pause, NULL);
	}
	add(BARE_BOOT, clock_monotonic_ns() - before_ns);
	vm_free(vm);
	(void)close(spec.job_fd);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print(void)
{
	(void)printf("%-44s %8s %8s %8s ms\n", "", "median", "least", "most");
	for (size_t i = 0; i < FIGURES; i++) {
		struct figure *f = &figures[i];

		if (f->count == 0)
			continue;
		qsort(f->values, f->count, sizeof(f->values[0]), by_value);
		(void)printf("%-44s %8.1f %8.1f %8.1f\n", f->name,
			     (double)f->values[f->count / 2] / 1e6, (double)f->values[0] / 1e6,
			     (double)f->values[f->count - 1] / 1e6);
	}
}

int main(int argc, char **argv)
{
	struct saved saved = { 0 };
	struct kernel *kernel = NULL;
	struct ktstr_error err;
	size_t rounds = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	int archive_fd;

	if (rounds == 0 || rounds > ROUNDS_MAX) {
		(void)fprintf(stderr, "usage: bench_start KTSTR SCENARIO FOLDER ROUNDS\n");
		return 2;
	}
	(void)mkdir(argv[3], 0700); /* or the first run says why */
	if (kernel_find(NULL, &kernel, &err) < 0)
		fail("there is no kernel", &err);
	archive_fd = base_archive(argv[1]);
	for (size_t i = 0; i <= rounds; i++) {
		_cleanup_free_ char *folder = str_format("%s/%zu", argv[3], i);

		run_ktstr(argv[1], argv[2], folder, i > 0); /* the first one may boot */
		if (i == 0)
			find_saved(&saved);
		if (i > 0)
			restore_bare(&saved);
		if (i % BOOT_EVERY == 1)
			boot_bare(&saved, kernel, archive_fd);
	}
	print();
	kernel_free(kernel);
	(void)close(archive_fd);
	free(saved.store);
	free(saved.key);
	return 0;
}
