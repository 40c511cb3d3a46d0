/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The coordinator: one epoll loop that drains the guest's channels, assembles and dispatches
 * frames, appends what was admitted to the run file, and decides when the run is over. It takes
 * open descriptors and a table of functions, and knows nothing of QEMU: a socket pair in a test
 * drives the same code.
 */
#ifndef COORD_COORD_H
#define COORD_COORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "coord/dispatch.h"
#include "ktstr/error.h"
#include "runfile/format.h"
#include "runfile/writer.h"

/*
 * What a guest may leave in a run file, whatever it sends: bytes in all, frames, and bytes of what
 * it prints (STDOUT, STDERR, SCHED_LOG, DMESG, PROBE_OUTPUT). One frame more ends the run:
 * COORD_END_RECORD_FAILED.
 */
#define COORD_RUNFILE_MAX (UINT64_C(1) << 30)
#define COORD_FRAMES_MAX (UINT64_C(1) << 20)
#define COORD_OUTPUT_MAX (UINT64_C(64) << 20)

/* Slots for watches that guests ask for. Slot 0 is kept for the run's own use. */
#define COORD_WATCHES_MAX 3u

/* A VM in virtual time that does nothing at all for so long is broken. */
#define COORD_STUCK_NS (60 * NS_PER_S)

/* Names of the milestones that the coordinator appends as RUNFILE_EVENT_TIMING. */
#define COORD_TIMING_FIRST_BYTE "first_byte"
#define COORD_TIMING_READY "ready"
#define COORD_TIMING_SCENARIO_START "scenario_start"
#define COORD_TIMING_SCENARIO_END "scenario_end"
#define COORD_TIMING_END "end"
#define COORD_TIMING_GONE "gone"

/* Why the loop ended. The first that happened counts. */
enum coord_end {
	COORD_END_STREAM,	    /* END frame, then the guest powered off: the good way */
	COORD_END_SCHED_EXIT,	    /* the scheduler died (SCHED_EXIT) */
	COORD_END_PANIC,	    /* kernel panic on the console, or a reset */
	COORD_END_AGENT_CRASH,	    /* "PANIC:" on COM2 */
	COORD_END_VM_GONE,	    /* QEMU ended before the stream did */
	COORD_END_VM_ERROR,	    /* QEMU reported an internal error */
	COORD_END_BOOT_TIMEOUT,	    /* no SYS_RDY in time */
	COORD_END_WATCHDOG,	    /* the scenario outlived its budget */
	COORD_END_TEARDOWN_TIMEOUT, /* after SCENARIO_END no END frame came in time */
	COORD_END_INTERRUPTED,	    /* the user's signal */
	COORD_END_RECORD_FAILED,    /* the run file could not be written */
	COORD_END_GUEST_SHUTDOWN,   /* the guest powered off without an END frame */
	COORD_END_INTERNAL,	    /* the loop itself failed */
	COORD_END_STOPPED,	    /* where it was asked for */
};
/* "stream end", "kernel panic", ... */
const char *coord_end_name(enum coord_end end);
/* Is the guest told to hurry then? Its workload is cut short, and only after that do its workers
 * report: one without progress is no wonder. */
bool coord_end_cuts_short(enum coord_end end);

/* A thread of the VM. */
struct coord_thread {
	int32_t id;
	uint64_t cpu_wait_ns; /* how long it was ready to run on the host and did not, so far */
};
/* So many of them are looked at. */
#define COORD_THREADS_MAX 512u

/* What the coordinator may ask of the VM. Every function may be NULL. */
struct coord_vm_ops {
	/* The monitor is readable: enum vm_event-like answer: 0 nothing, 1 powered off, 2 reset or
	 * panic, 3 broken. */
	int (*poll)(void *vm);
	int (*quit)(void *vm, struct ktstr_error *err);
	void (*kill)(void *vm);
	int (*wait)(void *vm);
	/* How long it was ready to run on the host and did not, so far. */
	uint64_t (*cpu_wait_ns)(void *vm);
	/* The same of each thread; returns how many there are, at most @max. */
	uint32_t (*threads)(void *vm, struct coord_thread *ret, uint32_t max);
	/* How much of the host's CPU time it took, so far. */
	uint64_t (*cpu_time_ns)(void *vm);
	/* It makes no progress, and that is not its fault: it is stopped, or waits for a CPU or a
	 * disk. */
	bool (*is_withheld)(void *vm);
	/* Stop all CPUs of the guest, and let them go on. */
	int (*freeze)(void *vm, struct ktstr_error *err);
	int (*thaw)(void *vm, struct ktstr_error *err);
	/* While it stands still: the registers of its first @max CPUs. */
	int (*registers)(void *vm, struct runfile_cpu *ret, uint32_t max, uint32_t *ret_count,
			 struct ktstr_error *err);
	/* Memory of its kernel by virtual address; @target is WIRE_TARGET_SYMBOL (any address),
	 * _DIRECT or _KVA, @addrs what the guest said of its kernel. */
	int (*read)(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		    uint64_t address, void *to, size_t length, struct ktstr_error *err);
	int (*write)(void *vm, const struct ktstr_kern_addrs *addrs, uint8_t target,
		     uint64_t address, const void *from, size_t length, struct ktstr_error *err);
	/* While it stands still: watch memory for writes in slot 1 to COORD_WATCHES_MAX, or no
	 * longer. */
	int (*watch)(void *vm, uint32_t slot, uint64_t address, uint32_t length,
		     struct ktstr_error *err);
	int (*unwatch)(void *vm, uint32_t slot, struct ktstr_error *err);
	/* 1: the guest stopped by itself, because of the watch in *ret_slot (0: of none that is
	 * set), written by *ret_cpu (UINT32_MAX: not known), and is to be thawed; 0: it did not;
	 * else watching is over. */
	int (*watch_hit)(void *vm, uint32_t *ret_slot, uint32_t *ret_cpu, struct ktstr_error *err);
	/* In virtual time: stop the VM without its noticing, and let it go on. While it stands so,
	 * only memory may be read; freeze() resumes it. */
	int (*suspend)(void *vm, struct ktstr_error *err);
	void (*resume)(void *vm);
	/* In virtual time, where the guest stands still by itself to be answered: wait until it
	 * does (-EAGAIN: not this time), leave frames in its memory, let it go on. Between hold()
	 * and release() all but watches works as after freeze(). */
	int (*hold)(void *vm, struct ktstr_error *err);
	int (*answer)(void *vm, const void *frames, size_t length, struct ktstr_error *err);
	void (*release)(void *vm);
};

/* What somebody who watches the run is told. Every function may be NULL; none may block. */
struct coord_observer {
	void *arg;
	void (*phase)(void *arg, uint8_t phase, const char *text); /* lifecycle */
	void (*ready)(void *arg);				   /* SYS_RDY */
	void (*step)(void *arg, const struct ktstr_step_info *step, const char *name);
	void (*scenario)(void *arg, bool has_started);	   /* start, end */
	void (*console_line)(void *arg, const char *line); /* COM1, made safe, without newline */
	void (*output)(void *arg, uint32_t msg_type, const void *bytes,
		       uint32_t length); /* STDOUT, STDERR, SCHED_LOG */
	void (*warning)(void *arg, const char *text);
	void (*decided)(void *arg, enum coord_end end); /* why the run ends, once */
	void (*tick)(void *arg, const struct dispatch_sinks *sinks,
		     uint64_t frames); /* ten times a second */
};

/* Whoever wants the machine to stop somewhere. */
struct coord_stop {
	/* Is it there? Asked whenever something came, and @wait_ns after it was asked last; @sinks
	 * and so many frames have come so far. */
	bool (*is_there)(void *arg, const struct dispatch_sinks *sinks, uint64_t frames);
	/* It stands still. The run ends when this returns. */
	void (*look)(void *arg, const struct dispatch_sinks *sinks, uint64_t frames);
	void *arg;
	uint64_t wait_ns;   /* less than a second; is_there() may change it */
	bool is_suspending; /* the VM is suspended while it is asked */
};

struct coord_spec {
	const struct coord_stop *stop; /* NULL: nowhere */
	uint64_t start_ns;	       /* CLOCK_MONOTONIC at the start of the run */
	/* What came on the bulk port before this VM was saved, to be taken first; borrowed. */
	const void *prefix;
	size_t prefix_length;
	int bulk_fd;
	int com1_fd; /* -1: none, as for all below */
	int com2_fd;
	/* Those three are files, which are followed as they grow, until the VM is gone; @news_fd
	 * (of a timer) is readable when there may be more. Else they are streams that end. */
	bool are_files;
	int news_fd;
	int monitor_fd;
	int pid_fd;
	int stderr_fd; /* QEMU's own messages */
	/* Eventfds for who waits beside the loop, such as a monitor, written as dispatch.h says. */
	int kill_evt;
	int sys_rdy_evt;
	int signal_fd;	/* a signalfd of SIGINT, SIGTERM, SIGHUP */
	int console_fd; /* ktstr-console: the shutdown byte goes there */
	/* In virtual time, readable: the guest is about to stand still, or waits to go on. Then
	 * requests are served there alone. */
	int freeze_fd;
	int debugger_fd; /* readable: ask watch_hit(); not looked at without that op */
	void *vm;
	const struct coord_vm_ops *vm_ops;
	struct runfile_writer *runfile;
	/*
	 * What an instruction takes in the guest's own time; 0: it lives in the host's. Then PID 1
	 * holds the guest to its limits, and says when one has passed (KTSTR_PHASE_OVERDUE); all
	 * times below, and those that a guest and QEMU get for ending by themselves, count
	 * watchdog_spent_ns(), and boot_timeout_ns the VM's CPU time.
	 */
	uint32_t instruction_ns;
	int console_log_fd;	   /* COM1 is copied there; -1: not */
	uint64_t boot_timeout_ns;  /* from start_ns to SYS_RDY */
	uint64_t start_timeout_ns; /* from there to SCENARIO_START */
	/* Time in which the host had no CPU for the VM does not count in either of them, up to so
	 * much in each. */
	uint64_t cpu_wait_max_ns;
	uint64_t workload_duration_ns; /* the scenario's longest, plus its allowance */
	uint64_t scheduler_changes_ns; /* so much longer may its pauses last */
	uint64_t teardown_timeout_ns;  /* from SCENARIO_END to END */
	uint64_t kernel_text_link_kva;
	/* Each time that the guest and QEMU get for ending by themselves is divided by this; 0: by
	 * one. For tests. */
	uint32_t grace_divisor;
	uint64_t runfile_max; /* 0: COORD_RUNFILE_MAX. For tests. */
	const struct coord_observer *observer;
};

struct coord_result {
	enum coord_end end;
	/* One sentence for a person: what happened and when ("kernel panic 2.1 s after the start:
	 * ..."). */
	char text[600];
	struct runfile_summary summary;
	struct dispatch_sinks sinks;
	/* ns since the start; 0: did not happen. */
	uint64_t ready_ns, attached_ns, scenario_start_ns, scenario_end_ns, end_ns, gone_ns;
	/* Of the boot, or from there until the scenario starts: how long the VM wanted a CPU of the
	 * host and had none. Known when their limit comes, else 0. */
	uint64_t cpu_wait_ns;
	/* Of the scenario, from its start to its end: the longest time that a thread of the VM
	 * wanted a CPU and had none. 0: not known, or nothing to the guest, which lives in virtual
	 * time. */
	uint64_t host_wait_ns;
	int qemu_status;
	int signal; /* COORD_END_INTERRUPTED: which one */
};

/*
 * Run until the stream ended and the VM is gone. Always drains what is left of every channel after
 * the VM ended, appends the END_REASON event and the summary record, and leaves no VM running.
 * Returns 0 when *ret is filled, whatever the end was; a negative errno only when the loop could
 * not be set up.
 */
int coord_run(const struct coord_spec *spec, struct coord_result *ret, struct ktstr_error *err);

#endif
