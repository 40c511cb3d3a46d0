/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/run_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"

static const char meta_text[] =
	"{\"schema_version\": 1, \"ktstr_version\": \"0.1.0\","
	" \"scenario\": {\"name\": \"hog\", \"plugin\": \"cpu_hog\", \"file\": \"hog.yaml\","
	" \"seed\": 7},"
	" \"scheduler\": {\"plugin\": \"eevdf\", \"params\": null},"
	" \"plugins\": [{\"kind\": \"checker\", \"name\": \"gap\", \"version\": \"1.0\","
	" \"path\": \"/p/gap.so\", \"crc32\": 4026531840, \"build_id\": \"ab\"}],"
	" \"checkers\": [{\"name\": \"gap\", \"path\": \"/p/gap.so\", \"kind\": \"checker\","
	" \"params\": {\"max_gap\": \"1s\"}},"
	" {\"name\": \"fairness\", \"path\": \"/p/fairness.so\", \"kind\": \"checker\","
	" \"params\": null}],"
	" \"kernel\": {\"path\": \"/k/vmlinuz\", \"release\": \"7.2.0\", \"origin\": \"cache\"},"
	" \"vm\": {\"accel\": \"tcg\", \"numa_nodes\": 1, \"llcs\": 2, \"cores\": 2, \"threads\": "
	"1,"
	" \"memory_bytes\": 536870912, \"argv\": [\"qemu\", \"-M\", \"q35\"]},"
	" \"host\": {\"cpus\": 2, \"uname\": \"Linux 6.1\"},"
	" \"command\": \"ktstr run hog.yaml --seed 7\", \"console_log\": \"/r/console.log\"}";

void run_fixture_init(struct run_fixture *fixture)
{
	const char *folder = getenv("TMPDIR");

	*fixture = (struct run_fixture){ 0 };
	(void)snprintf(fixture->folder, sizeof(fixture->folder), "%s/ktstr-XXXXXX",
		       folder && strlen(folder) < 40 ? folder : "/tmp");
	cr_assert_not_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/run.ktr", fixture->folder);
	cr_assert_eq(runfile_create(fixture->path, 7, 0, &fixture->writer, &fixture->err), 0, "%s",
		     fixture->err.text);
	fixture->fd = runfile_dup_readonly(fixture->writer, &fixture->err);
	cr_assert_geq(fixture->fd, 0, "%s", fixture->err.text);
}

void run_fixture_append(struct run_fixture *fixture, uint32_t kind, uint32_t tag, uint32_t flags,
			uint64_t host_ns, const void *payload, uint32_t length)
{
	cr_assert_eq(runfile_append(fixture->writer, kind, tag, flags, host_ns, payload, length,
				    &fixture->err),
		     0, "%s", fixture->err.text);
}

void run_fixture_text(struct run_fixture *fixture, uint32_t kind, uint32_t tag, uint64_t host_ns,
		      const char *text)
{
	run_fixture_append(fixture, kind, tag, 0, host_ns, text, (uint32_t)strlen(text));
}

void run_fixture_meta(struct run_fixture *fixture)
{
	run_fixture_text(fixture, RUNFILE_META, 0, 0, meta_text);
}

static void append_frame(struct run_fixture *fixture, uint32_t type, uint64_t host_ns,
			 const void *payload, uint32_t length)
{
	run_fixture_append(fixture, RUNFILE_FRAME, type, KTSTR_FRAME_CRC_OK, host_ns, payload,
			   length);
}

void run_fixture_cgroup(struct run_fixture *fixture, uint32_t id, const char *name)
{
	struct {
		struct ktstr_cgroup_info info;
		char name[256];
	} payload = { .info = { .size = sizeof(payload.info), .id = id } };
	size_t length = strlen(name);

	cr_assert_leq(length, sizeof(payload.name));
	payload.info.name_length = (uint32_t)length;
	memcpy(payload.name, name, length);
	append_frame(fixture, KTSTR_MSG_CGROUP, 3 * NS_PER_S, &payload,
		     (uint32_t)(sizeof(payload.info) + length));
}

void run_fixture_worker(struct run_fixture *fixture, uint32_t tid, uint32_t cgroup_id,
			uint32_t cpu_ms, uint32_t gap_ms)
{
	struct ktstr_worker_report report = {
		.size = sizeof(report),
		.tid = tid,
		.cgroup_id = cgroup_id,
		.flags = KTSTR_WORKER_COMPLETED,
		.work_units = 1000,
		.iterations = 10,
		.wall_time_ns = NS_PER_S,
		.cpu_time_ns = cpu_ms * NS_PER_MS,
		.max_gap_ns = gap_ms * NS_PER_MS,
		.migrations = 3,
		.workload = "cpu_spin",
	};

	append_frame(fixture, KTSTR_MSG_WORKER, 3 * NS_PER_S, &report, sizeof(report));
}

void run_fixture_scenario(struct run_fixture *fixture)
{
	const struct ktstr_scenario_end end = { .elapsed_ms = 1500, .total_iterations = 20 };

	append_frame(fixture, KTSTR_MSG_SCENARIO_START, 2 * NS_PER_S, "", 0);
	append_frame(fixture, KTSTR_MSG_SCENARIO_END, 3500 * NS_PER_MS, &end, sizeof(end));
}

void run_fixture_close(struct run_fixture *fixture)
{
	cr_assert_eq(runfile_close(fixture->writer, &fixture->err), 0, "%s", fixture->err.text);
	fixture->writer = NULL;
}

void run_fixture_done(struct run_fixture *fixture)
{
	struct ktstr_error ignored;

	if (fixture->writer)
		(void)runfile_close(fixture->writer, &ignored);
	(void)close(fixture->fd);
	cr_assert_eq(unlink(fixture->path), 0);
	cr_assert_eq(rmdir(fixture->folder), 0);
}
