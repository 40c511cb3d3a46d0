/* SPDX-License-Identifier: GPL-2.0-only */
/* Tricks with the machine: silence, its power switch, its consoles. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest/boot.h"
#include "guest/crash.h"
#include "villain/villain.h"

static void hang(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	villain_hang();
}

static void power_off(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	boot_power_off();
}

static void reset(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	(void)reboot(RB_AUTOBOOT);
	villain_hang();
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		villain_die("cannot write to '%s'", path);
	(void)close(fd);
}

static void panic(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	write_to("/proc/sysrq-trigger", "c");
	villain_hang();
}

static void crash(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	crash_catch_init();
	(void)raise(SIGSEGV);
}

/* What the kernel writes when it dies, by one who is alive. */
static void panic_text(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	write_to("/dev/ttyS0", "Kernel panic - not syncing: this is a lie\n");
}

/* What the agent writes when it dies. */
static void crash_text(struct villain *v, const struct frame *frame)
{
	(void)v;
	(void)frame;
	write_to("/dev/ttyS1", "PANIC: this is a lie\n");
}

const struct trick tricks_of_the_machine[] = {
	{ "silence_before_ready", BEAT_KERN_ADDRS, BEFORE, hang },
	{ "silence_after_ready", BEAT_SYS_RDY, AFTER, hang },
	{ "silence_in_the_scenario", BEAT_STIMULUS, AFTER, hang },
	{ "power_off", BEAT_WORKER, INSTEAD, power_off },
	{ "reset", BEAT_WORKER, INSTEAD, reset },
	{ "end_then_reset", BEAT_END, AFTER, reset },
	{ "pass_then_panic", BEAT_RESULT, AFTER, panic },
	{ "end_then_panic", BEAT_END, AFTER, panic },
	{ "pass_then_crash", BEAT_RESULT, AFTER, crash },
	{ "panic_text", BEAT_OUTPUT, AFTER, panic_text },
	{ "crash_text", BEAT_OUTPUT, AFTER, crash_text },
	{ 0 },
};
