/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "judge/verdict.h"
#include "ktstr/plugin.h"
#include "ktstr/topology.h"
#include "report/meta.h"
#include "report/table.h"
#include "run/base.h"
#include "run/finish.h"
#include "run/list.h"
#include "vm/base_store.h"

#define MARK_DAMAGED "!"
#define MIB (UINT64_C(1) << 20)

/* What the key says of the machine. */
struct kind {
	char release[80]; /* "": not known */
	struct ktstr_topology topology;
	uint64_t memory_bytes;
	char scheduler[KTSTR_NAME_MAX + 1]; /* that is up in it; "": none */
};

/* What stands behind @start at the beginning of a line. */
static const char *find_line(const char *key, const char *start)
{
	for (const char *line = key; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts(line, start))
			return line + strlen(start);
	}
	return NULL;
}

/* The key may be anything: it is a file that somebody may have changed. */
static struct kind read_kind(const char *key)
{
	const char *release = find_line(key, RUN_BASE_RELEASE);
	const char *topology = find_line(key, RUN_BASE_TOPOLOGY);
	const char *memory = find_line(key, RUN_BASE_MEMORY);
	const char *scheduler = find_line(key, RUN_BASE_SCHEDULER);
	struct kind kind = { 0 };
	struct ktstr_topology *t = &kind.topology;

	if (release)
		str_copy_line(kind.release, sizeof(kind.release), release, strcspn(release, "\n"));
	if (topology && sscanf(topology, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32,
			       &t->numa_nodes, &t->llcs, &t->cores, &t->threads) != 4)
		*t = (struct ktstr_topology){ 0 };
	if (scheduler)
		str_copy_line(kind.scheduler, sizeof(kind.scheduler), scheduler,
			      strcspn(scheduler, "\n"));
	if (memory)
		kind.memory_bytes = strtoull(memory, NULL, 10);
	return kind;
}

static uint64_t age_of(const struct base_entry *entry)
{
	uint64_t now_ns = clock_now_ns(CLOCK_REALTIME);

	return now_ns > entry->used_ns ? (now_ns - entry->used_ns) / NS_PER_S : 0;
}

/* "12 s", "3 min", "5 h", "2 d" */
static void age_text(char *target, size_t size, uint64_t age_s)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && age_s < 2 * units[i].seconds)
		i++;
	(void)snprintf(target, size, "%" PRIu64 " %s", age_s / units[i].seconds, units[i].name);
}

static int add_row(struct table *table, const struct base_entry *entry)
{
	struct kind kind = read_kind(entry->key);
	const struct ktstr_topology *t = &kind.topology;
	char age[40];
	int rc;

	age_text(age, sizeof(age), age_of(entry));
	rc = table_cell(table, "%s", entry->is_whole ? "" : MARK_DAMAGED);
	if (rc == 0)
		rc = table_cell(table, "%s", entry->name);
	if (rc == 0)
		rc = table_cell(table, "%" PRIu64 " MiB", entry->bytes / MIB);
	if (rc == 0)
		rc = table_cell(table, "%s", age);
	if (rc == 0)
		rc = table_cell(table, "%s", kind.release[0] ? kind.release : "?");
	if (rc == 0)
		rc = table_cell(table, "%" PRIu64, (uint64_t)t->llcs * t->cores * t->threads);
	if (rc == 0)
		rc = table_cell(table, "%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32,
				t->numa_nodes, t->llcs, t->cores, t->threads);
	if (rc == 0)
		rc = table_cell(table, "%" PRIu64 " MiB", kind.memory_bytes / MIB);
	if (rc == 0)
		rc = table_cell(table, "%s", kind.scheduler);
	return rc;
}

static int show_text(const struct base_entry *entries, size_t count,
		     const struct run_options *options)
{
	static const struct table_column columns[] = {
		{ "", true },	     { "saved VM", true }, { "on disk", false },
		{ "used", false },   { "kernel", true },   { "CPUs", false },
		{ "n/l/c/t", true }, { "memory", false },  { "attached", true },
	};
	bool has_damaged = false;
	uint64_t bytes = 0;
	struct str text = { 0 };
	struct table table;
	int rc = 0;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = add_row(&table, &entries[i]);
		bytes += entries[i].bytes;
		has_damaged |= !entries[i].is_whole;
	}
	if (rc == 0)
		rc = table_render(&table, "", &text);
	if (rc == 0)
		rc = str_addf(&text, "%s%zu saved VM%s, %" PRIu64 " of at most %" PRIu64 " MiB\n",
			      count > 0 ? "\n" : "", count, count == 1 ? "" : "s", bytes / MIB,
			      run_base_bytes_max() / MIB);
	if (rc == 0 && has_damaged)
		rc = str_add(&text, MARK_DAMAGED " damaged: it is made anew when it is needed\n");
	table_done(&table);
	return list_show_text(options, &text, rc);
}

static json_t *entry_json(const struct base_entry *entry)
{
	struct kind kind = read_kind(entry->key);
	const struct ktstr_topology *t = &kind.topology;

	return json_pack("{so sI sI sb so s{sI sI sI sI} sI so}", "name", json_text(entry->name),
			 "bytes", (json_int_t)entry->bytes, "age_s", (json_int_t)age_of(entry),
			 "is_whole", entry->is_whole, "kernel", json_text(kind.release), "topology",
			 "numa_nodes", (json_int_t)t->numa_nodes, "llcs", (json_int_t)t->llcs,
			 "cores", (json_int_t)t->cores, "threads", (json_int_t)t->threads,
			 "memory_bytes", (json_int_t)kind.memory_bytes, "scheduler",
			 kind.scheduler[0] ? json_text(kind.scheduler) : json_null());
}

static int show(const struct base_entry *entries, size_t count, const struct run_options *options)
{
	json_t *list;

	if (!options->is_json)
		return show_text(entries, count, options);
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_add(&list, entry_json(&entries[i]));
	return list_show_document(options, "bases", EXIT_PASS, list);
}

static int find_store(char **ret, struct ktstr_error *err)
{
	*ret = run_base_store();
	return *ret ? 0
		    : ktstr_fail(err, -ENOENT,
				 "there is no place for saved VMs: set HOME or XDG_CACHE_HOME");
}

int run_list_bases(const struct run_options *options)
{
	_cleanup_free_ char *store = NULL;
	struct base_entry *entries = NULL;
	struct ktstr_error err = { 0 };
	size_t count = 0;
	int exit_code;

	if (find_store(&store, &err) < 0 || base_list(store, &entries, &count, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	exit_code = show(entries, count, options);
	base_list_free(entries, count);
	return exit_code;
}

int run_prune_bases(uint64_t bytes_max, const struct run_options *options)
{
	_cleanup_free_ char *store = NULL;
	struct base_pruned pruned = { 0 };
	struct ktstr_error err = { 0 };
	struct str text = { 0 };
	int rc;

	if (bytes_max == RUN_BASES_MAX)
		bytes_max = run_base_bytes_max();
	if (find_store(&store, &err) < 0 ||
	    base_prune(store, bytes_max, BASE_PRUNE_DAMAGED, &pruned, &err) < 0)
		return finish_error(options, EXIT_ERROR, &err);
	if (options->is_json)
		return list_show_document(options, "pruned", EXIT_PASS,
					  json_pack("{sI sI}", "count", (json_int_t)pruned.count,
						    "bytes", (json_int_t)pruned.bytes));
	rc = str_addf(&text, "removed %zu saved VM%s, %" PRIu64 " MiB\n", pruned.count,
		      pruned.count == 1 ? "" : "s", pruned.bytes / MIB);
	return list_show_text(options, &text, rc);
}
