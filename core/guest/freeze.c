/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/freeze.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>

#include "guest/job_area.h"
#include "wire/freeze.h"
#include "wire/job_area.h"

/* Rounds in which another CPU ran. A kernel whose timers are that near each other has no better. */
#define DISTURBANCES_MAX 200
/* Slow instructions in a window: about 50 us of the host's time. */
#define WINDOW_TURNS 50

/* What FXSAVE writes. */
struct fx_area {
	uint8_t bytes[512] __attribute__((aligned(16)));
};

void freeze_init(struct freeze *freeze, uint16_t port, const struct job_replies *replies)
{
	*freeze = (struct freeze){ .port = port, .replies = replies, .round = freeze_round };
}

void freeze_keep(struct freeze *freeze)
{
	(void)madvise((void *)(uintptr_t)freeze->replies, JOB_REPLIES_BYTES, MADV_DONTFORK);
}

/*
 * In each window: write one byte, then spend the host's time and hardly any of the guest's: while
 * the thread that runs our CPUs is at it, and does not wait inside the device, QEMU answers its
 * monitor. Each window is the same instructions, so all take the same time unless another CPU had
 * its turn in between.
 */
static void pass_windows(uint64_t times[WIRE_FREEZE_WINDOWS])
{
	struct fx_area area;

	__asm__ volatile("movabsq %[mark], %%r8\n\t"
			 "leaq 1f(%%rip), %%r9\n\t"
			 "xorl %%r10d, %%r10d\n\t"
			 "movb %[start], %%al\n\t"
			 "outb %%al, %[port]\n"
			 "1:\n\t"
			 "rdtsc\n\t"
			 "movl %%eax, (%%rsi, %%r10, 8)\n\t"
			 "movl %%edx, 4(%%rsi, %%r10, 8)\n\t"
			 "movb %[byte], %%al\n\t"
			 "outb %%al, %[port]\n\t"
			 "movl %[turns], %%ecx\n"
			 "2:\n\t"
			 "fxsave (%%rdi)\n\t"
			 "decl %%ecx\n\t"
			 "jnz 2b\n\t"
			 "incl %%r10d\n\t"
			 "cmpl %[windows], %%r10d\n\t"
			 "jb 1b"
			 :
			 : "D"(&area),
			   "S"(times), [mark] "i"(WIRE_FREEZE_MARK), [start] "i"(WIRE_FREEZE_START),
			   [byte] "i"(WIRE_FREEZE_WINDOW), [port] "i"(WIRE_FREEZE_PORT),
			   [turns] "i"(WINDOW_TURNS), [windows] "i"(WIRE_FREEZE_WINDOWS)
			 : "rax", "rcx", "rdx", "r8", "r9", "r10", "cc", "memory");
}

/* Nobody else ran from the first window to the last. */
static bool are_even(const uint64_t times[WIRE_FREEZE_WINDOWS])
{
	for (unsigned int i = 2; i < WIRE_FREEZE_WINDOWS; i++)
		if (times[i] - times[i - 1] != times[1] - times[0])
			return false;
	return true;
}

static void commit(void)
{
	outb(WIRE_FREEZE_COMMIT, WIRE_FREEZE_PORT);
	for (unsigned int i = 0; i < WIRE_FREEZE_TAIL_COUNT; i++)
		outb(WIRE_FREEZE_TAIL, WIRE_FREEZE_PORT);
}

int freeze_round(struct freeze *freeze, struct ktstr_error *err)
{
	uint64_t times[WIRE_FREEZE_WINDOWS];

	(void)freeze;
	if (ioperm(WIRE_FREEZE_PORT, 1, 1) < 0)
		return ktstr_fail(err, -errno,
				  "cannot ask the host: the kernel has no I/O ports for programs "
				  "(CONFIG_X86_IOPL_IOPERM): %s",
				  strerror(errno));
	for (unsigned int i = 0; i <= DISTURBANCES_MAX; i++) {
		pass_windows(times);
		if (are_even(times))
			break;
	}
	commit();
	(void)ioperm(WIRE_FREEZE_PORT, 1, 0);
	return 0;
}

int freeze_take(struct freeze *freeze, const void **ret, size_t *ret_length,
		struct ktstr_error *err)
{
	const volatile struct job_replies *replies = freeze->replies;
	uint32_t number = replies->number, length = replies->length;

	*ret_length = 0;
	if (number == freeze->seen)
		return 0;
	if (length > JOB_REPLIES_MAX)
		return ktstr_fail(err, -EBADMSG, "the host's answer is longer than any can be");
	freeze->seen = number;
	*ret = (const uint8_t *)(uintptr_t)(replies + 1);
	*ret_length = length;
	return 0;
}
