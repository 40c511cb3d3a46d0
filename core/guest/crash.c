/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/crash.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>
#include <unwind.h>

#include "base/cleanup.h"
#include "wire/types.h"

#define CRASH_PORT "/dev/ttyS1"
#define BACKTRACE_MAX 48
/* A stack overflow leaves no stack to handle it on. */
#define HANDLER_STACK_BYTES 65536

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

/* Signal handlers get no argument, so what they need lies here. */
static struct crash_record *session_record;
static char handler_stack[HANDLER_STACK_BYTES];

const char *crash_signal_name(int signal, char *text, unsigned int size)
{
	const char *name = sigabbrev_np(signal);

	if (name)
		(void)snprintf(text, size, "SIG%s", name);
	else
		(void)snprintf(text, size, "signal %d", signal);
	return text;
}

static void put(const int fds[2], const char *text, size_t length)
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			(void)!write(fds[i], text, length); /* nobody is left to tell */
}

void crash_write(const char *text)
{
	int fd = open(CRASH_PORT, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	const int fds[2] = { fd, -1 };

	put(fds, text, strlen(text));
	if (fd >= 0) {
		(void)tcdrain(fd); /* a reset would cut off what the UART still holds */
		(void)close(fd);
	}
}

struct walk {
	const int *fds;
	int depth;
};

static _Unwind_Reason_Code print_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	uintptr_t address = _Unwind_GetIP(context);
	const char *module = "?", *symbol = "";
	uintptr_t offset = 0;
	char line[256];
	Dl_info info;
	int length;

	if (!address || walk->depth >= BACKTRACE_MAX)
		return _URC_END_OF_STACK;
	if (dladdr((void *)address, &info) && info.dli_fname) {
		module = strrchr(info.dli_fname, '/');
		module = module ? module + 1 : info.dli_fname;
		symbol = info.dli_sname ? info.dli_sname : "";
		offset = address - (uintptr_t)info.dli_fbase;
	}
	length = snprintf(line, sizeof(line), "  #%d %s+0x%zx %s\n", walk->depth++, module,
			  (size_t)offset, symbol);
	put(walk->fds, line, length < (int)sizeof(line) ? (size_t)length : sizeof(line) - 1);
	return _URC_NO_REASON;
}

/* Has the kernel filled in si_addr with the place of the fault? */
static int has_address(const siginfo_t *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL && info->si_signo != SIGABRT;
}

static void report(const char *prefix, const siginfo_t *info, int second_fd)
{
	char name[16], line[160], place[48] = "";
	int fds[2] = { open(CRASH_PORT, O_WRONLY | O_NOCTTY | O_CLOEXEC), second_fd };
	struct walk walk = { .fds = fds };
	int length;

	if (has_address(info))
		(void)snprintf(place, sizeof(place), " (address %p)", info->si_addr);
	length = snprintf(line, sizeof(line), "%s killed by %s%s\n", prefix,
			  crash_signal_name(info->si_signo, name, sizeof(name)), place);
	put(fds, line, (size_t)length);
	(void)_Unwind_Backtrace(print_frame, &walk); /* as far as it gets */
	if (fds[0] >= 0) {
		(void)tcdrain(fds[0]);
		(void)close(fds[0]);
	}
}

static void on_init_crash(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	report(WIRE_CRASH_PREFIX " the agent was", info, STDERR_FILENO);
	(void)reboot(RB_AUTOBOOT);
	_exit(1);
}

static void on_session_crash(int signal, siginfo_t *info, void *context)
{
	(void)context;
	session_record->signal = signal;
	session_record->has_address = (uint32_t)has_address(info);
	session_record->address = (uintptr_t)info->si_addr;
	report("the session was", info, STDERR_FILENO);
	/* SA_RESETHAND: the default action now takes it. */
	(void)raise(signal);
}

static void catch_all(void (*handler)(int, siginfo_t *, void *))
{
	stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER),
	};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaltstack(&stack, NULL); /* then a stack overflow dies without a backtrace */
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		(void)sigaction(crash_signals[i], &action, NULL); /* the signals exist */
}

void crash_catch_init(void)
{
	catch_all(on_init_crash);
}

void crash_catch_session(struct crash_record *record)
{
	session_record = record;
	catch_all(on_session_crash);
}

void crash_ignore(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		(void)signal(crash_signals[i], SIG_DFL);
}
