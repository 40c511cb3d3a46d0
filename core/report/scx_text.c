/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/scx_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "report/collapse.h"
#include "report/scx_dump.h"
#include "report/table.h"

#define YELLOW "\033[33m"
#define RESET "\033[0m"

#define BACKTRACE_LINES 10u
/* Lines of a log, its last ones. */
#define LOG_LINES 40u
#define LOG_LINES_VERBOSE 400u
/* Bytes of a line. */
#define LINE_MAX_SHOWN 160u
#define LINE_MAX_VERBOSE 1000u
/* How libbpf marks the verifier's part of what it says. */
#define LOG_BEGIN "-- BEGIN PROG LOAD LOG --"
#define LOG_END "-- END PROG LOAD LOG --"

struct part {
	struct str *out;
	const struct scx_style *style;
	int rc; /* the first failure; appending is all that can fail */
};

static void keep(struct part *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
}

#define ADD(p, ...) keep((p), str_addf((p)->out, __VA_ARGS__))

/* Where the last @count lines begin. */
static const char *last_lines(const char *text, size_t length, uint32_t count)
{
	const char *at = text + length;

	if (at > text && at[-1] == '\n')
		at--;
	while (at > text) {
		if (at[-1] == '\n' && --count == 0)
			break;
		at--;
	}
	return at;
}

/* Lines from outside, each after a bar. At most @max of them. */
static void add_lines(struct part *p, const char *text, size_t length, uint32_t max)
{
	const char *end = text + length;

	for (uint32_t i = 0; text < end && i < max; i++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t size = (size_t)((newline ? newline : end) - text);
		char line[LINE_MAX_VERBOSE + 1];
		size_t shown = (p->style->is_verbose ? LINE_MAX_VERBOSE : LINE_MAX_SHOWN) + 1;

		ADD(p, "  | ");
		keep(p, text_add_safe(p->out, str_copy_line(line, shown, text, size)));
		ADD(p, "\n");
		text += size + 1;
	}
}

static void add_dump(struct part *p, const struct scx *scx, const struct scx_facts *facts)
{
	const struct str *dump = scx_facts_dump(facts);
	struct str lines = { 0 };

	keep(p, scx_dump_part(str_text(dump), dump->length, scx->has_exit ? scx->exit_message : "",
			      &lines));
	if (lines.length > 0)
		ADD(p, "\nfrom the dump of sched_ext:\n");
	add_lines(p, str_text(&lines), lines.length, SCX_DUMP_LINES_MAX);
	str_done(&lines);
}

static void add_backtrace(struct part *p, const struct scx_facts *facts)
{
	if (facts->backtrace.length == 0)
		return;
	ADD(p, "\nwhere the kernel threw it out:\n");
	add_lines(p, str_text(&facts->backtrace), facts->backtrace.length, BACKTRACE_LINES);
}

/* The text between the last two marks of libbpf, or all of it. */
static bool find_verifier_log(const struct str *log, const char **ret_text, size_t *ret_length)
{
	const char *begin = NULL, *at = str_text(log), *end;

	while ((at = memmem(at, log->length - (size_t)(at - log->data), LOG_BEGIN,
			    strlen(LOG_BEGIN))))
		begin = at = at + strlen(LOG_BEGIN);
	*ret_text = str_text(log);
	*ret_length = log->length;
	if (!begin)
		return false;
	end = memmem(begin, log->length - (size_t)(begin - log->data), LOG_END, strlen(LOG_END));
	/* What stands before the mark in its line is no part of it. */
	while (end && end > begin && end[-1] != '\n')
		end--;
	begin += *begin == '\n';
	*ret_text = begin;
	*ret_length = end && end > begin ? (size_t)(end - begin)
					 : log->length - (size_t)(begin - log->data);
	return true;
}

static void add_log(struct part *p, const struct scx_facts *facts)
{
	uint32_t max = p->style->is_verbose ? LOG_LINES_VERBOSE : LOG_LINES;
	const char *text, *from;
	struct str lines = { 0 };
	size_t length;
	bool is_verifier;

	if (facts->log.length == 0)
		return;
	is_verifier = find_verifier_log(&facts->log, &text, &length);
	keep(p, collapse_add(text, length, &lines));
	from = last_lines(str_text(&lines), lines.length, max);
	ADD(p, "\n%s%s:\n", from > str_text(&lines) ? "end of " : "",
	    is_verifier ? "the verifier's log" : "the scheduler's log");
	add_lines(p, from, lines.length - (size_t)(from - str_text(&lines)), max);
	str_done(&lines);
}

int scx_text_add_end(const struct scx *scx, const struct scx_facts *facts,
		     const struct scx_style *style, struct str *out)
{
	struct part p = { .out = out, .style = style };
	bool is_ejected = scx->has_exit && scx->exit_kind >= KTSTR_SCX_EXIT_ERROR;

	if (is_ejected) {
		add_dump(&p, scx, facts);
		add_backtrace(&p, facts);
	}
	if (scx->has_died_at_start)
		add_log(&p, facts);
	return p.rc;
}

static void add_events(struct part *p, const struct scx_facts *facts)
{
	const char *separator = "  events       ";

	for (size_t i = 0; i < facts->event_count; i++) {
		const struct ktstr_scx_event *event = &facts->events[i];
		const char *name = event->name;

		if (event->value == 0 && !p->style->is_verbose)
			continue;
		if (str_starts(name, "SCX_EV_"))
			name += strlen("SCX_EV_");
		ADD(p, "%s", separator);
		keep(p, text_add_safe(p->out, name));
		if (str_ends(name, "DURATION"))
			ADD(p, " %.1f ms", (double)event->value / (double)NS_PER_MS);
		else
			ADD(p, " %" PRId64, event->value);
		separator = p->style->is_verbose ? "\n               " : ", ";
	}
	if (separator[0] != ' ')
		ADD(p, "\n");
}

const char *scx_swap_name(uint32_t kind)
{
	static const char *const names[] = {
		[KTSTR_SCHED_SWAP_ATTACH] = "attach",
		[KTSTR_SCHED_SWAP_DETACH] = "detach",
		[KTSTR_SCHED_SWAP_RESTART] = "restart",
		[KTSTR_SCHED_SWAP_REPLACE] = "replace",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "swap";
}

static void add_swap(struct part *p, const struct scx_facts_swap *swap)
{
	const struct ktstr_sched_swap *s = &swap->swap;

	ADD(p, "  %-12s ", scx_swap_name(s->kind));
	if (s->plugin[0])
		keep(p, text_add_safe(p->out, s->plugin));
	else
		ADD(p, "the kernel's own scheduler");
	if (s->name[0]) {
		ADD(p, " (");
		keep(p, text_add_safe(p->out, s->name));
		ADD(p, ")");
	}
	if (swap->has_time)
		ADD(p, ", done at %.1f s", (double)swap->at_ns / (double)NS_PER_S);
	if (s->flags & KTSTR_SCHED_SWAP_FORCED)
		ADD(p, ", the kernel had to throw the old one out");
	if (s->code < 0)
		ADD(p, ": failed, %s", strerror(-s->code));
	ADD(p, "\n");
}

static void add_program(struct part *p, const struct ktstr_sched_prog *prog)
{
	bool is_near = prog->verified_insns >= SCX_INSNS_WARN;
	bool has_colour = is_near && p->style->has_colour;
	size_t width = text_width(prog->name);

	ADD(p, "%s  ", has_colour ? YELLOW : "");
	keep(p, text_add_safe(p->out, prog->name));
	ADD(p, "%*s verified_insns=%u", width < 42 ? (int)(42 - width) : 0, "",
	    prog->verified_insns);
	if (prog->run_count > 0)
		ADD(p, ", %" PRIu64 " runs of %.0f ns", prog->run_count,
		    (double)prog->run_time_ns / (double)prog->run_count);
	if (is_near)
		ADD(p, ", near the verifier's limit of %u", SCX_INSNS_MAX);
	ADD(p, "%s\n", has_colour ? RESET : "");
}

static void add_programs(struct part *p, const struct scx_facts *facts)
{
	const struct ktstr_sched_prog *most = facts->programs;
	uint64_t total = 0;

	if (facts->program_count == 0)
		return;
	for (size_t i = 0; i < facts->program_count; i++) {
		total += facts->programs[i].verified_insns;
		if (facts->programs[i].verified_insns > most->verified_insns)
			most = &facts->programs[i];
	}
	ADD(p, "  programs     %zu, verified_insns=%" PRIu64, facts->program_count, total);
	if (facts->program_count > 1) {
		ADD(p, ", most of them ");
		keep(p, text_add_safe(p->out, most->name));
		ADD(p, " with %u", most->verified_insns);
	}
	ADD(p, "\n");
	for (size_t i = 0; i < facts->program_count; i++)
		if (p->style->is_verbose || facts->programs[i].verified_insns >= SCX_INSNS_WARN)
			add_program(p, &facts->programs[i]);
}

int scx_text_add_state(const struct scx_facts *facts, const struct scx_style *style,
		       struct str *out)
{
	struct part p = { .out = out, .style = style };

	if (!facts->ops[0] && facts->event_count == 0 && facts->swap_count == 0 &&
	    facts->program_count == 0)
		return 0;
	ADD(&p, "\nsched_ext\n");
	if (facts->ops[0]) {
		ADD(&p, "  scheduler    ");
		keep(&p, text_add_safe(out, facts->ops));
		ADD(&p, ", %" PRIu64 " task%s rejected, %" PRIu64 " enabled since boot\n",
		    facts->state.nr_rejected, facts->state.nr_rejected == 1 ? "" : "s",
		    facts->state.enable_seq);
	}
	add_events(&p, facts);
	for (size_t i = 0; i < facts->swap_count; i++)
		add_swap(&p, &facts->swaps[i]);
	if (facts->swap_total > facts->swap_count)
		ADD(&p, "  ...and %" PRIu64 " swaps more\n", facts->swap_total - facts->swap_count);
	add_programs(&p, facts);
	return p.rc;
}
