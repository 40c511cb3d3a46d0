/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of QEMU's debugger port, with a child process that plays QEMU by a script. */
#include "vm/gdbstub.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

/* Long enough for any machine; only a failing test waits for it. */
#define LONG_NS (20 * NS_PER_S)

/* One turn: wait for exactly these bytes, then say those. */
struct turn {
	const char *hears;
	const char *says;
};

static struct gdbstub *stub;
static struct ktstr_error err;
static pid_t child;
static int fd;

static uint64_t later(void)
{
	return clock_monotonic_ns() + LONG_NS;
}

__attribute__((noreturn)) static void play(int peer, const struct turn *turns)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (; turns->hears || turns->says; turns++) {
		char heard[128];
		size_t length = turns->hears ? strlen(turns->hears) : 0;

		if (io_read_all(peer, heard, length) < 0 ||
		    memcmp(heard, turns->hears ? turns->hears : "", length) != 0)
			_exit(1);
		if (turns->says && io_write_all(peer, turns->says, strlen(turns->says)) < 0)
			_exit(2);
	}
	/* Nothing more may come. */
	(void)shutdown(peer, SHUT_WR);
	_exit(read(peer, &(char){ 0 }, 1) == 0 ? 0 : 3);
}

static void start(const struct turn *turns)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)close(ends[0]);
		play(ends[1], turns);
	}
	(void)close(ends[1]);
	fd = ends[0];
	stub = gdbstub_new(fd);
	cr_assert_not_null(stub);
}

/* All turns were played as written, and not one byte more was said. */
static void expect_script_done(void)
{
	int status = 0;

	(void)shutdown(fd, SHUT_WR);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the script failed: %#x", status);
	gdbstub_free(stub);
	(void)close(fd);
}

static void await_readable(void)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	cr_assert_eq(poll(&poll_fd, 1, 20000), 1);
}

/* gdbstub_read() once there is something. */
static int await_stop(struct gdbstub_stop *stop)
{
	int rc;

	while ((rc = gdbstub_read(stub, stop, &err)) == 0)
		await_readable();
	return rc;
}

Test(gdbstub, greets_and_passes_over_why_the_guest_stands_still)
{
	start((const struct turn[]){ { "$?#3f", "+$T05thread:01;#07" }, { "+", NULL }, { 0 } });
	cr_expect_eq(gdbstub_greet(stub, later(), &err), 0, "%s", err.text);
	expect_script_done();
}

Test(gdbstub, sets_and_clears_a_watch)
{
	start((const struct turn[]){ { "$Z2,ffffffff82000000,4#d2", "+$OK#9a" },
				     { "+$z2,1000,8#fd", "+$OK#9a" },
				     { "+", NULL },
				     { 0 } });
	cr_expect_eq(gdbstub_watch(stub, true, 0xffffffff82000000, 4, later(), &err), 0, "%s",
		     err.text);
	cr_expect_eq(gdbstub_watch(stub, false, 0x1000, 8, later(), &err), 0, "%s", err.text);
	expect_script_done();
}

Test(gdbstub, tells_a_refusal)
{
	start((const struct turn[]){ { "$Z2,1000,4#d9", "+$E22#a9" },
				     { "+$z2,1000,4#f9", "+$E22#a9" },
				     { "+", NULL },
				     { 0 } });
	cr_expect_eq(gdbstub_watch(stub, true, 0x1000, 4, later(), &err), -EREMOTEIO);
	cr_expect_str_eq(err.text, "QEMU refuses to watch address 0x1000");
	cr_expect_eq(gdbstub_watch(stub, false, 0x1000, 4, later(), &err), -EREMOTEIO);
	cr_expect_str_eq(err.text, "QEMU refuses to stop watching address 0x1000");
	expect_script_done();
}

Test(gdbstub, continues_once_it_was_heard)
{
	start((const struct turn[]){ { "$c#63", "+" }, { 0 } });
	cr_expect_eq(gdbstub_continue(stub, later(), &err), 0, "%s", err.text);
	expect_script_done();
}

static const struct {
	const char *packet;
	bool is_watch;
	uint32_t cpu;
	uint64_t address;
} stops[] = {
	{ "$T05thread:01;watch:ffffffff820079c0;#90", true, 0, 0xffffffff820079c0 },
	{ "$T05thread:p01.03;watch:1000;#55", true, 2, 0x1000 },
	{ "$T02thread:01;#04", false, 0, 0 },
	{ "$T05#b9", false, UINT32_MAX, 0 },
	{ "$T05thread:00;swbreak:;#6a", false, UINT32_MAX, 0 },
};

Test(gdbstub, tells_of_stops_and_confirms_each_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		const struct turn turns[] = { { NULL, stops[i].packet }, { "+", NULL }, { 0 } };
		struct gdbstub_stop stop = { 0 };

		start(turns);
		cr_assert_eq(await_stop(&stop), 1, "%s: %s", stops[i].packet, err.text);
		cr_expect_eq(stop.is_watch, stops[i].is_watch, "%s", stops[i].packet);
		cr_expect_eq(stop.cpu, stops[i].cpu, "%s", stops[i].packet);
		cr_expect_eq(stop.address, stops[i].address, "%s", stops[i].packet);
		expect_script_done();
	}
}

Test(gdbstub, keeps_a_stop_that_came_before_an_answer)
{
	struct gdbstub_stop stop = { 0 };

	start((const struct turn[]){ { "$Z2,1000,4#d9", "+$T05thread:02;watch:1000;#55" },
				     { "+", "$OK#9a" },
				     { "+", NULL },
				     { 0 } });
	cr_expect_eq(gdbstub_watch(stub, true, 0x1000, 4, later(), &err), 0, "%s", err.text);
	cr_assert_eq(gdbstub_read(stub, &stop, &err), 1);
	cr_expect_eq(stop.cpu, 1);
	expect_script_done();
}

Test(gdbstub, takes_packets_in_pieces_and_several_at_once)
{
	struct gdbstub_stop stop = { 0 };

	start((const struct turn[]){ { NULL, "$T02thre" },
				     { NULL, "ad:01;#0" },
				     { NULL, "4$T05thread:02;watch:1000;#55" },
				     { "++", NULL },
				     { 0 } });
	cr_assert_eq(await_stop(&stop), 1, "%s", err.text);
	cr_expect_eq(stop.cpu, 0);
	cr_assert_eq(await_stop(&stop), 1, "%s", err.text);
	cr_expect_eq(stop.cpu, 1);
	expect_script_done();
}

Test(gdbstub, passes_over_what_asks_for_nothing)
{
	struct gdbstub_stop stop;

	start((const struct turn[]){
		{ NULL, "+$W00#b7$T02thread:01;#04" }, { "++", NULL }, { 0 } });
	cr_expect_eq(await_stop(&stop), 1, "%s", err.text);
	expect_script_done();
}

static const struct {
	const char *says;
	const char *sentence;
} nonsense[] = {
	{ "hello", "QEMU's debugger port says what is no packet" },
	{ "$OK#9b", "QEMU's debugger port sent a damaged packet" },
	{ "$OK#zz", "QEMU's debugger port sent a damaged packet" },
	{ "-", "QEMU's debugger port says what is no packet" },
};

Test(gdbstub, nonsense_ends_the_talk_for_good)
{
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		const struct turn turns[] = { { NULL, nonsense[i].says }, { 0 } };
		struct gdbstub_stop stop;

		start(turns);
		cr_expect_eq(await_stop(&stop), -EPROTO);
		cr_expect_str_eq(err.text, nonsense[i].sentence);
		cr_expect_eq(gdbstub_watch(stub, true, 0, 4, later(), &err), -EPROTO, "it stays");
		cr_expect_str_eq(err.text, nonsense[i].sentence);
		expect_script_done();
	}
}

Test(gdbstub, a_packet_without_an_end_is_refused)
{
	struct gdbstub_stop stop;
	static char much[5000];

	memset(much, 'a', sizeof(much) - 1);
	much[0] = '$';
	start((const struct turn[]){ { NULL, much }, { 0 } });
	cr_expect_eq(await_stop(&stop), -EPROTO);
	cr_expect_str_eq(err.text, "QEMU's debugger port sent a packet of more than 4096 bytes");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	gdbstub_free(stub);
	(void)close(fd);
}

Test(gdbstub, more_stops_than_a_guest_can_make_are_refused)
{
	struct gdbstub_stop stop;
	char many[400] = "";

	for (int i = 0; i < 12; i++)
		(void)strncat(many, "$T02thread:01;#04", sizeof(many) - strlen(many) - 1);
	start((const struct turn[]){ { NULL, many }, { "++++++++?", NULL }, { 0 } });
	await_readable();
	while (gdbstub_read(stub, &stop, &err) >= 0 && err.code == 0)
		await_readable();
	cr_expect_str_eq(err.text, "QEMU's debugger port tells of too many stops");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	gdbstub_free(stub);
	(void)close(fd);
}

Test(gdbstub, silence_is_a_timeout)
{
	start((const struct turn[]){ { "$c#63", NULL }, { 0 } });
	cr_expect_eq(gdbstub_continue(stub, clock_monotonic_ns() + 20 * NS_PER_MS, &err), -EPIPE,
		     "the script ends: its end is seen first");
	cr_expect_str_eq(err.text, "QEMU's debugger port is gone");
	expect_script_done();
	start((const struct turn[]){ { "$c#63x", NULL }, { 0 } });
	cr_expect_eq(gdbstub_continue(stub, clock_monotonic_ns() + 20 * NS_PER_MS, &err),
		     -ETIMEDOUT);
	cr_expect_str_eq(err.text, "QEMU's debugger port does not answer");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	gdbstub_free(stub);
	(void)close(fd);
}
