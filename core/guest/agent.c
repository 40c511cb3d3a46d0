/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/agent.h"

#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "guest/boot.h"
#include "guest/cgroup.h"
#include "guest/crash.h"
#include "guest/entropy.h"
#include "guest/freeze.h"
#include "guest/job_area.h"
#include "guest/kernaddrs.h"
#include "guest/observer.h"
#include "guest/port.h"
#include "guest/privilege.h"
#include "guest/session.h"
#include "guest/stats.h"
#include "guest/still.h"
#include "guest/supervisor.h"
#include "guest/wake.h"
#include "wire/types.h"

#define AGENT_JOB "/ktstr/job"
#define AGENT_SCHEDULER_JOB "/ktstr/scheduler"
#define AGENT_CONSOLE "/dev/hvc0"
#define AGENT_PORTS "/sys/class/virtio-ports"
#define AGENT_DEV "/dev"
/* How long a host that does not say that it has the stream gets to read it. */
#define RECEIVED_TIMEOUT_NS (1 * NS_PER_S)

static int run_session(void *arg, struct session_link *link)
{
	return session_run(arg, link);
}

/* Where the kernel lies, then that the agent is there. */
static int announce(struct port *port, const struct ktstr_kern_addrs *addrs)
{
	uint8_t phase = KTSTR_PHASE_INIT_STARTED;
	int rc;

	rc = port_send(port, KTSTR_MSG_KERN_ADDRS, addrs, sizeof(*addrs));
	if (rc == 0)
		rc = port_send(port, KTSTR_MSG_SYS_RDY, NULL, 0);
	if (rc == 0)
		rc = port_send(port, KTSTR_MSG_LIFECYCLE, &phase, sizeof(phase));
	return rc;
}

/* Everything that is the same for every run: a machine is saved when this has been done. */
static int boot(struct port *port, const struct session_spec *session, int *ret_wake_fd,
		struct ktstr_kern_addrs *ret_addrs, uint8_t **ret_area, struct ktstr_error *err)
{
	struct ktstr_error ignored;
	int rc = boot_mount(err), fd;

	if (rc < 0)
		return rc;
	boot_raise_limits();
	fd = port_open(AGENT_PORTS, AGENT_DEV, WIRE_PORT_BULK,
		       boot_port_budget_ns((uint32_t)sysconf(_SC_NPROCESSORS_ONLN)), err);
	if (fd < 0)
		return fd;
	port_init(port, fd);
	*ret_wake_fd = wake_open(AGENT_CONSOLE);
	kernaddrs_read(ret_addrs);
	stats_start();
	(void)cgroups_prepare(session->cgroup_mount, &ignored); /* the session tells */
	observer_prepare(session->observer_paths);
	return job_area_map(JOB_AREA_PCI, ret_area, err);
}

/* From here on it is this run. */
static int take_job(uint8_t *area, struct port *port, struct session_spec *session,
		    struct freeze *freeze, struct ktstr_error *err)
{
	struct job_area_taken taken = { 0 };
	int rc = job_area_take(area, "", &taken, err);

	freeze_init(freeze, taken.freeze_port, job_area_keep(area, taken.freeze_port != 0));
	/* Of the run that a saved machine goes on with, too. */
	port->stop_after = &job_area_head(area)->stop_after;
	port->stop = still_stand;
	if (rc == 0)
		rc = boot_check_sentinel(BOOT_SENTINEL, err);
	if (rc < 0)
		return rc;
	entropy_seed(taken.seed);
	if (!taken.is_whole)
		session->scheduler_path = AGENT_SCHEDULER_JOB;
	return 0;
}

void agent_main(void)
{
	const struct observer_paths observer_paths = OBSERVER_PATHS;
	struct freeze freeze = { 0 };
	struct session_spec session = { .job_path = AGENT_JOB,
					.pci = JOB_AREA_PCI,
					.root = "",
					.cgroup_mount = CGROUP_MOUNT,
					.observer_paths = &observer_paths,
					.freeze = &freeze };
	struct ktstr_error err = { 0 };
	struct port port;
	struct supervisor_spec spec = {
		.port = &port,
		.is_init = true,
		.stop_grace_ns = SUPERVISOR_STOP_GRACE_NS,
		.wind_up_ns = SUPERVISOR_WIND_UP_NS,
		.sched_ext = SCX_SYSFS,
		.sysrq = SCX_SYSRQ,
		.session = run_session,
		.arg = &session,
	};
	struct ktstr_kern_addrs addrs;
	uint8_t *area = NULL;

	crash_catch_init();
	privilege_hide();
	if (boot(&port, &session, &spec.wake_fd, &addrs, &area, &err) < 0 ||
	    take_job(area, &port, &session, &freeze, &err) < 0)
		boot_fatal(err.text);
	if (announce(&port, &addrs) < 0)
		boot_fatal("the bulk port cannot be written to");
	if (supervisor_run(&spec, &err) < 0)
		boot_fatal(err.text);
	if (spec.wake_fd >= 0 && port_may_lag(&port))
		wake_wait_received(spec.wake_fd, RECEIVED_TIMEOUT_NS);
	boot_power_off();
}
