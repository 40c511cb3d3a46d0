/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/until.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "runfile/writer.h"
#include "support/scratch.h"
#include "wire/frame.h"

static struct ktstr_error err;

Test(until, reads_where_to_stop)
{
	static const struct {
		const char *text;
		enum until_kind kind;
		uint64_t value;
	} cases[] = {
		{ "frame:0", UNTIL_FRAME, 0 },	    { "frame:57", UNTIL_FRAME, 57 },
		{ "step:2", UNTIL_STEP, 2 },	    { "1500ms", UNTIL_TIME, 1500 * NS_PER_MS },
		{ "2s", UNTIL_TIME, 2 * NS_PER_S },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct until until = { 0 };

		cr_assert_eq(until_parse(cases[i].text, &until, &err), 0, "%s", err.text);
		cr_expect_eq(until.kind, cases[i].kind, "%s", cases[i].text);
		cr_expect_eq(until.value, cases[i].value, "%s", cases[i].text);
	}
}

Test(until, refuses_what_is_no_place)
{
	static const char *const cases[] = { "",	 "frame:", "frame:-1", "step:0", "step:x",
					     "frame:1x", "0s",	   "-1s",      "later",	 "step" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct until until = { 0 };

		cr_expect_eq(until_parse(cases[i], &until, &err), -EINVAL, "%s", cases[i]);
		cr_expect_not_null(strstr(err.text, "no step:2, and no frame:57"), "%s", err.text);
	}
}

Test(until_pace, looks_oftener_the_nearer_and_the_faster)
{
	struct until_pace pace = { 0 };
	uint64_t host_ns = NS_PER_S, guest_ns = NS_PER_S;

	cr_expect_eq(until_pace_wait(&pace, guest_ns, 9 * NS_PER_S, host_ns), UNTIL_WAIT_NS);
	cr_expect_eq(pace.speed, UNTIL_SPEED);
	/* 300 ms of the guest's in one of the host's. */
	host_ns += NS_PER_MS;
	guest_ns += 300 * NS_PER_MS;
	cr_expect_eq(until_pace_wait(&pace, guest_ns, 60 * NS_PER_MS, host_ns), 50000);
	cr_expect_eq(pace.speed, 300);
	cr_expect_eq(until_pace_wait(&pace, guest_ns, NS_PER_MS, host_ns), UNTIL_WAIT_MIN_NS);
	/* It is slow again, which is believed by and by. */
	for (int i = 0; i < 200; i++) {
		host_ns += NS_PER_MS;
		guest_ns += NS_PER_MS;
		(void)until_pace_wait(&pace, guest_ns, NS_PER_S, host_ns);
	}
	cr_expect_eq(pace.speed, UNTIL_SPEED_MIN);
	/* Neither of the clocks went on. */
	cr_expect_eq(until_pace_wait(&pace, guest_ns, 0, host_ns), UNTIL_WAIT_MIN_NS);
}

Test(until, finds_the_frame_of_a_step)
{
	struct ktstr_step_info step = { .size = sizeof(step), .index = 1 };
	uint8_t header[WIRE_HEADER_SIZE] = { 0 };
	struct runfile_writer *writer = NULL;
	struct scratch scratch;
	uint64_t frame = 0;
	const char *path;
	int fd;

	scratch_init(&scratch);
	path = scratch_path(&scratch, "run");
	cr_assert_eq(runfile_create(path, 1, 2, &writer, &err), 0, "%s", err.text);
	(void)runfile_append(writer, RUNFILE_META, 0, 0, 0, "{}", 2, &err);
	(void)runfile_append(writer, RUNFILE_FRAME_HEADER, 0, 0, 0, header, sizeof(header), &err);
	(void)runfile_append(writer, RUNFILE_CONSOLE, 0, 0, 0, "x", 1, &err);
	for (step.index = 1; step.index <= 2; step.index++) {
		(void)runfile_append(writer, RUNFILE_FRAME, KTSTR_MSG_STEP, 1, 0, &step,
				     sizeof(step), &err);
		(void)runfile_append(writer, RUNFILE_FRAME, KTSTR_MSG_STDOUT, 1, 0, "x", 1, &err);
	}
	cr_assert_eq(runfile_close(writer, &err), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(until_find_step(fd, path, 2, &frame, &err), 0, "%s", err.text);
	cr_expect_eq(frame, 3);
	cr_expect_eq(until_find_step(fd, path, 3, &frame, &err), -ENOENT);
	cr_expect_not_null(strstr(err.text, "has no step 3"), "%s", err.text);
	(void)close(fd);
	scratch_done(&scratch);
}
