/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

/* Headers of old kernels have neither. */
#define MAP_FLAG_LINK (1u << 13) /* BPF_F_LINK: its ops are put in place by a link */
#define ATTACH_STRUCT_OPS 44	 /* BPF_STRUCT_OPS of enum bpf_attach_type */

/* Callbacks that the kernel lets sleep, and in which it has functions that may. */
static const char *const sleepable[] = { "init",	"init_task",
					 "cgroup_init", "cgroup_prep_move",
					 "cpu_online",	"cpu_offline" };

static bool may_sleep(const char *member)
{
	for (size_t i = 0; i < sizeof(sleepable) / sizeof(sleepable[0]); i++)
		if (strcmp(sleepable[i], member) == 0)
			return true;
	return false;
}

/* An object may hold programs that its ops do not use. libbpf before 1.2 knows no way to say in the
 * source that a callback may sleep. */
static int set_up_programs(const struct loader *loader, const struct object *object,
			   struct ktstr_error *err)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, loader->bpf)
	{
		const char *name = bpf_program__name(program);
		const char *member = object_member_of(object, name);
		int code = 0;

		if (bpf_program__type(program) != BPF_PROG_TYPE_STRUCT_OPS)
			continue;
		if (!member)
			code = bpf_program__set_autoload(program, false);
		else if (may_sleep(member))
			code = bpf_program__set_flags(program, bpf_program__flags(program) |
								       BPF_F_SLEEPABLE);
		if (code < 0)
			return ktstr_fail(err, -EINVAL, "cannot set up BPF program '%s': %s", name,
					  strerror(-code));
	}
	return 0;
}

int loader_open(struct loader *loader, const struct object *object, const char *name,
		const char *ops, struct ktstr_error *err)
{
	struct bpf_object_open_opts options = { .sz = sizeof(options), .object_name = name };
	size_t size;
	const void *bytes = object_bytes(object, &size);
	int code;

	loader->bpf = bpf_object__open_mem(bytes, size, &options);
	if (!loader->bpf)
		return ktstr_fail(err, errno == ENOMEM ? -ENOMEM : -EBADMSG,
				  "libbpf cannot open the BPF object '%s': %s", name,
				  strerror(errno));
	loader->ops = bpf_object__find_map_by_name(loader->bpf, ops);
	if (!loader->ops)
		return ktstr_fail(err, -ENOENT, "libbpf finds no ops '%s' in the BPF object", ops);
	/* With a link, the scheduler goes when its last holder does; libbpf before 1.2 does not
	 * ask for one by itself. */
	code = bpf_map__set_map_flags(loader->ops, bpf_map__map_flags(loader->ops) | MAP_FLAG_LINK);
	if (code < 0)
		return ktstr_fail(err, -EINVAL, "cannot set up the ops '%s': %s", ops,
				  strerror(-code));
	return set_up_programs(loader, object, err);
}

/* Some failures tell nothing of the scheduler. */
static int blame(int code)
{
	switch (code) {
	case -ENOMEM:
	case -EPERM:
	case -EBUSY:
	case -EMFILE:
	case -ENFILE:
	case -EINTR:
		return code;
	default:
		return -ESRCH;
	}
}

int loader_load(struct loader *loader, const struct scx_log *log, struct ktstr_error *err)
{
	int code = bpf_object__load(loader->bpf);

	if (code == 0)
		return 0;
	if (log->is_verifier && blame(code) == -ESRCH)
		return ktstr_fail(err, -ESRCH, "the verifier refused BPF program '%s': %s",
				  log->program, log->verifier[0] ? log->verifier : strerror(-code));
	return ktstr_fail(err, blame(code), "the BPF object cannot be loaded: %s%s%s", log->warning,
			  log->warning[0] ? ": " : "", strerror(-code));
}

int loader_attach(struct loader *loader, const struct scx_log *log, struct ktstr_error *err)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(loader->ops);
	int code = link ? 0 : -errno;

	if (code == 0 && bpf_link__fd(link) != bpf_map__fd(loader->ops)) {
		/* A libbpf that made the link itself. */
		loader->link_fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0);
		code = loader->link_fd < 0 ? -errno : 0;
		(void)bpf_link__destroy(link); /* closes its own descriptor */
	} else if (code == 0) {
		/* Old libbpf has only handed over the ops; its own undoing is not what is wanted.
		 */
		bpf_link__disconnect(link);
		(void)bpf_link__destroy(link);
		loader->link_fd =
			bpf_link_create(bpf_map__fd(loader->ops), 0, ATTACH_STRUCT_OPS, NULL);
		code = loader->link_fd < 0 ? loader->link_fd : 0;
	}
	if (code == 0)
		return 0;
	loader->link_fd = -1;
	if (code == -EBUSY)
		return ktstr_fail(err, code, "another sched_ext scheduler is in charge");
	return ktstr_fail(err, blame(code), "the kernel refused the ops: %s%s%s", log->warning,
			  log->warning[0] ? ": " : "", strerror(-code));
}

void loader_detach(struct loader *loader)
{
	if (loader->link_fd < 0)
		return;
	/* Children of the process have the descriptor too. Fails when the kernel has thrown the
	 * scheduler out. */
	(void)bpf_link_detach(loader->link_fd);
	(void)close(loader->link_fd); /* nothing was written through it */
	loader->link_fd = -1;
}

void loader_done(struct loader *loader)
{
	loader_detach(loader);
	bpf_object__close(loader->bpf);
	loader->bpf = NULL;
}

int loader_map(const struct loader *loader, const char *section, void **ret_data, size_t *ret_size,
	       struct ktstr_error *err)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(loader->bpf, section);
	bool is_const = strncmp(section, ".rodata", strlen(".rodata")) == 0;
	size_t size = map ? bpf_map__value_size(map) : 0;
	void *data;

	if (!map)
		return ktstr_fail(err, -ENOENT, "the BPF object has no variables in '%s'", section);
	data = mmap(NULL, size, is_const ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
		    bpf_map__fd(map), 0);
	if (data == MAP_FAILED)
		return ktstr_fail(err, -errno, "cannot map the variables in '%s': %s", section,
				  strerror(errno));
	*ret_data = data;
	*ret_size = size;
	return 0;
}
