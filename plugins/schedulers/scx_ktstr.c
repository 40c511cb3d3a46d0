/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user half of scx_ktstr: it takes the orders.
 *
 * A fault is either there from `after` on, or ordered while the scheduler runs, by writing its name
 * into COMMAND_PATH in the guest.
 */
#include "scx_ktstr.h"

#include <fcntl.h>
#include <unistd.h>

#include "ktstr/scx.h"

#define COMMAND_PATH "/tmp/ktstr_fault"

enum {
	P_FAULT,
	P_AFTER,
	P_TIMEOUT,
	P_SLICE,
	P_VICTIM,
	P_DELAY,
};

static const char *const fault_names[] = {
	[SCX_KTSTR_NONE] = "none",	   [SCX_KTSTR_STALL] = "stall",
	[SCX_KTSTR_STARVE] = "starve",	   [SCX_KTSTR_ERROR] = "error",
	[SCX_KTSTR_BAD_DSQ] = "bad_dsq",   [SCX_KTSTR_INIT] = "init",
	[SCX_KTSTR_VERIFIER] = "verifier", [SCX_KTSTR_VERIFIER_LONG] = "verifier_long",
	[SCX_KTSTR_ONE_CPU] = "one_cpu",   [SCX_KTSTR_SLOW] = "slow",
	[SCX_KTSTR_SCATTER] = "scatter",   [SCX_KTSTR_CRASH] = "crash",
	[SCX_KTSTR_FAULTS] = NULL,
};

static const struct ktstr_param params[] = {
	[P_FAULT] = { .key = "fault",
		      .help = "how it breaks",
		      .type = KTSTR_PARAM_ENUM,
		      .fallback = "none",
		      .choices = fault_names },
	[P_AFTER] = { .key = "after",
		      .help = "from when on, after its start",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "0",
		      .min = 0,
		      .max = INT64_C(86400000000000) },
	[P_TIMEOUT] = KTSTR_SCX_PARAM_TIMEOUT,
	[P_SLICE] = { .key = "slice",
		      .help = "how long a task runs before the next has its turn",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "20ms",
		      .min = 100000,
		      .max = 1000000000 },
	[P_VICTIM] = { .key = "victim",
		       .help = "starve: how the name of the task begins, of which the first is "
			       "taken",
		       .type = KTSTR_PARAM_STRING,
		       .fallback = "",
		       .min = 0,
		       .max = 15 },
	[P_DELAY] = { .key = "delay",
		      .help = "slow: the time that it takes for each task",
		      .type = KTSTR_PARAM_DURATION,
		      .fallback = "10ms",
		      .min = 0,
		      .max = 1000000000 },
	{ .key = NULL },
};

static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	const struct {
		const char *variable;
		int row;
	} numbers[] = {
		{ "fault", P_FAULT },
		{ "after_ns", P_AFTER },
		{ "slice_ns", P_SLICE },
		{ "delay_ns", P_DELAY },
	};
	int code = ktstr_scx_set_text(scx, "victim", values[P_VICTIM].s, err);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && code == 0; i++)
		code = ktstr_scx_set_int(scx, numbers[i].variable, values[numbers[i].row].i, err);
	return code < 0 ? code : ktstr_scx_set_timeout(scx, &values[P_TIMEOUT], err);
}

/* The fault that is ordered; SCX_KTSTR_NONE: none. */
static uint32_t read_command(void)
{
	char word[32] = "";
	int fd = open(COMMAND_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return SCX_KTSTR_NONE;
	n = read(fd, word, sizeof(word) - 1);
	(void)close(fd); /* it was only read */
	word[n > 0 ? n : 0] = '\0';
	word[strcspn(word, "\n")] = '\0';
	for (uint32_t i = SCX_KTSTR_NONE; i < SCX_KTSTR_FAULTS; i++)
		if (strcmp(word, fault_names[i]) == 0)
			return i;
	return SCX_KTSTR_NONE;
}

static int tick(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	uint32_t ordered = read_command();
	void *data = NULL;
	volatile uint32_t *command;
	int code;

	if (ordered == SCX_KTSTR_NONE)
		return 0;
	code = ktstr_scx_variable(scx, "command", sizeof(*command), &data, err);
	if (code < 0)
		return code;
	command = data;
	if (*command != ordered)
		ktstr_log(g, KTSTR_LOG_INFO, "scx_ktstr: told to do '%s'", fault_names[ordered]);
	*command = ordered;
	return 0;
}

KTSTR_SCX_OBJECT(ktstr_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "scx_ktstr",
	.ops = "ktstr",
	.object = ktstr_object,
	.object_end = ktstr_object_end,
	.configure = configure,
	.tick = tick,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "scx_ktstr", .version = "1.0",
			.summary = "sched_ext: breaks as it is told, to test what notices",
			.params = params, .license = "GPL-2.0-only");
