/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/tally.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "report/compare.h"

#define MORE "(of more kinds than are told apart)"

int tally_init(struct tally *tally, uint64_t first, uint64_t last)
{
	assert(first <= last && last - first < TALLY_SEEDS_MAX);
	*tally = (struct tally){ .first = first, .last = last };
	tally->is_done = calloc((last - first) / 8 + 1, 1);
	/* One more of each outcome for the rest. */
	tally->groups = calloc(TALLY_GROUPS_MAX + KTSTR_OUTCOME_ERROR + 1, sizeof(*tally->groups));
	if (tally->is_done && tally->groups)
		return 0;
	tally_done(tally);
	return -ENOMEM;
}

void tally_done(struct tally *tally)
{
	free(tally->is_done);
	free(tally->groups);
	*tally = (struct tally){ 0 };
}

bool tally_has(const struct tally *tally, uint64_t seed)
{
	uint64_t index = seed - tally->first;

	return tally->is_done[index / 8] & (1u << index % 8);
}

static struct tally_group *find_group(const struct tally *tally, const struct signature *signature)
{
	for (size_t i = 0; i < tally->group_count; i++)
		if (signature_is_same(&tally->groups[i].signature, signature))
			return &tally->groups[i];
	return NULL;
}

static struct tally_group *get_group(struct tally *tally, const struct signature *signature)
{
	struct tally_group *group = find_group(tally, signature);
	struct signature more = { .outcome = signature->outcome, .text = MORE };

	if (!group && tally->group_count >= TALLY_GROUPS_MAX) {
		signature = &more;
		group = find_group(tally, signature);
	}
	if (group)
		return group;
	group = &tally->groups[tally->group_count++];
	group->signature = *signature;
	return group;
}

/* Keep @seed among the lowest. */
static void add_seed(struct tally_group *group, uint64_t seed)
{
	size_t at = group->seed_count;

	while (at > 0 && group->seeds[at - 1] > seed)
		at--;
	if (at == TALLY_FIRST_SEEDS)
		return;
	if (group->seed_count < TALLY_FIRST_SEEDS)
		group->seed_count++;
	memmove(&group->seeds[at + 1], &group->seeds[at],
		(group->seed_count - at - 1) * sizeof(group->seeds[0]));
	group->seeds[at] = seed;
}

void tally_add(struct tally *tally, const struct journal_entry *entry, struct tally_change *ret)
{
	uint64_t index = entry->seed - tally->first;
	struct tally_group *group;

	*ret = (struct tally_change){ 0 };
	tally->is_done[index / 8] |= (uint8_t)(1u << index % 8);
	tally->done++;
	if (entry->signature.outcome == KTSTR_OUTCOME_ERROR)
		tally->errors_in_a_row++;
	else
		tally->errors_in_a_row = 0;
	if (entry->signature.outcome == KTSTR_OUTCOME_PASS) {
		tally->passed++;
		return;
	}
	group = get_group(tally, &entry->signature);
	ret->is_first = group->count == 0;
	ret->superseded = ret->is_first ? 0 : group->seeds[0];
	group->count++;
	add_seed(group, entry->seed);
	ret->is_kept = group->seeds[0] == entry->seed;
	ret->has_superseded = ret->is_kept && !ret->is_first;
}

bool tally_next(const struct tally *tally, uint64_t from, uint64_t *ret)
{
	for (uint64_t seed = from; seed >= tally->first && seed <= tally->last; seed++) {
		if (!tally_has(tally, seed)) {
			*ret = seed;
			return true;
		}
	}
	return false;
}

uint64_t tally_count(const struct tally *tally, uint32_t outcome)
{
	uint64_t count = 0;

	if (outcome == KTSTR_OUTCOME_PASS)
		return tally->passed;
	for (size_t i = 0; i < tally->group_count; i++)
		if (tally->groups[i].signature.outcome == outcome)
			count += tally->groups[i].count;
	return count;
}

uint32_t tally_outcome(const struct tally *tally)
{
	uint32_t outcomes[KTSTR_OUTCOME_ERROR + 1];
	size_t count = 0;

	for (uint32_t outcome = 0; outcome <= KTSTR_OUTCOME_ERROR; outcome++)
		if (tally_count(tally, outcome) > 0)
			outcomes[count++] = outcome;
	return compare_outcome(outcomes, count);
}

static int rank(uint32_t outcome)
{
	static const uint32_t order[] = { KTSTR_OUTCOME_FAIL, KTSTR_OUTCOME_ERROR,
					  KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_SKIP };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i] == outcome)
			return (int)i;
	return (int)ARRAY_SIZE(order);
}

static int by_weight(const void *left, const void *right)
{
	const struct tally_group *a = left, *b = right;
	int difference = rank(a->signature.outcome) - rank(b->signature.outcome);

	if (difference != 0)
		return difference;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->seeds[0] < b->seeds[0] ? -1 : 1;
}

void tally_sort(struct tally *tally)
{
	qsort(tally->groups, tally->group_count, sizeof(*tally->groups), by_weight);
}

bool tally_keeps(const struct tally *tally, uint64_t seed)
{
	for (size_t i = 0; i < tally->group_count; i++)
		if (tally->groups[i].seeds[0] == seed)
			return true;
	return false;
}
