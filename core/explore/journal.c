/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"

struct journal {
	int fd;
	char *path;
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot keep the journal: out of memory");
}

/* The outcomes of runs by their names. */
static int outcome_of(const char *name, uint32_t *ret)
{
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_SKIP,
					     KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_FAIL,
					     KTSTR_OUTCOME_ERROR };

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		if (strcmp(name, outcome_name(outcomes[i])) == 0) {
			*ret = outcomes[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_entry(const json_t *json, struct journal_entry *ret)
{
	const json_t *seed = json_object_get(json, "seed");
	const json_t *took = json_object_get(json, "took_s");
	const char *outcome = json_string_value(json_object_get(json, "outcome"));
	const char *text = json_string_value(json_object_get(json, "signature"));
	double took_s = json_number_value(took);

	if (!json_is_integer(seed) || json_integer_value(seed) < 0 || !json_is_number(took) ||
	    !(took_s >= 0 && took_s < 1e9) || !outcome || !text)
		return -EINVAL;
	*ret = (struct journal_entry){ .seed = (uint64_t)json_integer_value(seed),
				       .took_ns = (uint64_t)(took_s * (double)NS_PER_S) };
	str_copy_line(ret->signature.text, sizeof(ret->signature.text), text, strlen(text));
	return outcome_of(outcome, &ret->signature.outcome);
}

static int take_line(const char *line, size_t length, journal_take take, void *arg, json_t **head)
{
	json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	struct journal_entry entry;
	int rc;

	if (!json_is_object(json)) {
		json_decref(json);
		return -EINVAL;
	}
	if (!*head) {
		*head = json;
		return 0;
	}
	rc = parse_entry(json, &entry);
	json_decref(json);
	return rc == 0 ? take(arg, &entry) : rc;
}

int journal_parse(const char *text, size_t length, journal_take take, void *arg, json_t **ret_head,
		  size_t *ret_length, struct ktstr_error *err)
{
	const char *at = text, *end = text + length;
	json_t *head = NULL;
	size_t number = 1;

	for (; at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		int rc = newline ? take_line(at, (size_t)(newline - at), take, arg, &head) : 0;

		if (!newline || (rc == -EINVAL && newline + 1 == end))
			break;
		if (rc < 0) {
			json_decref(head);
			return ktstr_fail(err, rc == -EINVAL ? -EBADMSG : rc,
					  rc == -EINVAL ? "line %zu is none of a journal"
							: "line %zu cannot be taken up",
					  number);
		}
		at = newline + 1;
	}
	*ret_head = head;
	*ret_length = (size_t)(at - text);
	return 0;
}

char *journal_line(const struct journal_entry *entry)
{
	double took_s = (double)(entry->took_ns / NS_PER_MS) / 1000.0;
	json_t *json = json_pack("{sI ss ss sf}", "seed", (json_int_t)entry->seed, "outcome",
				 outcome_name(entry->signature.outcome), "signature",
				 entry->signature.text, "took_s", took_s);
	_cleanup_free_ char *text =
		json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

	json_decref(json);
	return text ? str_format("%s\n", text) : NULL;
}

/* What a killed process left of its last line goes. */
static int read_journal(struct journal *journal, journal_take take, void *arg, json_t **ret_head,
			struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length, whole;
	json_t *head;
	int rc = io_read_file(journal->path, JOURNAL_BYTES_MAX, &text, &length, err);

	if (rc == 0)
		rc = journal_parse(text, length, take, arg, &head, &whole, err);
	if (rc == -EBADMSG)
		return ktstr_prefix(err, "cannot use '%s'", journal->path);
	if (rc < 0)
		return rc;
	if (whole < length && ftruncate(journal->fd, (off_t)whole) < 0) {
		json_decref(head);
		return ktstr_fail(err, -errno, "cannot write '%s': %s", journal->path,
				  strerror(errno));
	}
	*ret_head = head;
	return 0;
}

int journal_open(const char *folder, journal_take take, void *arg, struct journal **ret,
		 json_t **ret_head, struct ktstr_error *err)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int rc = 0;

	if (!journal)
		return no_memory(err);
	journal->fd = -1;
	journal->path = str_format("%s/" JOURNAL_FILE, folder);
	if (!journal->path) {
		journal_close(journal);
		return no_memory(err);
	}
	journal->fd = open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (journal->fd < 0)
		rc = ktstr_fail(err, -errno, "cannot open '%s': %s", journal->path,
				strerror(errno));
	else if (flock(journal->fd, LOCK_EX | LOCK_NB) < 0)
		rc = ktstr_fail(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
				errno == EWOULDBLOCK ? "another ktstr explores in '%s'"
						     : "cannot lock '%s'",
				folder);
	if (rc == 0)
		rc = read_journal(journal, take, arg, ret_head, err);
	if (rc < 0) {
		journal_close(journal);
		return rc;
	}
	*ret = journal;
	return 0;
}

static int append(struct journal *journal, const char *line, struct ktstr_error *err)
{
	int rc = line ? io_write_all(journal->fd, line, strlen(line)) : -ENOMEM;

	if (rc < 0)
		return ktstr_fail(err, rc, "cannot write '%s': %s", journal->path, strerror(-rc));
	return 0;
}

int journal_begin(struct journal *journal, const json_t *head, struct ktstr_error *err)
{
	_cleanup_free_ char *text = json_dumps(head, JSON_COMPACT);
	_cleanup_free_ char *line = text ? str_format("%s\n", text) : NULL;

	return append(journal, line, err);
}

int journal_add(struct journal *journal, const struct journal_entry *entry, struct ktstr_error *err)
{
	_cleanup_free_ char *line = journal_line(entry);

	return append(journal, line, err);
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		(void)close(journal->fd); /* each line was written as it came */
	free(journal->path);
	free(journal);
}
