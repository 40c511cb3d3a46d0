/* SPDX-License-Identifier: GPL-2.0-only */
/* The services about schedulers, as ktstr/guest.h has them. */
#ifndef GUEST_SERVICES_SCHEDULER_H
#define GUEST_SERVICES_SCHEDULER_H

#include "ktstr/error.h"
#include "ktstr/guest.h"

int services_scheduler_log(struct ktstr_guest *g);
int services_scheduler_attach(struct ktstr_guest *g, const char *name, struct ktstr_error *err);
int services_scheduler_detach(struct ktstr_guest *g, struct ktstr_error *err);
int services_scheduler_restart(struct ktstr_guest *g, struct ktstr_error *err);
int services_scheduler_replace(struct ktstr_guest *g, const char *name, struct ktstr_error *err);

#endif
