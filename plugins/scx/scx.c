/* SPDX-License-Identifier: GPL-2.0-only */
#include "ktstr/scx.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ktstr/sched_ext.h"
#include "scx/loader.h"
#include "scx/record.h"

#define STATE_PATH "/sys/kernel/sched_ext/state"
#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define RECORD_VARIABLE "ktstr_scx_record"

/* More sections than objects have variables in. */
#define MAPS_MAX 16u
/* libbpf reads the types of the whole kernel, and the verifier keeps states. */
#define MEMORY_BYTES (64u * 1024u * 1024u)
/* How long the kernel may be on its way out without a record of why. */
#define LEAVING_NS UINT64_C(2000000000)

struct mapped {
	char section[32];
	void *data;
	size_t size;
};

struct ktstr_scx {
	const struct ktstr_scx_spec *spec;
	struct object *object;
	struct loader loader;
	struct scx_log log;
	bool is_loaded;
	struct mapped maps[MAPS_MAX];
	size_t map_count;
	const struct ktstr_scx_record *record; /* NULL: the BPF half keeps none */
	int state_fd;
	uint64_t leaving_ns; /* since when the state is not "enabled"; 0: it is */
	bool is_told;	     /* the SCX_EXIT frame was sent */
	struct ktstr_error death;
};

int ktstr_scx_needs(struct ktstr_needs *needs, struct ktstr_error *err)
{
	int code = ktstr_need_kernel_config(needs, "CONFIG_SCHED_CLASS_EXT", err);

	if (code == 0)
		code = ktstr_need_kernel_config(needs, "CONFIG_DEBUG_INFO_BTF", err);
	needs->memory_bytes += MEMORY_BYTES;
	return code;
}

int ktstr_scx_set_int(struct ktstr_scx *scx, const char *variable, int64_t value,
		      struct ktstr_error *err)
{
	return object_set_int(scx->object, variable, value, err);
}

int ktstr_scx_set_bytes(struct ktstr_scx *scx, const char *variable, const void *data, size_t size,
			struct ktstr_error *err)
{
	return object_set_bytes(scx->object, variable, data, size, err);
}

int ktstr_scx_set_text(struct ktstr_scx *scx, const char *variable, const char *text,
		       struct ktstr_error *err)
{
	return object_set_text(scx->object, variable, text, err);
}

int ktstr_scx_set_ops(struct ktstr_scx *scx, const char *member, int64_t value,
		      struct ktstr_error *err)
{
	return object_set_ops(scx->object, member, value, err);
}

int ktstr_scx_set_timeout(struct ktstr_scx *scx, const struct ktstr_value *timeout,
			  struct ktstr_error *err)
{
	if (!timeout->is_set)
		return 0;
	return object_set_ops(scx->object, "timeout_ms", timeout->i / 1000000, err);
}

/* The variables of one section, mapped once. */
static int map_section(struct ktstr_scx *scx, const char *section, const struct mapped **ret_map,
		       struct ktstr_error *err)
{
	struct mapped *map = &scx->maps[scx->map_count];
	int code;

	for (size_t i = 0; i < scx->map_count; i++) {
		if (strcmp(scx->maps[i].section, section) == 0) {
			*ret_map = &scx->maps[i];
			return 0;
		}
	}
	if (scx->map_count == MAPS_MAX)
		return ktstr_fail(err, -E2BIG, "variables of more than %u sections are asked for",
				  MAPS_MAX);
	code = loader_map(&scx->loader, section, &map->data, &map->size, err);
	if (code < 0)
		return code;
	(void)snprintf(map->section, sizeof(map->section), "%s", section);
	scx->map_count++;
	*ret_map = map;
	return 0;
}

int ktstr_scx_variable(struct ktstr_scx *scx, const char *variable, size_t size, void **ret_data,
		       struct ktstr_error *err)
{
	struct object_variable found;
	const struct mapped *map = NULL;
	int code;

	if (!scx->is_loaded)
		return ktstr_fail(err, -EINVAL, "'%s' cannot be had before the start", variable);
	code = object_find_variable(scx->object, variable, &found, err);
	if (code < 0)
		return code;
	if (found.size != size)
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object has %zu bytes, not %zu",
				  variable, found.size, size);
	code = map_section(scx, found.section, &map, err);
	if (code < 0)
		return code;
	if (found.offset > map->size || found.size > map->size - found.offset)
		return ktstr_fail(err, -EINVAL, "'%s' lies outside of its section", variable);
	*ret_data = (char *)map->data + found.offset;
	return 0;
}

static void send_time(struct ktstr_guest *g, uint32_t phase, uint64_t since_ns)
{
	struct ktstr_sched_time time = { .size = sizeof(time),
					 .phase = phase,
					 .duration_ns = ktstr_now_ns(g) - since_ns };
	struct ktstr_error err = { 0 };

	/* A figure that is missing is no reason to fail. */
	(void)ktstr_emit(g, KTSTR_MSG_SCHED_TIME, &time, sizeof(time), &err);
}

/* Why it left, once. */
static void send_exit(struct ktstr_guest *g, struct ktstr_scx *scx)
{
	struct ktstr_error err = { 0 };
	uint32_t length = 0;
	void *frame;

	if (scx->is_told || !scx->record || record_kind(scx->record) == KTSTR_SCX_EXIT_NONE)
		return;
	scx->is_told = true;
	frame = record_frame(scx->record, &length);
	if (!frame || ktstr_emit(g, KTSTR_MSG_SCX_EXIT, frame, length, &err) < 0)
		ktstr_log(g, KTSTR_LOG_WARN, "the exit of '%s' cannot be told: %s", scx->spec->name,
			  frame ? err.text : "out of memory");
	free(frame);
}

static bool is_enabled(const struct ktstr_scx *scx)
{
	static const char enabled[] = "enabled\n";
	char state[32];
	ssize_t n = pread(scx->state_fd, state, sizeof(state), 0);

	return n == (ssize_t)strlen(enabled) && memcmp(state, enabled, strlen(enabled)) == 0;
}

/* -ESRCH once it is known to be out, with the reason if there is one. */
static int check(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	uint64_t now_ns;

	if (scx->record && record_kind(scx->record) != KTSTR_SCX_EXIT_NONE)
		return record_fail(scx->record, err);
	if (is_enabled(scx)) {
		scx->leaving_ns = 0;
		return 0;
	}
	/* The kernel runs ops.exit() on its way from "enabled" to "disabled". */
	now_ns = ktstr_now_ns(g);
	if (scx->leaving_ns == 0)
		scx->leaving_ns = now_ns;
	if (scx->record && now_ns - scx->leaving_ns < LEAVING_NS)
		return -EAGAIN;
	return ktstr_fail(err, -ESRCH,
			  "ejected by the kernel: '%s' no longer says 'enabled', and there is no "
			  "word on why",
			  STATE_PATH);
}

/* The kernel reports success for a scheduler whose init() has failed, and throws it out. */
static int wait_enabled(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int code;

	while ((code = check(g, scx, err)) == -EAGAIN)
		(void)nanosleep(&pause, NULL); /* woken early, it looks again */
	return code;
}

static int open_state(struct ktstr_scx *scx, struct ktstr_error *err)
{
	scx->state_fd = open(STATE_PATH, O_RDONLY | O_CLOEXEC);
	if (scx->state_fd < 0)
		return ktstr_fail(err, errno == ENOENT ? -ENODEV : -errno,
				  "the kernel has no sched_ext: cannot open '%s': %s", STATE_PATH,
				  strerror(errno));
	if (access(BTF_PATH, R_OK) < 0)
		return ktstr_fail(err, -ENOENT,
				  "the kernel does not tell its types (BTF): '%s': %s", BTF_PATH,
				  strerror(errno));
	return 0;
}

static int open_object(struct ktstr_scx *scx, const struct ktstr_value *values,
		       struct ktstr_error *err)
{
	const struct ktstr_scx_spec *spec = scx->spec;
	size_t size = (size_t)((const char *)spec->object_end - (const char *)spec->object);
	int code = object_new(spec->object, size, spec->ops, &scx->object, err);

	if (code == 0 && KTSTR_HAS(spec, configure))
		code = spec->configure(scx, values, err);
	if (code == 0)
		code = loader_open(&scx->loader, scx->object, spec->name, spec->ops, err);
	return code;
}

/* A scheduler that brings its own exit() may have no record. */
static void find_record(struct ktstr_scx *scx)
{
	struct ktstr_error err = { 0 };
	void *record = NULL;

	if (ktstr_scx_variable(scx, RECORD_VARIABLE, sizeof(struct ktstr_scx_record), &record,
			       &err) == 0)
		scx->record = record;
}

static int bring_up(struct ktstr_guest *g, struct ktstr_scx *scx, const struct ktstr_value *values,
		    struct ktstr_error *err)
{
	uint64_t since_ns = ktstr_now_ns(g);
	int code = open_state(scx, err);

	if (code == 0)
		code = open_object(scx, values, err);
	if (code < 0)
		return code;
	send_time(g, KTSTR_SCHED_TIME_OPEN, since_ns);
	since_ns = ktstr_now_ns(g);
	code = loader_load(&scx->loader, &scx->log, err);
	if (code < 0)
		return code;
	send_time(g, KTSTR_SCHED_TIME_LOAD, since_ns);
	scx->is_loaded = true;
	find_record(scx);
	since_ns = ktstr_now_ns(g);
	code = loader_attach(&scx->loader, &scx->log, err);
	if (code == 0)
		code = wait_enabled(g, scx, err);
	if (code == 0)
		send_time(g, KTSTR_SCHED_TIME_ATTACH, since_ns);
	return code;
}

static void scx_free(struct ktstr_scx *scx)
{
	for (size_t i = 0; i < scx->map_count; i++)
		(void)munmap(scx->maps[i].data, scx->maps[i].size); /* as it was mapped */
	loader_done(&scx->loader);
	object_free(scx->object);
	if (scx->state_fd >= 0)
		(void)close(scx->state_fd); /* it was only read */
	free(scx);
}

int ktstr_scx_start(struct ktstr_guest *g, const struct ktstr_scx_spec *spec,
		    const struct ktstr_value *values, struct ktstr_scx **ret_scx,
		    struct ktstr_error *err)
{
	struct ktstr_scx *scx = calloc(1, sizeof(*scx));
	int code;

	if (!scx)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	scx->spec = spec;
	scx->state_fd = -1;
	scx->loader.link_fd = -1;
	log_enter(&scx->log, g);
	code = bring_up(g, scx, values, err);
	log_leave(&scx->log);
	if (code < 0) {
		send_exit(g, scx);
		scx_free(scx);
		return code;
	}
	*ret_scx = scx;
	return 0;
}

int ktstr_scx_alive(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	int code;

	if (scx->death.code) {
		*err = scx->death;
		return err->code;
	}
	code = check(g, scx, err);
	if (code == -EAGAIN)
		return 0;
	if (code == 0)
		return KTSTR_HAS(scx->spec, tick) ? scx->spec->tick(g, scx, err) : 0;
	scx->death = *err;
	send_exit(g, scx);
	return code;
}

int ktstr_scx_stop(struct ktstr_guest *g, struct ktstr_scx *scx, struct ktstr_error *err)
{
	bool was_dead = scx->death.code != 0;
	uint64_t since_ns;
	int code = 0;

	if (KTSTR_HAS(scx->spec, before_stop))
		scx->spec->before_stop(g, scx);
	since_ns = ktstr_now_ns(g);
	loader_detach(&scx->loader);
	send_time(g, KTSTR_SCHED_TIME_DETACH, since_ns);
	send_exit(g, scx);
	if (!was_dead && scx->record && record_kind(scx->record) > KTSTR_SCX_EXIT_UNREG)
		code = record_fail(scx->record, err);
	scx_free(scx);
	return code;
}
