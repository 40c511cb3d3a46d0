/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_build_config.h"

#include <ctype.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vm/kernel_build_kconfig.h"

#define PREFIX "CONFIG_"
#define NOT_SET " is not set"
#define OPTIONS_MAX 8192u
#define SELECTORS_SHOWN 3

/* The file of the source tree, with a NUL behind it. */
__asm__(".pushsection .rodata\n"
	".local own_config\n"
	"own_config:\n"
	".incbin \"" KTSTR_KERNEL_CONFIG "\"\n"
	".byte 0\n"
	".popsection\n");
extern const char own_config[] __attribute__((visibility("hidden")));

const char *build_config_own(void)
{
	return own_config;
}

static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return length;
}

/*
 * The option that a line sets: its name, and its value ("n" where it is not set). 1; 0 when it sets
 * none: a comment, an empty line; -EINVAL: it is something else.
 */
static int parse_line(const char *line, size_t length, const char **name, size_t *name_bytes,
		      const char **value, size_t *value_bytes)
{
	const char *at = line;
	bool is_comment = length > 0 && *at == '#';

	while (length > 0 && isspace((unsigned char)line[length - 1]))
		length--;
	if (length == 0)
		return 0;
	if (is_comment)
		at += 1 + strspn(at + 1, " \t");
	if (!str_starts(at, PREFIX))
		return is_comment ? 0 : -EINVAL;
	*name = at + strlen(PREFIX);
	*name_bytes = name_length(*name);
	at = *name + *name_bytes;
	if (is_comment) {
		*value = "n";
		*value_bytes = 1;
		return at + strlen(NOT_SET) == line + length && str_starts(at, NOT_SET);
	}
	if (*name_bytes == 0 || *at != '=' || at + 1 >= line + length)
		return -EINVAL;
	*value = at + 1;
	*value_bytes = (size_t)(line + length - *value);
	return 1;
}

static struct build_option *find(const struct build_options *options, const char *name,
				 size_t length)
{
	for (size_t i = 0; i < options->count; i++)
		if (strlen(options->items[i].name) == length &&
		    memcmp(options->items[i].name, name, length) == 0)
			return &options->items[i];
	return NULL;
}

static void option_done(struct build_option *option)
{
	free(option->name);
	free(option->value);
	free(option->fragment);
}

static int put(struct build_options *options, struct build_option option, struct ktstr_error *err)
{
	struct build_option *old, *grown;

	if (!option.name || !option.value || !option.fragment) {
		option_done(&option);
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	old = find(options, option.name, strlen(option.name));
	if (old) {
		option_done(old);
		*old = option;
		return 0;
	}
	grown = options->count < OPTIONS_MAX
			? reallocarray(options->items, options->count + 1, sizeof(*grown))
			: NULL;
	if (!grown) {
		option_done(&option);
		return ktstr_fail(err, -E2BIG, "the fragments have more than %u options",
				  OPTIONS_MAX);
	}
	options->items = grown;
	grown[options->count++] = option;
	return 0;
}

int build_options_add(struct build_options *options, const char *fragment, const char *text,
		      struct ktstr_error *err)
{
	unsigned int number = 0;
	int code = 0;

	for (const char *line = text; *line && !code;) {
		size_t length = strcspn(line, "\n"), name_bytes, value_bytes;
		const char *name, *value;

		number++;
		code = parse_line(line, length, &name, &name_bytes, &value, &value_bytes);
		if (code == 1)
			code = put(options,
				   (struct build_option){
					   .name = strndup(name, name_bytes),
					   .value = strndup(value, value_bytes),
					   .fragment = strdup(fragment),
					   .line = number,
				   },
				   err);
		else if (code == -EINVAL)
			code = ktstr_fail(err, code,
					  "%s:%u: '%.*s' is no line of a kernel's config: write "
					  "'CONFIG_NAME=y' or '# CONFIG_NAME is not set'",
					  fragment, number, (int)(length < 80 ? length : 80), line);
		line += length + (line[length] == '\n');
	}
	return code;
}

void build_options_done(struct build_options *options)
{
	for (size_t i = 0; i < options->count; i++)
		option_done(&options->items[i]);
	free(options->items);
	*options = (struct build_options){ 0 };
}

char *build_config_value(const char *text, const char *wanted)
{
	size_t wanted_length = strlen(wanted);

	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n"), name_bytes, value_bytes;
		const char *name, *value;

		if (parse_line(line, length, &name, &name_bytes, &value, &value_bytes) == 1 &&
		    name_bytes == wanted_length && memcmp(name, wanted, wanted_length) == 0)
			return strndup(value, value_bytes);
		line += length + (line[length] == '\n');
	}
	return strdup("n");
}

/* Of lines "A\nB\n", those that @keep keeps (NULL: all), as "A, B". */
static int list_lines(const struct str *lines, const char *config, struct str *out)
{
	size_t shown = 0;
	int rc = 0;

	for (const char *line = str_text(lines); *line && rc == 0 && shown < SELECTORS_SHOWN;) {
		size_t length = strcspn(line, "\n");
		_cleanup_free_ char *name = strndup(line, length);

		if (!name)
			return -ENOMEM;
		if (kconfig_holds(name, config))
			rc = str_addf(out, "%s%s", shown++ > 0 ? ", " : "", name);
		line += length + (line[length] == '\n');
	}
	return rc;
}

static int list_unmet(const struct str *depends, const char *config, struct str *out)
{
	int rc = 0;

	for (const char *line = str_text(depends); *line && rc == 0;) {
		size_t length = strcspn(line, "\n");
		_cleanup_free_ char *condition = strndup(line, length);

		rc = condition ? kconfig_add_unmet(condition, config, out) : -ENOMEM;
		line += length + (line[length] == '\n');
	}
	return rc;
}

/* Why an option is not what it was to be, as far as the Kconfig files tell. */
static int add_reason(const struct build_option *option, const struct kconfig_fact *fact,
		      const char *config, struct str *out)
{
	struct str names = { 0 };
	bool is_off = strcmp(option->value, "n") == 0;
	int rc;

	if (!fact->is_known)
		return str_add(out, "this kernel has no such option");
	rc = is_off ? list_lines(&fact->selectors, config, &names)
		    : list_unmet(&fact->depends, config, &names);
	if (rc == 0 && names.length > 0)
		rc = str_addf(out, is_off ? "selected by %s" : "it depends on %s",
			      str_text(&names));
	else if (rc == 0 && !fact->has_prompt)
		rc = str_add(out, "it cannot be chosen, only follows from others");
	else if (rc == 0 && fact->choice > 0)
		rc = str_add(out, "another one of its choice is taken");
	else if (rc == 0)
		rc = str_add(out, "the kernel's Kconfig has another value for it");
	str_done(&names);
	return rc;
}

static int report(const struct build_option *option, const struct kconfig_fact *fact,
		  const char *config, void (*problem)(void *arg, const char *line), void *arg)
{
	_cleanup_free_ char *is = build_config_value(config, option->name);
	bool is_off = strcmp(option->value, "n") == 0;
	struct str line = { 0 };
	int rc;

	if (!is)
		return -ENOMEM;
	rc = str_addf(&line, "%s:%u: ", option->fragment, option->line);
	if (rc == 0)
		rc = is_off ? str_addf(&line, PREFIX "%s is to be off", option->name)
			    : str_addf(&line, PREFIX "%s is to be %s", option->name, option->value);
	if (rc == 0)
		rc = strcmp(is, "n") == 0 ? str_add(&line, ", is not set: ")
					  : str_addf(&line, ", is %s: ", is);
	if (rc == 0)
		rc = add_reason(option, fact, config, &line);
	if (rc == 0 && problem)
		problem(arg, str_text(&line));
	str_done(&line);
	return rc;
}

/* Which of @wanted are so. The caller frees; NULL: no memory. */
static bool *find_met(const struct build_options *wanted, const char *config, size_t *ret_count)
{
	bool *met = calloc(wanted->count + 1, sizeof(*met));

	*ret_count = 0;
	for (size_t i = 0; met && i < wanted->count; i++) {
		_cleanup_free_ char *is = build_config_value(config, wanted->items[i].name);

		if (!is) {
			free(met);
			return NULL;
		}
		met[i] = strcmp(is, wanted->items[i].value) == 0;
		*ret_count += met[i];
	}
	return met;
}

/* Did another fragment take another one of its choice? Then it is overridden as if by name. */
static bool is_overridden(const struct build_options *wanted, const struct kconfig_fact *facts,
			  const bool *met, size_t at)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (met[i] && facts[at].choice > 0 && facts[i].choice == facts[at].choice &&
		    strcmp(wanted->items[i].value, "y") == 0 &&
		    strcmp(wanted->items[i].fragment, wanted->items[at].fragment) != 0)
			return true;
	return false;
}

int build_config_check(const struct build_options *wanted, const char *text, const char *tree,
		       void (*problem)(void *arg, const char *line), void *arg,
		       struct ktstr_error *err)
{
	_cleanup_free_ struct kconfig_fact *facts = NULL;
	_cleanup_free_ bool *met = NULL;
	struct str names = { 0 };
	size_t count;
	int rc = 0;

	met = find_met(wanted, text, &count);
	if (met && count == wanted->count)
		return 0;
	facts = met ? calloc(wanted->count, sizeof(*facts)) : NULL;
	if (!facts)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < wanted->count; i++)
		facts[i].name = wanted->items[i].name;
	(void)kconfig_look_up(tree, facts, wanted->count); /* then there is less to say */
	for (size_t i = 0; i < wanted->count && rc == 0; i++) {
		if (met[i] || is_overridden(wanted, facts, met, i))
			continue;
		rc = report(&wanted->items[i], &facts[i], text, problem, arg);
		if (rc == 0)
			rc = str_addf(&names, "%s" PREFIX "%s", names.length > 0 ? ", " : "",
				      wanted->items[i].name);
	}
	kconfig_facts_done(facts, wanted->count);
	if (rc < 0)
		rc = ktstr_fail(err, -ENOMEM, "out of memory");
	else if (names.length > 0)
		rc = ktstr_fail(err, -EINVAL,
				"the config does not come out as the fragments say; change them, "
				"or say otherwise in one more --config: %s",
				str_text(&names));
	str_done(&names);
	return rc;
}
