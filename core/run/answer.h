/* SPDX-License-Identifier: GPL-2.0-only */
/* A restored VM goes on: does the guest in it live? */
#ifndef RUN_ANSWER_H
#define RUN_ANSWER_H

#include <stdint.h>

#include "ktstr/error.h"
#include "vm/vm.h"

/*
 * Wait until the guest says something on its bulk port, or on that of crashes, and read nothing of
 * it. At most @timeout_ns, not counting time in which the host had no CPU for it (run/cpu_wait.h).
 * -ETIMEDOUT; -EBADMSG when it ended itself before, as by a panic; -EPIPE when QEMU did, or could
 * not go on, which says nothing of the guest; -EINTR when @signal_fd became readable (-1: none).
 */
int answer_wait(struct vm *vm, int signal_fd, uint64_t timeout_ns, struct ktstr_error *err);

#endif
