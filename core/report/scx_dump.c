/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/scx_dump.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* How the kernel's tracepoint begins its lines, where the dump was read there. */
#define TRACE_PREFIX "sched_ext_dump: "
/* Of a dump so much is looked at for one task. */
#define TASK_NAME_MAX 64

struct span {
	const char *at;
	size_t length;
};

struct dump {
	const char *at, *end;
};

/* The next line, without what the tracepoint puts before it; false at the end. */
static bool next_line(struct dump *dump, struct span *ret)
{
	const char *newline, *prefix;

	if (dump->at >= dump->end)
		return false;
	newline = memchr(dump->at, '\n', (size_t)(dump->end - dump->at));
	ret->at = dump->at;
	ret->length = (size_t)((newline ? newline : dump->end) - dump->at);
	dump->at += ret->length + 1;
	prefix = memmem(ret->at, ret->length, TRACE_PREFIX, strlen(TRACE_PREFIX));
	if (prefix) {
		prefix += strlen(TRACE_PREFIX);
		ret->length -= (size_t)(prefix - ret->at);
		ret->at = prefix;
	}
	while (ret->length > 0 && isspace((unsigned char)ret->at[ret->length - 1]))
		ret->length--;
	return true;
}

static bool starts(const struct span *line, const char *word)
{
	return line->length >= strlen(word) && memcmp(line->at, word, strlen(word)) == 0;
}

/* "worker[151]" at the start of the message, with "[151]" at least; false: it names no task. */
static bool task_of(const char *message, char ret[TASK_NAME_MAX])
{
	for (const char *open = strchr(message, '['); open; open = strchr(open + 1, '[')) {
		const char *close = open + 1 + strspn(open + 1, "0123456789");
		size_t length = (size_t)(close + 1 - message);

		if (close == open + 1 || *close != ']' || open == message ||
		    length >= TASK_NAME_MAX)
			continue;
		memcpy(ret, message, length);
		ret[length] = '\0';
		return true;
	}
	return false;
}

/* " *R worker[151] +1234ms": the first line about a task, two columns of marks before its name. */
static bool is_task_line(const struct span *line, const char *task)
{
	size_t length = strlen(task);

	return line->length > length + 4 && line->at[0] == ' ' && line->at[3] == ' ' &&
	       memcmp(line->at + 4, task, length) == 0 && line->at[4 + length] == ' ';
}

static bool is_cpu_line(const struct span *line)
{
	return starts(line, "CPU ") && memchr(line->at, ':', line->length);
}

static int add_line(const struct span *line, uint32_t *lines, struct str *out)
{
	int rc;

	if (*lines >= SCX_DUMP_LINES_MAX)
		return 0;
	(*lines)++;
	rc = str_add_bytes(out, line->at, line->length);
	return rc < 0 ? rc : str_add(out, "\n");
}

/* The lines from here to the next empty one. */
static int add_block(struct dump from, uint32_t *lines, struct str *out)
{
	struct span line;
	int rc = 0;

	while (rc == 0 && next_line(&from, &line) && line.length > 0)
		rc = add_line(&line, lines, out);
	return rc;
}

/* 1: the task is there, and was added below its CPU; 0: it is not; -ENOMEM. */
static int add_task(struct dump dump, const char *task, struct str *out)
{
	struct dump cpu = { 0 }, here = dump;
	struct span line;
	uint32_t lines = 0;

	while (next_line(&dump, &line)) {
		if (is_cpu_line(&line))
			cpu = here;
		if (is_task_line(&line, task)) {
			int rc = cpu.at ? add_block(cpu, &lines, out) : 0;

			if (rc == 0)
				rc = add_block(here, &lines, out);
			return rc < 0 ? rc : 1;
		}
		here = dump;
	}
	return 0;
}

static int add_cpus(struct dump dump, struct str *out)
{
	struct dump here = dump;
	struct span line;
	uint32_t lines = 0;
	int rc = 0;

	while (rc == 0 && lines < SCX_DUMP_LINES_MAX && next_line(&dump, &line)) {
		if (is_cpu_line(&line))
			rc = add_block(here, &lines, out);
		here = dump;
	}
	return rc;
}

int scx_dump_part(const char *dump, size_t length, const char *message, struct str *out)
{
	const struct dump whole = { .at = dump, .end = dump + length };
	char task[TASK_NAME_MAX];
	int rc = 0;

	if (length == 0)
		return 0;
	if (task_of(message, task))
		rc = add_task(whole, task, out);
	return rc == 0 ? add_cpus(whole, out) : rc < 0 ? rc : 0;
}
