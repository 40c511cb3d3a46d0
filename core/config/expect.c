/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "ktstr/outcome.h"
#include "ktstr/plugin.h"
#include "ktstr/sched_ext.h"

static const char *const outcomes[] = { "pass", "fail", NULL };

static const uint32_t kinds[] = {
	KTSTR_SCX_EXIT_UNREG,	  KTSTR_SCX_EXIT_UNREG_BPF,   KTSTR_SCX_EXIT_UNREG_KERN,
	KTSTR_SCX_EXIT_SYSRQ,	  KTSTR_SCX_EXIT_PARENT,      KTSTR_SCX_EXIT_ERROR,
	KTSTR_SCX_EXIT_ERROR_BPF, KTSTR_SCX_EXIT_ERROR_STALL,
};

/* Their names, as ktstr_scx_exit_name() has them. */
static const char *const kind_names[] = { "unreg", "unreg_bpf", "unreg_kern", "sysrq", "parent",
					  "error", "error_bpf", "stall",      NULL };

_Static_assert(ARRAY_SIZE(kind_names) == ARRAY_SIZE(kinds) + 1, "a name for each kind");

enum {
	EXIT_KIND,
	EXIT_MESSAGE
};

static const struct ktstr_param exit_params[] = {
	[EXIT_KIND] = { .key = "kind",
			.help = "what the kernel calls the end",
			.type = KTSTR_PARAM_ENUM,
			.choices = kind_names },
	[EXIT_MESSAGE] = { .key = "message",
			   .help = "what stands in the kernel's message",
			   .type = KTSTR_PARAM_STRING,
			   .min = 1,
			   .max = EXPECT_TEXT_MAX },
	{ .key = NULL },
};

static const struct ktstr_param checker_rows[] = {
	{ .key = "checker",
	  .help = "name of a checker",
	  .type = KTSTR_PARAM_STRING,
	  .min = 1,
	  .max = KTSTR_NAME_MAX },
	{ .key = NULL },
};

enum {
	EXPECT_OUTCOME,
	EXPECT_SCX_EXIT,
	EXPECT_START,
	EXPECT_CHECKERS
};

static const struct ktstr_param expect_params[] = {
	[EXPECT_OUTCOME] = { .key = "outcome",
			     .help = "what is to come of the run",
			     .type = KTSTR_PARAM_ENUM,
			     .flags = KTSTR_PARAM_REQUIRED,
			     .choices = outcomes },
	[EXPECT_SCX_EXIT] = { .key = "scx_exit",
			      .help = "how the kernel ends the scheduler",
			      .type = KTSTR_PARAM_MAP,
			      .fields = exit_params },
	[EXPECT_START] = { .key = "start",
			   .help = "what stands in the reason why the scheduler does not start",
			   .type = KTSTR_PARAM_STRING,
			   .min = 1,
			   .max = EXPECT_TEXT_MAX },
	[EXPECT_CHECKERS] = { .key = "checkers",
			      .help = "the checkers that are to FAIL, and no others",
			      .type = KTSTR_PARAM_LIST,
			      .min = 0,
			      .max = EXPECT_CHECKERS_MAX,
			      .fields = checker_rows },
	{ .key = NULL },
};

static int fail_at(const struct source *source, const struct ktstr_value *value,
		   struct ktstr_error *err, const char *text)
{
	return source_fail(source, value->line, value->column, err, "%s", text);
}

static int no_memory(const struct source *source, struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", source->name);
}

/* It is compared with one line of the kernel or of a plugin, and stands in reports. */
static int read_text(const struct source *source, const struct ktstr_value *value, char **ret,
		     struct ktstr_error *err)
{
	if (!value->s)
		return 0;
	if (!expectation_is_text(value->s))
		return fail_at(source, value, err,
			       "a text that is expected is a part of one line; leave out line "
			       "ends, tabs and the like");
	*ret = strdup(value->s);
	return *ret ? 0 : no_memory(source, err);
}

static int read_exit(const struct source *source, const struct ktstr_value *value,
		     struct expectation *expect, struct ktstr_error *err)
{
	if (!value->is_set)
		return 0;
	expect->has_scx_exit = true;
	if (value->items[EXIT_KIND].is_set) {
		expect->has_scx_kind = true;
		expect->scx_kind = kinds[value->items[EXIT_KIND].i];
	}
	return read_text(source, &value->items[EXIT_MESSAGE], &expect->scx_message, err);
}

static int read_checkers(const struct source *source, const struct ktstr_value *list,
			 struct expectation *expect, struct ktstr_error *err)
{
	expect->checkers = calloc(list->count + 1, sizeof(*expect->checkers));
	expect->checker_places = calloc(list->count + 1, sizeof(*expect->checker_places));
	if (!expect->checkers || !expect->checker_places)
		return no_memory(source, err);
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ktstr_value *name = &list->items[i];

		if (expectation_names(expect, name->s))
			return source_fail(source, name->line, name->column, err,
					   "checker '%s' is expected to FAIL twice; once is enough",
					   name->s);
		expect->checker_places[i] = (struct expect_place){ name->line, name->column };
		expect->checkers[i] = strdup(name->s);
		if (!expect->checkers[i])
			return no_memory(source, err);
		expect->checker_count++;
	}
	return 0;
}

static int read_all(const struct source *source, const struct ktstr_value *values,
		    struct expectation *expect, struct ktstr_error *err)
{
	const char *flaw;
	int rc;

	expect->is_given = true;
	expect->outcome = values[EXPECT_OUTCOME].i == 0 ? KTSTR_OUTCOME_PASS : KTSTR_OUTCOME_FAIL;
	rc = read_exit(source, &values[EXPECT_SCX_EXIT], expect, err);
	if (rc == 0)
		rc = read_text(source, &values[EXPECT_START], &expect->start_error, err);
	if (rc == 0)
		rc = read_checkers(source, &values[EXPECT_CHECKERS], expect, err);
	flaw = rc == 0 ? expectation_flaw(expect) : NULL;
	return flaw ? fail_at(source, &values[EXPECT_OUTCOME], err, flaw) : rc;
}

int expectation_read(const struct source *source, const struct node *node, struct expectation *ret,
		     struct ktstr_error *err)
{
	struct expectation expect = { 0 };
	struct bound *bound;
	int rc;

	if (node->kind != NODE_MAP)
		return source_fail(source, node->line, node->column, err,
				   "'expect' must be a map, like {outcome: fail, scx_exit: {kind: "
				   "stall}}");
	rc = bind_params(expect_params, sizeof(expect_params[0]), node, NULL, source, NULL, &bound,
			 err);
	if (rc < 0)
		return rc;
	rc = read_all(source, bound_values(bound), &expect, err);
	bound_free(bound);
	if (rc < 0) {
		expectation_done(&expect);
		return rc;
	}
	*ret = expect;
	return 0;
}

const char *expectation_flaw(const struct expectation *expect)
{
	bool has_reason = expect->has_scx_exit || expect->start_error || expect->checker_count > 0;

	if (expect->has_scx_exit && !expect->has_scx_kind && !expect->scx_message)
		return "'scx_exit' must say how the scheduler ends: give its 'kind', its "
		       "'message', or both";
	if (expect->outcome == KTSTR_OUTCOME_FAIL && !has_reason)
		return "a FAIL for any reason proves nothing: say which one with 'scx_exit', "
		       "'start' or 'checkers'";
	if (expect->outcome != KTSTR_OUTCOME_FAIL && has_reason)
		return "a run with 'scx_exit', 'start' or 'checkers' that come true is no PASS: "
		       "say 'outcome: fail', or leave them out";
	return NULL;
}

bool expectation_judges(const struct expectation *expect)
{
	return expect->is_given && expect->outcome == KTSTR_OUTCOME_FAIL &&
	       (expect->has_scx_exit || expect->start_error);
}

int expectation_kind(const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind_names[i], name) != 0)
			continue;
		*ret = kinds[i];
		return 0;
	}
	return -EINVAL;
}

bool expectation_is_text(const char *text)
{
	char shown[EXPECT_TEXT_MAX + 1];

	str_copy_line(shown, sizeof(shown), text, strlen(text));
	return strcmp(shown, text) == 0;
}

bool expectation_names(const struct expectation *expect, const char *name)
{
	for (size_t i = 0; i < expect->checker_count; i++)
		if (strcmp(expect->checkers[i], name) == 0)
			return true;
	return false;
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int copy_checkers(const struct expectation *expect, struct expectation *copy)
{
	int rc = 0;

	copy->checkers = calloc(expect->checker_count + 1, sizeof(*copy->checkers));
	if (!copy->checkers)
		return -ENOMEM;
	for (; rc == 0 && copy->checker_count < expect->checker_count; copy->checker_count++)
		rc = copy_text(expect->checkers[copy->checker_count],
			       &copy->checkers[copy->checker_count]);
	return rc;
}

int expectation_copy(const struct expectation *expect, struct expectation *ret)
{
	struct expectation copy = {
		.is_given = expect->is_given,
		.outcome = expect->outcome,
		.has_scx_exit = expect->has_scx_exit,
		.has_scx_kind = expect->has_scx_kind,
		.scx_kind = expect->scx_kind,
	};
	int rc = copy_text(expect->scx_message, &copy.scx_message);

	if (rc == 0)
		rc = copy_text(expect->start_error, &copy.start_error);
	if (rc == 0)
		rc = copy_checkers(expect, &copy);
	if (rc < 0) {
		expectation_done(&copy);
		return rc;
	}
	*ret = copy;
	return 0;
}

void expectation_done(struct expectation *expect)
{
	for (size_t i = 0; i < expect->checker_count; i++)
		free(expect->checkers[i]);
	free(expect->checkers);
	free(expect->checker_places);
	free(expect->scx_message);
	free(expect->start_error);
	*expect = (struct expectation){ 0 };
}
