/* SPDX-License-Identifier: GPL-2.0-only */
/* The parameters of the scheduler plugin `exec`, and the command line that they make. */
#ifndef SCHEDULERS_EXEC_COMMAND_H
#define SCHEDULERS_EXEC_COMMAND_H

#include "ktstr/needs.h"
#include "ktstr/param.h"

enum {
	EXEC_PATH,
	EXEC_ARGS,
	EXEC_ENV,
	EXEC_CONFIG,
	EXEC_FILES,
	EXEC_ATTACH_TIMEOUT,
	EXEC_STOP_SIGNAL,
	EXEC_STOP_TIMEOUT,
	EXEC_PARAM_COUNT,
};

extern const struct ktstr_param exec_params[];

#define EXEC_MEMORY (UINT64_C(64) << 20)

/* Ship the program and its files. */
int exec_command_needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		       struct ktstr_error *err);

/* What to run in the guest. The words are borrowed from the values but for those in `own`. */
struct exec_command {
	char **argv; /* argv[0]: the program's path */
	char **envp;
	char *own[2];
};
int exec_command_make(const struct ktstr_value *values, struct exec_command *ret,
		      struct ktstr_error *err);
void exec_command_done(struct exec_command *command);

/* The program's name without its folder. */
const char *exec_command_name(const struct ktstr_value *values);
/* SIGINT or SIGTERM. */
int exec_command_signal(const struct ktstr_value *values);

#endif
