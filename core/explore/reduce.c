/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/reduce.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "explore/sites.h"

/* Times are not made shorter than this. */
#define TIME_MIN_NS (10 * (int64_t)NS_PER_MS)
#define TENTH_NS (100 * (int64_t)NS_PER_MS)

struct reduction {
	struct node *best;
	struct node *tried; /* a copy of what was handed out */
	/* Where it is. */
	enum site_kind kind;
	size_t number;	   /* of the place */
	bool is_open;	   /* the place was begun */
	size_t chunk, end; /* SITE_LIST, SITE_CHECKER: entries before @end, so many at once */
	int64_t low;	   /* numbers and times: the largest that will not do; 0: none */
	int64_t value;	   /* that was tried */
	bool has_changed;  /* since the first place */
	/* Trees that will not do, by a hash. */
	uint64_t *rejected;
	size_t rejected_count;
	size_t rejected_size;
};

struct reduction *reduction_new(const struct node *root)
{
	struct reduction *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->best = node_clone(root);
	if (r->best)
		return r;
	reduction_free(r);
	return NULL;
}

void reduction_free(struct reduction *r)
{
	if (!r)
		return;
	node_free(r->best);
	node_free(r->tried);
	free(r->rejected);
	free(r);
}

const struct node *reduction_best(const struct reduction *r)
{
	return r->best;
}

/* Names that went with entries of a list: as many as there is room and memory for. */
struct names {
	char *items[64];
	size_t count;
};

static void add_name(struct names *names, const char *name)
{
	if (names->count == ARRAY_SIZE(names->items) || !name[0])
		return;
	names->items[names->count] = strdup(name);
	names->count += names->items[names->count] != NULL;
}

static void collect_names(const struct node *node, struct names *names)
{
	if (node->kind == NODE_SCALAR && node->key && strcmp(node->key, "name") == 0)
		add_name(names, node->text);
	for (size_t i = 0; i < node->child_count; i++)
		collect_names(node->children[i], names);
}

/* Does it speak of one of them, or of something below one? */
static bool mentions(const struct node *node, const struct names *names)
{
	for (size_t i = 0; node->kind == NODE_SCALAR && i < names->count; i++) {
		size_t length = strlen(names->items[i]);

		if (strncmp(node->text, names->items[i], length) == 0 &&
		    (node->text[length] == '\0' || node->text[length] == '/'))
			return true;
	}
	for (size_t i = 0; i < node->child_count; i++)
		if (mentions(node->children[i], names))
			return true;
	return false;
}

/* Remove the innermost entries of lists that do. */
static void purge(struct node *node, const struct names *names)
{
	for (size_t i = node->child_count; i-- > 0;) {
		purge(node->children[i], names);
		if (node->kind == NODE_LIST && mentions(node->children[i], names))
			node_remove(node, i);
	}
}

/* Take entries @from to @to out of a list, and with them what speaks of their names. */
static void remove_entries(struct node *root, struct node *list, size_t from, size_t to)
{
	struct names names = { 0 };

	for (size_t i = to; i-- > from;) {
		if (list->kind == NODE_MAP)
			add_name(&names, list->children[i]->key);
		else
			collect_names(list->children[i], &names);
		node_remove(list, i);
	}
	for (size_t i = 0; i < root->child_count; i++)
		if (strcmp(root->children[i]->key, "scenario") == 0)
			purge(root->children[i], &names);
	for (size_t i = 0; i < names.count; i++)
		free(names.items[i]);
}

static int set_text(struct node *node, char *text)
{
	if (!text)
		return -ENOMEM;
	free(node->text);
	node->text = text;
	return 1;
}

static char *time_text(int64_t ns)
{
	static const struct {
		int64_t ns;
		const char *unit;
	} units[] = { { NS_PER_S, "s" }, { NS_PER_MS, "ms" }, { NS_PER_US, "us" }, { 1, "ns" } };
	size_t i = 0;

	while (ns % units[i].ns != 0)
		i++;
	return str_format("%" PRId64 "%s", ns / units[i].ns, units[i].unit);
}

/* Two digits that matter, downwards. */
static int64_t round_time(int64_t ns)
{
	int64_t step = 1;

	while (ns / step >= 100)
		step *= 10;
	return ns / step * step;
}

/* The next smaller value to try between r->low and @value, neither of them; 0: none is worth it. */
static int64_t next_number(const struct reduction *r, int64_t value)
{
	int64_t gap = value - r->low;

	if (value <= 1 || gap <= 1 || (r->low > 0 && gap <= value / 8))
		return 0;
	return r->low == 0 ? 1 : r->low + gap / 2;
}

static int64_t next_time(const struct reduction *r, int64_t ns)
{
	int64_t next = r->low == 0 ? ns / 8 : r->low + (ns - r->low) / 2;

	if (ns <= TIME_MIN_NS || (r->low > 0 && ns - r->low <= ns / 3))
		return 0;
	next = round_time(next > TIME_MIN_NS ? next : TIME_MIN_NS);
	return next > r->low && next < ns ? next : 0;
}

/* Each of these changes @root, of which @site is a place, as the next thing to try there says: 1
 * with @what, 0 when nothing is left to try there, -ENOMEM. */

/* Half of each number and time below @node, upwards; how many changed, or -ENOMEM. */
static int halve(struct node *node)
{
	int64_t value;
	int count = 0;

	if (site_number(node, &value) && value > 1)
		count = set_text(node, str_format("%" PRId64, value / 2 + value % 2));
	else if (site_time(node, &value) && value >= 2 * TIME_MIN_NS)
		count = set_text(node, time_text(round_time(value / 2)));
	for (size_t i = 0; i < node->child_count && count >= 0; i++) {
		int rc = halve(node->children[i]);

		count = rc < 0 ? rc : count + rc;
	}
	return count;
}

static int reduce_whole(struct reduction *r, struct node *root, const struct site *site,
			const char *path, char *what, size_t size)
{
	int rc;

	(void)root;
	if (r->is_open)
		return 0;
	rc = halve(site->node);
	(void)snprintf(what, size, "%s: half of all numbers and times", path);
	/* A single one has its turn by itself. */
	return rc > 1 ? 1 : rc < 0 ? rc : 0;
}

static int reduce_list(struct reduction *r, struct node *root, const struct site *site,
		       const char *path, char *what, size_t size)
{
	size_t count = site->node->child_count;
	size_t least = r->kind == SITE_CHECKER ? 1 : 0;
	size_t from;

	if (!r->is_open)
		r->chunk = r->end = count;
	r->end = r->end < count ? r->end : count;
	if (r->end == 0) {
		r->chunk /= 2;
		r->end = count;
	}
	if (r->chunk > count)
		r->chunk = count;
	if (r->chunk == 0 || count <= least)
		return 0;
	from = r->end > r->chunk ? r->end - r->chunk : 0;
	if (count - (r->end - from) < least)
		from += least;
	(void)snprintf(what, size, "%s: %zu of %zu entries", path, count - (r->end - from), count);
	remove_entries(root, site->node, from, r->end);
	return 1;
}

/* Without a word there are more cores than one. */
static bool is_one_in_any_case(const struct node *node)
{
	int64_t value;

	return strcmp(node->key, "cores") != 0 && site_number(node, &value) && value == 1;
}

static int reduce_ones(struct reduction *r, struct node *root, const struct site *site,
		       const char *path, char *what, size_t size)
{
	size_t before = site->node->child_count;

	(void)root;
	if (r->is_open)
		return 0;
	for (size_t i = before; i-- > 0;)
		if (is_one_in_any_case(site->node->children[i]))
			node_remove(site->node, i);
	(void)snprintf(what, size, "%s: without what is 1 in any case", path);
	return site->node->child_count < before;
}

static int reduce_key(struct reduction *r, struct node *root, const struct site *site,
		      const char *path, char *what, size_t size)
{
	(void)root;
	if (r->is_open)
		return 0;
	(void)snprintf(what, size, "%s: left out", path);
	node_remove(site->parent, site->index);
	return 1;
}

static int reduce_number(struct reduction *r, struct node *root, const struct site *site,
			 const char *path, char *what, size_t size)
{
	int64_t value = 0;

	(void)root;
	(void)site_number(site->node, &value);
	r->value = next_number(r, value);
	if (r->value == 0)
		return 0;
	(void)snprintf(what, size, "%s: %" PRId64 " instead of %" PRId64, path, r->value, value);
	return set_text(site->node, str_format("%" PRId64, r->value));
}

static int reduce_time(struct reduction *r, struct node *root, const struct site *site,
		       const char *path, char *what, size_t size)
{
	int64_t ns = 0;
	char *text;

	(void)root;
	(void)site_time(site->node, &ns);
	r->value = next_time(r, ns);
	if (r->value == 0)
		return 0;
	text = time_text(r->value);
	(void)snprintf(what, size, "%s: %s instead of %s", path, text ? text : "",
		       site->node->text);
	return set_text(site->node, text);
}

static int (*const reduce[SITE_KINDS])(struct reduction *r, struct node *root,
				       const struct site *site, const char *path, char *what,
				       size_t size) = {
	[SITE_WHOLE] = reduce_whole, [SITE_LIST] = reduce_list,	    [SITE_ONES] = reduce_ones,
	[SITE_KEY] = reduce_key,     [SITE_NUMBER] = reduce_number, [SITE_CPUS] = reduce_number,
	[SITE_TIME] = reduce_time,   [SITE_CHECKER] = reduce_list,
};

static uint64_t hash(const struct node *root)
{
	struct str bytes = { 0 };
	uint64_t value = UINT64_C(14695981039346656037);

	(void)node_encode(root, &bytes); /* then all are the same, and nothing is tried twice */
	for (size_t i = 0; i < bytes.length; i++)
		value = (value ^ (unsigned char)bytes.data[i]) * UINT64_C(1099511628211);
	str_done(&bytes);
	return value;
}

static bool was_rejected(const struct reduction *r, const struct node *root)
{
	uint64_t value = hash(root);

	for (size_t i = 0; i < r->rejected_count; i++)
		if (r->rejected[i] == value)
			return true;
	return false;
}

/* Without memory it may be tried once more. */
static void remember(struct reduction *r, const struct node *root)
{
	if (r->rejected_count == r->rejected_size) {
		size_t size = r->rejected_size ? r->rejected_size * 2 : 64;
		uint64_t *more = reallocarray(r->rejected, size, sizeof(*more));

		if (!more)
			return;
		r->rejected = more;
		r->rejected_size = size;
	}
	r->rejected[r->rejected_count++] = hash(root);
}

static void next_site(struct reduction *r)
{
	r->number++;
	r->is_open = false;
	r->low = 0;
}

/* What was tried here will not do. */
static void reject_here(struct reduction *r)
{
	switch (r->kind) {
	case SITE_LIST:
	case SITE_CHECKER:
		r->end = r->end > r->chunk ? r->end - r->chunk : 0;
		return;
	case SITE_NUMBER:
	case SITE_CPUS:
	case SITE_TIME:
		r->low = r->value;
		return;
	case SITE_WHOLE:
	case SITE_ONES:
	case SITE_KEY:
	case SITE_KINDS:
		return;
	}
}

/* The next kind of places, or from the start when something has changed; false: it is over. */
static bool next_kind(struct reduction *r)
{
	r->number = 0;
	r->is_open = false;
	r->low = 0;
	r->kind++;
	if (r->kind < SITE_KINDS)
		return true;
	if (!r->has_changed)
		return false;
	r->kind = SITE_WHOLE;
	r->has_changed = false;
	return true;
}

/* One step: 1 with a new tree, 0 to go on, -ENODATA at the end. */
static int step(struct reduction *r, struct node **ret, char *what, size_t size)
{
	struct node *root = node_clone(r->best);
	struct str path = { 0 };
	struct site site;
	int rc;

	if (!root)
		return -ENOMEM;
	if (!site_find(root, r->kind, r->number, &site, &path)) {
		rc = next_kind(r) ? 0 : -ENODATA;
	} else {
		rc = reduce[r->kind](r, root, &site, str_text(&path), what, size);
		r->is_open = true;
		if (rc == 0)
			next_site(r);
		if (rc == 1 && was_rejected(r, root)) {
			reject_here(r);
			rc = 0;
		}
	}
	str_done(&path);
	if (rc == 1)
		*ret = root;
	else
		node_free(root);
	return rc;
}

int reduction_next(struct reduction *r, struct node **ret, char *what, size_t size)
{
	struct node *root = NULL;
	int rc;

	assert(!r->tried);
	do
		rc = r->kind == SITE_KINDS ? -ENODATA : step(r, &root, what, size);
	while (rc == 0);
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	r->tried = node_clone(root);
	if (!r->tried) {
		node_free(root);
		return -ENOMEM;
	}
	*ret = root;
	return 1;
}

void reduction_answer(struct reduction *r, bool is_taken)
{
	assert(r->tried);
	if (!is_taken) {
		remember(r, r->tried);
		reject_here(r);
		node_free(r->tried);
	} else {
		node_free(r->best);
		r->best = r->tried;
		r->has_changed = true;
		if (r->kind == SITE_LIST || r->kind == SITE_CHECKER)
			r->end = r->end > r->chunk ? r->end - r->chunk : 0;
		/* Another one is in its place, or the same once more. */
		if (r->kind == SITE_KEY || r->kind == SITE_WHOLE)
			r->is_open = false;
	}
	r->tried = NULL;
}

static void count_values(const struct node *node, struct reduction_size *ret)
{
	int64_t value;

	if (node->kind == NODE_SCALAR) {
		ret->values++;
		if (site_number(node, &value))
			ret->size += (uint64_t)value;
		else if (site_time(node, &value))
			ret->size += (uint64_t)((value + TENTH_NS - 1) / TENTH_NS);
	}
	if (node->kind == NODE_LIST && node->key && strcmp(node->key, "steps") == 0)
		ret->steps += node->child_count;
	for (size_t i = 0; i < node->child_count; i++)
		count_values(node->children[i], ret);
}

void reduction_measure(const struct node *root, struct reduction_size *ret)
{
	const struct node *topology = node_get(node_get(root, "vm"), "topology");
	const struct node *parts[] = { node_get(root, "scenario"), node_get(root, "schedulers"),
				       topology };
	const struct node *checkers = node_get(root, "checkers");

	*ret = (struct reduction_size){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i])
			count_values(parts[i], ret);
	/* Their limits are no part of what is run. */
	if (checkers)
		ret->values += checkers->child_count;
	ret->size += ret->values;
}
