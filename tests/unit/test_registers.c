/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/registers.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* As QEMU 7.2 prints a CPU in 64-bit mode. */
#define GENERAL                                                                                    \
	"\r\nCPU#0\r\n"                                                                            \
	"RAX=0000000000000001 RBX=0000000000000002 RCX=0000000000000003 RDX=0000000000000004\r\n"  \
	"RSI=0000000000000005 RDI=0000000000000006 RBP=0000000000000007 RSP=ffffffff82003e80\r\n"  \
	"R8 =0000000000000008 R9 =0000000000000009 R10=000000000000000a R11=000000000000000b\r\n"  \
	"R12=000000000000000c R13=000000000000000d R14=000000000000000e R15=000000000000000f\r\n"
#define POINTERS "RIP=ffffffff81c0ffee RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n"
#define SEGMENTS                                                                                   \
	"ES =0000 0000000000000000 ffffffff 00c00000\r\n"                                          \
	"CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]\r\n"                         \
	"FS =0000 00007f1234567000 ffffffff 00c00000\r\n"                                          \
	"GS =0000 ffff88801f600000 ffffffff 00c00000\r\n"                                          \
	"TR =0040 fffffe0000003000 00004087 00008b00 DPL=0 TSS64-busy\r\n"
#define CONTROL "CR0=80050033 CR2=00007f0000001000 CR3=0000000102e04000 CR4=000006f0\r\n"
#define REST                                                                                       \
	"DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \r\n" \
	"EFER=0000000000000d01\r\n"                                                                \
	"FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\r\n"                                       \
	"FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\r\n"                                \
	"XMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000\r\n"
#define WHOLE GENERAL POINTERS SEGMENTS CONTROL REST

static struct ktstr_error err;

Test(registers, takes_what_a_capture_has)
{
	struct runfile_cpu cpu = { 0 };

	cr_assert_eq(registers_parse(WHOLE, &cpu, &err), 0, "%s", err.text);
	cr_expect_eq(cpu.rax, 1);
	cr_expect_eq(cpu.rbx, 2);
	cr_expect_eq(cpu.rcx, 3);
	cr_expect_eq(cpu.rdx, 4);
	cr_expect_eq(cpu.rsi, 5);
	cr_expect_eq(cpu.rdi, 6);
	cr_expect_eq(cpu.rbp, 7);
	cr_expect_eq(cpu.rsp, 0xffffffff82003e80);
	cr_expect_eq(cpu.r8, 8);
	cr_expect_eq(cpu.r9, 9);
	cr_expect_eq(cpu.r10, 10);
	cr_expect_eq(cpu.r15, 15);
	cr_expect_eq(cpu.rip, 0xffffffff81c0ffee);
	cr_expect_eq(cpu.rflags, 0x246);
	cr_expect_eq(cpu.cr0, 0x80050033);
	cr_expect_eq(cpu.cr2, 0x00007f0000001000);
	cr_expect_eq(cpu.cr3, 0x102e04000);
	cr_expect_eq(cpu.cr4, 0x6f0);
	cr_expect_eq(cpu.efer, 0xd01);
	cr_expect_eq(cpu.fs_base, 0x00007f1234567000);
	cr_expect_eq(cpu.gs_base, 0xffff88801f600000);
	cr_expect_eq(cpu.cpl, 0);
	cr_expect_eq(cpu.is_halted, 1);
}

Test(registers, takes_a_cpu_that_has_not_left_its_first_mode)
{
	static const char text[] =
		"EAX=00000000 EBX=00000000 ECX=0000b79d EDX=00000000\r\n"
		"ESI=0000b79d EDI=00000000 EBP=0000b79d ESP=00006f94\r\n"
		"EIP=0000b7b9 EFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n"
		"FS =0000 00000000 0000ffff 00009300\r\n"
		"GS =d980 000d9800 0000ffff 00009300\r\n"
		"CR0=00000010 CR2=00000000 CR3=00000000 CR4=00000000\r\n"
		"EFER=0000000000000000\r\n";
	struct runfile_cpu cpu;

	cr_assert_eq(registers_parse(text, &cpu, &err), 0, "%s", err.text);
	cr_expect_eq(cpu.rip, 0xb7b9);
	cr_expect_eq(cpu.gs_base, 0xd9800);
	cr_expect_eq(cpu.r15, 0);
}

static const struct {
	const char *text;
	const char *sentence;
} bad[] = {
	{ "", "QEMU does not print register 'RAX'" },
	{ GENERAL SEGMENTS CONTROL REST, "QEMU does not print register 'RIP'" },
	{ GENERAL POINTERS SEGMENTS REST, "QEMU does not print register 'CR0'" },
	{ GENERAL POINTERS CONTROL REST, "QEMU does not print register 'FS'" },
	{ WHOLE CONTROL, "QEMU prints register 'CR0' twice" },
	{ WHOLE "EAX=1", "QEMU prints register 'RAX' twice" },
	{ "RAX=", "QEMU prints what is no value of register 'RAX'" },
	{ "RAX=00000000000000001", "QEMU prints what is no value of register 'RAX'" },
	{ "RAX=12g4", "QEMU prints what is no value of register 'RAX'" },
	{ "RAX=-1", "QEMU prints what is no value of register 'RAX'" },
	{ "RAX=0x12", "QEMU prints what is no value of register 'RAX'" },
	{ "FS =0000", "QEMU prints what is no value of register 'FS'" },
	{ "FS =0000 ", "QEMU prints what is no value of register 'FS'" },
	{ "CPL=123456789", "QEMU prints what is no value of register 'CPL'" },
};

Test(registers, what_is_not_whole_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct runfile_cpu cpu = { .rax = 99 };

		cr_expect_eq(registers_parse(bad[i].text, &cpu, &err), -EPROTO, "row %zu", i);
		cr_expect_str_eq(err.text, bad[i].sentence);
		cr_expect_eq(cpu.rax, 99);
	}
}

Test(registers, names_of_others_are_passed_over)
{
	struct runfile_cpu cpu;

	cr_assert_eq(
		registers_parse(WHOLE "XRAX=1 RAXX=2 A_RAX_VERY_LONG_NAME=3 ==4 R16=5", &cpu, &err),
		0, "%s", err.text);
	cr_expect_eq(cpu.rax, 1);
}

Test(registers, takes_all_cpus)
{
	struct runfile_cpu cpus[2] = { 0 };

	cr_assert_eq(registers_parse_all(WHOLE WHOLE, cpus, 2, &err), 0, "%s", err.text);
	cr_expect_eq(cpus[0].r15, 15);
	cr_expect_eq(cpus[1].r15, 15);
}

Test(registers, all_cpus_must_be_there_and_whole)
{
	static const struct {
		const char *text, *said;
	} partial[] = {
		{ "", "QEMU does not print registers of CPU 0" },
		{ POINTERS, "QEMU does not print registers of CPU 0" },
		{ WHOLE, "QEMU does not print registers of CPU 1" },
		{ WHOLE "CPU#1\r\n" POINTERS,
		  "registers of CPU 1: QEMU does not print register 'RAX'" },
		{ WHOLE POINTERS GENERAL, "registers of CPU 0: QEMU prints register 'RIP' twice" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(partial); i++) {
		struct runfile_cpu cpus[2];

		cr_expect_eq(registers_parse_all(partial[i].text, cpus, 2, &err), -EPROTO,
			     "row %zu", i);
		cr_expect_str_eq(err.text, partial[i].said);
	}
}
