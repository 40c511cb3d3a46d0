/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop QEMU itself, as a process, which a guest in virtual time cannot see. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vm/internal.h"

static int send_signal(const struct vm *vm, int number)
{
	return syscall(SYS_pidfd_send_signal, vm->pid_fd, number, NULL, 0U) < 0 ? -errno : 0;
}

/* Until it stands still; what it has to say of its end is left to vm_wait(). */
static int wait_for_stop(const struct vm *vm)
{
	siginfo_t info = { 0 };
	int rc;

	do
		rc = waitid(P_PID, (id_t)vm->pid, &info, WSTOPPED | WEXITED | WNOWAIT);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return -errno;
	return info.si_code == CLD_STOPPED ? 0 : -ESRCH;
}

int vm_suspend(struct vm *vm, struct ktstr_error *err)
{
	int rc = vm->is_collected ? -ESRCH : send_signal(vm, SIGSTOP);

	if (rc == 0)
		rc = wait_for_stop(vm);
	vm->is_suspended = rc == 0;
	return rc < 0 ? ktstr_fail(err, rc, "cannot suspend QEMU: %s", strerror(-rc)) : 0;
}

void vm_resume(struct vm *vm)
{
	if (vm->is_suspended)
		(void)send_signal(vm, SIGCONT); /* it may have been killed meanwhile */
	vm->is_suspended = false;
}

void vm_resume_with(struct vm *vm, const char *command)
{
	struct ktstr_error ignored; /* who waits for the answer to the next one meets it again */

	/* A guest that waits goes from timer to timer in no time, once in each round of the loop in
	 * which QEMU takes commands, too: after it has taken them. */
	if (vm->is_suspended)
		(void)qmp_send(vm->qmp, command, NULL, &ignored);
	vm_resume(vm);
}
