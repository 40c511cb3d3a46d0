/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/log.h"

#include <bpf/libbpf.h>
#include <stdlib.h>
#include <unistd.h>

#define VERIFIER_BEGIN "-- BEGIN PROG LOAD LOG --\n"
#define VERIFIER_END "-- END PROG LOAD LOG --"

/* A verifier log may have 16 MiB: what it began with and, above all, what it ended with is kept. */
#define TEXT_HEAD (64u * 1024u)
#define TEXT_TAIL (192u * 1024u)
#define WRITTEN_MAX (1024u * 1024u)
/* Lines of one text that go to an agent without a scheduler log. */
#define LINES_MAX 100u

/* libbpf's print function gets no argument of ours. */
static __thread struct scx_log *current_log;
static __thread libbpf_print_fn_t previous_print;

static void write_lines(struct scx_log *log, const char *text, size_t length)
{
	for (unsigned int i = 0; i < LINES_MAX && length > 0; i++) {
		const char *end = memchr(text, '\n', length);
		size_t line = end ? (size_t)(end - text) : length;

		if (line > 0)
			ktstr_log(log->guest, KTSTR_LOG_INFO, "%.*s", (int)line, text);
		line += end ? 1 : 0;
		text += line;
		length -= line;
	}
}

/* Nobody is helped when the log of a failure fails: what cannot be written is dropped. */
static void write_bytes(struct scx_log *log, const char *text, size_t length)
{
	int fd = ktstr_scheduler_log(log->guest);

	if (length > WRITTEN_MAX - log->written)
		length = WRITTEN_MAX - log->written;
	log->written += length;
	if (fd < 0) {
		write_lines(log, text, length);
		return;
	}
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

static void write_text(struct scx_log *log, const char *text)
{
	size_t length = strlen(text);
	char gap[96];
	int n;

	if (length <= TEXT_HEAD + TEXT_TAIL) {
		write_bytes(log, text, length);
		return;
	}
	n = snprintf(gap, sizeof(gap), "\n... %zu bytes are left out ...\n",
		     length - TEXT_HEAD - TEXT_TAIL);
	write_bytes(log, text, TEXT_HEAD);
	write_bytes(log, gap, (size_t)n);
	write_bytes(log, text + length - TEXT_TAIL, TEXT_TAIL);
}

static void keep(char *buffer, size_t size, const char *text, size_t length)
{
	if (length >= size)
		length = size - 1;
	memcpy(buffer, text, length);
	buffer[length] = '\0';
}

/* Lines behind the verifier's verdict: how much work it had, and where. */
static bool is_statistics(const char *line, size_t length)
{
	static const char *const begins[] = { "processed ",   "verification time", "stack depth",
					      "mark_precise", "max_states",	   "cur state",
					      "old state" };

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (length >= strlen(begins[i]) && memcmp(line, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* The verifier ends with the line that says why. */
static void take_verifier(struct scx_log *log, const char *text, const char *begin)
{
	const char *quote = strchr(text, '\'');
	const char *end = strstr(begin, VERIFIER_END);

	log->is_verifier = true;
	if (quote && quote < begin && strchr(quote + 1, '\''))
		keep(log->program, sizeof(log->program), quote + 1,
		     (size_t)(strchr(quote + 1, '\'') - quote - 1));
	begin += strlen(VERIFIER_BEGIN);
	if (!end)
		end = begin + strlen(begin);
	while (end > begin) {
		const char *line = end;

		while (line > begin && line[-1] != '\n')
			line--;
		if (end > line && !is_statistics(line, (size_t)(end - line))) {
			keep(log->verifier, sizeof(log->verifier), line, (size_t)(end - line));
			return;
		}
		end = line > begin ? line - 1 : begin;
	}
}

/* libbpf ends with warnings that only say that the ones before were bad. */
static void take_warning(struct scx_log *log, const char *text)
{
	static const char prefix[] = "libbpf: ";

	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	if (strncmp(text, "failed to load", strlen("failed to load")) != 0 && *text)
		keep(log->warning, sizeof(log->warning), text, strcspn(text, "\n"));
}

void log_take(struct scx_log *log, const char *text)
{
	const char *begin = strstr(text, VERIFIER_BEGIN);

	if (begin)
		take_verifier(log, text, begin);
	else
		take_warning(log, text);
	write_text(log, text);
}

__attribute__((format(printf, 2, 0))) static int print(enum libbpf_print_level level,
						       const char *format, va_list args)
{
	char *text = NULL;
	int length;

	if (level == LIBBPF_DEBUG || !current_log)
		return 0;
	length = vasprintf(&text, format, args);
	if (length < 0)
		return 0;
	log_take(current_log, text);
	free(text);
	return length;
}

void log_enter(struct scx_log *log, struct ktstr_guest *guest)
{
	log->guest = guest;
	current_log = log;
	previous_print = libbpf_set_print(print);
}

void log_leave(struct scx_log *log)
{
	(void)libbpf_set_print(previous_print);
	current_log = NULL;
	log->guest = NULL;
}
