/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent's small parts: random numbers, the kernel's place, the port, output. */
#include "guest/boot.h"
#include "guest/crash.h"
#include "guest/forward.h"
#include "guest/kernaddrs.h"
#include "guest/port.h"
#include "guest/random.h"
#include "guest/wake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "support/port_host.h"
#include "wire/payload.h"
#include "wire/types.h"

/* Random numbers. */

/* Computed apart, from the published definitions of splitmix64 and xoshiro256**. */
static const struct {
	uint64_t seed;
	uint32_t purpose, spawn, index;
	uint64_t expected[2];
} streams[] = {
	{ 0, RANDOM_FOR_RUN, 0, 0, { 0x8c4986f3f0e565d5, 0xf4547fdf5c2f56b6 } },
	{ 42, RANDOM_FOR_RUN, 0, 0, { 0xc986fd807e5b8ab5, 0xe071ea15f19664d1 } },
	{ 42, RANDOM_FOR_WORKER, 1, 0, { 0xb268ea17de7fe78d, 0xad67635b6f61bb30 } },
	{ 42, RANDOM_FOR_WORKER, 1, 1, { 0x6767d1193d4b40bb, 0xa700ed7106993b27 } },
	{ 42, RANDOM_FOR_WORKER, 2, 0, { 0xe4c7830972e94e3f, 0x043b94875b441fc0 } },
	{ 42, RANDOM_FOR_SAMPLES, 1, 0, { 0xbed6a6af5f9d78db, 0xc34a3cd474e0bbd3 } },
};

Test(random, streams_are_fixed_for_ever)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		struct random random;

		random_init(&random, streams[i].seed, streams[i].purpose, streams[i].spawn,
			    streams[i].index);
		cr_expect_eq(random_next(&random), streams[i].expected[0], "stream %zu", i);
		cr_expect_eq(random_next(&random), streams[i].expected[1], "stream %zu", i);
	}
}

Test(random, below_stays_below_and_reaches_everything)
{
	struct random random;
	unsigned int seen[7] = { 0 };

	random_init(&random, 1, RANDOM_FOR_RUN, 0, 0);
	for (int i = 0; i < 7000; i++) {
		uint64_t value = random_below(&random, ARRAY_SIZE(seen));

		cr_assert_lt(value, ARRAY_SIZE(seen));
		seen[value]++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		cr_expect(seen[i] > 800 && seen[i] < 1200, "%zu came %u times", i, seen[i]);
}

/* Where the kernel lies. */

static const char iomem[] = "00000000-00000fff : Reserved\n"
			    "00100000-1ffdffff : System RAM\n"
			    "  01000000-01ffffff : Kernel code\n"
			    "  02000000-02a3afff : Kernel rodata\n"
			    "fed00000-fed003ff : HPET 0\n";

Test(kernaddrs, finds_kernel_code)
{
	cr_expect_eq(kernaddrs_iomem_code(iomem), 0x1000000);
}

static const char *const iomems_without[] = {
	"",
	"00000000-00000000 : Kernel code\n",
	"  01000000-01ffffff : Kernel code and more\n",
	"  02000000-02a3afff : Kernel rodata\n",
};

Test(kernaddrs, tells_missing_or_hidden_kernel_code)
{
	for (size_t i = 0; i < ARRAY_SIZE(iomems_without); i++)
		cr_expect_eq(kernaddrs_iomem_code(iomems_without[i]), 0, "text %zu", i);
}

static const struct {
	const char *text;
	uint64_t expected;
} kallsyms[] = {
	{ "ffffffff81000000 T startup_64\nffffffff81000000 T _text\n", 0xffffffff81000000 },
	{ "ffffffffa1000000 t _text\n", 0xffffffffa1000000 },
	{ "ffffffff81000000 T _text_more\nffffffff81000040 T x_text\n", 0 },
	{ "0000000000000000 T _text\n", 0 },
	{ "ffffffff81000000 T _text", 0 }, /* cut off: it might go on */
	{ "ffffffff81000000 T _text\t[module]\n", 0 },
	{ "nonsense\n\n \n", 0 },
	{ "", 0 },
};

Test(kernaddrs, finds_symbols)
{
	for (size_t i = 0; i < ARRAY_SIZE(kallsyms); i++)
		cr_expect_eq(kernaddrs_kallsyms_find(kallsyms[i].text, "_text"),
			     kallsyms[i].expected, "text %zu", i);
}

static const struct {
	uint64_t code, text;
	struct ktstr_kern_addrs expected;
} places[] = {
	{ 0x1000000, 0xffffffff81000000, { 1, 7, 0xffffffff81000001 } },
	/* Under KASLR, image and memory move apart; phys_base may be below zero. */
	{ 0x1a200000, 0xffffffff8de00000, { 0xc400001, 7, 0xffffffff8de00001 } },
	{ 0x8600000, 0xffffffffab200000, { (uint64_t)-0x22c00000 + 1, 7, 0xffffffffab200001 } },
	/* Without _text, the place it is linked at. */
	{ 0x1000000, 0, { 1, 7, 0 } },
	{ 0, 0xffffffff81000000, { 0, 7, 0xffffffff81000001 } },
};

Test(kernaddrs, makes_the_frame)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct ktstr_kern_addrs addrs;

		kernaddrs_make(places[i].code, places[i].text, 7, &addrs);
		cr_expect_eq(memcmp(&addrs, &places[i].expected, sizeof(addrs)), 0, "place %zu", i);
	}
}

/* Boot. */

Test(boot, port_budget_grows_with_cpus_up_to_its_cap)
{
	cr_expect_eq(boot_port_budget_ns(0), 10 * NS_PER_S);
	cr_expect_eq(boot_port_budget_ns(2), 10300 * NS_PER_MS);
	cr_expect_eq(boot_port_budget_ns(1024), 90 * NS_PER_S);
}

Test(boot, missing_sentinel_is_told)
{
	struct ktstr_error err = { 0 };

	cr_expect_eq(boot_check_sentinel("/", &err), 0);
	cr_expect_eq(boot_check_sentinel("/nowhere/sentinel", &err), -ENODATA);
	cr_expect_str_eq(err.text, "initramfs is truncated: '/nowhere/sentinel' is missing; give "
				   "the VM more memory");
}

Test(crash, signals_have_names)
{
	char text[16];

	cr_expect_str_eq(crash_signal_name(SIGSEGV, text, sizeof(text)), "SIGSEGV");
	cr_expect_str_eq(crash_signal_name(77, text, sizeof(text)), "signal 77");
}

Test(port, end_frame_accounts_for_all_before_it)
{
	static struct host host;
	struct ktstr_stream_end end;
	struct port port;

	connect_port(&port, &host);
	cr_assert_eq(port_send(&port, KTSTR_MSG_SYS_RDY, NULL, 0), 0);
	cr_assert_eq(port_send(&port, KTSTR_MSG_STDOUT, "hello", 5), 0);
	cr_assert_eq(port_end(&port), 0);
	host_read(&host);
	cr_expect_eq(host.header.msg_type, KTSTR_MSG_SYS_RDY);
	host_read(&host);
	cr_expect_eq(memcmp(host.payload, "hello", 5), 0);
	host_read(&host);
	cr_assert_eq(host.header.msg_type, KTSTR_MSG_END);
	cr_assert_eq(wire_decode_stream_end(host.payload, host.header.length, &end), 0);
	cr_expect_eq(end.frame_count, 2);
	cr_expect_eq(end.frame_count, host.account.frame_count);
	cr_expect_eq(end.byte_count, host.account.byte_count);
	cr_expect_eq(end.headers_crc32, host.account.headers_crc32);
	disconnect_port(&port, &host);
}

Test(port, refuses_what_no_frame_can_hold)
{
	static struct host host;
	struct port port;

	connect_port(&port, &host);
	cr_expect_eq(port_send(&port, KTSTR_MSG_STDOUT, NULL, KTSTR_FRAME_PAYLOAD_MAX + 1),
		     -EMSGSIZE);
	cr_expect_eq(port.account.frame_count, 0);
	disconnect_port(&port, &host);
}

Test(port, tells_that_the_host_is_gone)
{
	static struct host host;
	struct port port;

	(void)signal(SIGPIPE, SIG_IGN);
	connect_port(&port, &host);
	(void)close(host.fd);
	cr_expect_eq(port_send(&port, KTSTR_MSG_STDOUT, "x", 1), -EPIPE);
	port_done(&port);
}

Test(port, only_a_long_stream_may_lag)
{
	struct port port;

	port_init(&port, -1);
	cr_expect_not(port_may_lag(&port));
	port.account.byte_count = 20000;
	port.account.frame_count = 30;
	cr_expect_not(port_may_lag(&port));
	port.account.frame_count = 100;
	cr_expect(port_may_lag(&port));
	port.account.frame_count = 1;
	port.account.byte_count = 1 << 20;
	cr_expect(port_may_lag(&port));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void remove_tree(const char *path)
{
	cr_expect_eq(nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static jmp_buf stopped;

static void jump(void)
{
	longjmp(stopped, 1);
}

/* Where the host asked for it no frame more is sent, be it one by one or several at once. */
Test(port, stops_after_the_frame_that_was_asked_for)
{
	static volatile uint64_t after = 2;
	static uint8_t frames[3 * (WIRE_HEADER_SIZE + 2)];
	static struct host host;
	static struct port port;
	uint8_t rest;

	for (int i = 0; i < 3; i++) {
		uint8_t *frame = frames + (size_t)i * (WIRE_HEADER_SIZE + 2);

		memcpy(frame + WIRE_HEADER_SIZE, "ab", 2);
		wire_header_encode(KTSTR_MSG_STDOUT, frame + WIRE_HEADER_SIZE, 2, frame);
	}
	for (int at_once = 0; at_once < 2; at_once++) {
		connect_port(&port, &host);
		port.stop_after = &after;
		port.stop = jump;
		if (setjmp(stopped) == 0) {
			if (at_once)
				(void)port_forward(&port, frames, sizeof(frames));
			for (int i = 0; i < 3 && !at_once; i++)
				(void)port_send(&port, KTSTR_MSG_STDOUT, "ab", 2);
			cr_assert_fail("it went on");
		}
		host_read(&host);
		host_read(&host);
		cr_expect_eq(recv(host.fd, &rest, 1, MSG_DONTWAIT), -1, "more was sent");
		disconnect_port(&port, &host);
	}
}

Test(port, opens_by_name)
{
	char folder[] = "/tmp/ktstr-port-XXXXXX", path[128];
	struct ktstr_error err = { 0 };
	int fd;

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/sys", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/sys/vport0p1", folder);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/sys/vport0p1/name", folder);
	write_file(path, "ktstr-bulk\n");
	(void)snprintf(path, sizeof(path), "%s/vport0p1", folder);
	write_file(path, "");
	(void)snprintf(path, sizeof(path), "%s/sys", folder);
	fd = port_open(path, folder, "ktstr-bulk", 0, &err);
	cr_expect_geq(fd, 0, "%s", err.text);
	(void)close(fd);
	cr_expect_eq(port_open(path, folder, "ktstr-stats", 0, &err), -ENOENT);
	cr_expect_str_eq(err.text, "cannot open the port 'ktstr-stats': No such file or directory");
	remove_tree(folder);
}

/* Output of the session. */

Test(forward, rests_once_it_drops)
{
	struct forward forward = { .read_fd = 5, .rest_ns = 100 };

	cr_expect_eq(forward_poll_fd(&forward, 99), -1);
	cr_expect_eq(forward_poll_fd(&forward, 100), 5);
}

Test(forward, cuts_output_into_frames_and_loses_nothing)
{
	static struct host host;
	static char sent[10000], got[10000];
	struct forward forward;
	struct port port;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)('a' + i % 23);
	connect_port(&port, &host);
	cr_assert_eq(forward_init(&forward, KTSTR_MSG_STDOUT), 0);
	cr_assert_eq(io_write_all(forward.write_fd, sent, sizeof(sent)), 0);
	cr_expect_eq(forward_pump(&forward, &port, 1), 0);
	cr_expect_eq(port.account.frame_count, 1);
	cr_expect_eq(forward_pump(&forward, &port, 0), 0);
	forward_close_write(&forward);
	cr_expect_eq(forward_pump(&forward, &port, 0), -ENODATA);
	for (uint64_t i = 0; i < port.account.frame_count; i++) {
		host_read(&host);
		cr_expect_eq(host.header.msg_type, KTSTR_MSG_STDOUT);
		cr_assert_leq(host.header.length, FORWARD_CHUNK_MAX);
		memcpy(got + length, host.payload, host.header.length);
		length += host.header.length;
	}
	cr_expect_eq(length, sizeof(sent));
	cr_expect_eq(memcmp(sent, got, sizeof(sent)), 0);
	forward_done(&forward);
	disconnect_port(&port, &host);
}

/* The host's bytes. */

static const struct {
	const char *bytes;
	bool is_shutdown, is_received;
} wakes[] = {
	{ "x", false, false },
	{ "\xd3", true, false },
	{ "abc\xae", false, true },
	{ "\xae some and \xd3 a lot of others after it", true, true },
};

Test(wake, knows_its_bytes_among_others)
{
	for (size_t i = 0; i < ARRAY_SIZE(wakes); i++) {
		struct wake_news news = { 0 };
		int fds[2];

		cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		cr_assert_eq(io_write_all(fds[1], wakes[i].bytes, strlen(wakes[i].bytes)), 0);
		cr_expect_eq(wake_read(fds[0], &news), 0);
		cr_expect_eq(news.is_shutdown, wakes[i].is_shutdown, "bytes %zu", i);
		cr_expect_eq(news.is_received, wakes[i].is_received, "bytes %zu", i);
		(void)close(fds[1]);
		cr_expect_eq(wake_read(fds[0], &news), -ENODATA);
		(void)close(fds[0]);
	}
}

Test(wake, waits_until_the_host_has_the_stream)
{
	int fds[2];
	uint64_t start_ns = clock_monotonic_ns();

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(io_write_all(fds[1], "\xae", 1), 0);
	wake_wait_received(fds[0], 60 * NS_PER_S);
	cr_expect_lt(clock_monotonic_ns() - start_ns, 30 * NS_PER_S);
	start_ns = clock_monotonic_ns();
	wake_wait_received(fds[0], 20 * NS_PER_MS);
	cr_expect_geq(clock_monotonic_ns() - start_ns, 20 * NS_PER_MS);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

Test(wake, missing_console_is_an_error)
{
	cr_expect_eq(wake_open("/nowhere/hvc0"), -ENOENT);
}
