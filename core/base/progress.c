/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/progress.h"

uint64_t progress_look(struct progress *progress, uint64_t work, uint64_t now_ns)
{
	uint64_t step_ns = now_ns > progress->look_ns ? now_ns - progress->look_ns : 0;

	progress->look_ns = now_ns;
	if (work != progress->work) {
		progress->work = work;
		progress->nothing_ns = 0;
	} else {
		progress->nothing_ns += step_ns < PROGRESS_STEP_NS ? step_ns : PROGRESS_STEP_NS;
	}
	return progress->nothing_ns;
}

void progress_excuse(struct progress *progress)
{
	progress->nothing_ns = 0;
}
