/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's counters of what goes wrong under a sched_ext scheduler stay within limits.
 *
 * Samples come about once a second. A rate is one between two samples, over all CPUs, and counts
 * where it holds for some samples in a row: the sustained rate is the largest one that so many
 * intervals in a row had at least. Counters begin anew with each scheduler, so no interval spans a
 * change of schedulers, and totals are added up.
 */
#include <stdlib.h>

#include "findings.h"
#include "scx_frames.h"

#define NS_PER_S 1e9
#define PREFIX "SCX_EV_"
#define FALLBACK PREFIX "SELECT_CPU_FALLBACK"
#define KEEP_LAST PREFIX "DISPATCH_KEEP_LAST"
#define SUSTAINED_MAX 60
/* A rate over less time says nothing; the interval then goes on to the next sample. */
#define INTERVAL_MIN_NS UINT64_C(200000000)

enum {
	P_MAX_FALLBACK_RATE,
	P_MAX_KEEP_LAST_RATE,
	P_SUSTAINED,
	P_LIMITS,
};

enum {
	LIMIT_EVENT,
	LIMIT_MAX,
	LIMIT_MAX_RATE,
};

static const struct ktstr_param limit_fields[] = {
	[LIMIT_EVENT] = { .key = "event",
			  .help = "name of the counter, with or without SCX_EV_",
			  .type = KTSTR_PARAM_STRING,
			  .flags = KTSTR_PARAM_REQUIRED,
			  .min = 1,
			  .max = 39 },
	[LIMIT_MAX] = { .key = "max",
			.help = "most in the whole run",
			.type = KTSTR_PARAM_INT,
			.min = 0,
			.max = INT64_MAX },
	[LIMIT_MAX_RATE] = { .key = "max_rate",
			     .help = "largest sustained rate, per second",
			     .type = KTSTR_PARAM_FLOAT,
			     .min = 0,
			     .max = INT64_C(1) << 53 },
	{ .key = NULL },
};

static const struct ktstr_param limit_item[] = {
	{ .key = "limit",
	  .help = "one counter and its limits",
	  .type = KTSTR_PARAM_MAP,
	  .fields = limit_fields },
	{ .key = NULL },
};

static const struct ktstr_param params[] = {
	[P_MAX_FALLBACK_RATE] = { .key = "max_fallback_rate",
				  .help = "largest sustained rate of " FALLBACK ", per second",
				  .type = KTSTR_PARAM_FLOAT,
				  .fallback = "200",
				  .min = 0,
				  .max = INT64_C(1) << 53 },
	[P_MAX_KEEP_LAST_RATE] = { .key = "max_keep_last_rate",
				   .help = "largest sustained rate of " KEEP_LAST ", per second",
				   .type = KTSTR_PARAM_FLOAT,
				   .fallback = "100",
				   .min = 0,
				   .max = INT64_C(1) << 53 },
	[P_SUSTAINED] = { .key = "sustained",
			  .help = "intervals in a row, of about a second, that make a rate count",
			  .type = KTSTR_PARAM_INT,
			  .fallback = "2",
			  .min = 1,
			  .max = SUSTAINED_MAX },
	[P_LIMITS] = { .key = "limits",
		       .help = "limits of any counters",
		       .type = KTSTR_PARAM_LIST,
		       .max = KTSTR_SCX_EVENTS_MAX,
		       .fields = limit_item },
	{ .key = NULL },
};

/* One counter with its limits, as it goes on. */
struct counter {
	char name[64];
	bool is_asked_for; /* the scenario file names it */
	bool has_max, has_max_rate;
	double max, max_rate;
	bool is_seen;
	bool is_broken; /* it went back */
	double total;	/* of the schedulers before this one */
	int64_t last;
	/* The rates of the newest intervals in a row: the n-th lies at n modulo SUSTAINED_MAX. */
	double rates[SUSTAINED_MAX];
	uint32_t row;	       /* intervals in a row */
	uint32_t longest_row;  /* of all */
	double sustained_rate; /* of the rows that were long enough */
	double partial_rate;   /* the same of those that were not */
};

struct events {
	struct findings findings;
	struct scx_reign reign;
	struct counter counters[2 + KTSTR_SCX_EVENTS_MAX];
	size_t count;
	uint32_t sustained;
	bool has_last; /* of this reign, as the counters' last */
	uint64_t last_ns;
	uint64_t enable_seq;
};

static struct counter *add_counter(struct events *events, const char *name)
{
	struct counter *counter = &events->counters[events->count++];
	bool has_prefix = strncmp(name, PREFIX, strlen(PREFIX)) == 0;

	(void)snprintf(counter->name, sizeof(counter->name), "%s%s", has_prefix ? "" : PREFIX,
		       name);
	return counter;
}

static void add_rate(struct events *events, const char *name, const struct ktstr_value *value)
{
	struct counter *counter = add_counter(events, name);

	counter->has_max_rate = true;
	counter->max_rate = value->f;
	counter->is_asked_for = value->is_set;
}

static int add_limits(struct events *events, const struct ktstr_value *list,
		      struct ktstr_error *err)
{
	for (uint32_t i = 0; i < list->count && i < KTSTR_SCX_EVENTS_MAX; i++) {
		const struct ktstr_value *fields = list->items[i].items;
		struct counter *counter;

		if (!fields[LIMIT_MAX].is_set && !fields[LIMIT_MAX_RATE].is_set)
			return ktstr_fail_at(err, &list->items[i], -EINVAL,
					     "a limit needs 'max' or 'max_rate'");
		counter = add_counter(events, fields[LIMIT_EVENT].s);
		counter->is_asked_for = true;
		counter->has_max = fields[LIMIT_MAX].is_set;
		counter->max = (double)fields[LIMIT_MAX].i;
		counter->has_max_rate = fields[LIMIT_MAX_RATE].is_set;
		counter->max_rate = fields[LIMIT_MAX_RATE].f;
	}
	return 0;
}

static int events_open(struct ktstr_judge *judge, const struct ktstr_value *values,
		       void **ret_state, struct ktstr_error *err)
{
	struct events *events = calloc(1, sizeof(*events));
	int code;

	if (!events)
		return ktstr_fail(err, -ENOMEM, "no memory for the counters of events");
	events->findings.judge = judge;
	events->sustained = (uint32_t)values[P_SUSTAINED].i;
	add_rate(events, FALLBACK, &values[P_MAX_FALLBACK_RATE]);
	add_rate(events, KEEP_LAST, &values[P_MAX_KEEP_LAST_RATE]);
	code = add_limits(events, &values[P_LIMITS], err);
	if (code < 0) {
		free(events);
		return code;
	}
	*ret_state = events;
	return 0;
}

/* The smallest of the newest @count rates. */
static double least_rate(const struct counter *counter, uint32_t count)
{
	double least = counter->rates[(counter->row - 1) % SUSTAINED_MAX];

	for (uint32_t i = 2; i <= count; i++) {
		double rate = counter->rates[(counter->row - i) % SUSTAINED_MAX];

		least = rate < least ? rate : least;
	}
	return least;
}

static void take_rate(struct counter *counter, double rate, uint32_t sustained)
{
	double least;

	counter->rates[counter->row++ % SUSTAINED_MAX] = rate;
	counter->longest_row =
		counter->row > counter->longest_row ? counter->row : counter->longest_row;
	if (counter->row >= sustained) {
		least = least_rate(counter, sustained);
		if (least > counter->sustained_rate)
			counter->sustained_rate = least;
		return;
	}
	least = least_rate(counter, counter->row);
	if (counter->row == 1 || least < counter->partial_rate)
		counter->partial_rate = least;
}

/*
 * One counter in one state. @interval: seconds since the last one; 0: its first in this reign;
 * less: too short for a rate.
 */
static void take_value(struct counter *counter, const struct scx_state *state, double interval,
		       uint32_t sustained)
{
	int64_t value = 0;

	if (!scx_event_get(state, counter->name, &value))
		return;
	counter->is_seen = true;
	if (interval == 0) {
		counter->total += (double)counter->last;
		counter->last = 0;
		counter->row = 0;
	}
	if (value < counter->last)
		counter->is_broken = true;
	else if (interval > 0)
		take_rate(counter, ((double)value - (double)counter->last) / interval, sustained);
	counter->last = value;
}

/* Does this state belong to a reign, with counters that are still its own? */
static bool is_sample(const struct scx_reign *reign, bool was_on, const struct scx_state *state)
{
	if (state->head.when == KTSTR_SCX_DIED)
		return was_on && state->head.event_count > 0;
	return (was_on || reign->is_on) && scx_is_enabled(state);
}

static int events_observe(void *state, const struct ktstr_frame *frame, struct ktstr_error *err)
{
	struct events *events = state;
	struct scx_state sample;
	double interval = 0;
	bool was_on, is_last;
	int code;

	if (!(frame->flags & KTSTR_FRAME_CRC_OK) || frame->msg_type != KTSTR_MSG_SCX_STATE)
		return 0;
	code = scx_state_get(frame, &sample, err);
	if (code < 0)
		return code;
	was_on = events->reign.is_on;
	scx_reign_follow(&events->reign, &sample);
	if (!is_sample(&events->reign, was_on, &sample))
		return 0;
	is_last = !events->reign.is_on;
	if (events->has_last && !events->reign.is_first &&
	    sample.head.enable_seq == events->enable_seq) {
		bool is_short = sample.head.guest_ns < events->last_ns + INTERVAL_MIN_NS;

		if (is_short && !is_last)
			return 0;
		interval =
			is_short ? -1 : (double)(sample.head.guest_ns - events->last_ns) / NS_PER_S;
	}
	events->has_last = true;
	events->last_ns = sample.head.guest_ns;
	events->enable_seq = sample.head.enable_seq;
	for (size_t i = 0; i < events->count; i++)
		take_value(&events->counters[i], &sample, interval, events->sustained);
	return 0;
}

static void judge_total(struct events *events, const struct counter *counter)
{
	bool is_time = strstr(counter->name, "DURATION") != NULL;
	struct ktstr_finding finding = {
		.subject = counter->name,
		.metric = is_time ? "total" : "events",
		.unit = is_time ? "ns" : "",
		.measured = counter->total + (double)counter->last,
		.limit = counter->max,
		.limit_kind = KTSTR_LIMIT_AT_MOST,
	};

	finding.outcome =
		finding.measured > finding.limit ? KTSTR_OUTCOME_FAIL : KTSTR_OUTCOME_PASS;
	findings_figure(&events->findings, finding,
			"%s: %.0f in the whole run, at most %.0f are fine", counter->name,
			finding.measured, finding.limit);
}

static void judge_rate(struct events *events, const struct counter *counter)
{
	bool is_short = counter->longest_row < events->sustained;
	struct ktstr_finding finding = {
		.outcome = KTSTR_OUTCOME_PASS,
		.subject = counter->name,
		.metric = "sustained rate",
		.unit = "/s",
		.measured = is_short ? counter->partial_rate : counter->sustained_rate,
		.limit = counter->max_rate,
		.limit_kind = KTSTR_LIMIT_AT_MOST,
	};

	if (!counter->longest_row) {
		findings_say(&events->findings, KTSTR_OUTCOME_UNDECIDED, counter->name,
			     "%s: too few samples for a rate", counter->name);
		return;
	}
	if (finding.measured > finding.limit)
		finding.outcome = is_short ? KTSTR_OUTCOME_UNDECIDED : KTSTR_OUTCOME_FAIL;
	if (is_short)
		findings_figure(&events->findings, finding,
				"%s: %.1f/s for %u of %u intervals, the run was too short for more",
				counter->name, finding.measured, counter->longest_row,
				events->sustained);
	else
		findings_figure(&events->findings, finding, "%s: %.1f/s for %u intervals in a row",
				counter->name, finding.measured, events->sustained);
}

static void judge_counter(struct events *events, const struct counter *counter)
{
	if (!counter->is_seen)
		findings_say(&events->findings,
			     counter->is_asked_for ? KTSTR_OUTCOME_UNDECIDED : KTSTR_OUTCOME_SKIP,
			     counter->name, "this kernel does not count %s", counter->name);
	else if (counter->is_broken)
		findings_say(&events->findings, KTSTR_OUTCOME_ERROR, counter->name,
			     "%s went back, which a counter cannot", counter->name);
	else {
		if (counter->has_max)
			judge_total(events, counter);
		if (counter->has_max_rate)
			judge_rate(events, counter);
	}
}

static int events_finish(void *state, uint32_t *ret_outcome, struct ktstr_error *err)
{
	struct events *events = state;
	const struct scx_reign *reign = &events->reign;

	(void)err;
	if (!reign->has_state)
		findings_say(&events->findings, KTSTR_OUTCOME_UNDECIDED, "run",
			     "the run does not tell of sched_ext");
	else if (!reign->count)
		findings_say(&events->findings, KTSTR_OUTCOME_SKIP, "run",
			     "no sched_ext scheduler was in charge");
	for (size_t i = 0; i < events->count && reign->count; i++)
		judge_counter(events, &events->counters[i]);
	*ret_outcome = events->findings.outcome;
	return 0;
}

static const uint32_t wants[] = { KTSTR_MSG_SCX_STATE };

static const struct ktstr_checker_ops ops = {
	.size = sizeof(ops),
	.wants_count = sizeof(wants) / sizeof(wants[0]),
	.wants = wants,
	.open = events_open,
	.observe = events_observe,
	.finish = events_finish,
	.close = free,
};

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_CHECKER, .name = "scx_events", .version = "1.0",
		    .summary = "the kernel's counters of sched_ext stay within limits",
		    .params = params, .checker = &ops, .license = "GPL-2.0-only");
