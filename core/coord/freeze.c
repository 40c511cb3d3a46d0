/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "coord/internal.h"
#include "coord/requests.h"
#include "coord/watchdog.h"

/* So often in a row a guest may not come to a standstill. From then on it is stopped from outside,
 * which answers it as well but is no part of what can be repeated. */
#define FAILED_HOLDS_MAX 3u

bool coord_has_freezes(const struct coord *c)
{
	const struct coord_vm_ops *ops = c->spec->vm_ops;

	return c->spec->freeze_fd >= 0 && ops && ops->hold && ops->answer && ops->release;
}

/* A watch is set by QEMU itself, which does nothing while the guest holds it up. */
static bool wants_watch(const struct coord *c)
{
	for (size_t i = 0; i < c->sinks->snapshot_count; i++)
		if (c->sinks->snapshots_pending[i].kind == KTSTR_SNAPSHOT_WATCH)
			return true;
	return false;
}

static void hold(struct coord *c, uint64_t now_ns)
{
	c->requests.failed_holds = 0;
	c->requests.is_held = c->requests.is_frozen = true;
	c->requests.frozen_at_ns = now_ns;
}

static void let_go(struct coord *c)
{
	if (!c->requests.is_held)
		return;
	c->requests.is_held = c->requests.is_frozen = false;
	watchdog_extend(c->sinks, coord_now(c) - c->requests.frozen_at_ns);
}

/* Put all replies where the guest looks for them. */
static void publish(struct coord *c)
{
	struct requests *requests = &c->requests;
	struct ktstr_error err = { 0 };
	size_t length = requests->output_end - requests->output_start;

	if (length == 0)
		return;
	if (c->spec->vm_ops->answer(c->spec->vm, requests->output + requests->output_start, length,
				    &err) < 0)
		record_warning(c, err.text);
	requests->output_start = requests->output_end = 0;
}

/* What follows is no part of what can be repeated. */
static void warn(struct coord *c, const char *what)
{
	char text[160];

	if (c->requests.has_warned_of_stop)
		return;
	c->requests.has_warned_of_stop = true;
	(void)snprintf(text, sizeof(text),
		       "%s stopped from outside, so this run may not be the same again", what);
	record_warning(c, text);
}

/* True: the requests can be served now. */
static bool stand_still(struct coord *c)
{
	struct ktstr_error err = { 0 };
	uint64_t now_ns = coord_now(c);

	if (wants_watch(c)) {
		warn(c, "at each hit of a watch the guest is");
		return true;
	}
	if (c->requests.failed_holds == FAILED_HOLDS_MAX)
		return true;
	if (c->spec->vm_ops->hold(c->spec->vm, &err) == 0) {
		hold(c, now_ns);
		return true;
	}
	if (++c->requests.failed_holds < FAILED_HOLDS_MAX)
		return false;
	warn(c, "the guest did not stand still to be answered, and is");
	return true;
}

void freeze_serve(struct coord *c)
{
	stream_catch_up(c);
	if (requests_wait(c) && requests_guest_is_there(c) && stand_still(c)) {
		stream_catch_up(c);
		requests_serve(c);
		publish(c);
		let_go(c);
	}
	c->spec->vm_ops->release(c->spec->vm);
}
