/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent, from the machine's first process to its power switch. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

/* Never returns: powers off, or resets when there is no way to tell the host why. */
__attribute__((noreturn)) void agent_main(void);

#endif
