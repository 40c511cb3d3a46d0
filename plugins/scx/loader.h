/* SPDX-License-Identifier: GPL-2.0-only */
/* An object in the kernel, by libbpf. */
#ifndef SCX_LOADER_H
#define SCX_LOADER_H

#include "scx/log.h"
#include "scx/object.h"

struct bpf_object;
struct bpf_map;

struct loader {
	struct bpf_object *bpf;
	struct bpf_map *ops;
	int link_fd; /* -1: not attached */
};

/* Hand @object over to libbpf, ready to be loaded. What fails in here is the plugin's fault. */
int loader_open(struct loader *loader, const struct object *object, const char *name,
		const char *ops, struct ktstr_error *err);

/* Have it verified and loaded. -ESRCH when the kernel refuses it. */
int loader_load(struct loader *loader, const struct scx_log *log, struct ktstr_error *err);

/*
 * Let it schedule, for as long as a process has the link open: when all are gone, the kernel takes
 * it down. -ESRCH when the kernel refuses its ops. A success says nothing of its init().
 */
int loader_attach(struct loader *loader, const struct scx_log *log, struct ktstr_error *err);

/* Take it down, whoever else has the link open; waits until the kernel has done it. */
void loader_detach(struct loader *loader);

/* Detach it if it is attached, and free all. @loader may be zeroed but for link_fd -1. */
void loader_done(struct loader *loader);

/* Map the memory of a section's variables, *ret_size bytes, to be given to munmap(). */
int loader_map(const struct loader *loader, const char *section, void **ret_data, size_t *ret_size,
	       struct ktstr_error *err);

#endif
