/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: choose the subcommand, parse its options, run it. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* main() of ktstr. Returns the exit code (judge/verdict.h). */
int cli_main(int argc, char **argv);

#endif
