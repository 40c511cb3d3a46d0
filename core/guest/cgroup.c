/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

/* cpu.max without one given, as the kernel has it. */
#define DEFAULT_PERIOD_US 100000u
#define WEIGHT_MAX 10000u
#define DEPTH_MAX 8
/* A task that has just been collected may still be on its way out of its cgroup. */
#define REMOVE_TRIES 20
#define REMOVE_WAIT_MS 50

struct cgroup {
	char *name; /* NULL: removed */
	struct ktstr_cpuset cpus;
};

struct cgroups {
	char *root; /* <mount>/ktstr */
	/* Entry i has the id i + 1; ids are not used again. */
	struct cgroup *entries;
	uint32_t count;
};

char *cpuset_format(const struct ktstr_cpuset *cpus)
{
	struct str text = { 0 };
	uint32_t cpu = 0;

	if (str_add(&text, "") < 0)
		return NULL;
	while (cpu < KTSTR_CPUS_MAX) {
		uint32_t first = cpu;

		if (!ktstr_cpuset_has(cpus, cpu++))
			continue;
		while (ktstr_cpuset_has(cpus, cpu))
			cpu++;
		if (str_addf(&text, cpu - 1 > first ? "%s%u-%u" : "%s%u", text.length ? "," : "",
			     first, cpu - 1) < 0) {
			str_done(&text);
			return NULL;
		}
	}
	return text.data;
}

/* One write to one control file, which the kernel takes or refuses as a whole. */
static int control_write(const char *folder, const char *name, const char *file, const char *text,
			 struct ktstr_error *err)
{
	_cleanup_free_ char *path = name ? str_format("%s/%s/%s", folder, name, file)
					 : str_format("%s/%s", folder, file);
	_cleanup_close_ int fd = -1;
	int rc = 0;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "no memory for a path");
	/* O_CREAT lets a plain folder stand for the mount; the kernel's own refuses to create. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		rc = -errno;
	if (rc == -EOPNOTSUPP)
		rc = -EINVAL; /* it would read as "does not apply here", and skip the run */
	if (fd < 0 && (rc == -ENOENT || rc == -EACCES || rc == -EPERM))
		return ktstr_fail(err, -ENODEV,
				  "the kernel has no '%s'; a cgroup controller is missing", path);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write '%s' to '%s': %s", text, path,
				  strerror(-rc));
	return 0;
}

static int enable_controllers(const char *folder, const char *name, struct ktstr_error *err)
{
	return control_write(folder, name, "cgroup.subtree_control", "+cpu +cpuset", err);
}

static int prepare_root(const char *mount, const char *root, struct ktstr_error *err)
{
	int rc = enable_controllers(mount, NULL, err);

	if (rc < 0)
		return rc;
	if (mkdir(root, 0755) < 0 && errno != EEXIST)
		return ktstr_fail(err, -errno, "cannot create cgroup '%s': %s", root,
				  strerror(errno));
	return enable_controllers(root, NULL, err);
}

int cgroups_prepare(const char *mount, struct ktstr_error *err)
{
	_cleanup_free_ char *root = str_format("%s/" CGROUP_ROOT, mount);

	if (!root)
		return ktstr_fail(err, -ENOMEM, "no memory for the cgroups");
	return prepare_root(mount, root, err);
}

int cgroups_new(const char *mount, struct cgroups **ret, struct ktstr_error *err)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	int rc = -ENOMEM;

	if (cgroups)
		cgroups->root = str_format("%s/" CGROUP_ROOT, mount);
	if (!cgroups || !cgroups->root)
		(void)ktstr_fail(err, rc, "no memory for the cgroups"); /* returned below */
	else
		rc = prepare_root(mount, cgroups->root, err);
	if (rc < 0) {
		if (cgroups)
			free(cgroups->root);
		free(cgroups);
		return rc;
	}
	*ret = cgroups;
	return 0;
}

void cgroups_free(struct cgroups *cgroups)
{
	struct ktstr_error ignored;

	if (!cgroups)
		return;
	/* Newest first: a parent is older than its children. */
	for (uint32_t id = cgroups->count; id > 0; id--)
		if (cgroups->entries[id - 1].name)
			(void)cgroups_remove(cgroups, id, &ignored); /* the VM is about to end */
	for (uint32_t i = 0; i < cgroups->count; i++)
		free(cgroups->entries[i].name);
	(void)rmdir(cgroups->root);
	free(cgroups->entries);
	free(cgroups->root);
	free(cgroups);
}

static struct cgroup *find_id(const struct cgroups *cgroups, uint32_t id)
{
	if (id == 0 || id > cgroups->count || !cgroups->entries[id - 1].name)
		return NULL;
	return &cgroups->entries[id - 1];
}

int cgroups_find(const struct cgroups *cgroups, const char *name, uint32_t *ret_id)
{
	for (uint32_t i = 0; i < cgroups->count; i++) {
		const char *have = cgroups->entries[i].name;

		if (have && strcmp(have, name) == 0) {
			*ret_id = i + 1;
			return 0;
		}
	}
	return -ENOENT;
}

static int check_name(const char *name, struct ktstr_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	size_t length = strnlen(name, CGROUP_NAME_MAX + 1);
	int depth = 1;

	if (length == 0 || length > CGROUP_NAME_MAX)
		return ktstr_fail(err, -EINVAL,
				  "bad cgroup name '%.40s': it must have 1 to %u characters", name,
				  CGROUP_NAME_MAX);
	/* No dots: they would reach control files and parents. */
	for (const char *at = name;; at++, depth++) {
		size_t part = strspn(at, allowed);

		at += part;
		if (part == 0 || (*at != '/' && *at != '\0') || depth > DEPTH_MAX)
			return ktstr_fail(err, -EINVAL,
					  "bad cgroup name '%s': use letters, digits, '_' and '-', "
					  "with '/' between at most %d levels",
					  name, DEPTH_MAX);
		if (*at == '\0')
			return 0;
	}
}

static int check_spec(const struct cgroups *cgroups, const struct ktstr_cgroup_spec *spec,
		      struct ktstr_error *err)
{
	uint32_t id;
	int rc;

	if (spec->size < sizeof(*spec) || !spec->name)
		return ktstr_fail(err, -EINVAL, "cgroup without a name or a size in its spec");
	rc = check_name(spec->name, err);
	if (rc < 0)
		return rc;
	if (cgroups_find(cgroups, spec->name, &id) == 0)
		return ktstr_fail(err, -EEXIST, "cgroup '%s' exists already", spec->name);
	if (spec->cpu_weight > WEIGHT_MAX)
		return ktstr_fail(err, -EINVAL, "cgroup '%s': cpu weight %u is not in 1 to %u",
				  spec->name, spec->cpu_weight, WEIGHT_MAX);
	if (cgroups->count >= CGROUP_COUNT_MAX)
		return ktstr_fail(err, -E2BIG, "cgroup '%s': a run can create %u cgroups at most",
				  spec->name, CGROUP_COUNT_MAX);
	return 0;
}

/* The kernel would let it pass for cpu and cpuset, and then refuse workers in the child. */
static bool has_tasks(const struct cgroups *cgroups, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s/cgroup.procs", cgroups->root, name);
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char byte;

	return fd >= 0 && read(fd, &byte, 1) == 1;
}

static bool has_children(const struct cgroups *cgroups, const char *name)
{
	size_t length = strlen(name);

	for (uint32_t i = 0; i < cgroups->count; i++) {
		const char *other = cgroups->entries[i].name;

		if (other && strncmp(other, name, length) == 0 && other[length] == '/')
			return true;
	}
	return false;
}

/* The part of @name before its last '/' must be a cgroup of ours, and hand controllers down. */
static int prepare_parent(const struct cgroups *cgroups, const char *name, struct ktstr_error *err)
{
	_cleanup_free_ char *parent = strdup(name);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	uint32_t id;

	if (!parent)
		return ktstr_fail(err, -ENOMEM, "no memory for cgroup '%s'", name);
	if (!slash)
		return 0;
	*slash = '\0';
	if (cgroups_find(cgroups, parent, &id) < 0)
		return ktstr_fail(err, -EINVAL,
				  "cannot create cgroup '%s': there is no cgroup '%s', create it "
				  "first",
				  name, parent);
	if (has_tasks(cgroups, parent))
		return ktstr_fail(err, -EBUSY,
				  "cannot create cgroup '%s': workers run in '%s', and a cgroup "
				  "has either workers or cgroups in it",
				  name, parent);
	return enable_controllers(cgroups->root, parent, err);
}

static int write_cpus(struct cgroups *cgroups, const char *name, const struct ktstr_cpuset *cpus,
		      struct ktstr_error *err)
{
	_cleanup_free_ char *list = cpuset_format(cpus);
	_cleanup_free_ char *line = list ? str_format("%s\n", list) : NULL;

	if (!line)
		return ktstr_fail(err, -ENOMEM, "no memory for the cpuset of cgroup '%s'", name);
	return control_write(cgroups->root, name, "cpuset.cpus", line, err);
}

static int write_settings(struct cgroups *cgroups, const struct ktstr_cgroup_spec *spec,
			  struct ktstr_error *err)
{
	char text[64];
	int rc = 0;

	if (ktstr_cpuset_count(&spec->cpus) > 0)
		rc = write_cpus(cgroups, spec->name, &spec->cpus, err);
	if (rc == 0 && spec->cpu_weight) {
		(void)snprintf(text, sizeof(text), "%u", spec->cpu_weight);
		rc = control_write(cgroups->root, spec->name, "cpu.weight", text, err);
	}
	if (rc == 0 && spec->cpu_max_quota_us) {
		(void)snprintf(
			text, sizeof(text), "%llu %llu", (unsigned long long)spec->cpu_max_quota_us,
			(unsigned long long)(spec->cpu_max_period_us ? spec->cpu_max_period_us
								     : DEFAULT_PERIOD_US));
		rc = control_write(cgroups->root, spec->name, "cpu.max", text, err);
	}
	return rc;
}

int cgroups_create(struct cgroups *cgroups, const struct ktstr_cgroup_spec *spec, uint32_t *ret_id,
		   struct ktstr_error *err)
{
	_cleanup_free_ char *name = NULL, *path = NULL;
	struct cgroup *entries;
	int rc = check_spec(cgroups, spec, err);

	if (rc < 0)
		return rc;
	name = strdup(spec->name);
	path = str_format("%s/%s", cgroups->root, spec->name);
	entries = realloc(cgroups->entries, (cgroups->count + 1) * sizeof(*entries));
	if (entries)
		cgroups->entries = entries;
	if (!name || !path || !entries)
		return ktstr_fail(err, -ENOMEM, "no memory for cgroup '%s'", spec->name);
	rc = prepare_parent(cgroups, name, err);
	if (rc < 0)
		return rc;
	if (mkdir(path, 0755) < 0)
		return ktstr_fail(err, -errno, "cannot create cgroup '%s': %s", spec->name,
				  strerror(errno));
	rc = write_settings(cgroups, spec, err);
	if (rc < 0) {
		(void)rmdir(path); /* the first error is the one to tell */
		return rc;
	}
	cgroups->entries[cgroups->count++] =
		(struct cgroup){ .name = steal_ptr(name), .cpus = spec->cpus };
	*ret_id = cgroups->count;
	return 0;
}

int cgroups_set_cpus(struct cgroups *cgroups, uint32_t id, const struct ktstr_cpuset *cpus,
		     struct ktstr_error *err)
{
	struct cgroup *cgroup = find_id(cgroups, id);
	int rc;

	if (!cgroup)
		return ktstr_fail(err, -ENOENT, "there is no cgroup with the id %u", id);
	rc = write_cpus(cgroups, cgroup->name, cpus, err);
	if (rc == 0)
		cgroup->cpus = *cpus;
	return rc;
}

/* Until the last task has left, or the patience has. */
static int remove_folder(const char *path)
{
	_cleanup_free_ char *events = str_format("%s/cgroup.events", path);
	_cleanup_close_ int fd = events ? open(events, O_RDONLY | O_CLOEXEC) : -1;

	for (int i = 0; i < REMOVE_TRIES; i++) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

		if (rmdir(path) == 0)
			return 0;
		if (errno != EBUSY)
			return -errno;
		(void)poll(&poll_fd, 1, REMOVE_WAIT_MS);
	}
	return -EBUSY;
}

int cgroups_remove(struct cgroups *cgroups, uint32_t id, struct ktstr_error *err)
{
	struct cgroup *cgroup = find_id(cgroups, id);
	_cleanup_free_ char *path = NULL;
	int rc;

	if (!cgroup)
		return ktstr_fail(err, -ENOENT, "there is no cgroup with the id %u", id);
	path = str_format("%s/%s", cgroups->root, cgroup->name);
	rc = path ? remove_folder(path) : -ENOMEM;
	if (rc == -EBUSY)
		return ktstr_fail(err, rc, "cannot remove cgroup '%s': something still lives in it",
				  cgroup->name);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot remove cgroup '%s': %s", cgroup->name,
				  strerror(-rc));
	free(cgroup->name);
	cgroup->name = NULL;
	return 0;
}

int cgroups_place(struct cgroups *cgroups, uint32_t id, pid_t pid, struct ktstr_error *err)
{
	struct cgroup *cgroup = find_id(cgroups, id);
	char text[16];

	if (id == 0)
		return 0;
	if (!cgroup)
		return ktstr_fail(err, -ENOENT, "there is no cgroup with the id %u", id);
	if (has_children(cgroups, cgroup->name))
		return ktstr_fail(
			err, -EBUSY,
			"no worker can run in cgroup '%s': a cgroup has either workers or "
			"cgroups in it",
			cgroup->name);
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	return control_write(cgroups->root, cgroup->name, "cgroup.procs", text, err);
}

const char *cgroups_name(const struct cgroups *cgroups, uint32_t id)
{
	const struct cgroup *cgroup = find_id(cgroups, id);

	return cgroup ? cgroup->name : NULL;
}

const struct ktstr_cpuset *cgroups_cpus(const struct cgroups *cgroups, uint32_t id)
{
	const struct cgroup *cgroup = find_id(cgroups, id);

	return cgroup ? &cgroup->cpus : NULL;
}

/* The start of one of its files; "" when it cannot be read. */
static void read_control(const struct cgroups *cgroups, uint32_t id, const char *file,
			 char text[16])
{
	const char *name = cgroups_name(cgroups, id);
	_cleanup_free_ char *path = name ? str_format("%s/%s/%s", cgroups->root, name, file) : NULL;
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? 0 : read(fd, text, 15);

	text[length > 0 ? length : 0] = '\0';
}

uint32_t cgroups_weight(const struct cgroups *cgroups, uint32_t id)
{
	char text[16];

	read_control(cgroups, id, "cpu.weight", text);
	return (uint32_t)strtoul(text, NULL, 10);
}

bool cgroups_has_max(const struct cgroups *cgroups, uint32_t id)
{
	char text[16];

	read_control(cgroups, id, "cpu.max", text);
	return text[0] && strncmp(text, "max", 3) != 0;
}

uint32_t cgroups_count(const struct cgroups *cgroups)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < cgroups->count; i++)
		live += cgroups->entries[i].name != NULL;
	return live;
}
