/* SPDX-License-Identifier: MIT */
/*
 * A workload plugin to start from: a worker that walks through memory, cache line by cache line. It
 * is fast while its buffer is in the cache and slow after each migration to another LLC, so its
 * work units show what a scheduler's placement costs.
 *
 *	workload: {plugin: my_workload, buffer: 4M, random: true}
 *
 * The agent forks one process for each worker, places it, and calls run(). The worker must not
 *fork, must not write to the agent's descriptors, and ends by itself when it is told to.
 */
#include "ktstr/workload.h"

#include <sys/mman.h>

#define LINE 64
/* Lines between two looks at the clock and the stop flag: a few microseconds of work. */
#define LINES_PER_ITERATION 1024

enum {
	P_BUFFER,
	P_WRITE,
	P_RANDOM,
};

static const struct ktstr_param params[] = {
	[P_BUFFER] = { .key = "buffer",
		       .help = "memory that each worker walks through",
		       .type = KTSTR_PARAM_SIZE,
		       .fallback = "1M",
		       .min = LINE * LINES_PER_ITERATION,
		       .max = INT64_C(1) << 30 },
	[P_WRITE] = { .key = "write",
		      .help = "write to each line too, so that other caches lose it",
		      .type = KTSTR_PARAM_BOOL,
		      .fallback = "true" },
	[P_RANDOM] = { .key = "random",
		       .help = "start each round at a random line, so that no prefetcher knows it",
		       .type = KTSTR_PARAM_BOOL,
		       .fallback = "false" },
	{ .key = NULL },
};

/* Host: memory for one worker. The host does not know here how many there will be; a scenario that
 * starts many asks for the rest itself. */
static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)err;
	needs->memory_bytes += (uint64_t)values[P_BUFFER].i;
	return 0;
}

/* Walk LINES_PER_ITERATION lines from @at on, round the end of the buffer. Returns where to go on.
 * Volatile: nobody looks at what is read, and it must be read all the same. */
static size_t walk(volatile uint64_t *words, size_t lines, size_t at, int is_writing)
{
	for (int i = 0; i < LINES_PER_ITERATION; i++) {
		volatile uint64_t *word = &words[at * (LINE / sizeof(*words))];

		if (is_writing)
			*word = *word + 1;
		else
			(void)*word;
		at = at + 1 < lines ? at + 1 : 0;
	}
	return at;
}

/* Guest: the loop. Random numbers come from the agent, so that the same seed gives the same run. */
static int run(struct ktstr_worker *w, struct ktstr_error *err)
{
	size_t size = (size_t)w->values[P_BUFFER].i;
	size_t lines = size / LINE, at = 0;
	int is_writing = (int)w->values[P_WRITE].i;
	void *memory;

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		return ktstr_fail(err, -errno, "cannot map %zu bytes: %s", size, strerror(errno));
	while (!ktstr_worker_stopping(w)) {
		if (w->values[P_RANDOM].i)
			at = (size_t)(ktstr_worker_random(w) % lines);
		at = walk(memory, lines, at, is_writing);
		/* One unit a line. Progress is what starvation and gaps are measured by: a loop
		 * must call it at least every few milliseconds. */
		ktstr_worker_progress(w, LINES_PER_ITERATION);
	}
	(void)munmap(memory, size); /* cannot fail for what mmap() gave */
	return 0;
}

static const struct ktstr_workload_ops ops = {
	.size = sizeof(ops),
	.needs = needs,
	.run = run,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_WORKLOAD, .name = "my_workload", .version = "1.0",
		    .summary = "walks through memory, cache line by cache line", .params = params,
		    .workload = &ops, .license = "MIT");
