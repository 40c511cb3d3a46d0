/* SPDX-License-Identifier: GPL-2.0-only */
/* After the session: no scheduler of its may be left in charge of the machine. */
#ifndef GUEST_FALL_BACK_H
#define GUEST_FALL_BACK_H

#include "guest/port.h"

/*
 * A session that is gone let go of its scheduler, as that hangs on a file descriptor of it; if not,
 * have the kernel throw it out. With @is_told the state is sent then, as SCX_STATE: the session did
 * not come to it. 0, or what the port said. Takes a second or two at most.
 */
int fall_back(const char *sched_ext, const char *sysrq, struct port *port, bool is_told);

#endif
