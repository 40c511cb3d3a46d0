/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kvm_guest.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"

__attribute__((format(printf, 3, 4))) static bool fail(char *reason, size_t size,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, size, format, args);
	va_end(args);
	return false;
}

#if defined(__x86_64__)

/*
 * What the guest does, in this order. It counts the steps in memory as it begins them, so that an
 * instruction that is not executed can be named.
 */
enum step {
	STEP_START,
	STEP_POPCNT,
	STEP_SSE2,
	STEP_BMI2,
	STEP_CX16,
	STEP_XSAVE,
	STEP_LOOP,
	STEP_END,
};

static const char *const step_names[] = {
	[STEP_START] = "64-bit kernel code", [STEP_POPCNT] = "popcnt",
	[STEP_SSE2] = "SSE2 (paddq)",	     [STEP_BMI2] = "BMI2 (shlx)",
	[STEP_CX16] = "cmpxchg16b",	     [STEP_XSAVE] = "xsave",
	[STEP_LOOP] = "a plain loop",	     [STEP_END] = "hlt",
};

/* Bits in the guest's edi: what its processor offers. */
#define OFFERS_POPCNT 0x1
#define OFFERS_BMI2 0x2
#define OFFERS_CX16 0x4
#define OFFERS_XSAVE 0x8

/* Guest-physical, mapped one to one. */
#define MEMORY_SIZE 0x200000
#define PML4_AT 0x1000
#define PDPT_AT 0x2000
#define DIRECTORY_AT 0x3000
#define CODE_AT 0x10000
#define DATA_AT 0x20000
#define STACK_TOP 0x40000
/* Intel processors without "unrestricted guest" need three pages that the guest does not use. */
#define TSS_AT 0xfffbd000

/* At DATA_AT; the code below knows these offsets. */
struct data {
	uint32_t step;
	uint32_t unused;
	uint64_t pad;
	uint64_t pair[2]; /* of cmpxchg16b, hence on a 16-byte boundary */
	uint8_t rest[0x1000 - 32];
	uint8_t saved[0x1000]; /* of xsave, on a 64-byte boundary */
};

_Static_assert(offsetof(struct data, pair) == 16, "the guest's code knows this");
_Static_assert(offsetof(struct data, saved) == 0x1000, "the guest's code knows this");

#define XSTATE_BV 512 /* in the area that xsave fills: which parts are in it */
#define XSTATE_SSE 0x2

#define LOOPS 100000
/* A processor takes 0.1 ms for the loop; code that is emulated takes 50 ms and more. */
#define CPU_TIME_MAX (20 * NS_PER_MS)

/*
 * rsi: struct data, edi: the offers. Results: r8 popcnt, r9 paddq, r10 shlx, r11 did cmpxchg16b
 * exchange, rcx the loop's end.
 */
extern const char kvm_guest_code[] __attribute__((visibility("hidden")));
extern const char kvm_guest_code_end[] __attribute__((visibility("hidden")));

__asm__(".pushsection .rodata\n"
	".globl kvm_guest_code\n"
	".globl kvm_guest_code_end\n"
	".hidden kvm_guest_code\n"
	".hidden kvm_guest_code_end\n"
	"kvm_guest_code:\n"
	"	movl $0xff, %ecx\n"
	"	movl $8, %r8d\n"
	"	testl $0x1, %edi\n"
	"	jz 1f\n"
	"	movl $1, (%rsi)\n"
	"	popcntq %rcx, %r8\n"
	"1:	movl $2, (%rsi)\n"
	"	movq %rcx, %xmm0\n"
	"	paddq %xmm0, %xmm0\n"
	"	movq %xmm0, %r9\n"
	"	movl $0xff0, %r10d\n"
	"	testl $0x2, %edi\n"
	"	jz 1f\n"
	"	movl $3, (%rsi)\n"
	"	movl $4, %edx\n"
	"	shlxq %rdx, %rcx, %r10\n"
	"1:	movl $1, %r11d\n"
	"	testl $0x4, %edi\n"
	"	jz 1f\n"
	"	movl $4, (%rsi)\n"
	"	xorl %r11d, %r11d\n"
	"	xorl %eax, %eax\n"
	"	xorl %edx, %edx\n"
	"	movl $5, %ebx\n"
	"	movl $6, %ecx\n"
	"	lock cmpxchg16b 16(%rsi)\n"
	"	setz %r11b\n"
	"1:	testl $0x8, %edi\n"
	"	jz 1f\n"
	"	movl $5, (%rsi)\n"
	"	xorl %ecx, %ecx\n"
	"	xorl %edx, %edx\n"
	"	movl $3, %eax\n"
	"	xsetbv\n"
	"	xsave 0x1000(%rsi)\n"
	"1:	movl $6, (%rsi)\n"
	"	movl $100000, %ecx\n"
	"1:	decq %rcx\n"
	"	jnz 1b\n"
	"	movl $7, (%rsi)\n"
	"	hlt\n"
	"kvm_guest_code_end:\n"
	".popsection\n");

struct guest {
	uint8_t *memory;
	struct data *data;
	int vcpu;
	struct kvm_run *run;
	size_t run_size;
	uint32_t offers;
	char *reason;
	size_t reason_size;
};

/* Give the guest all that its host's KVM can, and note which of it the code may use. */
static bool set_cpuid(struct guest *guest, int kvm)
{
	enum {
		ENTRIES = 256
	};
	static const struct {
		uint32_t leaf;
		size_t word;
		uint32_t bit;
		uint32_t offer;
	} features[] = {
		{ 1, offsetof(struct kvm_cpuid_entry2, ecx), 23, OFFERS_POPCNT },
		{ 1, offsetof(struct kvm_cpuid_entry2, ecx), 13, OFFERS_CX16 },
		{ 1, offsetof(struct kvm_cpuid_entry2, ecx), 26, OFFERS_XSAVE },
		{ 7, offsetof(struct kvm_cpuid_entry2, ebx), 8, OFFERS_BMI2 },
	};
	union {
		struct kvm_cpuid2 head;
		uint8_t bytes[sizeof(struct kvm_cpuid2) +
			      ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} cpuid;

	memset(&cpuid, 0, sizeof(cpuid));
	cpuid.head.nent = ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) || cpuid.head.nent > ENTRIES)
		return fail(guest->reason, guest->reason_size,
			    "KVM does not say what processor it offers: %s", strerror(errno));
	for (uint32_t i = 0; i < cpuid.head.nent; i++) {
		struct kvm_cpuid_entry2 entry;

		memcpy(&entry,
		       cpuid.bytes + offsetof(struct kvm_cpuid2, entries) + i * sizeof(entry),
		       sizeof(entry));
		for (size_t j = 0; j < ARRAY_SIZE(features); j++) {
			uint32_t word;

			memcpy(&word, (const uint8_t *)&entry + features[j].word, sizeof(word));
			if (entry.function == features[j].leaf && entry.index == 0 &&
			    word >> features[j].bit & 1)
				guest->offers |= features[j].offer;
		}
	}
	if (ioctl(guest->vcpu, KVM_SET_CPUID2, &cpuid))
		return fail(guest->reason, guest->reason_size,
			    "KVM does not take its own processor: %s", strerror(errno));
	return true;
}

static void put_entry(uint8_t *memory, size_t at, uint64_t value)
{
	memcpy(memory + at, &value, sizeof(value));
}

/* One 2 MiB page that is mapped one to one, present and writable. */
static void fill_memory(struct guest *guest)
{
	uint8_t *memory = guest->memory;

	put_entry(memory, PML4_AT, PDPT_AT | 0x3);
	put_entry(memory, PDPT_AT, DIRECTORY_AT | 0x3);
	put_entry(memory, DIRECTORY_AT, 0 | 0x83);
	memcpy(memory + CODE_AT, kvm_guest_code, (size_t)(kvm_guest_code_end - kvm_guest_code));
	guest->data = (struct data *)(memory + DATA_AT);
}

static bool set_registers(struct guest *guest)
{
	struct kvm_segment code = {
		.selector = 0x8,
		.limit = 0xffffffff,
		.type = 11, /* code: execute, read, accessed */
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = {
		.selector = 0x10,
		.limit = 0xffffffff,
		.type = 3, /* data: read, write, accessed */
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
	struct kvm_regs registers = {
		.rip = CODE_AT,
		.rsp = STACK_TOP,
		.rsi = DATA_AT,
		.rdi = guest->offers,
		.rflags = 0x2, /* the bit that is always set */
	};
	struct kvm_sregs special;

	if (ioctl(guest->vcpu, KVM_GET_SREGS, &special))
		return fail(guest->reason, guest->reason_size, "KVM does not tell registers: %s",
			    strerror(errno));
	special.cs = code;
	special.ds = special.es = special.fs = special.gs = special.ss = data;
	special.idt.limit = 0; /* an exception ends the guest */
	special.cr3 = PML4_AT;
	special.cr4 = 1u << 5 | 1u << 9 | 1u << 10; /* PAE, OSFXSR, OSXMMEXCPT */
	if (guest->offers & OFFERS_XSAVE)
		special.cr4 |= 1u << 18;			   /* OSXSAVE */
	special.cr0 = 1u << 31 | 1u << 5 | 1u << 4 | 1u << 1 | 1u; /* PG, NE, ET, MP, PE */
	special.efer = 1u << 8 | 1u << 10;			   /* LME, LMA */
	if (ioctl(guest->vcpu, KVM_SET_SREGS, &special) ||
	    ioctl(guest->vcpu, KVM_SET_REGS, &registers))
		return fail(guest->reason, guest->reason_size, "KVM does not enter 64-bit mode: %s",
			    strerror(errno));
	return true;
}

static bool make_vm(struct guest *guest, int kvm, int vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *memory;
	void *run;

	if (run_size < (int)sizeof(struct kvm_run))
		return fail(guest->reason, guest->reason_size,
			    "KVM does not tell the size of a CPU");
	memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return fail(guest->reason, guest->reason_size, "no memory for a test guest");
	guest->memory = memory;
	fill_memory(guest);
	region.userspace_addr = (uintptr_t)memory;
	/* Only some Intel processors need it; where it is not known, neither is the need. */
	(void)ioctl(vm, KVM_SET_TSS_ADDR, TSS_AT);
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		return fail(guest->reason, guest->reason_size, "KVM does not take memory: %s",
			    strerror(errno));
	guest->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (guest->vcpu < 0)
		return fail(guest->reason, guest->reason_size, "KVM cannot make a CPU: %s",
			    strerror(errno));
	run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
	if (run == MAP_FAILED)
		return fail(guest->reason, guest->reason_size, "KVM does not share its CPU: %s",
			    strerror(errno));
	guest->run = run;
	guest->run_size = (size_t)run_size;
	return true;
}

static const char *step_name(const struct guest *guest)
{
	uint32_t step = *(volatile uint32_t *)&guest->data->step;

	return step < ARRAY_SIZE(step_names) ? step_names[step] : step_names[STEP_START];
}

static bool check_exit(const struct guest *guest)
{
	const struct kvm_run *run = guest->run;

	switch (run->exit_reason) {
	case KVM_EXIT_HLT:
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		return fail(guest->reason, guest->reason_size,
			    "%s is not executed (internal error %u)", step_name(guest),
			    run->internal.suberror);
	case KVM_EXIT_SHUTDOWN:
		return fail(guest->reason, guest->reason_size,
			    "%s is not executed (the guest shut down)", step_name(guest));
	case KVM_EXIT_FAIL_ENTRY:
		return fail(guest->reason, guest->reason_size,
			    "the processor does not enter the guest (reason 0x%llx)",
			    (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	default:
		return fail(guest->reason, guest->reason_size, "%s ends in exit %u of KVM",
			    step_name(guest), run->exit_reason);
	}
}

static bool check_results(const struct guest *guest)
{
	const struct data *data = guest->data;
	struct kvm_regs registers;
	uint64_t parts;
	uint32_t step;

	if (ioctl(guest->vcpu, KVM_GET_REGS, &registers))
		return fail(guest->reason, guest->reason_size, "KVM does not tell registers: %s",
			    strerror(errno));
	memcpy(&parts, data->saved + XSTATE_BV, sizeof(parts));
	if (registers.r8 != 8)
		step = STEP_POPCNT;
	else if (registers.r9 != 0x1fe)
		step = STEP_SSE2;
	else if (registers.r10 != 0xff0)
		step = STEP_BMI2;
	else if (registers.r11 != 1 ||
		 (guest->offers & OFFERS_CX16 && (data->pair[0] != 5 || data->pair[1] != 6)))
		step = STEP_CX16;
	else if (guest->offers & OFFERS_XSAVE && !(parts & XSTATE_SSE))
		step = STEP_XSAVE;
	else if (registers.rcx != 0)
		step = STEP_LOOP;
	else if (data->step != STEP_END)
		step = STEP_END;
	else
		return true;
	return fail(guest->reason, guest->reason_size, "%s gives a wrong result", step_names[step]);
}

static bool run_guest(struct guest *guest)
{
	/* The time of this thread, guest included: a busy host does not make KVM look slow. */
	uint64_t start = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t took;

	while (ioctl(guest->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR)
			return fail(guest->reason, guest->reason_size,
				    "KVM does not run the guest: %s", strerror(errno));
	}
	took = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	if (!check_exit(guest) || !check_results(guest))
		return false;
	if (took > CPU_TIME_MAX)
		return fail(guest->reason, guest->reason_size,
			    "kernel code is emulated: %d rounds of a loop take %llu ms", LOOPS,
			    (unsigned long long)(took / NS_PER_MS));
	return true;
}

bool kvm_guest_run(int kvm, int vm, char *reason, size_t size)
{
	struct guest guest = { .vcpu = -1, .reason = reason, .reason_size = size };
	bool works = make_vm(&guest, kvm, vm) && set_cpuid(&guest, kvm) && set_registers(&guest) &&
		     run_guest(&guest);

	if (guest.run)
		(void)munmap(guest.run, guest.run_size);
	cleanup_close(&guest.vcpu);
	if (guest.memory)
		(void)munmap(guest.memory, MEMORY_SIZE);
	return works;
}

#else

/* No other machine is known to have a KVM that opens but does not run kernels. */
bool kvm_guest_run(int kvm, int vm, char *reason, size_t size)
{
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);

	(void)kvm;
	if (vcpu < 0)
		return fail(reason, size, "KVM cannot make a CPU: %s", strerror(errno));
	cleanup_close(&vcpu);
	return true;
}

#endif
