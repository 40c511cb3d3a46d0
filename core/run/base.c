/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/base.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "param/bind.h"
#include "run/base_boot.h"
#include "vm/kernel.h"
#include "vm/qemu_argv.h"
#include "vm/vm.h"
#include "wire/crc_file.h"
#include "wire/job_area.h"

/* Changes when what an agent does before it waits for its job changes in a way that its program
 * does not show, or the way in which machines are saved. */
#define BASE_FORMAT 2
/* How often somebody who makes a base is asked whether it is done. */
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
		.freeze_fd = spec->prepared->is_virtual ? KEY_FD : -1,
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

/* All that a run has loaded and was told when its scheduler is up is in that part of its job. */
static int make_attached_key(const struct run_base_spec *spec, const char *booted, char **ret)
{
	const struct job_archive *part = &spec->image->scheduler_archive;

	*ret = str_format("%s" RUN_BASE_SCHEDULER "%s\npart %" PRIu64 " %08" PRIx32 "\n", booted,
			  spec->prepared->scheduler->descriptor->name, part->length, part->crc32);
	return *ret ? 0 : -ENOMEM;
}

int run_base_keys(const struct run_base_spec *spec, char **ret_booted, char **ret_attached,
		  struct ktstr_error *err)
{
	_cleanup_free_ char *booted = NULL;
	int rc = make_key(spec, &booted, err);

	if (rc == 0 && make_attached_key(spec, booted, ret_attached) < 0)
		rc = ktstr_fail(err, -ENOMEM, "cannot say what VM this is: out of memory");
	if (rc == 0)
		*ret_booted = steal_ptr(booted);
	return rc;
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

/* One kind of saved machine that a run could start from. */
struct kind {
	const struct run_base_spec *spec;
	const char *store;
	const char *key;
	bool is_attached;
};

static int make(const struct kind *kind, struct ktstr_error *err)
{
	const struct run_base_spec *spec = kind->spec;
	const struct ktstr_topology *topology = &spec->prepared->spec->vm.topology;
	uint64_t bytes[BASE_NODES_MAX];
	struct base_pruned pruned;
	struct base base;
	int rc;

	for (uint32_t i = 0; i < topology->numa_nodes; i++)
		bytes[i] = qemu_node_memory(topology, spec->image->memory_bytes, i);
	rc = base_begin(kind->store, kind->key, bytes, topology->numa_nodes, &base, err);
	if (rc < 0)
		return rc;
	rc = base_boot(spec, kind->is_attached, &base, err);
	if (rc < 0) {
		base_discard(&base);
		return rc;
	}
	rc = base_commit(kind->store, kind->key, &base, err);
	if (rc == 0 &&
	    base_prune(kind->store, run_base_bytes_max(), BASE_PRUNE_KEEPS_LAST, &pruned, err) < 0)
		log_warning("%s", err->text); /* it only takes more room */
	return rc;
}

/* The right to make it, once nobody else makes it. */
static int lock(const struct kind *kind, struct ktstr_error *err)
{
	struct pollfd poll_fd = { .fd = kind->spec->signal_fd, .events = POLLIN };
	bool has_told = false;

	for (;;) {
		int fd = base_lock(kind->store, kind->key, err);

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

static int open_kind(const struct kind *kind, struct base *ret, struct ktstr_error *err)
{
	return base_open(kind->store, kind->key, kind->spec->prepared->spec->vm.topology.numa_nodes,
			 ret, err);
}

/* It was not there: make it. */
static int make_and_open(const struct kind *kind, struct base *ret, struct ktstr_error *err)
{
	const struct run_base_spec *spec = kind->spec;
	_cleanup_close_ int lock_fd = -1;
	int rc = spec->may_boot ? spec->may_boot(spec->arg, err) : 0;

	if (rc < 0)
		return rc;
	lock_fd = lock(kind, err);
	if (lock_fd < 0)
		return lock_fd;
	rc = open_kind(kind, ret, err); /* by who had the lock */
	if (!is_missing(rc))
		return rc;
	if (rc == -EBADMSG)
		log_note("%s, and is made anew", err->text);
	else if (kind->is_attached)
		log_note("first boot with '%s' attached, later runs start there",
			 spec->prepared->scheduler->descriptor->name);
	else
		log_note("first boot of this kind of VM, later runs start in a tenth of a second");
	rc = make(kind, err);
	return rc == 0 ? open_kind(kind, ret, err) : rc;
}

/* What is noted goes with the booted machine: its place is there, by the hash of the other key. */
static char *note_path(const char *booted_folder, const char *attached_key)
{
	return str_format("%s/slow%016" PRIx64, booted_folder, base_key_hash(attached_key));
}

void run_base_note(const char *note, uint64_t attach_ns)
{
	int fd;

	if (!note || attach_ns < RUN_BASE_ATTACH_NS)
		return;
	/* One that is there stays as it is. Without it all runs bring their scheduler up. */
	fd = open(note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
}

/* A note that is empty asks for one to be made; one that is not says that this failed. */
static bool is_noted(const char *note)
{
	struct stat status;

	return note && stat(note, &status) == 0 && status.st_size == 0;
}

static void note_failure(const char *note, const char *text)
{
	struct ktstr_error ignored;

	if (note && access(note, F_OK) == 0)
		(void)io_replace_file(note, text, strlen(text),
				      &ignored); /* or it is tried again */
}

/* Can the scheduler be up before the run begins? One that is expected not to start never is. */
static bool can_attach(const struct run_base_spec *spec)
{
	return spec->wanted != RUN_BASE_BOOTED && !spec->prepared->spec->expect.start_error;
}

/* 1: it is in *ret; 0: the run starts from a booted one; else why it does not start. */
static int find_attached(const struct kind *kind, const char *note, struct run_base_found *ret,
			 struct ktstr_error *err)
{
	const struct run_base_spec *spec = kind->spec;
	bool is_wanted = spec->wanted == RUN_BASE_ATTACHED;
	int rc = open_kind(kind, &ret->base, err);

	if (rc == -ENOENT && !is_wanted && (spec->prepared->is_kernels_own || !is_noted(note)))
		return 0;
	if (is_missing(rc))
		rc = make_and_open(kind, &ret->base, err);
	ret->is_attached = rc == 0;
	if (rc == 0)
		return 1;
	if (rc == -EINTR || rc == -E2BIG || (is_wanted && spec->is_demanded))
		return rc;
	note_failure(note, err->text);
	log_warning("the scheduler of this run is not up in a saved VM: %s", err->text);
	return 0;
}

static int find(const struct run_base_spec *spec, const char *store, struct run_base_found *ret,
		struct ktstr_error *err)
{
	_cleanup_free_ char *booted_key = NULL, *attached_key = NULL, *folder = NULL, *note = NULL;
	int rc = run_base_keys(spec, &booted_key, &attached_key, err);
	const struct kind booted = { .spec = spec, .store = store, .key = booted_key };
	const struct kind attached = {
		.spec = spec, .store = store, .key = attached_key, .is_attached = true
	};

	if (rc < 0)
		return rc;
	folder = base_folder(store, booted_key);
	note = folder ? note_path(folder, attached_key) : NULL;
	if (can_attach(spec))
		rc = find_attached(&attached, note, ret, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = open_kind(&booted, &ret->base, err);
	if (is_missing(rc))
		rc = make_and_open(&booted, &ret->base, err);
	if (rc == 0 && can_attach(spec) && !spec->prepared->is_kernels_own)
		ret->note = steal_ptr(note);
	return rc;
}

int run_base_get(const struct run_base_spec *spec, struct run_base_found *ret,
		 struct ktstr_error *err)
{
	_cleanup_free_ char *store = run_base_store();

	*ret = (struct run_base_found){ 0 };
	base_init(&ret->base);
	if (spec->prepared->spec->vm.topology.numa_nodes > BASE_NODES_MAX || !store ||
	    run_base_bytes_max() == 0)
		return ktstr_fail(err, -ENOTSUP, "this VM is booted for each run");
	return find(spec, store, ret, err);
}

void run_base_found_done(struct run_base_found *found)
{
	base_done(&found->base);
	free(found->note);
	*found = (struct run_base_found){ 0 };
	base_init(&found->base);
}

int run_base_stream(const struct base *base, char **ret, size_t *ret_length,
		    struct ktstr_error *err)
{
	_cleanup_free_ char *bytes = NULL;
	struct stat status;
	ssize_t n;

	if (fstat(base->stream_fd, &status) < 0)
		return ktstr_fail(err, -errno, "cannot read the stream of the saved VM: %s",
				  strerror(errno));
	if ((uint64_t)status.st_size > RUN_BASE_STREAM_MAX)
		return ktstr_fail(err, -EFBIG, "the stream of the saved VM is too long");
	bytes = malloc((size_t)status.st_size + 1);
	if (!bytes)
		return ktstr_fail(err, -ENOMEM, "no memory for the stream of the saved VM");
	n = pread(base->stream_fd, bytes, (size_t)status.st_size, 0);
	if (n != (ssize_t)status.st_size)
		return ktstr_fail(err, -EIO, "the stream of the saved VM cannot be read");
	*ret = steal_ptr(bytes);
	*ret_length = (size_t)n;
	return 0;
}
