/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario that compares the topology in the guest's sysfs with the one that was asked for:
 * packages, threads, LLC sharing, nodes and distances. Fails with the first difference.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ktstr/scenario.h"

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)values;
	(void)err;
	needs->duration_ns = 2000000000;
	return 0;
}

static int read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	char *got;

	if (!file)
		return -errno;
	got = fgets(line, (int)size, file);
	fclose(file);
	if (!got)
		return -ENODATA;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* A run of CPUs as sysfs writes it. */
static void range(char *text, size_t size, uint32_t first, uint32_t count)
{
	if (count == 1)
		(void)snprintf(text, size, "%u", first);
	else
		(void)snprintf(text, size, "%u-%u", first, first + count - 1);
}

static int expect(const char *path, const char *want, struct ktstr_error *err)
{
	char have[256] = "";
	int rc = read_line(path, have, sizeof(have));

	if (rc < 0)
		return ktstr_fail(err, rc, "cannot read '%s': %s", path, strerror(-rc));
	if (strcmp(have, want) != 0)
		return ktstr_fail(err, -EBADMSG, "'%s' says '%s', want '%s'", path, have, want);
	return 0;
}

static int check_cpu(const struct ktstr_topology *t, uint32_t cpu, struct ktstr_error *err)
{
	uint32_t per_llc = t->cores * t->threads, per_node = per_llc * (t->llcs / t->numa_nodes);
	char path[128], want[64];
	int rc;

	(void)snprintf(path, sizeof(path),
		       "/sys/devices/system/cpu/cpu%u/cache/index3/shared_cpu_list", cpu);
	range(want, sizeof(want), cpu / per_llc * per_llc, per_llc);
	rc = expect(path, want, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path),
		       "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
	range(want, sizeof(want), cpu / t->threads * t->threads, t->threads);
	rc = expect(path, want, err);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path),
		       "/sys/devices/system/cpu/cpu%u/topology/package_cpus_list", cpu);
	range(want, sizeof(want), cpu / per_node * per_node, per_node);
	return expect(path, want, err);
}

static int check_node(const struct ktstr_topology *t, uint32_t node, struct ktstr_error *err)
{
	uint32_t per_node = ktstr_topology_cpus(t) / t->numa_nodes;
	char path[128], want[256];
	size_t at = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
	range(want, sizeof(want), node * per_node, per_node);
	rc = expect(path, want, err);
	if (rc < 0)
		return rc;
	for (uint32_t other = 0; other < t->numa_nodes && at < sizeof(want); other++)
		at += (size_t)snprintf(want + at, sizeof(want) - at, "%s%d", other ? " " : "",
				       other == node ? 10 : 20);
	(void)snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/distance", node);
	return expect(path, want, err);
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	const struct ktstr_topology *t = g->topology;
	uint32_t cpus = ktstr_topology_cpus(t);
	char want[64];
	int rc;

	(void)values;
	(void)state;
	range(want, sizeof(want), 0, cpus);
	rc = expect("/sys/devices/system/cpu/online", want, err);
	for (uint32_t cpu = 0; rc == 0 && cpu < cpus; cpu++)
		rc = check_cpu(t, cpu, err);
	range(want, sizeof(want), 0, t->numa_nodes);
	if (rc == 0)
		rc = expect("/sys/devices/system/node/online", want, err);
	for (uint32_t node = 0; rc == 0 && node < t->numa_nodes; node++)
		rc = check_node(t, node, err);
	return rc;
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "topology_probe", .version = "1.0",
		    .summary = "compare sysfs with the topology asked for", .scenario = &ops,
		    .license = "GPL-2.0-only");
