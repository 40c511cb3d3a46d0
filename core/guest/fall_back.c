/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/fall_back.h"

#include "base/clock.h"
#include "guest/scx_state.h"

/* How long the last file descriptor may take to be closed, and the kernel to switch all tasks. */
#define CLOSE_NS (500 * NS_PER_MS)
#define THROW_OUT_NS (500 * NS_PER_MS)

int fall_back(const char *sched_ext, const char *sysrq, struct port *port, bool is_told)
{
	struct scx_sysfs sysfs;
	struct scx_reading reading;
	int rc = 0;

	scx_sysfs_open(&sysfs, sched_ext);
	if (sysfs.folder_fd < 0)
		return 0;
	if (!scx_wait_idle(&sysfs, CLOSE_NS) && sysrq) {
		scx_throw_out(sysrq);
		(void)scx_wait_idle(&sysfs, THROW_OUT_NS);
	}
	if (is_told) {
		scx_sysfs_read(&sysfs, KTSTR_SCX_STOPPED, &reading);
		rc = port_send(port, KTSTR_MSG_SCX_STATE, &reading, scx_reading_size(&reading));
	}
	scx_sysfs_done(&sysfs);
	return rc;
}
