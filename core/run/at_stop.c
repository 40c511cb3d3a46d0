/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/at_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "report/meta.h"
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

static const struct {
	const char *name;
	size_t offset;
} registers[] = {
#define REGISTER(name, member)                                                                     \
	{                                                                                          \
		name, offsetof(struct runfile_cpu, member)                                         \
	}
	REGISTER("rax", rax), REGISTER("rbx", rbx),    REGISTER("rcx", rcx),
	REGISTER("rdx", rdx), REGISTER("rsi", rsi),    REGISTER("rdi", rdi),
	REGISTER("rbp", rbp), REGISTER("rsp", rsp),    REGISTER("r8", r8),
	REGISTER("r9", r9),   REGISTER("r10", r10),    REGISTER("r11", r11),
	REGISTER("r12", r12), REGISTER("r13", r13),    REGISTER("r14", r14),
	REGISTER("r15", r15), REGISTER("rip", rip),    REGISTER("flags", rflags),
	REGISTER("cr3", cr3), REGISTER("gs", gs_base),
#undef REGISTER
};

static uint64_t value_of(const struct runfile_cpu *cpu, size_t index)
{
	uint64_t value;

	memcpy(&value, (const char *)cpu + registers[index].offset, sizeof(value));
	return value;
}

static void show_registers(const struct runfile_cpu *cpu, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		(void)fprintf(out, "%s%-5s %016" PRIx64 "%s", i % 4 == 0 ? "    " : "  ",
			      registers[i].name, value_of(cpu, i),
			      i % 4 == 3 || i + 1 == ARRAY_SIZE(registers) ? "\n" : "");
}

static json_t *hex_json(uint64_t value)
{
	return json_sprintf("0x%" PRIx64, value);
}

static json_t *cpu_json(const struct kernel_symbols *symbols, const struct runfile_cpu *cpu,
			uint32_t number)
{
	const struct kernel_symbol *symbol =
		symbols && cpu->cpl == 0 ? kernel_symbols_at(symbols, cpu->rip) : NULL;
	json_t *values = json_object(), *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		json_put(&values, registers[i].name, hex_json(value_of(cpu, i)));
	json_put(&json, "cpu", json_integer(number));
	json_put(&json, "function", json_text(symbol ? symbol->name : NULL));
	json_put(&json, "offset",
		 symbol ? json_integer((json_int_t)(cpu->rip - symbol->address)) : json_null());
	json_put(&json, "is_user", json_boolean(cpu->cpl != 0));
	json_put(&json, "is_halted", json_boolean(cpu->is_halted));
	json_put(&json, "registers", values);
	return json;
}

/* The registers of all; the caller frees. NULL: they cannot be had. */
static struct runfile_cpu *read_cpus(struct vm *vm, uint32_t *ret_count)
{
	struct runfile_cpu *cpus = calloc(KTSTR_CPUS_MAX, sizeof(*cpus));
	struct ktstr_error err = { 0 };

	*ret_count = 0;
	if (cpus && vm_registers(vm, cpus, KTSTR_CPUS_MAX, ret_count, &err) == 0)
		return cpus;
	log_warning("the registers cannot be read: %s", cpus ? err.text : "out of memory");
	free(cpus);
	return NULL;
}

static void show_text(const struct until_stop *stop, const struct kernel_symbols *symbols,
		      const struct runfile_cpu *cpus, uint32_t count)
{
	const struct until_reached *reached = &stop->reached;

	if (reached->has_time)
		(void)fprintf(stop->out,
			      "stopped %.3f s after the scenario's start, to %.3f s; %.3f s were "
			      "asked for\n",
			      (double)reached->elapsed_ns / (double)NS_PER_S,
			      (double)reached->precision_ns / (double)NS_PER_S,
			      (double)stop->until->value / (double)NS_PER_S);
	else
		(void)fprintf(stop->out, "stopped after frame %" PRIu64 "%s\n", reached->last_frame,
			      stop->until->kind == UNTIL_FRAME &&
					      reached->last_frame > stop->until->value
				      ? ": what came before was sent before the VM was saved"
				      : "");
	for (uint32_t i = 0; i < count; i++) {
		(void)fprintf(stop->out, "CPU %" PRIu32 ": ", i);
		show_place(symbols, &cpus[i], stop->out);
		show_registers(&cpus[i], stop->out);
	}
	if (fflush(stop->out) != 0)
		log_warning("cannot write where the CPUs are: %s", strerror(errno));
}

static json_t *seconds_json(bool is_known, uint64_t ns)
{
	return is_known ? json_real((double)ns / (double)NS_PER_S) : json_null();
}

static json_t *make_json(const struct until_stop *stop, const struct kernel_symbols *symbols,
			 const struct runfile_cpu *cpus, uint32_t count)
{
	const struct until_reached *reached = &stop->reached;
	json_t *list = json_array(), *stopped = json_object(), *json = json_object();

	for (uint32_t i = 0; i < count; i++)
		json_add(&list, cpu_json(symbols, &cpus[i], i));
	json_put(&stopped, "frame", json_integer((json_int_t)reached->last_frame));
	json_put(&stopped, "time_s", seconds_json(reached->has_time, reached->elapsed_ns));
	json_put(&stopped, "precision_s", seconds_json(reached->has_time, reached->precision_ns));
	json_put(&json, "stopped", stopped);
	json_put(&json, "cpus", list);
	return json;
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

void at_stop_show(struct until_stop *stop)
{
	struct kernel_symbols *symbols = NULL;
	struct runfile_cpu *cpus;
	struct ktstr_error err;
	uint32_t count;

	if (kernel_symbols_read(stop->kernel->boot, &symbols, &err) < 0)
		log_warning("%s; addresses stay as they are", err.text);
	cpus = read_cpus(stop->vm, &count);
	if (stop->out)
		show_text(stop, symbols, cpus, count);
	else
		stop->json = make_json(stop, symbols, cpus, count);
	free(cpus);
	if (stop->until->has_gdb)
		hand_over(stop->vm, symbols, stop->until->vmlinux);
	kernel_symbols_free(symbols);
}
