/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An agent that keeps what it is told, with or without a log of the scheduler. */
struct agent {
	struct ktstr_guest guest;
	struct ktstr_guest_ops ops;
	char lines[4096];
	unsigned int count;
	int fd;
};

static void agent_log(struct ktstr_guest *g, uint32_t level, const char *text)
{
	struct agent *agent = (struct agent *)g;
	size_t length = strlen(agent->lines);

	(void)level;
	agent->count++;
	(void)snprintf(agent->lines + length, sizeof(agent->lines) - length, "%s|", text);
}

static int agent_scheduler_log(struct ktstr_guest *g)
{
	return ((struct agent *)g)->fd;
}

static void agent_init(struct agent *agent, bool has_log)
{
	*agent = (struct agent){ .fd = -1 };
	agent->ops.size = sizeof(agent->ops);
	agent->ops.log = agent_log;
	agent->guest.ops = &agent->ops;
	if (has_log) {
		agent->ops.scheduler_log = agent_scheduler_log;
		agent->fd = memfd_create("log", MFD_CLOEXEC);
		cr_assert_geq(agent->fd, 0);
	}
}

static size_t log_size(const struct agent *agent)
{
	return (size_t)lseek(agent->fd, 0, SEEK_END);
}

Test(scx_log, knows_what_the_verifier_says_last)
{
	static const struct {
		const char *text, *program, *verifier;
	} rows[] = {
		{ "libbpf: prog 'my_enqueue': -- BEGIN PROG LOAD LOG --\n"
		  "0: R1=ctx() R10=fp0\n; *value = 1;\n6: (7b) *(u64 *)(r0 +0) = r1\n"
		  "R0 invalid mem access 'map_value_or_null'\n"
		  "processed 7 insns (limit 1000000) max_states_per_insn 0\n"
		  "-- END PROG LOAD LOG --\n",
		  "my_enqueue", "R0 invalid mem access 'map_value_or_null'" },
		{ "libbpf: prog 'loop': -- BEGIN PROG LOAD LOG --\n"
		  "infinite loop detected at insn 5\ncur state: R0=1\nold state: R0=2\n"
		  "processed 9 insns\n\n-- END PROG LOAD LOG --\n",
		  "loop", "infinite loop detected at insn 5" },
		{ "libbpf: prog 'cut': -- BEGIN PROG LOAD LOG --\nthe last line", "cut",
		  "the last line" },
		{ "libbpf: prog 'none': -- BEGIN PROG LOAD LOG --\n-- END PROG LOAD LOG --\n",
		  "none", "" },
		{ "-- BEGIN PROG LOAD LOG --\nprocessed 1 insns\n-- END PROG LOAD LOG --\n", "",
		  "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scx_log log = { 0 };
		struct agent agent;

		agent_init(&agent, true);
		log_enter(&log, &agent.guest);
		log_take(&log, rows[i].text);
		log_leave(&log);
		cr_expect(log.is_verifier);
		cr_expect_str_eq(log.program, rows[i].program);
		cr_expect_str_eq(log.verifier, rows[i].verifier);
		cr_expect_eq(log_size(&agent), strlen(rows[i].text));
		(void)close(agent.fd);
	}
}

Test(scx_log, keeps_the_warning_that_says_why)
{
	struct scx_log log = { 0 };
	struct agent agent;

	agent_init(&agent, false);
	log_enter(&log, &agent.guest);
	log_take(&log, "libbpf: extern (func ksym) 'scx_bpf_no': not found in kernel or module "
		       "BTFs\n");
	log_take(&log, "libbpf: failed to load object 'mine'\n");
	log_leave(&log);
	cr_expect_not(log.is_verifier);
	cr_expect_str_eq(log.warning,
			 "extern (func ksym) 'scx_bpf_no': not found in kernel or module BTFs");
	cr_expect_str_eq(agent.lines,
			 "libbpf: extern (func ksym) 'scx_bpf_no': not found in kernel or module "
			 "BTFs|libbpf: failed to load object 'mine'|");
}

Test(scx_log, keeps_the_head_and_the_tail_of_a_huge_text)
{
	size_t huge = 3u << 20;
	char *text = malloc(huge + 1), tail[5] = "";
	struct scx_log log = { 0 };
	struct agent agent;

	cr_assert(text);
	memset(text, 'm', huge);
	memcpy(text, "head", 4);
	memcpy(text + huge - 4, "tail", 4);
	text[huge] = '\0';
	agent_init(&agent, true);
	log_enter(&log, &agent.guest);
	log_take(&log, text);
	cr_expect_lt(log_size(&agent), 300u << 10);
	cr_assert_eq(pread(agent.fd, tail, 4, (off_t)log_size(&agent) - 4), 4);
	cr_expect_str_eq(tail, "tail");
	/* Nor does a great number of them fill the host. */
	for (int i = 0; i < 20; i++)
		log_take(&log, text);
	cr_expect_leq(log_size(&agent), 1u << 20);
	log_leave(&log);
	(void)close(agent.fd);
	free(text);
}

Test(scx_log, spares_an_agent_without_a_scheduler_log)
{
	size_t lines = 5000;
	char *text = malloc(2 * lines + 1);
	struct scx_log log = { 0 };
	struct agent agent;

	cr_assert(text);
	for (size_t i = 0; i < lines; i++)
		memcpy(text + 2 * i, "x\n", 2);
	text[2 * lines] = '\0';
	agent_init(&agent, false);
	log_enter(&log, &agent.guest);
	log_take(&log, text);
	log_leave(&log);
	cr_expect_gt(agent.count, 0);
	cr_expect_leq(agent.count, 100);
	free(text);
}
