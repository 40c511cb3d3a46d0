/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/signature.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "judge/grounds.h"

/* Hexadecimal digits without 0x are an address from so many on. */
#define ADDRESS_DIGITS 8

/* Nouns that are counted: "1 worker" and "2 workers" are the same. */
static const char *const nouns[] = {
	"worker", "task",   "CPU",  "cpu",  "cgroup",	 "frame",   "time",   "step",	 "checker",
	"event",  "thread", "unit", "byte", "scheduler", "program", "second", "process", "turn",
};

struct folder {
	const char *start;
	const char *at;
	char *target;
	size_t size;
	size_t length;
	bool is_cut;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void put(struct folder *f, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (f->length + 1 < f->size)
			f->target[f->length++] = bytes[i];
		else
			f->is_cut = true;
	}
}

/* No part of a character stays at the end of what was cut. */
static void put_end(struct folder *f)
{
	while (f->is_cut && f->length > 0 &&
	       ((unsigned char)f->target[f->length - 1] & 0xc0) == 0x80)
		f->length--;
	if (f->is_cut && f->length > 0 && ((unsigned char)f->target[f->length - 1] & 0xc0) == 0xc0)
		f->length--;
	f->target[f->length] = '\0';
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* The length of 0x1f or ffffffff81234567 at @at; 0: neither. */
static size_t hex_length(const struct folder *f, const char *at)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	size_t length;

	if (at > f->start && is_word(at[-1]))
		return 0;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		length = strspn(at + 2, hex);
		return length > 0 ? length + 2 : 0;
	}
	length = strspn(at, hex);
	if (length < ADDRESS_DIGITS || is_word(at[length]) || strcspn(at, "0123456789") >= length)
		return 0;
	return length;
}

/* The length of 12, 1.5, 2.3.4 or 1.2e+03 at @at; 0: no number. */
static size_t decimal_length(const char *at)
{
	size_t length = digits(at), exponent;

	if (length == 0)
		return 0;
	while (at[length] == '.' && digits(at + length + 1) > 0)
		length += 1 + digits(at + length + 1);
	if (at[length] != 'e' && at[length] != 'E')
		return length;
	exponent = length + 1;
	if (at[exponent] == '+' || at[exponent] == '-')
		exponent++;
	if (digits(at + exponent) == 0 || is_word(at[exponent + digits(at + exponent)]))
		return length;
	return exponent + digits(at + exponent);
}

static size_t number_length(const struct folder *f, const char *at)
{
	size_t length = hex_length(f, at);

	return length > 0 ? length : decimal_length(at);
}

/* A sign that belongs to the number behind it, and not to a word or a range before it. */
static size_t sign_length(const struct folder *f, const char *at)
{
	if ((*at != '-' && *at != '+') || !isdigit((unsigned char)at[1]))
		return 0;
	return at == f->start || strchr(" (='\"[", at[-1]) ? 1 : 0;
}

/* The number that begins here, with its sign; 0: none. */
static size_t signed_length(const struct folder *f, const char *at)
{
	size_t sign = sign_length(f, at);
	size_t length = number_length(f, at + sign);

	return length > 0 ? sign + length : 0;
}

/* What stands between two numbers of a list or a range. */
static size_t separator_length(const char *at)
{
	static const char *const separators[] = { ", ", ",", "-", " and " };

	for (size_t i = 0; i < ARRAY_SIZE(separators); i++)
		if (str_starts(at, separators[i]))
			return strlen(separators[i]);
	return 0;
}

/* A unit that changes with the size of the number: of times it is " s", of counts nothing. */
static void fold_unit(struct folder *f)
{
	static const char *const times[] = { "ns", "us", "ms", "s", "min", "h" };
	const char *unit = f->at + (*f->at == ' ');
	size_t length =
		strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (length == strlen(times[i]) && memcmp(unit, times[i], length) == 0) {
			put(f, " s", 2);
			f->at = unit + length;
			return;
		}
	}
	if (unit == f->at && length == 1 && strchr("kMGT", *unit))
		f->at++;
}

/* A counted noun stands in the plural. */
static void fold_noun(struct folder *f)
{
	const char *word = f->at + 1;

	if (*f->at != ' ')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(nouns); i++) {
		size_t length = strlen(nouns[i]);

		if (strncmp(word, nouns[i], length) != 0 || is_word(word[length]))
			continue;
		put(f, f->at, length + 1);
		put(f, str_ends(nouns[i], "s") ? "es" : "s", str_ends(nouns[i], "s") ? 2 : 1);
		f->at = word + length;
		return;
	}
}

static void fold_number(struct folder *f, size_t length)
{
	f->at += length;
	for (;;) {
		size_t separator = separator_length(f->at);

		length = separator > 0 ? number_length(f, f->at + separator) : 0;
		if (length == 0)
			break;
		f->at += separator + length;
	}
	put(f, "N", 1);
	fold_unit(f);
	fold_noun(f);
}

void signature_fold(const char *text, char *target, size_t size)
{
	struct folder f = { .start = text, .at = text, .target = target, .size = size };

	while (*f.at) {
		size_t length = signed_length(&f, f.at);

		if (length > 0)
			fold_number(&f, length);
		else
			put(&f, f.at++, 1);
	}
	put_end(&f);
}

/* "@what: @text", folded, but not what is in @what. */
static void set_text(struct signature *ret, const char *what, const char *text)
{
	char line[2 * SIGNATURE_TEXT_MAX], folded[SIGNATURE_TEXT_MAX + 1];
	char whole[sizeof(line) + sizeof(folded)];

	str_copy_line(line, sizeof(line), text, strlen(text));
	signature_fold(line, folded, sizeof(folded));
	(void)snprintf(whole, sizeof(whole), "%s%s%s", what, what[0] ? ": " : "", folded);
	str_copy_line(ret->text, sizeof(ret->text), whole, strlen(whole));
}

/* The first checker that failed, as the verdict counts it. */
static const struct decision *failed_checker(const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->decision_count; i++)
		if (grounds_checker_failed(verdict, &verdict->decisions[i]))
			return &verdict->decisions[i];
	return NULL;
}

static void set_checker(struct signature *ret, const struct decision *decision)
{
	const struct finding *finding = NULL;
	char what[SIGNATURE_TEXT_MAX], text[SIGNATURE_TEXT_MAX];

	for (size_t i = 0; i < decision->finding_count && !finding; i++)
		if (decision->findings[i].outcome == KTSTR_OUTCOME_FAIL)
			finding = &decision->findings[i];
	(void)snprintf(what, sizeof(what), "checker '%.64s'", decision->name);
	if (finding && finding->text && finding->text[0])
		set_text(ret, what, finding->text);
	else if (finding) {
		(void)snprintf(text, sizeof(text), "%s: %s", finding->subject, finding->metric);
		set_text(ret, what, text);
	} else {
		set_text(ret, what, decision->reason ? decision->reason : "the run failed it");
	}
}

static void set_exit(struct signature *ret, const struct verdict *verdict)
{
	const struct scx *scx = &verdict->evidence.scx;
	char kind[16], what[64];

	if (!scx->has_exit || scx->exit_kind < KTSTR_SCX_EXIT_ERROR) {
		set_text(ret, "", verdict->reason);
		return;
	}
	(void)snprintf(what, sizeof(what), "sched_ext exit '%s'",
		       scx_kind_name(scx->exit_kind, kind));
	set_text(ret, what, scx->exit_message[0] ? scx->exit_message : scx->exit_reason);
}

void signature_of_verdict(const struct verdict *verdict, struct signature *ret)
{
	const char *rule = verdict->rule ? verdict->rule : "";
	const struct decision *decision =
		strcmp(rule, "checker_failed") == 0 ? failed_checker(verdict) : NULL;

	*ret = (struct signature){ .outcome = verdict->outcome };
	if (verdict->outcome == KTSTR_OUTCOME_PASS)
		return;
	if (decision)
		set_checker(ret, decision);
	else if (strcmp(rule, "scheduler_died") == 0)
		set_exit(ret, verdict);
	else
		set_text(ret, "", verdict->reason);
}

void signature_of_error(const char *text, struct signature *ret)
{
	*ret = (struct signature){ .outcome = KTSTR_OUTCOME_ERROR };
	set_text(ret, "", text);
}

bool signature_is_same(const struct signature *a, const struct signature *b)
{
	return a->outcome == b->outcome && strcmp(a->text, b->text) == 0;
}
