/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "run/record.h"

int words_add(struct words *words, const char *word)
{
	if (words->count + 2 > words->size) {
		size_t size = words->size ? words->size * 2 : 16;
		char **items = reallocarray(words->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		words->items = items;
		words->size = size;
	}
	words->items[words->count] = word ? strdup(word) : NULL;
	if (!words->items[words->count])
		return -ENOMEM;
	words->items[++words->count] = NULL;
	return 0;
}

void words_done(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){ 0 };
}

/* "--name", "value"; nothing without a value. */
static int add_pair(struct words *words, const char *name, const char *value)
{
	int rc = value ? words_add(words, name) : 0;

	return value && rc == 0 ? words_add(words, value) : rc;
}

static int add_flag(struct words *words, const char *name, bool is_set)
{
	return is_set ? words_add(words, name) : 0;
}

static int add_duration(struct words *words, const char *name, uint64_t ns)
{
	_cleanup_free_ char *value = ns > 0 ? str_format("%" PRIu64 "ns", ns) : NULL;

	if (ns == 0)
		return 0;
	return value ? add_pair(words, name, value) : -ENOMEM;
}

int words_add_options(struct words *words, const struct run_options *o)
{
	static const char *const accels[] = {
		[ACCEL_AUTO] = "auto", [ACCEL_KVM] = "kvm", [ACCEL_TCG] = "tcg"
	};
	static const char *const clocks[] = {
		[VM_CLOCK_AUTO] = "auto", [VM_CLOCK_VIRTUAL] = "virtual", [VM_CLOCK_HOST] = "host"
	};
	static const char *const bases[] = { [RUN_BASE_AUTO] = NULL,
					     [RUN_BASE_BOOTED] = "booted",
					     [RUN_BASE_ATTACHED] = "attached" };
	int rc = add_pair(words, "--scheduler", o->scheduler);

	for (size_t i = 0; i < o->checker_count && rc == 0; i++)
		rc = add_pair(words, "--checker", o->checkers[i]);
	if (rc == 0)
		rc = add_flag(words, "--only", o->has_only_checkers);
	if (rc == 0)
		rc = add_pair(words, "--kernel", o->kernel);
	if (rc == 0)
		rc = add_pair(words, "--accel", o->has_accel ? accels[o->accel] : NULL);
	if (rc == 0)
		rc = add_pair(words, "--clock", o->has_clock ? clocks[o->clock] : NULL);
	for (size_t i = 0; i < o->plugin_folder_count && rc == 0; i++)
		rc = add_pair(words, "--plugin-dir", o->plugin_folders[i]);
	if (rc == 0)
		rc = add_flag(words, "--cold", o->is_cold);
	if (rc == 0)
		rc = add_pair(words, "--base", bases[o->base]);
	if (rc == 0)
		rc = add_duration(words, "--stats", o->stats_interval_ns);
	if (rc == 0)
		rc = add_duration(words, "--checker-timeout", o->checker_timeout_ns);
	return rc;
}

char *words_join(const struct words *words)
{
	struct str out = { 0 };
	int rc = str_add(&out, "");

	for (size_t i = 0; i < words->count && rc == 0; i++)
		rc = record_add_word(&out, words->items[i]);
	if (rc == 0)
		return out.data;
	str_done(&out);
	return NULL;
}

char *words_command(const char *const *head, size_t head_count, const struct run_options *options,
		    const char *const *tail, size_t tail_count)
{
	struct words words = { 0 };
	char *text = NULL;
	int rc = 0;

	for (size_t i = 0; i < head_count && rc == 0; i++)
		rc = words_add(&words, head[i]);
	if (rc == 0)
		rc = words_add_options(&words, options);
	for (size_t i = 0; i < tail_count && rc == 0; i++)
		rc = words_add(&words, tail[i]);
	if (rc == 0)
		text = words_join(&words);
	words_done(&words);
	return text;
}
