/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static const int dropped[] = {
	CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE, /* other processes */
	CAP_SYS_ADMIN,	CAP_BPF,		/* the kernel, by programs */
	CAP_PERFMON,	CAP_SYS_MODULE,		/* by its memory, by modules */
	CAP_SYS_RAWIO,	CAP_SYS_BOOT,		/* by the hardware */
};

void privilege_hide(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0UL); /* cannot fail */
}

int privilege_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		struct __user_cap_data_struct *half = &data[CAP_TO_INDEX(dropped[i])];
		uint32_t mask = ~(uint32_t)CAP_TO_MASK(dropped[i]);

		/* Or a program that it starts would have it again, root that it is. An older kernel
		 * does not know all of them, and somebody without root has none to lose. */
		(void)prctl(PR_CAPBSET_DROP, (unsigned long)dropped[i]);
		half->effective &= mask;
		half->permitted &= mask;
		half->inheritable &= mask;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	(void)prctl(PR_SET_DUMPABLE, 1UL); /* among themselves workers may do as they like */
	return 0;
}
