/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/until.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "param/bind.h"
#include "param/scalar.h"
#include "report/stream.h"
#include "run/at_stop.h"
#include "runfile/reader.h"
#include "vm/job.h"
#include "vm/kernel_symbols.h"
#include "wire/kernel_op.h"
#include "wire/payload.h"

#define CONFIG_MAX (4u << 20)
#define TICK_NAME "tick_next_period"
#define TICKS_OPTION "\nCONFIG_HZ="

static int parse_number(const char *text, int64_t min, uint64_t *ret)
{
	int64_t number;

	if (parse_int(text, &number) < 0 || number < min)
		return -EINVAL;
	*ret = (uint64_t)number;
	return 0;
}

int until_parse(const char *text, struct until *until, struct ktstr_error *err)
{
	int64_t ns;

	if (str_starts(text, "frame:") &&
	    parse_number(text + strlen("frame:"), 0, &until->value) == 0) {
		until->kind = UNTIL_FRAME;
	} else if (str_starts(text, "step:") &&
		   parse_number(text + strlen("step:"), 1, &until->value) == 0) {
		until->kind = UNTIL_STEP;
	} else if (parse_duration(text, &ns) == 0 && ns > 0) {
		until->kind = UNTIL_TIME;
		until->value = (uint64_t)ns;
	} else {
		return ktstr_fail(err, -EINVAL,
				  "--until: '%s' is no time such as 1.5s, no step:2, and no "
				  "frame:57",
				  text);
	}
	return 0;
}

static bool is_step(const struct runfile_record *record, const void *payload, uint64_t step)
{
	struct ktstr_step_info info;
	char name[64];

	return record->kind == RUNFILE_FRAME && record->tag == KTSTR_MSG_STEP &&
	       wire_decode_step(payload, record->length, &info, name, sizeof(name)) == 0 &&
	       info.index == step;
}

int until_find_step(int runfile_fd, const char *name, uint64_t step, uint64_t *ret_frame,
		    struct ktstr_error *err)
{
	struct runfile_reader *reader = NULL;
	struct runfile_record record;
	const void *payload;
	uint64_t frame = 0;
	bool is_found = false;
	int rc = runfile_open_fd(runfile_fd, name, &reader, err);

	while (rc == 0 && !is_found && runfile_next(reader, &record, &payload) == 1) {
		is_found = is_step(&record, payload, step);
		if (is_found)
			*ret_frame = frame;
		frame += stream_is_frame(&record);
	}
	runfile_reader_free(reader);
	if (rc == 0 && !is_found)
		return ktstr_fail(err, -ENOENT, "'%s' has no step %" PRIu64, name, step);
	return rc;
}

uint64_t until_pace_wait(struct until_pace *pace, uint64_t guest_ns, uint64_t left_ns,
			 uint64_t host_ns)
{
	uint64_t passed_ns = host_ns - pace->host_ns, wait_ns;
	uint64_t speed = pace->host_ns > 0 && passed_ns > 0 && guest_ns > pace->guest_ns
				 ? (guest_ns - pace->guest_ns) / passed_ns
				 : 0;

	/* The fastest that was seen lately: an idle guest goes from timer to timer at once. */
	pace->speed = pace->host_ns > 0 ? pace->speed - pace->speed / 16 : UNTIL_SPEED;
	if (pace->speed < UNTIL_SPEED_MIN)
		pace->speed = UNTIL_SPEED_MIN;
	if (pace->speed < speed)
		pace->speed = speed;
	pace->host_ns = host_ns;
	pace->guest_ns = guest_ns;
	wait_ns = left_ns / (4 * pace->speed);
	if (wait_ns > UNTIL_WAIT_NS)
		return UNTIL_WAIT_NS;
	return wait_ns > UNTIL_WAIT_MIN_NS ? wait_ns : UNTIL_WAIT_MIN_NS;
}

/* When the kernel is to count its next tick, by the clock by which frames tell their time. */
static bool read_tick(struct until_stop *stop, const struct dispatch_sinks *sinks)
{
	const struct ktstr_kern_addrs addrs = { .phys_base_plus_1 = sinks->kern_phys_base_plus_1,
						.page_offset_base = sinks->page_offset_base };
	struct ktstr_error ignored; /* it is asked again */
	uint64_t next_ns = 0, at_ns;

	if (vm_read_kernel(stop->vm, &addrs, WIRE_TARGET_SYMBOL, stop->tick_address, &next_ns,
			   sizeof(next_ns), &ignored) < 0)
		return false;
	at_ns = next_ns > stop->tick_ns ? next_ns - stop->tick_ns : 0;
	if (at_ns < sinks->clock.now_ns)
		at_ns = sinks->clock.now_ns; /* by the last frame */
	if (stop->guest_ns < at_ns)
		stop->guest_ns = at_ns;
	return true;
}

static uint64_t elapsed_ns(const struct until_stop *stop, const struct dispatch_sinks *sinks)
{
	return stop->guest_ns > sinks->clock.start_ns ? stop->guest_ns - sinks->clock.start_ns : 0;
}

static bool is_time(struct until_stop *stop, const struct dispatch_sinks *sinks)
{
	uint64_t elapsed;

	if (!read_tick(stop, sinks) || sinks->clock.start_ns == 0)
		return false;
	elapsed = elapsed_ns(stop, sinks);
	if (elapsed >= stop->until->value)
		return true;
	stop->stop.wait_ns = until_pace_wait(&stop->pace, stop->guest_ns,
					     stop->until->value - elapsed, clock_monotonic_ns());
	return false;
}

/* The agent goes nowhere once it has sent that frame. */
static bool is_there(void *arg, const struct dispatch_sinks *sinks, uint64_t frames)
{
	struct until_stop *stop = arg;

	return stop->until->kind == UNTIL_TIME ? is_time(stop, sinks) : frames > stop->until->value;
}

static void look(void *arg, const struct dispatch_sinks *sinks, uint64_t frames)
{
	struct until_stop *stop = arg;

	stop->is_reached = true;
	stop->reached.last_frame = frames > 0 ? frames - 1 : 0;
	/* Once more: it ran on until it was stopped. */
	stop->reached.has_time = stop->until->kind == UNTIL_TIME && read_tick(stop, sinks);
	stop->reached.elapsed_ns = elapsed_ns(stop, sinks);
	stop->reached.precision_ns = 2 * stop->tick_ns;
	at_stop_show(stop);
}

/* Where the kernel keeps the time of its next tick, and how many there are in a second. */
static int find_tick(struct until_stop *stop, struct ktstr_error *err)
{
	_cleanup_free_ char *config = NULL;
	struct kernel_symbols *symbols = NULL;
	const struct kernel_symbol *all;
	const char *line;
	unsigned long a_second;
	size_t count;
	int rc;

	if (!stop->kernel->config)
		return ktstr_fail(err, -ENODATA,
				  "--until: the config of the kernel is not known, so its ticks "
				  "cannot be read as a time; take step:N or frame:N");
	rc = io_read_file(stop->kernel->config, CONFIG_MAX, &config, NULL, err);
	if (rc < 0)
		return rc;
	line = strstr(config, TICKS_OPTION);
	a_second = line ? strtoul(line + strlen(TICKS_OPTION), NULL, 10) : 0;
	stop->tick_ns = a_second > 0 ? NS_PER_S / a_second : 0;
	rc = kernel_symbols_read(stop->kernel->boot, &symbols, err);
	if (rc < 0)
		return rc;
	all = kernel_symbols_all(symbols, &count);
	for (size_t i = 0; i < count && stop->tick_address == 0; i++)
		if (strcmp(all[i].name, TICK_NAME) == 0)
			stop->tick_address = all[i].address;
	kernel_symbols_free(symbols);
	if (stop->tick_address == 0 || stop->tick_ns == 0)
		return ktstr_fail(err, -ENODATA,
				  "--until: it is not known where this kernel counts its ticks; "
				  "take step:N or frame:N");
	return 0;
}

int until_prepare(struct until_stop *stop, struct ktstr_error *err)
{
	stop->stop = (struct coord_stop){
		.is_there = is_there,
		.look = look,
		.arg = stop,
		.wait_ns = UNTIL_WAIT_NS,
		.is_suspending = stop->until->kind == UNTIL_TIME && stop->is_virtual,
	};
	if (stop->until->kind == UNTIL_TIME)
		return find_tick(stop, err);
	return job_stop_after(stop->job_fd, stop->until->value + 1, err);
}
