/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a crash leaves behind: a sentence and a backtrace on COM2, which needs neither the port nor
 * a working kernel driver for it.
 */
#ifndef GUEST_CRASH_H
#define GUEST_CRASH_H

#include <stdint.h>

/* Shared with PID 1: how the session crashed. Zero: it did not. */
struct crash_record {
	volatile int32_t signal;
	volatile uint32_t has_address;
	volatile uint64_t address;
};

/* A crash of PID 1: "PANIC: ..." and the backtrace to COM2 and the console, then a reset. */
void crash_catch_init(void);

/* A crash of the session: the backtrace to COM2 and stderr, a note in @record, then death by that
 * signal. */
void crash_catch_session(struct crash_record *record);

/* In a child that is to die of its crashes in the plain way. */
void crash_ignore(void);

/* "SIGSEGV", or "signal 77". @text is at least 16 bytes; returned. */
const char *crash_signal_name(int signal, char *text, unsigned int size);

/* Write a line to COM2 and wait until it has gone out. Safe in a signal handler. */
void crash_write(const char *text);

#endif
