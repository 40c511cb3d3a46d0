/* SPDX-License-Identifier: GPL-2.0-only */
/* The cgroups (v2) of a run: a root of their own below the mount, and what scenarios create in it.
 */
#ifndef GUEST_CGROUP_H
#define GUEST_CGROUP_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktstr/error.h"
#include "ktstr/frame.h"
#include "ktstr/guest.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_ROOT "ktstr"
/* How many a run can create. */
#define CGROUP_COUNT_MAX 4096u
#define CGROUP_NAME_MAX 255u

struct cgroups;

/* Make <mount>/ktstr, with the controllers cpu and cpuset for what is created below. Takes the
 * kernel a while, but the first time alone. */
int cgroups_prepare(const char *mount, struct ktstr_error *err);
/* The same, for cgroups to be created there. */
int cgroups_new(const char *mount, struct cgroups **ret, struct ktstr_error *err);
/* Removes what is left, and frees. */
void cgroups_free(struct cgroups *cgroups);

/* As the services of the same names in ktstr/guest.h. */
int cgroups_create(struct cgroups *cgroups, const struct ktstr_cgroup_spec *spec, uint32_t *ret_id,
		   struct ktstr_error *err);
int cgroups_find(const struct cgroups *cgroups, const char *name, uint32_t *ret_id);
int cgroups_set_cpus(struct cgroups *cgroups, uint32_t id, const struct ktstr_cpuset *cpus,
		     struct ktstr_error *err);
/* The cgroup must be empty. */
int cgroups_remove(struct cgroups *cgroups, uint32_t id, struct ktstr_error *err);

/* Move a process. @id 0: it stays where it is. */
int cgroups_place(struct cgroups *cgroups, uint32_t id, pid_t pid, struct ktstr_error *err);

/* The name of a live cgroup and its cpus; NULL when there is none with this id. */
const char *cgroups_name(const struct cgroups *cgroups, uint32_t id);
const struct ktstr_cpuset *cgroups_cpus(const struct cgroups *cgroups, uint32_t id);
/* Has a live cgroup a cpu.max? */
bool cgroups_has_max(const struct cgroups *cgroups, uint32_t id);
/* cpu.weight of a live cgroup; 0: not known. */
uint32_t cgroups_weight(const struct cgroups *cgroups, uint32_t id);
/* How many are live. */
uint32_t cgroups_count(const struct cgroups *cgroups);

/* "0-3,5" in fresh memory, "" for the empty set; NULL when there is no memory. */
char *cpuset_format(const struct ktstr_cpuset *cpus);

#endif
