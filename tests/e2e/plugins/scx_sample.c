/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler of tests/unit/scx_sample.bpf.c, which uses all that ktstr/scx.bpf.h declares: does
 * the kernel agree? And what becomes of a user half that asks for the wrong things, or hangs.
 */
#include <signal.h>
#include <unistd.h>

#include "ktstr/scx.h"

enum {
	P_HOW
};

enum {
	HOW_WELL,
	HOW_UNKNOWN,
	HOW_TOO_LARGE,
	HOW_KILLED
};

static const char *const hows[] = { "well", "unknown", "too_large", "killed", NULL };

static const struct ktstr_param params[] = {
	[P_HOW] = { .key = "how",
		    .help = "what its user half does",
		    .type = KTSTR_PARAM_ENUM,
		    .fallback = "well",
		    .choices = hows },
	{ .key = NULL },
};

static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
		     struct ktstr_error *err)
{
	if (values[P_HOW].i == HOW_UNKNOWN)
		return ktstr_scx_set_int(scx, "no_such_variable", 1, err);
	if (values[P_HOW].i == HOW_TOO_LARGE)
		return ktstr_scx_set_int(scx, "tiny", 1000, err);
	return ktstr_scx_set_int(scx, "flag", values[P_HOW].i == HOW_KILLED, err);
}

/* What was set before the load is there, what is not const can be written, and the one that is to
 * die does, while the scheduler is in charge. */
static int tick(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	void *zero = NULL, *flag = NULL, *wrong = NULL;
	struct ktstr_error expected = { 0 };

	(void)g;
	if (ktstr_scx_variable(scx, "zero", sizeof(uint64_t), &zero, err) < 0 ||
	    ktstr_scx_variable(scx, "flag", 1, &flag, err) < 0)
		return err->code;
	if (ktstr_scx_variable(scx, "zero", 4, &wrong, &expected) != -EINVAL ||
	    ktstr_scx_variable(scx, "no_such_variable", 4, &wrong, &expected) != -ENOENT)
		return ktstr_fail(err, -EIO, "a variable was found that there is not");
	*(volatile uint64_t *)zero = 0;
	if (*(volatile char *)flag)
		(void)kill(getpid(), SIGKILL);
	return 0;
}

KTSTR_SCX_OBJECT(sample_object);

static const struct ktstr_scx_spec spec = {
	.size = sizeof(spec),
	.name = "scx_sample",
	.ops = "sample",
	.object = sample_object,
	.object_end = sample_object_end,
	.configure = configure,
	.tick = tick,
};

KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "scx_sample", .version = "1.0",
			.summary = "uses all of scx.bpf.h", .params = params,
			.license = "GPL-2.0-only");
