/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest in virtual time that stands still by itself, with a stand-in for QEMU. */
#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "vm/job.h"
#include "vm/vm.h"
#include "wire/job_area.h"

#define CPU                                                                                        \
	"human:CPU#0 RAX=1 RBX=2 RCX=3 RDX=4 RSI=5 RDI=6 RBP=7 RSP=8 R9=7777 R10=9 RIP=99 "        \
	"RFL=246 CPL=3 HLT=0 FS=0 0 GS=0 0 CR0=1 CR2=2 CR3=3 CR4=4 EFER=d01 R8="
#define ASKER CPU "21657a6565726621 |"
/* More than the channel takes. */
#define WINDOWS "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
#define OTHER CPU "21657a6565726622 |"

static struct vm *vm;
static struct ktstr_error err;
static int job_fd;

static void start(const char *mode)
{
	struct vm_spec spec = {
		.program = FAKE_QEMU,
		.instruction_ns = 4,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 1,
			      .threads = 1 },
		.memory_bytes = 64 << 20,
		.kernel = "kernel",
		.initramfs_fds = { -1, -1 },
		.append = mode,
		.job_bytes = JOB_AREA_BYTES,
	};
	struct pollfd poll_fd;

	err = (struct ktstr_error){ 0 };
	cr_assert_eq(job_new(NULL, &job_fd, &err), 0, "%s", err.text);
	spec.job_fd = job_fd;
	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	poll_fd = (struct pollfd){ .fd = vm_freeze_fd(vm), .events = POLLIN };
	cr_assert_eq(poll(&poll_fd, 1, 20000), 1);
}

static void done(void)
{
	vm_free(vm);
	(void)close(job_fd);
}

TestSuite(vm_hold, .fini = done, .timeout = 60);

static struct runfile_cpu registers(void)
{
	struct runfile_cpu cpu = { 0 };
	uint32_t count = 0;

	cr_assert_eq(vm_registers(vm, &cpu, 1, &count, &err), 0, "%s", err.text);
	cr_assert_eq(count, 1);
	return cpu;
}

Test(vm_hold, the_asker_is_where_it_asked)
{
	struct runfile_cpu cpu;

	start(ASKER "S" WINDOWS "C");
	cr_assert_eq(vm_hold(vm, &err), 0, "%s", err.text);
	cpu = registers();
	cr_expect_eq(cpu.rip, 0x7777);
	cr_expect_eq(cpu.rax | cpu.rcx | cpu.rdx | cpu.r10, 0);
	cr_expect_eq(cpu.rbx, 2);
	cr_expect_eq(cpu.rflags, 0x202);
	/* It stands still already, and does so until it is released. */
	cr_expect_eq(vm_freeze(vm, &err), 0, "%s", err.text);
	cr_expect_eq(vm_thaw(vm, &err), 0, "%s", err.text);
	vm_release(vm);
}

Test(vm_hold, other_cpus_are_what_they_are)
{
	start(OTHER "S" WINDOWS "C");
	cr_assert_eq(vm_hold(vm, &err), 0, "%s", err.text);
	cr_expect_eq(registers().rip, 0x99);
	cr_expect_eq(registers().rflags, 0x246);
	vm_release(vm);
}

/* In what system call? "NUMBER ARGUMENTS...". */
static long main_call(void)
{
	char path[32], text[16] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/syscall", vm_pid(vm));
	file = fopen(path, "r");
	cr_assert_not_null(file);
	cr_expect_not_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	return strtol(text, NULL, 10);
}

Test(vm_hold, main_thread_ends_what_it_began)
{
	start(ASKER "S" WINDOWS "C+work");
	cr_assert_eq(vm_hold(vm, &err), 0, "%s", err.text);
	cr_expect_eq(main_call(), SYS_ppoll);
	vm_release(vm);
}

Test(vm_hold, what_was_there_before_and_starts_in_vain_are_passed_over)
{
	start(ASKER "....SwwSwS" WINDOWS "C");
	cr_expect_eq(vm_hold(vm, &err), 0, "%s", err.text);
	vm_release(vm);
}

Test(vm_hold, who_goes_on_is_not_held)
{
	start(ASKER "S" WINDOWS "C!");
	cr_expect_eq(vm_hold(vm, &err), -EAGAIN);
	cr_expect_str_eq(err.text, "the guest does not stand still");
}

Test(vm_hold, who_never_starts_is_not_waited_for)
{
	start(ASKER "wwwwwwwwwww!");
	cr_expect_eq(vm_hold(vm, &err), -EAGAIN);
	cr_expect_str_eq(err.text, "the guest does not stand still");
}

Test(vm_hold, without_registers_nobody_is_held)
{
	start("human:nothing|S" WINDOWS "C");
	cr_expect_eq(vm_hold(vm, &err), -EPROTO);
	cr_expect_str_eq(err.text, "QEMU does not print registers of CPU 0");
}

Test(vm_hold, answers_lie_in_the_memory_of_the_job)
{
	static const struct job_replies want[] = { { 1, 5 }, { 2, 3 } };
	static uint8_t many[JOB_REPLIES_MAX + 1];
	struct job_replies head;
	char text[6] = "";

	start(ASKER ".!");
	cr_assert_eq(vm_answer(vm, "hello", 5, &err), 0, "%s", err.text);
	cr_assert_eq(pread(job_fd, &head, sizeof(head), JOB_REPLIES_AT), sizeof(head));
	cr_expect_eq(memcmp(&head, &want[0], sizeof(head)), 0);
	cr_assert_eq(vm_answer(vm, "bye", 3, &err), 0, "%s", err.text);
	cr_assert_eq(pread(job_fd, &head, sizeof(head), JOB_REPLIES_AT), sizeof(head));
	cr_expect_eq(memcmp(&head, &want[1], sizeof(head)), 0);
	cr_assert_eq(pread(job_fd, text, 5, JOB_REPLIES_AT + sizeof(head)), 5);
	cr_expect_str_eq(text, "byelo");
	cr_expect_eq(vm_answer(vm, many, sizeof(many), &err), -EFBIG);
	cr_expect_str_eq(err.text, "the answers have 2101241 bytes, at most 2101240 fit");
}
