/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/services_scheduler.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "guest/services.h"
#include "ktstr/sched_ext.h"

/* One change of the scheduler. */
struct swap {
	uint32_t kind; /* KTSTR_SCHED_SWAP_ */
	uint32_t op;
	const char *name; /* of the scheduler to bring up; NULL: none */
};

static struct services *services_of(struct ktstr_guest *g)
{
	return (struct services *)g;
}

int services_scheduler_log(struct ktstr_guest *g)
{
	int fd = services_of(g)->link->log_fd;

	return fd < 0 ? -ENOSYS : fd;
}

/* What must be so before anything is changed. */
static int check(struct services *services, const struct swap *swap,
		 const struct scheduler **ret_target, struct ktstr_error *err)
{
	struct life *life = &services->life;
	int rc;

	if (services->link->status->is_stopping)
		return ktstr_fail(err, -ECANCELED, "the run is to end early");
	rc = life_check(life, err);
	if (rc < 0)
		return rc;
	if (swap->kind == KTSTR_SCHED_SWAP_ATTACH && life->up)
		return ktstr_fail(err, -EBUSY,
				  "cannot attach scheduler '%s': '%s' is up; detach it first",
				  swap->name, life->up->plugin);
	if (swap->kind != KTSTR_SCHED_SWAP_ATTACH && !life->up)
		return ktstr_fail(err, -ENOENT, "no scheduler is up");
	*ret_target = swap->name ? life_find(life, swap->name) : NULL;
	if (swap->name && !*ret_target)
		return ktstr_fail(err, -ENOENT, "there is no scheduler '%s' in 'schedulers'",
				  swap->name);
	return 0;
}

static void tell_swap(struct services *services, const struct swap *swap, bool is_forced, int rc)
{
	const struct life *life = &services->life;
	struct ktstr_sched_swap frame = {
		.size = sizeof(frame),
		.kind = swap->kind,
		.code = rc,
		.flags = is_forced ? KTSTR_SCHED_SWAP_FORCED : 0,
	};

	(void)str_copy(frame.name, sizeof(frame.name), swap->name ? swap->name : "");
	(void)str_copy(frame.plugin, sizeof(frame.plugin), life->up ? life->up->plugin : "");
	/* Cannot fail: it is small. */
	(void)channel_send(&services->link->sender, KTSTR_MSG_SCHED_SWAP, &frame, sizeof(frame));
}

static int change(struct services *services, const struct swap *swap, struct ktstr_error *err)
{
	const struct scheduler *target = NULL;
	struct life *life = &services->life;
	bool is_forced = false;
	uint32_t before;
	int rc = check(services, swap, &target, err);

	if (rc == 0) {
		before = services_pause(services);
		if (life->up)
			rc = life_stop(life, &is_forced, err);
		if (rc == 0 && target)
			rc = life_start(life, target, err);
		services_resume(services, before);
	}
	/* It is the scheduler's fault: whatever the scenario makes of that, the run has failed. */
	if (rc == -ESRCH && !life->death.code)
		life->death = *err;
	tell_swap(services, swap, is_forced, rc);
	services_note_op(services, swap->op);
	return rc;
}

int services_scheduler_attach(struct ktstr_guest *g, const char *name, struct ktstr_error *err)
{
	const struct swap swap = { KTSTR_SCHED_SWAP_ATTACH, KTSTR_OP_SCHEDULER_ATTACH, name };

	return change(services_of(g), &swap, err);
}

int services_scheduler_detach(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct swap swap = { KTSTR_SCHED_SWAP_DETACH, KTSTR_OP_SCHEDULER_DETACH, NULL };

	return change(services_of(g), &swap, err);
}

int services_scheduler_restart(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct swap swap = { KTSTR_SCHED_SWAP_RESTART, KTSTR_OP_SCHEDULER_RESTART, "" };

	return change(services_of(g), &swap, err);
}

int services_scheduler_replace(struct ktstr_guest *g, const char *name, struct ktstr_error *err)
{
	const struct swap swap = { KTSTR_SCHED_SWAP_REPLACE, KTSTR_OP_SCHEDULER_REPLACE, name };

	return change(services_of(g), &swap, err);
}
