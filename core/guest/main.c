/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <unistd.h>

#include "guest/agent.h"

int main(void)
{
	if (getpid() != 1) {
		(void)fprintf(stderr,
			      "ktstr-guest: runs as the first process of a VM; start 'ktstr'\n");
		return 2;
	}
	agent_main();
}
