/* SPDX-License-Identifier: GPL-2.0-only */
/* core/vm/qemu_gate.c around a program that has QEMU's threads (gate_subject.c). */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNKNOWN 2
/* So often may a busy host leave it unknown. */
#define TRIES_MAX 10

static int play_once(const char *scene, const char *gate)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (gate)
			(void)setenv("LD_PRELOAD", gate, 1);
		else
			(void)unsetenv("LD_PRELOAD");
		(void)execl(GATE_SUBJECT, GATE_SUBJECT, scene, NULL);
		_exit(99);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "wait status 0x%x", status);
	return WEXITSTATUS(status);
}

static int play(const char *scene, const char *gate)
{
	int status = UNKNOWN;

	for (int i = 0; i < TRIES_MAX && status == UNKNOWN; i++)
		status = play_once(scene, gate);
	return status;
}

Test(qemu_gate, lets_the_main_thread_work_while_the_vcpus_sleep, .timeout = 60)
{
	cr_expect_eq(play("bursts", QEMU_GATE), 0);
	cr_expect_eq(play("bursts", NULL), 1, "so it is without the gate");
}

Test(qemu_gate, keeps_timers_from_the_main_thread, .timeout = 60)
{
	cr_expect_eq(play("timers", QEMU_GATE), 0);
	cr_expect_eq(play("timers", NULL), 1, "so it is without the gate");
}

Test(qemu_gate, lets_the_main_thread_work_when_the_vcpus_never_sleep, .timeout = 60)
{
	cr_expect_eq(play("busy", QEMU_GATE), 0);
}

Test(qemu_gate, gives_up_on_vcpus_that_do_nothing, .timeout = 60)
{
	cr_expect_eq(play("nobody", QEMU_GATE), 0);
}

ParameterizedTestParameters(qemu_gate, lets_through)
{
	static char scenes[][16] = { "monitor", "signal", "debugger", "look" };

	return cr_make_param_array(char[16], scenes, sizeof(scenes) / sizeof(*scenes));
}

ParameterizedTest(char scene[16], qemu_gate, lets_through, .timeout = 60)
{
	cr_expect_eq(play(scene, QEMU_GATE), 0, "%s", scene);
}
