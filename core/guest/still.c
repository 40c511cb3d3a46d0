/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/still.h"

#include <sys/io.h>

/* The port of power-on codes: nobody reads it, and a write to it leaves an emulated CPU. */
#define IDLE_IO_PORT 0x80

/*
 * Each write leaves the CPU for so long that next to no time of the guest passes until the host has
 * stopped the machine, and as the task in charge of this CPU is a real-time one, in its own time no
 * other CPU of the machine gets its turn.
 */
void still_stand(void)
{
	int rc = ioperm(IDLE_IO_PORT, 1, 1);

	for (;;)
		if (rc == 0)
			outb(0, IDLE_IO_PORT);
}
