/* SPDX-License-Identifier: GPL-2.0-only */
#include "exec_command.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define ARGS_MAX 256
#define ENV_MAX 64
#define FILES_MAX 256
#define PATH_LENGTH_MAX 4095
#define DAY_NS INT64_C(86400000000000)

enum {
	FILE_HOST,
	FILE_GUEST,
};

static const struct ktstr_param arg_fields[] = {
	{ .key = "arg", .help = "one argument", .type = KTSTR_PARAM_STRING },
	{ .key = NULL },
};

static const struct ktstr_param env_fields[] = {
	{ .key = "variable",
	  .help = "NAME=VALUE",
	  .type = KTSTR_PARAM_STRING,
	  .min = 1,
	  .max = 4095 },
	{ .key = NULL },
};

static const struct ktstr_param file_map_fields[] = {
	[FILE_HOST] = { .key = "host",
			.help = "path of the file on the host",
			.type = KTSTR_PARAM_STRING,
			.flags = KTSTR_PARAM_REQUIRED,
			.min = 1,
			.max = PATH_LENGTH_MAX },
	[FILE_GUEST] = { .key = "guest",
			 .help = "its path in the guest, below /payload",
			 .type = KTSTR_PARAM_STRING,
			 .flags = KTSTR_PARAM_REQUIRED,
			 .min = 1,
			 .max = PATH_LENGTH_MAX },
	{ .key = NULL },
};

static const struct ktstr_param file_fields[] = {
	{ .key = "file", .help = "one file", .type = KTSTR_PARAM_MAP, .fields = file_map_fields },
	{ .key = NULL },
};

static const char *const signal_words[] = { "int", "term", NULL };
static const int signal_numbers[] = { SIGINT, SIGTERM };

const struct ktstr_param exec_params[] = {
	[EXEC_PATH] = { .key = "path",
			.help = "the scheduler's program, a path on the host",
			.type = KTSTR_PARAM_STRING,
			.flags = KTSTR_PARAM_REQUIRED,
			.min = 1,
			.max = PATH_LENGTH_MAX },
	[EXEC_ARGS] = { .key = "args",
			.help = "its arguments",
			.type = KTSTR_PARAM_LIST,
			.min = 0,
			.max = ARGS_MAX,
			.fields = arg_fields },
	[EXEC_ENV] = { .key = "env",
		       .help = "NAME=VALUE, more of its environment",
		       .type = KTSTR_PARAM_LIST,
		       .min = 0,
		       .max = ENV_MAX,
		       .fields = env_fields },
	[EXEC_CONFIG] = { .key = "config",
			  .help = "a file on the host that it gets as --config",
			  .type = KTSTR_PARAM_STRING,
			  .min = 1,
			  .max = PATH_LENGTH_MAX },
	[EXEC_FILES] = { .key = "files",
			 .help = "more files to ship",
			 .type = KTSTR_PARAM_LIST,
			 .min = 0,
			 .max = FILES_MAX,
			 .fields = file_fields },
	[EXEC_ATTACH_TIMEOUT] = { .key = "attach_timeout",
				  .help = "how long it may take to be in charge",
				  .type = KTSTR_PARAM_DURATION,
				  .fallback = "10s",
				  .min = 1000000,
				  .max = DAY_NS },
	[EXEC_STOP_SIGNAL] = { .key = "stop_signal",
			       .help = "the signal that asks it to end",
			       .type = KTSTR_PARAM_ENUM,
			       .fallback = "int",
			       .choices = signal_words },
	[EXEC_STOP_TIMEOUT] = { .key = "stop_timeout",
				.help = "how long it may take to end when asked, before it is "
					"killed",
				.type = KTSTR_PARAM_DURATION,
				.fallback = "5s",
				.min = 1000000,
				.max = INT64_C(3600000000000) },
	{ .key = NULL },
};

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *exec_command_name(const struct ktstr_value *values)
{
	return name_of(values[EXEC_PATH].s);
}

int exec_command_signal(const struct ktstr_value *values)
{
	return signal_numbers[values[EXEC_STOP_SIGNAL].i];
}

/*
 * Where a file of the host lies in the guest: with its own name, in a folder that is only that
 * path's, so that two of one run do not meet. The caller frees.
 */
static char *guest_path(const char *host_path)
{
	uint32_t hash = UINT32_C(2166136261); /* FNV-1a */
	char *path = NULL;

	for (const char *c = host_path; *c; c++)
		hash = (hash ^ (uint8_t)*c) * UINT32_C(16777619);
	return asprintf(&path, "/payload/exec/%08x/%s", hash, name_of(host_path)) < 0 ? NULL : path;
}

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "out of memory");
}

/* The message begins with the place of @value. */
static void blame(struct ktstr_error *err, const struct ktstr_value *value)
{
	err->line = value->line;
	err->column = value->column;
}

static int ship(const struct ktstr_value *value, struct ktstr_needs *needs, struct ktstr_error *err)
{
	char *path;
	int code;

	if (!*name_of(value->s))
		return ktstr_fail_at(err, value, -EINVAL, "'%s' is a folder, not a file", value->s);
	path = guest_path(value->s);
	if (!path)
		return no_memory(err);
	code = ktstr_need_file(needs, value->s, path, err);
	free(path);
	if (code < 0)
		blame(err, value);
	return code;
}

int exec_command_needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		       struct ktstr_error *err)
{
	const struct ktstr_value *files = &values[EXEC_FILES];
	const struct ktstr_value *env = &values[EXEC_ENV];
	int code;

	for (uint32_t i = 0; i < env->count; i++)
		if (!strchr(env->items[i].s, '=') || env->items[i].s[0] == '=')
			return ktstr_fail_at(err, &env->items[i], -EINVAL,
					     "env: '%s' is not NAME=VALUE", env->items[i].s);
	code = ship(&values[EXEC_PATH], needs, err);
	if (code == 0 && values[EXEC_CONFIG].is_set)
		code = ship(&values[EXEC_CONFIG], needs, err);
	for (uint32_t i = 0; i < files->count && code == 0; i++) {
		const struct ktstr_value *file = files->items[i].items;

		code = ktstr_need_file(needs, file[FILE_HOST].s, file[FILE_GUEST].s, err);
		if (code < 0)
			blame(err, &file[FILE_HOST]);
	}
	return code;
}

/* Ours first: of two equal names a program sees the first. */
static int make_environment(const struct ktstr_value *env, struct exec_command *command,
			    struct ktstr_error *err)
{
	size_t count = 0, at = 0;
	bool has_level = false;

	while (environ[count])
		count++;
	command->envp = calloc(count + env->count + 2, sizeof(*command->envp));
	if (!command->envp)
		return no_memory(err);
	for (uint32_t i = 0; i < env->count; i++) {
		has_level = has_level || strncmp(env->items[i].s, "RUST_LOG=", 9) == 0;
		command->envp[at++] = (char *)env->items[i].s;
	}
	/* The scx project's programs say little without it. */
	if (!has_level)
		command->envp[at++] = (char *)"RUST_LOG=info";
	memcpy(command->envp + at, environ, count * sizeof(*environ));
	return 0;
}

int exec_command_make(const struct ktstr_value *values, struct exec_command *ret,
		      struct ktstr_error *err)
{
	const struct ktstr_value *args = &values[EXEC_ARGS];
	struct exec_command command = { 0 };
	size_t at = 0;
	int code;

	command.own[0] = guest_path(values[EXEC_PATH].s);
	if (values[EXEC_CONFIG].is_set)
		command.own[1] = guest_path(values[EXEC_CONFIG].s);
	command.argv = calloc(args->count + 4, sizeof(*command.argv));
	if (!command.own[0] || !command.argv || (values[EXEC_CONFIG].is_set && !command.own[1])) {
		exec_command_done(&command);
		return no_memory(err);
	}
	command.argv[at++] = command.own[0];
	if (command.own[1]) {
		command.argv[at++] = (char *)"--config";
		command.argv[at++] = command.own[1];
	}
	for (uint32_t i = 0; i < args->count; i++)
		command.argv[at++] = (char *)args->items[i].s;
	code = make_environment(&values[EXEC_ENV], &command, err);
	if (code < 0) {
		exec_command_done(&command);
		return code;
	}
	*ret = command;
	return 0;
}

void exec_command_done(struct exec_command *command)
{
	free(command->argv);
	free(command->envp);
	free(command->own[0]);
	free(command->own[1]);
	*command = (struct exec_command){ 0 };
}
