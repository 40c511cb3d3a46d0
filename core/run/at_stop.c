/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/at_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "vm/kernel_symbols.h"

#define GDB "gdb"

static void show_place(const struct kernel_symbols *symbols, const struct runfile_cpu *cpu,
		       FILE *out)
{
	const struct kernel_symbol *symbol =
		symbols && cpu->cpl == 0 ? kernel_symbols_at(symbols, cpu->rip) : NULL;

	if (symbol)
		(void)fprintf(out, "%s+0x%" PRIx64, symbol->name, cpu->rip - symbol->address);
	else
		(void)fprintf(out, "0x%" PRIx64, cpu->rip);
	(void)fprintf(out, "%s%s\n", cpu->cpl ? ", in user mode" : "",
		      cpu->is_halted ? ", waits for an interrupt" : "");
}

static void show_registers(const struct runfile_cpu *cpu, FILE *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} registers[] = {
		{ "rax", cpu->rax }, { "rbx", cpu->rbx },    { "rcx", cpu->rcx },
		{ "rdx", cpu->rdx }, { "rsi", cpu->rsi },    { "rdi", cpu->rdi },
		{ "rbp", cpu->rbp }, { "rsp", cpu->rsp },    { "r8", cpu->r8 },
		{ "r9", cpu->r9 },   { "r10", cpu->r10 },    { "r11", cpu->r11 },
		{ "r12", cpu->r12 }, { "r13", cpu->r13 },    { "r14", cpu->r14 },
		{ "r15", cpu->r15 }, { "rip", cpu->rip },    { "flags", cpu->rflags },
		{ "cr3", cpu->cr3 }, { "gs", cpu->gs_base },
	};

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		(void)fprintf(out, "%s%-5s %016" PRIx64 "%s", i % 4 == 0 ? "    " : "  ",
			      registers[i].name, registers[i].value,
			      i % 4 == 3 || i + 1 == ARRAY_SIZE(registers) ? "\n" : "");
}

static void show_cpus(struct vm *vm, const struct kernel_symbols *symbols, FILE *out)
{
	_cleanup_free_ struct runfile_cpu *cpus = calloc(KTSTR_CPUS_MAX, sizeof(*cpus));
	struct ktstr_error err = { 0 };
	uint32_t count = 0;

	if (!cpus || vm_registers(vm, cpus, KTSTR_CPUS_MAX, &count, &err) < 0) {
		log_warning("the registers cannot be read: %s", cpus ? err.text : "out of memory");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		(void)fprintf(out, "CPU %" PRIu32 ": ", i);
		show_place(symbols, &cpus[i], out);
		show_registers(&cpus[i], out);
	}
}

/* A file of symbols for gdb; the caller frees its name. NULL: there are none. */
static char *write_symbols(const struct kernel_symbols *symbols, const char *folder)
{
	char *path = symbols ? str_format("%s/vmlinux", folder) : NULL;
	_cleanup_close_ int fd =
		path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	int rc = fd < 0 ? -errno : kernel_symbols_write(symbols, fd);

	if (!path || rc == 0)
		return path;
	log_warning("cannot write '%s': %s", path, strerror(-rc));
	free(path);
	return NULL;
}

/* gdb has the terminal until it ends. */
static void run_gdb(const char *file, const char *socket)
{
	_cleanup_free_ char *target = str_format("target remote %s", socket);
	char *words[] = { (char *)GDB, (char *)"-q", (char *)"-ex", target, (char *)file, NULL };
	sigset_t none;
	pid_t pid;

	if (!target)
		return;
	pid = fork();
	if (pid < 0) {
		log_warning("cannot start gdb: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)signal(SIGPIPE, SIG_DFL);
		(void)execvp(words[0], words);
		log_warning("cannot start gdb: %s; is it installed", strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void hand_over(struct vm *vm, const struct kernel_symbols *symbols, const char *vmlinux)
{
	const char *temporary = getenv("TMPDIR");
	_cleanup_free_ char *folder =
		str_format("%s/ktstr-gdb-XXXXXX", temporary && *temporary ? temporary : "/tmp");
	_cleanup_free_ char *socket = NULL;
	_cleanup_free_ char *made = NULL;
	struct ktstr_error err = { 0 };

	if (!folder || !mkdtemp(folder)) {
		log_warning("cannot make a folder for gdb: %s", strerror(errno));
		return;
	}
	socket = str_format("%s/gdb", folder);
	made = vmlinux ? NULL : write_symbols(symbols, folder);
	if (socket && vm_listen_for_gdb(vm, socket, &err) == 0)
		run_gdb(vmlinux ? vmlinux : made, socket);
	else
		log_warning("QEMU does not listen for gdb: %s", err.text);
	if (socket)
		(void)unlink(socket); /* QEMU's, which may be gone */
	if (made)
		(void)unlink(made);
	(void)rmdir(folder);
}

void at_stop_show(struct vm *vm, const struct kernel *kernel, const struct until *until, FILE *out)
{
	struct kernel_symbols *symbols = NULL;
	struct ktstr_error err;

	if (kernel_symbols_read(kernel->boot, &symbols, &err) < 0)
		log_warning("%s; addresses stay as they are", err.text);
	show_cpus(vm, symbols, out);
	if (fflush(out) != 0)
		log_warning("cannot write where the CPUs are: %s", strerror(errno));
	if (until->has_gdb)
		hand_over(vm, symbols, until->vmlinux);
	kernel_symbols_free(symbols);
}
