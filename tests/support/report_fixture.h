/* SPDX-License-Identifier: GPL-2.0-only */
/* A run that a report can be made of, and how it was judged. */
#ifndef SUPPORT_REPORT_FIXTURE_H
#define SUPPORT_REPORT_FIXTURE_H

#include "judge/verdict.h"
#include "support/run_fixture.h"

/* A PASS by one checker, and a FAIL of the second of two. */
extern const struct verdict fixture_pass;
extern const struct verdict fixture_failure;

/* Fill the run file with two cgroups of a worker each, milestones and a console, and close it. */
void fixture_whole_run(struct run_fixture *fixture);

#endif
