/* SPDX-License-Identifier: MIT */
/*
 * A scheduler plugin that carries a BPF scheduler: its BPF object is a part of the .so, and the
 * library `ktstr_scx`, which is linked into the plugin, loads it in the guest, looks after it and
 * tells why it ended. Needs libbpf 1.1 or later.
 *
 *	enum { P_SLICE, P_TIMEOUT };
 *	static const struct ktstr_param params[] = {
 *		[P_SLICE] = { .key = "slice", .help = "time slice", .type = KTSTR_PARAM_DURATION,
 *			      .fallback = "20ms", .min = 100000, .max = 1000000000 },
 *		[P_TIMEOUT] = KTSTR_SCX_PARAM_TIMEOUT,
 *		{ .key = NULL },
 *	};
 *
 *	static int configure(struct ktstr_scx *scx, const struct ktstr_value *values,
 *			     struct ktstr_error *err)
 *	{
 *		int code = ktstr_scx_set_int(scx, "slice_ns", values[P_SLICE].i, err);
 *
 *		return code < 0 ? code : ktstr_scx_set_timeout(scx, &values[P_TIMEOUT], err);
 *	}
 *
 *	KTSTR_SCX_OBJECT(lazy_object);
 *	static const struct ktstr_scx_spec spec = {
 *		.size = sizeof(spec), .name = "scx_lazy", .ops = "lazy",
 *		.object = lazy_object, .object_end = lazy_object_end, .configure = configure,
 *	};
 *	KTSTR_SCX_PLUGIN_DEFINE(spec, .name = "scx_lazy", .version = "1.0",
 *				.summary = "a lazy scheduler", .params = params, .license = "MIT");
 *
 * and in CMakeLists.txt
 *
 *	ktstr_add_bpf_scheduler(scx_lazy SOURCES scx_lazy.c BPF scx_lazy.bpf.c)
 *
 * The BPF half includes ktstr/scx.bpf.h.
 */
#ifndef KTSTR_SCX_H
#define KTSTR_SCX_H

#include "ktstr/scheduler.h"

/* A BPF scheduler, from its object to its end. Made by ktstr_scx_start(). */
struct ktstr_scx;

struct ktstr_scx_spec {
	uint32_t size; /* sizeof(struct ktstr_scx_spec) */
	uint32_t reserved;
	const char *name;	/* for messages */
	const char *ops;	/* the variable that KTSTR_SCX_DEFINE() made */
	const void *object;	/* the bytes of the BPF object; stay the plugin's */
	const void *object_end; /* behind the last of them */

	/*
	 * Optional: give the object its values, by ktstr_scx_set_*(), before the kernel sees it.
	 * Returns 0, or the negative errno with which start() then fails.
	 */
	int (*configure)(struct ktstr_scx *scx, const struct ktstr_value *values,
			 struct ktstr_error *err);

	/*
	 * Optional: called at each alive() while the scheduler is in charge, so it must be quick.
	 * Returns 0, or the negative errno with which alive() then fails.
	 */
	int (*tick)(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err);

	/* Optional: called once before the scheduler is taken down, dead or alive; say what is
	 * worth a line of the log. */
	void (*before_stop)(struct ktstr_guest *g, struct ktstr_scx *scx);
};

/*
 * The ops of a scheduler plugin, for one that does not use KTSTR_SCX_PLUGIN_DEFINE().
 */

/* Host: ask for a kernel with sched_ext and BTF, and for the memory that libbpf takes. */
int ktstr_scx_needs(struct ktstr_needs *needs, struct ktstr_error *err);

/*
 * Open, configure, load and attach. *ret_scx is the caller's, to be given to ktstr_scx_stop().
 * Returns 0 when the kernel lets it schedule. -ESRCH when the scheduler is at fault: its programs
 * were refused by the verifier, its ops by sched_ext, or its init() failed. Else what failed is the
 * plugin (-EINVAL, -ENOENT: a name that the object does not have) or the machine: -ENODEV without
 * sched_ext, -ENOENT without BTF, -EBUSY while another one is in charge, -ENOMEM, -EPERM. Nothing
 * is left behind then.
 *
 * What libbpf and the verifier say goes to the scheduler's log; durations are sent as SCHED_TIME.
 */
int ktstr_scx_start(struct ktstr_guest *g, const struct ktstr_scx_spec *spec,
		    const struct ktstr_value *values, struct ktstr_scx **ret_scx,
		    struct ktstr_error *err);

/* 0 while it is in charge. -ESRCH with the kernel's reason once it is not; the first time a
 * SCX_EXIT frame is sent. */
int ktstr_scx_alive(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err);

/*
 * Take it down and free @scx. Sends SCX_EXIT unless alive() did. Returns 0, or -ESRCH when it had
 * been thrown out before without alive() having said so.
 */
int ktstr_scx_stop(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err);

/*
 * For configure(). The values are written into a copy of the object. -ENOENT: there is no such
 * variable or member; -EINVAL: it is of another size or kind, cannot hold the value, or has no
 * place in the object (.bss: set it after the start).
 */

/* A number (of any size, also bool and enum) that is `const volatile`, or has an initial value. */
int ktstr_scx_set_int(struct ktstr_scx *scx, const char *variable, int64_t value,
		      struct ktstr_error *err);

/* Any such variable, of exactly @size bytes. */
int ktstr_scx_set_bytes(struct ktstr_scx *scx, const char *variable, const void *data, size_t size,
			struct ktstr_error *err);

/* An array of char; the text must fit with its NUL. */
int ktstr_scx_set_text(struct ktstr_scx *scx, const char *variable, const char *text,
		       struct ktstr_error *err);

/* A number in struct sched_ext_ops: "flags", "timeout_ms", "exit_dump_len", ... */
int ktstr_scx_set_ops(struct ktstr_scx *scx, const char *member, int64_t value,
		      struct ktstr_error *err);

/* ops.timeout_ms from a duration; @timeout is left as the BPF side has it when it is not set. */
int ktstr_scx_set_timeout(struct ktstr_scx *scx, const struct ktstr_value *timeout,
			  struct ktstr_error *err);

/* A row for that parameter. The kernel takes up to 30 s, and looks after twice as often as it says:
 * a task that waits is noticed after one to one and a half times the timeout. */
#define KTSTR_SCX_PARAM_TIMEOUT                                                                    \
	{                                                                                          \
		.key = "timeout",                                                                  \
		.help = "how long a task may wait before the kernel ends it all",                  \
		.type = KTSTR_PARAM_DURATION, .min = 1000000, .max = INT64_C(30000000000)          \
	}

/*
 * For tick() and before_stop(): where a global variable of the BPF half lies, shared with it, until
 * ktstr_scx_stop(). @size must be its size. -ENOENT or -EINVAL as above; `const` ones cannot be
 * written.
 */
int ktstr_scx_variable(struct ktstr_scx *scx, const char *variable, size_t size, void **ret_data,
		       struct ktstr_error *err);

/*
 * The BPF object as a part of this file: NAME and NAME_end become its first byte and the one behind
 * its last. ktstr_add_bpf_scheduler() defines which file it is.
 */
#define KTSTR_SCX_OBJECT(NAME)                                                                     \
	__asm__(".pushsection .rodata\n"                                                           \
		".balign 16\n" #NAME ":\n"                                                         \
		".incbin \"" KTSTR_SCX_OBJECT_FILE "\"\n" #NAME "_end:\n"                          \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char NAME[] __attribute__((visibility("hidden")));                            \
	extern const char NAME##_end[] __attribute__((visibility("hidden")))

/* The plugin's descriptor and ops, all of them by the library. SPEC: a struct ktstr_scx_spec. */
#define KTSTR_SCX_PLUGIN_DEFINE(SPEC, ...)                                                         \
	static int ktstr_scx_plugin_needs(const struct ktstr_value *values,                        \
					  struct ktstr_needs *needs, struct ktstr_error *err)      \
	{                                                                                          \
		(void)values;                                                                      \
		return ktstr_scx_needs(needs, err);                                                \
	}                                                                                          \
	static int ktstr_scx_plugin_start(struct ktstr_guest *g, const struct ktstr_value *values, \
					  void **ret_state, struct ktstr_error *err)               \
	{                                                                                          \
		struct ktstr_scx *scx = NULL;                                                      \
		int code = ktstr_scx_start(g, &(SPEC), values, &scx, err);                         \
                                                                                                   \
		if (code == 0)                                                                     \
			*ret_state = scx;                                                          \
		return code;                                                                       \
	}                                                                                          \
	static int ktstr_scx_plugin_alive(struct ktstr_guest *g, void *state,                      \
					  struct ktstr_error *err)                                 \
	{                                                                                          \
		return ktstr_scx_alive(g, state, err);                                             \
	}                                                                                          \
	static int ktstr_scx_plugin_stop(struct ktstr_guest *g, void *state,                       \
					 struct ktstr_error *err)                                  \
	{                                                                                          \
		return ktstr_scx_stop(g, state, err);                                              \
	}                                                                                          \
	static const struct ktstr_scheduler_ops ktstr_scx_plugin_ops = {                           \
		.size = sizeof(ktstr_scx_plugin_ops),                                              \
		.needs = ktstr_scx_plugin_needs,                                                   \
		.start = ktstr_scx_plugin_start,                                                   \
		.alive = ktstr_scx_plugin_alive,                                                   \
		.stop = ktstr_scx_plugin_stop,                                                     \
	};                                                                                         \
	KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCHEDULER, .scheduler = &ktstr_scx_plugin_ops, __VA_ARGS__)

#endif
