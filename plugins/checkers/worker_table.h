/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workers of a run, cgroup by cgroup, as CGROUP and WORKER frames tell of them: what the
 * checkers over workers have in common.
 *
 * A frame whose CRC is wrong is never used. A malformed one is refused with a sentence. Nothing in
 * a frame is trusted: counts are limited by the MAX values below, and text is made printable.
 */
#ifndef CHECKERS_WORKER_TABLE_H
#define CHECKERS_WORKER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "findings.h"
#include "ktstr/checker.h"

#define WORKER_TABLE_WORKERS_MAX 65536u
#define WORKER_TABLE_CGROUPS_MAX 4096u
#define WORKER_TABLE_NAME_MAX 255u
/* How long an older agent, that does not say it, waited for a worker that was told to stop. */
#define WORKER_TABLE_STOP_LIMIT_MS 5000

struct table_cgroup {
	uint32_t id;
	/* A CGROUP frame described it; else only workers speak of it. */
	bool is_described;
	/* It had no cpuset of its own at some time. */
	bool was_unlimited;
	/* All CPUs that its cpusets had, one after the other. */
	struct ktstr_cpuset cpus;
	/* Its frames do not all say the same of it. */
	bool has_other_cpus;
	bool has_other_weight;
	bool has_max; /* a cpu.max, at some time */
	/* As the newest frame has it; 0: not known. */
	uint32_t cpu_weight;
	char name[WORKER_TABLE_NAME_MAX + 1];
	/* "cgroup hog0", the subject of its findings. */
	char subject[WORKER_TABLE_NAME_MAX + 16];
};

/* What one worker measured, and when the host heard that workers were to stop. */
struct table_worker {
	struct ktstr_worker_report report;
	uint64_t stopped_ns;
};

struct worker_table;

/* How one checker judges what the table holds. */
struct table_rule {
	/* The figure that the checker measures, as struct ktstr_finding has it. */
	const char *metric;
	const char *unit;
	uint32_t limit_kind;
	/*
	 * Judge one cgroup. @workers are those with a report of their own and a measured life;
	 * there is at least one. @has_broken: there were others too.
	 */
	void (*judge)(struct worker_table *table, const struct table_cgroup *cgroup,
		      const struct ktstr_worker_report *const *workers, size_t count,
		      bool has_broken);
	/*
	 * In place of judge(): judge all workers at once, those of a cgroup one after the other;
	 * there is at least one.
	 */
	int (*judge_all)(struct worker_table *table, const struct table_worker *const *workers,
			 size_t count, bool has_broken, struct ktstr_error *err);
	/* Optional: a worker that did not stop when told to. Without it: UNDECIDED. */
	void (*timeout)(struct worker_table *table, const struct ktstr_worker_report *worker);
};

struct worker_table {
	struct findings findings;
	const struct table_rule *rule;
	double limit;
	struct table_cgroup *cgroups;
	size_t cgroup_count;
	struct table_worker *workers;
	size_t worker_count;
	/* When the newest SCENARIO_PAUSE came, for a checker that wants these; else 0. */
	uint64_t paused_ns;
};

/* The types of frames that the table needs, for struct ktstr_checker_ops. It can also make use of
 * SCENARIO_PAUSE: the agent sends one just before it stops workers and hands out their reports. */
#define WORKER_TABLE_WANTS_COUNT 2u
extern const uint32_t worker_table_wants[WORKER_TABLE_WANTS_COUNT];

/* Make the table that the calls below take as their state. 0 or -ENOMEM. */
int worker_table_open(struct ktstr_judge *judge, const struct table_rule *rule, double limit,
		      void **ret_table, struct ktstr_error *err);

/*
 * Take in one frame. Returns 0, -EBADMSG for a malformed one, -E2BIG when there are more cgroups or
 * workers than the limits, or -ENOMEM.
 */
int worker_table_observe(void *table, const struct ktstr_frame *frame, struct ktstr_error *err);

/*
 * All frames have been seen: walk cgroup by cgroup, in the order of their first frame, and hand
 * each to the rule. Workers without a report of their own are dealt with here: killed or exited is
 * an ERROR, because the evidence is broken. Nobody reported: UNDECIDED.
 */
int worker_table_finish(void *table, uint32_t *ret_outcome, struct ktstr_error *err);

/* Free the table; NULL is fine. */
void worker_table_close(void *table);

/* The cgroup around @cgroup ("a" of "a/b"), or NULL where there is none or no frame describes it.
 */
const struct table_cgroup *table_parent(const struct worker_table *table,
					const struct table_cgroup *cgroup);

/* The cgroup whose cpusets bind the workers of @cgroup, or NULL when they may run everywhere. */
const struct table_cgroup *table_limit(const struct worker_table *table,
				       const struct table_cgroup *cgroup);

/* Hand one finding to the host, as in findings.h: a figure of the rule, or a sentence alone. */
__attribute__((format(printf, 5, 6))) void table_find(struct worker_table *table, uint32_t outcome,
						      const char *subject, double measured,
						      const char *format, ...);
__attribute__((format(printf, 4, 5))) void table_say(struct worker_table *table, uint32_t outcome,
						     const char *subject, const char *format, ...);

/* "tid 123". Returns @text. */
const char *table_tid(char *text, size_t size, const struct ktstr_worker_report *worker);

/* How long the agent waited for a worker that did not stop, in milliseconds. */
int32_t table_stop_limit_ms(const struct ktstr_worker_report *worker);

/* "5 s", "300 ms". Returns @text. */
const char *table_stop_limit(char *text, size_t size, const struct ktstr_worker_report *worker);

/* Did the guest live in its own time, where no host can disturb it? */
bool table_is_virtual(const struct ktstr_judge *judge);

/* struct ktstr_judge.host_wait_ns; 0 from a host that does not know it. */
uint64_t table_host_wait_ns(const struct worker_table *table);

/*
 * Did the host leave so little of the @wall_ns of a worker to the VM that a worker which did
 * nothing in it proves nothing? It had no CPU for a quarter of them, and for the rest less than a
 * second.
 */
bool table_is_excused(const struct worker_table *table, uint64_t wall_ns);

/* "the host had no CPU for the VM for 1.2 s of the scenario, so the scheduler may not be to blame".
 * Returns @text. */
#define TABLE_EXCUSE_TEXT_MAX 128u
const char *table_excuse(char *text, size_t size, const struct worker_table *table);

/* The fewest decimals, 0 to 6, with which @limit reads as what it is, and @measured otherwise. */
int table_decimals(double measured, double limit);

/* "{0-3,7}". Returns @text. */
#define TABLE_CPUS_TEXT_MAX 4096u
const char *table_cpus(char *text, size_t size, const struct ktstr_cpuset *cpus);

#endif
