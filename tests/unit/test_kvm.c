/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fake_kernel.h"
#include "vm/kvm.h"

/* Of CPU time. */
#define LONGEST (500 * NS_PER_MS)

static struct kvm_probe probe(const char *path)
{
	struct kvm_probe result = { .works = true };

	kvm_probe_run(path, &result);
	cr_assert_gt(result.took_ns, 0);
	return result;
}

static void assert_reason(const char *path, const char *wanted)
{
	struct kvm_probe result = probe(path);

	cr_assert_not(result.works);
	cr_assert(strstr(result.reason, wanted), "'%s'", result.reason);
	cr_assert(strstr(result.reason, path), "'%s'", result.reason);
}

Test(kvm, says_that_there_is_no_such_file)
{
	assert_reason("/nonexistent/kvm", "cannot open /nonexistent/kvm: No such file");
}

Test(kvm, refuses_another_device)
{
	assert_reason("/dev/null", "is no KVM device");
}

Test(kvm, refuses_a_regular_file)
{
	char *folder = fake_folder();
	char path[256];

	fake_write_text(folder, "kvm", "not a device");
	(void)snprintf(path, sizeof(path), "%s/kvm", folder);
	assert_reason(path, "is no KVM device");
	fake_folder_remove(folder);
	free(folder);
}

Test(kvm, refuses_a_file_that_may_not_be_opened)
{
	char *folder = fake_folder();
	char path[256];

	fake_write_text(folder, "kvm", "");
	(void)snprintf(path, sizeof(path), "%s/kvm", folder);
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chmod(path, 0), 0);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	assert_reason(path, "Permission denied");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	fake_folder_remove(folder);
	free(folder);
}

/* Whatever this machine has: an answer in time, with a reason when it is no. The process that looks
 * is the only child here. */
Test(kvm, answers_for_this_machine_in_time)
{
	struct kvm_probe result = probe("/dev/kvm");
	struct rusage usage;

	cr_assert_eq(result.works, result.reason[0] == '\0', "'%s'", result.reason);
	cr_assert_eq(getrusage(RUSAGE_CHILDREN, &usage), 0);
	cr_assert_lt((uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000, LONGEST);
	cr_assert_eq(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec, 0);
}

/* The process that looks stands still for longer than it may take of a CPU. */
static void stand_still(void)
{
	(void)poll(NULL, 0, 900);
}

Test(kvm, time_in_which_the_host_has_no_cpu_does_not_count)
{
	cr_assert_eq(pthread_atfork(NULL, NULL, stand_still), 0);
	assert_reason("/dev/null", "is no KVM device");
}

static void spin(void)
{
	for (volatile bool is_over = false; !is_over;)
		;
}

Test(kvm, gives_up_what_takes_too_much_of_a_cpu)
{
	struct kvm_probe result;

	cr_assert_eq(pthread_atfork(NULL, NULL, spin), 0);
	result = probe("/dev/null");
	cr_assert_not(result.works);
	cr_assert_str_eq(result.reason, "the test guest did not finish in 400 ms of CPU time");
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "it is left");
}

/* A FIFO has nobody at its other end, and an open of one for reading waits for ever. */
Test(kvm, does_not_hang_on_a_fifo)
{
	char *folder = fake_folder();
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/kvm", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	assert_reason(path, "is no KVM device");
	fake_folder_remove(folder);
	free(folder);
}

Test(kvm, leaves_no_process_and_no_descriptor)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int after;

	(void)close(before);
	(void)probe("/dev/kvm");
	(void)probe("/dev/null");
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(before, after);
	(void)close(after);
}

/* A caller that does not want to hear of its children has none to wait for. */
Test(kvm, works_where_children_are_ignored)
{
	cr_assert_neq(signal(SIGCHLD, SIG_IGN), SIG_ERR);
	assert_reason("/dev/null", "is no KVM device");
}
