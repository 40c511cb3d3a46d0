/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/answer.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* Long enough for any machine; only a failing test waits for it. */
#define LONG_NS (20 * NS_PER_S)

static struct ktstr_error err;

/* A VM that is to run the fake QEMU, which does what @mode says. */
static struct vm *start(const char *mode)
{
	struct vm_spec spec = {
		.program = FAKE_QEMU,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 1,
			      .threads = 1 },
		.memory_bytes = 64 << 20,
		.kernel = "kernel",
		.initramfs_fds = { -1, -1 },
		.append = mode,
	};
	struct vm *vm = NULL;

	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	return vm;
}

Test(answer, a_guest_that_says_something_lives)
{
	struct vm *vm = start("channels");
	char text[32] = "";

	cr_expect_eq(answer_wait(vm, -1, LONG_NS, &err), 0, "%s", err.text);
	(void)poll(&(struct pollfd){ .fd = vm_bulk_fd(vm), .events = POLLIN }, 1,
		   (int)(LONG_NS / NS_PER_MS));
	cr_expect_eq(read(vm_bulk_fd(vm), text, sizeof(text) - 1), 13, "it was read");
	cr_expect_str_eq(text, "this is bulk\n");
	vm_free(vm);
}

Test(answer, a_guest_that_stays_silent_is_late)
{
	struct vm *vm = start("idle");

	cr_expect_eq(answer_wait(vm, -1, 100 * NS_PER_MS, &err), -ETIMEDOUT);
	cr_expect_str_eq(err.text, "the restored guest did not say anything for 0.1 s");
	vm_free(vm);
}

Test(answer, a_vm_that_resets_itself_is_broken)
{
	struct vm *vm = start("reason:guest-reset");

	cr_expect_eq(answer_wait(vm, -1, LONG_NS, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "the restored VM broke before its guest said anything");
	vm_free(vm);
}

Test(answer, a_qemu_that_cannot_go_on_says_nothing_of_the_guest)
{
	struct vm *vm = start("reason:host-error");

	cr_expect_eq(answer_wait(vm, -1, LONG_NS, &err), -EPIPE);
	cr_expect_str_eq(err.text, "the restored VM broke before its guest said anything");
	vm_free(vm);
}

Test(answer, a_qemu_that_ends_is_no_answer)
{
	struct vm *vm = start("silent");

	cr_expect_eq(answer_wait(vm, -1, LONG_NS, &err), -EPIPE);
	cr_expect_str_eq(err.text, "QEMU ended before the restored guest said anything");
	vm_free(vm);
}

Test(answer, a_signal_ends_the_wait)
{
	int signal_fd = eventfd(1, EFD_CLOEXEC);
	struct vm *vm = start("idle");

	cr_expect_eq(answer_wait(vm, signal_fd, LONG_NS, &err), -EINTR);
	cr_expect_str_eq(err.text, "interrupted");
	vm_free(vm);
	(void)close(signal_fd);
}
