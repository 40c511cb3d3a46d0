/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "support/folder.h"

#define HEAD "{\"kind\":\"exploration\"}\n"
#define ONE "{\"seed\":1,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1.5}\n"
#define TWO "{\"seed\":2,\"outcome\":\"FAIL\",\"signature\":\"checker 'gap': N\",\"took_s\":2}\n"

static struct journal_entry entries[8];
static size_t entry_count;
static int answer;
static struct ktstr_error err;

static int take(void *arg, const struct journal_entry *entry)
{
	cr_assert_eq(arg, &entries);
	if (answer == 0)
		entries[entry_count++] = *entry;
	return answer;
}

static int parse(const char *text, json_t **ret_head, size_t *ret_length)
{
	entry_count = 0;
	return journal_parse(text, strlen(text), take, &entries, ret_head, ret_length, &err);
}

Test(journal, gives_back_what_was_written)
{
	struct journal_entry entry = { .seed = INT64_MAX,
				       .took_ns = 1234000000,
				       .signature = { .outcome = KTSTR_OUTCOME_UNDECIDED,
						      .text = "\"quoted\" \\ \xc3\xa4" } };
	_cleanup_free_ char *line = journal_line(&entry);
	_cleanup_free_ char *text = str_format(HEAD "%s", line);
	json_t *head;
	size_t length;

	cr_assert_eq(parse(text, &head, &length), 0, "%s", err.text);
	json_decref(head);
	cr_assert_eq(entry_count, 1);
	cr_assert_eq(entries[0].seed, INT64_MAX);
	cr_assert_eq(entries[0].took_ns, 1234000000);
	cr_assert(signature_is_same(&entries[0].signature, &entry.signature));
}

Test(journal, passes_over_a_line_that_was_being_written)
{
	static const char *const tails[] = {
		"",
		"{",
		"{\"seed\":3",
		"{\"seed\":3,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1}", /* no newline
										      */
		"{\"seed\":3,\"out\n",
		"\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		_cleanup_free_ char *text = str_format(HEAD ONE TWO "%s", tails[i]);
		size_t length = 0;
		json_t *head = NULL;

		cr_assert_eq(parse(text, &head, &length), 0, "'%s': %s", tails[i], err.text);
		cr_expect_eq(entry_count, 2);
		cr_expect_eq(entries[1].seed, 2);
		cr_expect_str_eq(entries[1].signature.text, "checker 'gap': N");
		cr_expect_eq(length, strlen(HEAD ONE TWO), "'%s'", tails[i]);
		cr_expect_str_eq(json_string_value(json_object_get(head, "kind")), "exploration");
		json_decref(head);
	}
}

Test(journal, without_a_whole_head_is_a_new_one)
{
	static const char *const texts[] = { "", "{\"kind\":", "{\"kind\":\"expl\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *head = (json_t *)&err;
		size_t length = 99;

		cr_assert_eq(parse(texts[i], &head, &length), 0, "%s", err.text);
		cr_expect_null(head);
		cr_expect_eq(length, 0);
		cr_expect_eq(entry_count, 0);
	}
}

Test(journal, refuses_a_line_in_the_middle_that_is_none)
{
	static const char *const lines[] = {
		"{\n",
		"[]\n",
		"\n",
		"{\"seed\":-1,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1}\n",
		"{\"seed\":\"1\",\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1}\n",
		"{\"seed\":1,\"outcome\":\"GOOD\",\"signature\":\"\",\"took_s\":1}\n",
		"{\"seed\":1,\"outcome\":\"PASS\",\"signature\":1,\"took_s\":1}\n",
		"{\"seed\":1,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":-1}\n",
		"{\"seed\":1,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1e300}\n",
		"{\"seed\":1,\"outcome\":\"PASS\",\"signature\":\"\"}\n",
		"{\"seed\":1,\"seed\":1,\"outcome\":\"PASS\",\"signature\":\"\",\"took_s\":1}\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_free_ char *text = str_format(HEAD ONE "%s" TWO, lines[i]);
		size_t length;
		json_t *head;

		cr_expect_eq(parse(text, &head, &length), -EBADMSG, "'%s' was taken", lines[i]);
		cr_expect_str_eq(err.text, "line 3 is none of a journal", "%s", err.text);
	}
}

Test(journal, makes_hostile_texts_safe)
{
	json_t *head;
	size_t length;

	cr_assert_eq(parse(HEAD
			   "{\"seed\":1,\"outcome\":\"FAIL\",\"signature\":\"a\\u001b[2J\\nb\","
			   "\"took_s\":1}\n",
			   &head, &length),
		     0, "%s", err.text);
	json_decref(head);
	cr_assert_str_eq(entries[0].signature.text, "a?[2J b");
}

Test(journal, says_when_an_entry_cannot_be_taken_up)
{
	json_t *head;
	size_t length;

	answer = -ENOMEM;
	cr_assert_eq(parse(HEAD ONE, &head, &length), -ENOMEM);
	cr_assert_str_eq(err.text, "line 2 cannot be taken up");
}

static void write_journal(const char *folder, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/" JOURNAL_FILE, folder);

	cr_assert_eq(io_replace_file(path, text, strlen(text), &err), 0, "%s", err.text);
}

static char *read_journal(const char *folder)
{
	_cleanup_free_ char *path = str_format("%s/" JOURNAL_FILE, folder);
	char *text;

	cr_assert_eq(io_read_file(path, 10000, &text, NULL, &err), 0, "%s", err.text);
	return text;
}

Test(journal, goes_on_behind_its_last_whole_line)
{
	const struct journal_entry entry = { .seed = 1,
					     .took_ns = 1500000000,
					     .signature = { .outcome = KTSTR_OUTCOME_PASS } };
	char *folder = folder_new();
	_cleanup_free_ char *text = NULL;
	struct journal *journal;
	json_t *head;

	write_journal(folder, HEAD TWO "{\"seed\":9,\"outc");
	cr_assert_eq(journal_open(folder, take, &entries, &journal, &head, &err), 0, "%s",
		     err.text);
	cr_assert_not_null(head);
	json_decref(head);
	cr_assert_eq(journal_add(journal, &entry, &err), 0, "%s", err.text);
	journal_close(journal);
	text = read_journal(folder);
	folder_remove(folder);
	cr_assert_str_eq(text, HEAD TWO ONE, "%s", text);
}

Test(journal, begins_with_its_head)
{
	char *folder = folder_new();
	_cleanup_free_ char *text = NULL;
	struct journal *journal;
	json_t *head = NULL;
	json_t *fresh = json_pack("{ss}", "kind", "exploration");

	cr_assert_eq(journal_open(folder, take, &entries, &journal, &head, &err), 0, "%s",
		     err.text);
	cr_assert_null(head);
	cr_assert_eq(journal_begin(journal, fresh, &err), 0, "%s", err.text);
	json_decref(fresh);
	journal_close(journal);
	text = read_journal(folder);
	folder_remove(folder);
	cr_assert_str_eq(text, HEAD);
}

Test(journal, is_of_one_process_at_a_time)
{
	char *folder = folder_new();
	_cleanup_free_ char *says = str_format("another ktstr explores in '%s'", folder);
	struct journal *journal, *second;
	json_t *head;

	cr_assert_eq(journal_open(folder, take, &entries, &journal, &head, &err), 0);
	cr_assert_eq(journal_open(folder, take, &entries, &second, &head, &err), -EBUSY);
	cr_assert_str_eq(err.text, says, "%s", err.text);
	journal_close(journal);
	cr_assert_eq(journal_open(folder, take, &entries, &second, &head, &err), 0, "%s", err.text);
	journal_close(second);
	folder_remove(folder);
}

Test(journal, says_which_file_is_none)
{
	char *folder = folder_new();
	_cleanup_free_ char *says =
		str_format("cannot use '%s/" JOURNAL_FILE "': line 1 is none of a journal", folder);
	struct journal *journal;
	json_t *head;

	write_journal(folder, "shopping list\neggs\n");
	cr_assert_eq(journal_open(folder, take, &entries, &journal, &head, &err), -EBADMSG);
	cr_assert_str_eq(err.text, says, "%s", err.text);
	folder_remove(folder);
}
