/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "plugin/job.h"
#include "run/limits.h"
#include "vm/job.h"
#include "vm/memory.h"

#define MIB (UINT64_C(1) << 20)
/* vm.memory is rounded up to this, as QEMU wants it. */
#define MEMORY_STEP (2 * MIB)
/* An image whose header does not say what it takes: compressed kernels grow to about five times. */
#define KERNEL_GROWTH 5

/* Where file systems are mounted before anything can be made. */
static const char *const base_folders[] = { "/dev", "/proc", "/sys", "/tmp", "/run" };

static int build_base(const struct run_paths *paths, struct initramfs *base,
		      struct ktstr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(base_folders) && rc == 0; i++)
		rc = initramfs_add_dir(base, base_folders[i], 0755, err);
	if (rc == 0)
		rc = initramfs_add_elf(base, "/init", paths->guest_program, err);
	return rc;
}

/* Where a plugin lies in the guest; the caller frees. */
static char *guest_plugin_path(const struct plugin *plugin)
{
	return str_format(INITRAMFS_PLUGIN_DIR "/%ss/%s.so",
			  plugin_kind_name(plugin->descriptor->kind), plugin->descriptor->name);
}

/* Does it go into the scheduler's part? Of checkers the guest gets none. */
static bool is_in_part(const struct prepared *p, const struct plugin *plugin, bool is_scheduler)
{
	return plugin->descriptor->kind != KTSTR_KIND_CHECKER &&
	       (plugin == p->scheduler) == is_scheduler;
}

/* Those that the agent may load: with @is_scheduler the run's own scheduler alone. */
static int list_plugins(const struct prepared *p, bool is_scheduler, struct job *job,
			struct ktstr_error *err)
{
	size_t count;
	struct plugin *const *loaded = registry_loaded(p->registry, &count);

	job->plugins = calloc(count + 1, sizeof(*job->plugins));
	if (!job->plugins)
		return ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct ktstr_plugin *d = loaded[i]->descriptor;
		struct job_plugin *entry = &job->plugins[job->plugin_count];

		if (!is_in_part(p, loaded[i], true) &&
		    (is_scheduler || !is_in_part(p, loaded[i], false)))
			continue;
		*entry = (struct job_plugin){ .kind = d->kind,
					      .crc32 = loaded[i]->crc32,
					      .name = strdup(d->name),
					      .path = guest_plugin_path(loaded[i]) };
		job->plugin_count++;
		if (!entry->name || !entry->path)
			return ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory");
	}
	return 0;
}

/* The schedulers to change to; all in them is borrowed. */
static int list_staged(const struct prepared *p, struct job *job, struct ktstr_error *err)
{
	job->staged = calloc(p->staged_count + 1, sizeof(*job->staged));
	if (!job->staged)
		return ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory");
	for (; job->staged_count < p->staged_count; job->staged_count++) {
		const struct staged_scheduler *staged = &p->spec->staged[job->staged_count];

		job->staged[job->staged_count] = (struct job_scheduler){
			.name = staged->name,
			.plugin = (char *)p->staged[job->staged_count].plugin->descriptor->name,
			.params = staged->plugin.params,
		};
	}
	return 0;
}

static int add_job(struct initramfs *archive, const char *path, const struct job *job,
		   struct ktstr_error *err)
{
	struct str bytes = { 0 };
	int rc = job_encode(job, &bytes);

	if (rc < 0)
		rc = ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory");
	if (rc == 0)
		rc = initramfs_add_data(archive, path, 0644, bytes.data, bytes.length, err);
	str_done(&bytes);
	return rc;
}

/* What of a job is its own and not borrowed. */
static void job_lists_done(struct job *job)
{
	for (size_t i = 0; i < job->plugin_count; i++) {
		free(job->plugins[i].name);
		free(job->plugins[i].path);
	}
	free(job->plugins);
	free(job->staged);
}

static int add_whole_job(const struct prepared *p, struct initramfs *archive,
			 struct ktstr_error *err)
{
	/* All but the lists is borrowed from the scenario. What its file is called is nothing to
	 * the guest, whose schedule would depend on the length of that: the same run gets the same
	 * bytes. */
	struct job job = {
		.source_name = (char *)"scenario",
		.seed = p->spec->seed,
		.topology = p->spec->vm.topology,
		.scheduler = (char *)p->scheduler->descriptor->name,
		.scheduler_params = p->spec->scheduler.params,
		.scheduler_timeout_ns = p->spec->scheduler_timeout_ns,
		.limits = run_limits_of_guest(p),
		.scenario = (char *)p->scenario->descriptor->name,
		.scenario_params = p->spec->scenario.params,
	};
	int rc = list_plugins(p, false, &job, err);

	if (rc == 0)
		rc = list_staged(p, &job, err);
	if (rc == 0)
		rc = add_job(archive, INITRAMFS_JOB, &job, err);
	job_lists_done(&job);
	return rc;
}

static void forget_places(struct node *node)
{
	node->line = node->column = node->key_line = node->key_column = 0;
	for (size_t i = 0; i < node->child_count; i++)
		forget_places(node->children[i]);
}

/* The same for all runs whose schedulers come up in the same way, wherever they are described. */
static int add_scheduler_job(const struct prepared *p, struct initramfs *archive,
			     struct ktstr_error *err)
{
	const struct node *given = p->spec->scheduler.params;
	const struct node *params = given && given->child_count > 0 ? given : NULL;
	struct job job = {
		.source_name = (char *)"",
		.topology = p->spec->vm.topology,
		.scheduler = (char *)p->scheduler->descriptor->name,
		.scheduler_params = params ? node_clone(params) : NULL,
		.scheduler_timeout_ns = p->spec->scheduler_timeout_ns,
	};
	int rc = params && !job.scheduler_params
			 ? ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory")
			 : 0;

	if (job.scheduler_params)
		forget_places(job.scheduler_params);
	if (rc == 0)
		rc = list_plugins(p, true, &job, err);
	if (rc == 0)
		rc = add_job(archive, INITRAMFS_SCHEDULER_JOB, &job, err);
	node_free(job.scheduler_params);
	job_lists_done(&job);
	return rc;
}

static int add_plugins(const struct prepared *p, bool is_scheduler, struct initramfs *archive,
		       struct ktstr_error *err)
{
	size_t count;
	struct plugin *const *loaded = registry_loaded(p->registry, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		_cleanup_free_ char *path = guest_plugin_path(loaded[i]);

		if (!is_in_part(p, loaded[i], is_scheduler))
			continue;
		if (!path)
			return ktstr_fail(err, -ENOMEM, "cannot build the image: out of memory");
		rc = initramfs_add_elf(archive, path, loaded[i]->path, err);
	}
	return rc;
}

enum elf_kind {
	ELF_NONE,
	ELF_OTHER,   /* for another machine (BPF), or an object: it brings no libraries along */
	ELF_PROGRAM, /* a program or a library for the guest */
};

static enum elf_kind elf_kind_of(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;

	if (fd < 0 || io_read_all(fd, &header, sizeof(header)) < 0 ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return ELF_NONE;
	return header.e_machine == EM_X86_64 &&
			       (header.e_type == ET_EXEC || header.e_type == ET_DYN)
		       ? ELF_PROGRAM
		       : ELF_OTHER;
}

static int add_payload(const struct prepared *p, bool is_scheduler, struct initramfs *archive,
		       struct ktstr_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < p->needs.file_count && rc == 0; i++) {
		const struct run_needs_file *file = &p->needs.files[i];

		if (file->is_schedulers != is_scheduler)
			continue;
		if (elf_kind_of(file->host_path) == ELF_PROGRAM)
			rc = initramfs_add_elf(archive, file->guest_path, file->host_path, err);
		else
			rc = initramfs_add_file(archive, file->guest_path, file->host_path, err);
	}
	return rc;
}

static int build_part(const struct prepared *p, bool is_scheduler, struct initramfs *archive,
		      struct ktstr_error *err)
{
	int rc = is_scheduler ? add_scheduler_job(p, archive, err) : add_whole_job(p, archive, err);

	if (rc == 0)
		rc = add_plugins(p, is_scheduler, archive, err);
	if (rc == 0)
		rc = add_payload(p, is_scheduler, archive, err);
	/* Whichever part an agent begins with. */
	if (rc == 0 && is_scheduler)
		rc = initramfs_add_data(archive, INITRAMFS_SENTINEL, 0644, "", 0, err);
	return rc;
}

static uint64_t kernel_bytes(const struct kernel *kernel)
{
	struct stat status;

	if (kernel->init_size > 0)
		return kernel->init_size;
	if (stat(kernel->boot, &status) < 0 || status.st_size < 0)
		return 64 * MIB;
	return (uint64_t)status.st_size *
	       (elf_kind_of(kernel->boot) == ELF_NONE ? KERNEL_GROWTH : 2);
}

static uint64_t mib(uint64_t bytes)
{
	return (bytes + MIB - 1) / MIB;
}

/* Settle the guest's memory. */
static int choose_memory(const struct prepared *p, struct image *image, struct ktstr_error *err)
{
	uint64_t unpacked = initramfs_unpacked_bytes(image->base) +
			    initramfs_unpacked_bytes(image->scheduler) +
			    initramfs_unpacked_bytes(image->job);
	struct memory_needs needs = {
		.kernel_bytes = kernel_bytes(p->kernel),
		.initramfs_bytes = image->loaded_bytes,
		.unpacked_bytes = unpacked,
		.extra_bytes = p->needs.needs.memory_bytes,
		.cpus = ktstr_topology_cpus(&p->spec->vm.topology),
	};
	uint64_t floor = memory_floor_bytes(&needs);
	uint64_t asked = p->spec->vm.memory_bytes;

	image->memory_bytes = asked ? (asked + MEMORY_STEP - 1) / MEMORY_STEP * MEMORY_STEP
				    : memory_default_bytes(&needs);
	if (image->memory_bytes >= floor)
		return 0;
	return ktstr_fail(err, -ENOMEM,
			  "vm.memory is %" PRIu64 " MiB, but this run needs at least %" PRIu64
			  " MiB (kernel %" PRIu64 ", initramfs %" PRIu64 ", its files %" PRIu64
			  ", plugins %" PRIu64 ", the rest for %" PRIu32
			  " CPUs and a margin); raise it or leave it out",
			  asked / MIB, mib(floor), mib(needs.kernel_bytes),
			  mib(needs.initramfs_bytes), mib(unpacked), mib(needs.extra_bytes),
			  needs.cpus);
}

/* One part of the job, above @below. */
static int build_archive(const struct prepared *p, bool is_scheduler, const struct initramfs *below,
			 struct initramfs **ret, struct job_archive *ret_archive,
			 struct ktstr_error *err)
{
	int rc = initramfs_new(ret, err);

	if (rc < 0)
		return rc;
	initramfs_set_below(*ret, below);
	rc = build_part(p, is_scheduler, *ret, err);
	if (rc == 0)
		rc = initramfs_finish(*ret, &ret_archive->fd, &ret_archive->length, err);
	return rc == 0 ? job_archive_check(ret_archive, err) : rc;
}

static int build(const struct prepared *p, const struct run_paths *paths, struct image *image,
		 struct ktstr_error *err)
{
	struct job_archive scenario = { .fd = -1 };
	int rc = initramfs_new(&image->base, err);

	if (rc == 0)
		rc = build_base(paths, image->base, err);
	if (rc == 0)
		rc = initramfs_finish(image->base, &image->base_fd, &image->loaded_bytes, err);
	if (rc == 0)
		rc = build_archive(p, true, image->base, &image->scheduler,
				   &image->scheduler_archive, err);
	if (rc == 0)
		rc = build_archive(p, false, image->scheduler, &image->job, &scenario, err);
	image->job_fd = scenario.fd;
	if (rc == 0)
		rc = choose_memory(p, image, err);
	if (rc == 0)
		rc = job_publish(&scenario, &image->scheduler_archive, p->spec->seed, err);
	return rc == 0 && p->is_virtual ? job_show_freeze_port(image->job_fd, err) : rc;
}

int image_build(const struct prepared *p, const struct run_paths *paths, struct image *ret,
		struct ktstr_error *err)
{
	struct image image = IMAGE_NONE;
	int rc = build(p, paths, &image, err);

	if (rc < 0) {
		image_done(&image);
		return rc;
	}
	*ret = image;
	return 0;
}

void image_done(struct image *image)
{
	if (!image)
		return;
	initramfs_free(image->job);
	initramfs_free(image->scheduler);
	initramfs_free(image->base);
	*image = IMAGE_NONE;
}
