/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/qemu_argv.h"
#include "vm/tsc.h"

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"

#define TOPOLOGY(numa, llc, core, thread)                                                          \
	{                                                                                          \
		.size = sizeof(struct ktstr_topology), .numa_nodes = (numa), .llcs = (llc),        \
		.cores = (core), .threads = (thread)                                               \
	}
#define MIB(n) ((uint64_t)(n) << 20)

static const struct qemu_spec plain = {
	.program = "qemu",
	.topology = TOPOLOGY(1, 1, 2, 1),
	.memory_bytes = MIB(512),
	.kernel = "/k/vmlinux",
	.initrd = "/proc/self/fd/9",
	.append = "quiet a,b=c",
	.qmp_fd = 3,
	.com1_fd = 4,
	.com2_fd = 5,
	.console_fd = 6,
	.bulk_fd = 7,
	.stats_fd = 8,
	.freeze_fd = -1,
	.debugger_fd = -1,
};

#define HEAD "qemu -nodefaults -no-user-config -display none -no-reboot -name ktstr "
#define KERNEL "-kernel /k/vmlinux -initrd /proc/self/fd/9 -append quiet a,b=c "
#define CHANNELS                                                                                   \
	"-device virtio-serial-pci,ioeventfd=off,event_idx=off,max_ports=4 "                       \
	"-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control "                               \
	"-chardev socket,id=com1,fd=4 -device isa-serial,chardev=com1,index=0 "                    \
	"-chardev socket,id=com2,fd=5 -device isa-serial,chardev=com2,index=1 "                    \
	"-chardev socket,id=console,fd=6 "                                                         \
	"-device virtconsole,chardev=console,name=ktstr-console,nr=0 "                             \
	"-chardev socket,id=bulk,fd=7 "                                                            \
	"-device virtserialport,chardev=bulk,name=ktstr-bulk,nr=1 "                                \
	"-chardev socket,id=stats,fd=8 "                                                           \
	"-device virtserialport,chardev=stats,name=ktstr-stats,nr=2"

static char *joined(const struct qemu_spec *spec)
{
	struct ktstr_error err = { 0 };
	struct str text = { 0 };
	char **argv = NULL;

	cr_assert_eq(qemu_argv(spec, &argv, &err), 0, "%s", err.text);
	for (char **word = argv; *word; word++)
		cr_assert_eq(str_addf(&text, "%s%s", word == argv ? "" : " ", *word), 0);
	qemu_argv_free(argv);
	return text.data;
}

static void expect_part(const struct qemu_spec *spec, const char *expected)
{
	_cleanup_free_ char *got = joined(spec);

	cr_expect(strstr(got, expected), "%s", got);
}

static void expect_words(const struct qemu_spec *spec, const char *expected)
{
	_cleanup_free_ char *got = joined(spec);

	cr_expect_str_eq(got, expected);
}

Test(qemu_argv, one_llc_under_tcg)
{
	expect_words(&plain, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off "
		     "-smp 2,sockets=1,dies=1,cores=2,threads=1 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-memfd,id=ram0,size=512M,share=on " KERNEL CHANNELS);
}

Test(qemu_argv, several_llcs_are_dies_without_leaf_1f_under_tcg)
{
	struct qemu_spec spec = plain;

	spec.topology = (struct ktstr_topology)TOPOLOGY(1, 2, 4, 2);
	expect_words(&spec, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off,"
		     "level=0x1e "
		     "-smp 16,sockets=1,dies=2,cores=4,threads=2 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-memfd,id=ram0,size=512M,share=on " KERNEL CHANNELS);
}

Test(qemu_argv, a_restored_machine_boots_nothing_and_changes_no_file)
{
	static const int memory_fds[] = { 20 };
	struct qemu_spec spec = plain;

	spec.memory_fds = memory_fds;
	spec.job_fd = 21;
	spec.job_bytes = MIB(256);
	expect_words(&spec, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off "
		     "-smp 2,sockets=1,dies=1,cores=2,threads=1 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-file,id=ram0,size=512M,share=on,"
		     "mem-path=/proc/self/fd/20 " KERNEL CHANNELS
		     " -object memory-backend-file,id=job,size=256M,share=on,"
		     "mem-path=/proc/self/fd/21 -device ivshmem-plain,memdev=job,master=on");
	spec.is_restored = true;
	spec.kernel = NULL;
	expect_words(&spec, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off "
		     "-smp 2,sockets=1,dies=1,cores=2,threads=1 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-file,id=ram0,size=512M,share=off,"
		     "mem-path=/proc/self/fd/20 -incoming defer " CHANNELS
		     " -object memory-backend-file,id=job,size=256M,share=off,"
		     "mem-path=/proc/self/fd/21 -device ivshmem-plain,memdev=job,master=on");
}

Test(qemu_argv, a_kvm_machine_is_restored_into_the_one_that_was_saved)
{
	static const int memory_fds[] = { 20 };
	struct qemu_spec spec = plain;

	spec.is_kvm = true;
	spec.memory_fds = memory_fds;
	spec.is_restored = true;
	spec.kernel = NULL;
	expect_words(&spec,
		     HEAD "-accel kvm -cpu "
			  "host,vendor=GenuineIntel,host-cache-info=off,l3-cache=on,migratable=on "
			  "-smp 2,sockets=1,dies=1,cores=2,threads=1 -rtc clock=vm "
			  "-M q35,memory-backend=ram0 -m 512M "
			  "-object memory-backend-file,id=ram0,size=512M,share=off,"
			  "mem-path=/proc/self/fd/20 -incoming defer " CHANNELS);
}

Test(qemu_argv, numa_nodes_are_sockets_with_their_own_memory)
{
	struct qemu_spec spec = plain;

	spec.topology = (struct ktstr_topology)TOPOLOGY(2, 4, 2, 1);
	spec.memory_bytes = MIB(514);
	expect_words(
		&spec, HEAD
		"-accel tcg,thread=single,tb-size=512 -cpu "
		"max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off,level="
		"0x1e "
		"-smp 8,sockets=2,dies=2,cores=2,threads=1 -M q35 -m 514M "
		"-object memory-backend-memfd,id=ram0,size=258M,share=on "
		"-object memory-backend-memfd,id=ram1,size=256M,share=on "
		"-numa node,nodeid=0,cpus=0-3,memdev=ram0 "
		"-numa node,nodeid=1,cpus=4-7,memdev=ram1 "
		"-numa dist,src=0,dst=0,val=10 -numa dist,src=0,dst=1,val=20 "
		"-numa dist,src=1,dst=0,val=20 -numa dist,src=1,dst=1,val=10 " KERNEL CHANNELS);
}

Test(qemu_argv, kvm_shows_the_topology_and_not_the_host)
{
	struct qemu_spec spec = plain;

	spec.is_kvm = true;
	spec.topology = (struct ktstr_topology)TOPOLOGY(1, 2, 1, 1);
	expect_words(&spec, HEAD
		     "-accel kvm -cpu "
		     "host,vendor=GenuineIntel,host-cache-info=off,l3-cache=on,migratable=on "
		     "-smp 2,sockets=1,dies=2,cores=1,threads=1 -rtc clock=vm "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-memfd,id=ram0,size=512M,share=on " KERNEL CHANNELS);
}

Test(qemu_argv, a_debugger_port_is_nothing_but_a_socket)
{
	struct qemu_spec spec = plain;

	spec.debugger_fd = 10;
	expect_words(&spec, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off "
		     "-smp 2,sockets=1,dies=1,cores=2,threads=1 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-memfd,id=ram0,size=512M,share=on " KERNEL CHANNELS
		     " -chardev socket,id=debugger,fd=10");
}

Test(qemu_argv, a_guest_in_virtual_time_has_a_port_to_stand_still_at)
{
	struct qemu_spec spec = plain;

	spec.instruction_ns = 4;
	spec.freeze_fd = 11;
	expect_part(&spec, "-chardev socket,id=freeze,fd=11 "
			   "-device isa-debugcon,chardev=freeze,iobase=0xe9");
}

Test(qemu_argv, memory_may_be_files_of_the_host)
{
	static const int fds[] = { 20, 21 };
	struct qemu_spec spec = plain;
	_cleanup_free_ char *words = NULL;

	spec.topology = (struct ktstr_topology)TOPOLOGY(2, 2, 1, 1);
	spec.memory_bytes = MIB(514);
	spec.memory_fds = fds;
	words = joined(&spec);
	cr_expect(strstr(words, "-object memory-backend-file,id=ram0,size=258M,share=on,"
				"mem-path=/proc/self/fd/20 -object "
				"memory-backend-file,id=ram1,size=256M,share=on,"
				"mem-path=/proc/self/fd/21 -numa "),
		  "%s", words);
}

Test(qemu_argv, node_0_takes_the_memory_that_does_not_divide)
{
	const struct ktstr_topology topology = TOPOLOGY(3, 3, 1, 1);

	cr_expect_eq(qemu_node_memory(&topology, MIB(100), 0), MIB(36));
	cr_expect_eq(qemu_node_memory(&topology, MIB(100), 1), MIB(32));
	cr_expect_eq(qemu_node_memory(&topology, MIB(100), 2), MIB(32));
}

Test(qemu_argv, leaves_out_what_is_not_wired)
{
	struct qemu_spec spec = plain;

	spec.initrd = spec.append = NULL;
	spec.qmp_fd = spec.com2_fd = spec.console_fd = spec.bulk_fd = spec.stats_fd = -1;
	expect_words(&spec, HEAD
		     "-accel tcg,thread=single,tb-size=512 -cpu "
		     "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off "
		     "-smp 2,sockets=1,dies=1,cores=2,threads=1 "
		     "-M q35,memory-backend=ram0 -m 512M "
		     "-object memory-backend-memfd,id=ram0,size=512M,share=on "
		     "-kernel /k/vmlinux -device "
		     "virtio-serial-pci,ioeventfd=off,event_idx=off,max_ports=4 "
		     "-chardev socket,id=com1,fd=4 -device isa-serial,chardev=com1,index=0");
}

Test(qemu_argv, same_spec_gives_same_words)
{
	_cleanup_free_ char *once = joined(&plain);
	_cleanup_free_ char *again = joined(&plain);

	cr_expect_str_eq(once, again);
}

static void expect_refused(const struct qemu_spec *spec, const char *text)
{
	struct ktstr_error err = { 0 };
	char **argv = NULL;

	cr_expect_eq(qemu_argv(spec, &argv, &err), -EINVAL);
	cr_expect_str_eq(err.text, text);
	cr_expect_null(argv);
}

Test(qemu_argv, refuses_memory_that_is_no_multiple_of_2_mib)
{
	struct qemu_spec spec = plain;

	spec.memory_bytes = MIB(511);
	expect_refused(&spec, "memory: 535822336 bytes is no multiple of 2 MiB");
}

Test(qemu_argv, refuses_too_little_memory_for_its_nodes)
{
	struct qemu_spec spec = plain;

	spec.topology = (struct ktstr_topology)TOPOLOGY(4, 4, 1, 1);
	spec.memory_bytes = MIB(14);
	expect_refused(&spec,
		       "memory: 14 MiB is too little for 4 NUMA nodes, each takes at least 4 MiB");
}

Test(qemu_argv, refuses_a_vm_without_a_kernel)
{
	struct qemu_spec spec = plain;

	spec.kernel = NULL;
	expect_refused(&spec, "a VM needs a kernel");
}

Test(qemu_argv, refuses_a_vm_without_a_program)
{
	struct qemu_spec spec = plain;

	spec.program = NULL;
	expect_refused(&spec, "a VM needs a program to run it");
}

Test(qemu_argv, refuses_an_impossible_topology)
{
	struct qemu_spec spec = plain;

	spec.topology.cores = 0;
	expect_refused(&spec, "topology: 'cores' is 0, must be 1 to 255");
}

Test(qemu_argv, free_accepts_null)
{
	qemu_argv_free(NULL);
}

Test(topology, is_checked)
{
	static const struct {
		struct ktstr_topology topology;
		const char *text; /* NULL: fine */
	} cases[] = {
		{ TOPOLOGY(1, 1, 1, 1), NULL },
		{ TOPOLOGY(1, 1, 255, 1), NULL },
		{ TOPOLOGY(1, 127, 1, 2), NULL },
		{ TOPOLOGY(8, 8, 8, 2), NULL },
		{ TOPOLOGY(0, 1, 1, 1), "topology: 'numa_nodes' is 0, must be 1 to 255" },
		{ TOPOLOGY(1, 0, 1, 1), "topology: 'llcs' is 0, must be 1 to 255" },
		{ TOPOLOGY(1, 1, 0, 1), "topology: 'cores' is 0, must be 1 to 255" },
		{ TOPOLOGY(1, 1, 1, 0), "topology: 'threads' is 0, must be 1 to 255" },
		{ TOPOLOGY(1, 1, 256, 1), "topology: 'cores' is 256, must be 1 to 255" },
		{ TOPOLOGY(1, 4294967295, 1, 1),
		  "topology: 'llcs' is 4294967295, must be 1 to 255" },
		{ TOPOLOGY(2, 3, 1, 1),
		  "topology: 'llcs' (3) must be a multiple of 'numa_nodes' (2)" },
		{ TOPOLOGY(2, 1, 1, 1),
		  "topology: 'llcs' (1) must be a multiple of 'numa_nodes' (2)" },
		{ TOPOLOGY(1, 16, 16, 1), "topology: 256 CPUs, a VM has at most 255" },
		{ TOPOLOGY(1, 255, 255, 255), "topology: 16581375 CPUs, a VM has at most 255" },
		{ TOPOLOGY(1, 17, 9, 1),
		  "topology: 153 CPUs need APIC ids up to 264 because a count is no power of two, "
		  "a VM has ids up to 254" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ktstr_error err = { 0 };
		int rc = topology_check(&cases[i].topology, &err);

		cr_expect_eq(rc, cases[i].text ? -EINVAL : 0, "case %zu: %d", i, rc);
		cr_expect_str_eq(err.text, cases[i].text ? cases[i].text : "", "case %zu: %s", i,
				 err.text);
	}
}

/* Is @word one of the words of @line? */
static bool has_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = line; (at = strstr(at, word)); at += length)
		if ((at == line || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

Test(qemu_argv, lives_in_virtual_time_by_counting_instructions)
{
	struct qemu_spec spec = plain;

	spec.instruction_ns = 8;
	spec.seed = 42;
	spec.com1_fd = 11;
	spec.bulk_fd = 12;
	spec.console_fd = 13;
	expect_part(&spec, "-icount shift=3,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm "
			   "-seed 42");
	expect_part(&spec, "-chardev file,id=com1,path=/proc/self/fd/11,append=on");
	expect_part(&spec, "-chardev file,id=bulk,path=/proc/self/fd/12,append=on");
	expect_part(&spec, "-chardev socket,id=console,fd=13");
}

Test(qemu_argv, counts_no_instructions_in_the_hosts_time)
{
	_cleanup_free_ char *line = joined(&plain);

	cr_expect_null(strstr(line, "-icount"));
	cr_expect_null(strstr(line, "-seed"));
	cr_expect_null(strstr(line, "file,id="));
}

Test(kernel_command_line, always_has_a_console_and_ends_a_panic_by_a_reset)
{
	for (int i = 0; i < 4; i++) {
		_cleanup_free_ char *line = kernel_command_line(i & 1, false, 0, i & 2);

		cr_assert_not_null(line);
		cr_expect(has_word(line, "console=ttyS0"), "%s", line);
		cr_expect(has_word(line, "panic=-1"), "%s", line);
		cr_expect(has_word(line, "initramfs_options=size=90%"), "%s", line);
		cr_expect(!strstr(line, "  "), "%s", line);
		cr_expect(has_word(line, "quiet") != has_word(line, "loglevel=7"), "%s", line);
	}
}

Test(kernel_command_line, tells_the_rate_of_the_tsc_only_where_it_is_the_guests)
{
	_cleanup_free_ char *tcg = kernel_command_line(false, false, 1999998, false);
	_cleanup_free_ char *kvm = kernel_command_line(true, false, 1999998, false);
	_cleanup_free_ char *unknown = kernel_command_line(false, false, 0, false);

	cr_expect_not_null(strstr(tcg, " tsc_early_khz=1999998"));
	cr_expect_null(strstr(kvm, "tsc_early_khz"));
	cr_expect_null(strstr(unknown, "tsc_early_khz"));
}

/* Two measurements on one machine agree, whatever else it does. */
Test(tsc, is_measured_alike_each_time)
{
	uint32_t first = tsc_measure_khz(), second = tsc_measure_khz();

	if (first == 0 || second == 0)
		cr_skip_test("the time stamp counter could not be measured here");
	cr_expect_lt(first, second + second / 200);
	cr_expect_lt(second, first + first / 200);
}

Test(kernel_command_line, gives_each_cpu_its_turn_and_the_rate_of_its_tsc_in_virtual_time)
{
	_cleanup_free_ char *line = kernel_command_line(false, true, 0, false);
	_cleanup_free_ char *host = kernel_command_line(false, false, 0, false);

	cr_expect(has_word(line, "tsc_early_khz=1000000"), "%s", line);
	cr_expect(has_word(line, "skew_tick=1"), "%s", line);
	cr_expect(!has_word(host, "skew_tick=1"), "%s", host);
}

Test(kernel_command_line, shows_the_boot_only_when_verbose)
{
	_cleanup_free_ char *quiet = kernel_command_line(false, false, 2000000, false);
	_cleanup_free_ char *verbose = kernel_command_line(false, false, 2000000, true);

	cr_expect(has_word(quiet, "quiet"), "%s", quiet);
	cr_expect(has_word(verbose, "loglevel=7"), "%s", verbose);
	cr_expect(has_word(verbose, "earlyprintk=serial"), "%s", verbose);
}

Test(kernel_command_line, trusts_the_tsc_only_without_a_paravirtual_clock)
{
	_cleanup_free_ char *tcg = kernel_command_line(false, false, 2000000, false);
	_cleanup_free_ char *kvm = kernel_command_line(true, false, 2000000, false);

	cr_expect(has_word(tcg, "tsc=reliable"), "%s", tcg);
	cr_expect(!has_word(kvm, "tsc=reliable"), "%s", kvm);
	cr_expect(has_word(kvm, "clocksource=kvm-clock"), "%s", kvm);
	cr_expect(!has_word(tcg, "clocksource=kvm-clock"), "%s", tcg);
}
