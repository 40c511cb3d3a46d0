/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/fake_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static void die(const char *what)
{
	perror(what);
	abort();
}

static int vm_poll_events(void *arg)
{
	struct fake_vm *vm = arg;
	uint8_t event = 0, last;

	while (recv(vm->host.monitor, &last, 1, MSG_DONTWAIT) == 1)
		event = last;
	return event;
}

static int vm_quit(void *arg, struct ktstr_error *err)
{
	struct fake_vm *vm = arg;

	vm->quits++;
	if (send(vm->host.monitor, "q", 1, MSG_NOSIGNAL) < 0)
		return ktstr_fail(err, -errno, "cannot ask the VM to end");
	return 0;
}

static int vm_wait(void *arg)
{
	struct fake_vm *vm = arg;

	if (!vm->is_collected && waitpid(vm->pid, &vm->status, 0) == vm->pid)
		vm->is_collected = 1;
	return vm->status;
}

struct fake_cpu fake_cpu;
static uint64_t fake_cpu_start_ns;

static uint64_t vm_cpu_time(void *arg)
{
	(void)arg;
	return 1 + fake_cpu.rate * (clock_monotonic_ns() - fake_cpu_start_ns);
}

static bool vm_is_withheld(void *arg)
{
	(void)arg;
	if (fake_cpu.withheld == 0)
		return false;
	fake_cpu.withheld--;
	return true;
}

static void vm_kill(void *arg)
{
	struct fake_vm *vm = arg;

	vm->kills++;
	if (!vm->is_collected)
		(void)kill(vm->pid, SIGKILL);
	(void)vm_wait(vm);
}

static const struct coord_vm_ops ops = {
	.poll = vm_poll_events,
	.quit = vm_quit,
	.kill = vm_kill,
	.wait = vm_wait,
	.cpu_time_ns = vm_cpu_time,
	.is_withheld = vm_is_withheld,
};

static void make_pair(int *host, int *guest)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	*host = pair[0];
	*guest = pair[1];
}

static void close_ends(struct fake_guest *ends)
{
	const int fds[] = { ends->bulk,	     ends->com1,    ends->com2,
			    ends->stderr_fd, ends->console, ends->monitor };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

void fake_vm_start(struct fake_vm *vm, fake_script script, struct coord_spec *spec)
{
	struct fake_guest guest;

	memset(vm, 0, sizeof(*vm));
	make_pair(&vm->host.bulk, &guest.bulk);
	make_pair(&vm->host.com1, &guest.com1);
	make_pair(&vm->host.com2, &guest.com2);
	make_pair(&vm->host.stderr_fd, &guest.stderr_fd);
	make_pair(&vm->host.console, &guest.console);
	make_pair(&vm->host.monitor, &guest.monitor);
	vm->pid = fork();
	if (vm->pid < 0)
		die("fork");
	if (vm->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_ends(&vm->host);
		script(&guest);
		_exit(0);
	}
	close_ends(&guest);
	vm->pid_fd = pidfd_open(vm->pid, 0);
	if (vm->pid_fd < 0)
		die("pidfd_open");
	spec->start_ns = fake_cpu_start_ns = clock_monotonic_ns();
	spec->bulk_fd = vm->host.bulk;
	spec->com1_fd = vm->host.com1;
	spec->com2_fd = vm->host.com2;
	spec->stderr_fd = vm->host.stderr_fd;
	spec->console_fd = vm->host.console;
	spec->monitor_fd = vm->host.monitor;
	spec->pid_fd = vm->pid_fd;
	spec->vm = vm;
	spec->vm_ops = &ops;
}

void fake_vm_done(struct fake_vm *vm)
{
	vm_kill(vm);
	close_ends(&vm->host);
	(void)close(vm->pid_fd);
}

void fake_send(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n < 0)
			_exit(9);
		at += n;
		length -= (size_t)n;
	}
}

void fake_text(int fd, const char *text)
{
	fake_send(fd, text, strlen(text));
}

void fake_frames(struct fake_guest *guest, struct frames *frames)
{
	fake_send(guest->bulk, frames->bytes, frames->length);
	frames->length = 0;
}

void fake_event(struct fake_guest *guest, int event)
{
	const uint8_t byte = (uint8_t)event;

	fake_send(guest->monitor, &byte, 1);
}

int fake_wait_byte(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, 0) == 1 ? byte : -1;
}

void fake_hang(void)
{
	for (;;)
		pause();
}
