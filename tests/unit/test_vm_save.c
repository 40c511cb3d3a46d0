/* SPDX-License-Identifier: GPL-2.0-only */
/* Every word that QEMU's monitor is told while a machine is saved and restored. */
#include "vm/vm.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

/* Long enough for any machine; only a failing test waits for it. */
#define LONG_MS 20000
#define MEMORY_BYTES (64 << 20)

static struct vm_files files;
static struct ktstr_error err;

static void set_up(void)
{
	static int memory_fd;

	memory_fd = memfd_create("memory", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(memory_fd, MEMORY_BYTES), 0);
	files = (struct vm_files){ .memory_fds = &memory_fd,
				   .state_fd = memfd_create("state", MFD_CLOEXEC) };
}

TestSuite(vm_save, .init = set_up);

static uint64_t later(void)
{
	return clock_monotonic_ns() + LONG_MS * NS_PER_MS;
}

static struct vm *start(bool is_kvm, bool is_saved, const char *mode)
{
	struct vm_spec spec = {
		.program = FAKE_QEMU,
		.is_kvm = is_kvm,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 1,
			      .threads = 1 },
		.memory_bytes = MEMORY_BYTES,
		.kernel = "kernel",
		.initramfs_fds = { -1, -1 },
		.append = mode,
		.files = &files,
	};
	struct vm *vm = NULL;

	files.is_saved = is_saved;
	cr_assert_eq(setenv("FAKE_QEMU", mode, 1), 0);
	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	return vm;
}

/* Numbers of processes and descriptors differ from run to run. */
static void hide_numbers(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		bool is_hidden = isdigit((unsigned char)*from) && from - text > 3 &&
				 (from[-1] == '/' || strncmp(from - 3, "fd:", 3) == 0);

		while (is_hidden && isdigit((unsigned char)from[1]))
			from++;
		*to++ = is_hidden ? '#' : *from;
		from++;
	}
	*to = '\0';
}

static void expect_told(const struct vm *vm, const char *words)
{
	size_t length = 0, lines = 0, wanted = 0;
	char told[4096];

	for (const char *at = words; *at; at++)
		wanted += *at == '\n';
	while (lines < wanted) {
		struct pollfd poll_fd = { .fd = vm_com1_fd(vm), .events = POLLIN };
		ssize_t n;

		told[length] = '\0';
		cr_assert_eq(poll(&poll_fd, 1, LONG_MS), 1, "no more than: %s", told);
		n = read(poll_fd.fd, told + length, sizeof(told) - 1 - length);
		cr_assert_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			lines += told[length + (size_t)i] == '\n';
		length += (size_t)n;
	}
	told[length] = '\0';
	hide_numbers(told);
	cr_expect_str_eq(told, words);
}

#define IGNORE_SHARED                                                                              \
	"\"arguments\":{\"capabilities\":[{\"capability\":\"x-ignore-shared\",\"state\":true}]}}"  \
	"\n"

/* It stands still before it is saved: its clocks are taken when it stops. */
Test(vm_save, a_machine_is_stopped_then_saved_without_its_memory)
{
	for (int is_kvm = 0; is_kvm < 2; is_kvm++) {
		struct vm *vm = start(is_kvm, false, "record");

		cr_assert_eq(vm_save(vm, later(), &err), 0, "%s", err.text);
		cr_assert_eq(vm_quit(vm, &err), 0, "%s", err.text);
		expect_told(vm,
			    "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
			    "{\"execute\":\"stop\",\"id\":2}\n"
			    "{\"execute\":\"migrate-set-capabilities\",\"id\":3," IGNORE_SHARED
			    "{\"execute\":\"migrate\",\"id\":4,\"arguments\":{\"uri\":\"exec:cat > "
			    "/proc/#/fd/# || : > /proc/#/fd/#\"}}\n"
			    "{\"execute\":\"query-migrate\",\"id\":5}\n"
			    "{\"execute\":\"query-migrate\",\"id\":6}\n"
			    "{\"execute\":\"quit\",\"id\":7}\n");
		vm_free(vm);
	}
}

/* QEMU sets the clocks of the guest when it goes on, and not before all of it is there. */
Test(vm_save, a_machine_goes_on_when_all_of_it_is_there)
{
	static const struct {
		const char *mode;
		const char *incoming;
	} qemus[] = { { "record", "{\"uri\":\"fd:#\"}}\n" },
		      { "record 10", "{\"uri\":\"file:/proc/self/fd/#\"}}\n" } };

	for (int i = 0; i < 4; i++) {
		struct vm *vm = start(i & 1, true, qemus[i / 2].mode);
		_cleanup_free_ char *words = str_format(
			"{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
			"{\"execute\":\"migrate-set-parameters\",\"id\":2,\"arguments\":"
			"{\"announce-rounds\":0}}\n"
			"{\"execute\":\"migrate-set-capabilities\",\"id\":3," IGNORE_SHARED
			"{\"execute\":\"migrate-incoming\",\"id\":4,\"arguments\":%s"
			"{\"execute\":\"query-status\",\"id\":5}\n"
			"{\"execute\":\"query-status\",\"id\":6}\n"
			"{\"execute\":\"cont\",\"id\":7}\n",
			qemus[i / 2].incoming);

		cr_assert_eq(vm_wait_restored(vm, later(), &err), 0, "%s", err.text);
		expect_told(vm, words);
		vm_free(vm);
	}
}

Test(vm_save, tells_why_a_machine_cannot_be_saved)
{
	struct vm *vm = start(false, false, "failing");

	cr_expect_eq(vm_save(vm, later(), &err), -EBADMSG);
	cr_expect_str_eq(err.text, "QEMU: the VM's state is 'failed': no luck");
	vm_free(vm);
}

Test(vm_save, tells_why_a_machine_cannot_be_restored)
{
	struct vm *vm = start(false, true, "failing");

	cr_expect_eq(vm_wait_restored(vm, later(), &err), -EBADMSG);
	cr_expect_str_eq(err.text, "QEMU: the VM's state is 'internal-error': no luck");
	vm_free(vm);
}

/* Only a QEMU that ends by itself over the state has refused it. */
Test(vm_save, knows_a_refusal_from_a_passing_failure)
{
	static const struct {
		const char *mode;
		int rc;
		const char *words;
	} cases[] = {
		{ "ends:load of migration failed: Invalid argument", -EBADMSG,
		  "QEMU ended with exit status 1: load of migration failed: Invalid argument" },
		{ "ends:allocate 4096 bytes: Cannot allocate memory", -EPIPE,
		  "QEMU ended with exit status 1: allocate 4096 bytes: Cannot allocate memory" },
		{ "ends:", -EPIPE, "QEMU ended with signal 9: it said nothing" },
		{ "bad option", -EPIPE, "QEMU ended with exit status 1: fake: " },
		{ "killed", -EPIPE, "QEMU ended with signal 9: it said nothing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = start(false, true, cases[i].mode);

		cr_expect_eq(vm_wait_restored(vm, later(), &err), cases[i].rc, "%s", err.text);
		cr_expect(str_starts(err.text, cases[i].words), "%s", err.text);
		vm_free(vm);
	}
}

Test(vm_save, refuses_a_machine_without_a_place_for_its_state)
{
	struct vm_spec spec = {
		.program = FAKE_QEMU,
		.topology = { .size = sizeof(struct ktstr_topology),
			      .numa_nodes = 1,
			      .llcs = 1,
			      .cores = 1,
			      .threads = 1 },
		.memory_bytes = MEMORY_BYTES,
		.kernel = "kernel",
		.initramfs_fds = { -1, -1 },
		.append = "record",
	};
	struct vm *vm = NULL;

	cr_assert_eq(vm_start(&spec, &vm, &err), 0, "%s", err.text);
	cr_expect_eq(vm_save(vm, later(), &err), -EINVAL);
	cr_expect_str_eq(err.text, "the VM was not started to be saved");
	vm_free(vm);
}
