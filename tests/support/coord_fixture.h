/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of the coordinator: a folder, a run file in it, and a VM that is a script. Programs
 * that use it give their suites coord_setup() and coord_teardown().
 */
#ifndef SUPPORT_COORD_FIXTURE_H
#define SUPPORT_COORD_FIXTURE_H

#include <stdint.h>

#include "coord/coord.h"
#include "support/fake_vm.h"

struct coord_fixture {
	char folder[128];
	char runfile[160];
	struct fake_vm vm;
	struct coord_spec spec; /* may be changed before run_vm() */
	struct coord_result result;
	struct ktstr_error err;
};

extern struct coord_fixture f;

void coord_setup(void);
void coord_teardown(void);

/* The whole run of a VM that does what @script says. */
void run_vm(fake_script script);
void expect_end(enum coord_end end, const char *text);

/* What the run file holds. */
struct recorded {
	uint64_t by_kind[RUNFILE_FRAME_HEADER + 1];
	struct runfile_summary summary;
	uint32_t last_kind;
	char reason[900];
	char console[4096];
	size_t console_length;
	char warnings[4096];
};

/* Also checks that the file is whole and says what the result says. */
void read_back(struct recorded *ret);

/* Parts of scripts. */
void add_boot(struct frames *frames);
void add_scenario(struct frames *frames);
/* A boot and the scenario's start, sent. */
void start_scenario(struct fake_guest *guest, struct frames *frames);
/* A guest powers off only when it knows that nothing is lost. */
void wait_until_received(struct fake_guest *guest);

/* Scripts. */
void play_good(struct fake_guest *guest);
void play_silent(struct fake_guest *guest);
void play_floods(struct fake_guest *guest); /* within a scenario, for ever */

#endif
