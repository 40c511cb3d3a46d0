/* SPDX-License-Identifier: GPL-2.0-only */
#include "scenarios/cpuset_spec.h"

#include <criterion/criterion.h>

static const struct ktstr_topology one = {
	.size = sizeof(one), .numa_nodes = 1, .llcs = 1, .cores = 1, .threads = 1
};
static const struct ktstr_topology two = {
	.size = sizeof(two), .numa_nodes = 1, .llcs = 1, .cores = 2, .threads = 1
};
/* 8 CPUs, of which 7 are usable. */
static const struct ktstr_topology eight = {
	.size = sizeof(eight), .numa_nodes = 2, .llcs = 4, .cores = 1, .threads = 2
};

/* CPU 0 is the lowest bit. */
static uint64_t resolve(const struct ktstr_topology *topology, const char *text)
{
	struct ktstr_error err = { 0 };
	struct ktstr_cpuset set;

	cr_assert_eq(cpuset_spec_resolve(text, topology, &set, &err), 0, "%s: %s", text, err.text);
	for (size_t i = 1; i < KTSTR_CPUS_MAX / 64; i++)
		cr_assert_eq(set.bits[i], 0);
	return set.bits[0];
}

Test(cpuset_spec, usable_leaves_the_last_cpu_out_when_there_are_more_than_two)
{
	struct ktstr_topology three = { .numa_nodes = 1, .llcs = 1, .cores = 3, .threads = 1 };

	cr_expect_eq(cpuset_spec_usable(&one), 1);
	cr_expect_eq(cpuset_spec_usable(&two), 2);
	cr_expect_eq(cpuset_spec_usable(&three), 2);
	cr_expect_eq(cpuset_spec_usable(&eight), 7);
}

Test(cpuset_spec, resolves_every_form)
{
	static const struct {
		const struct ktstr_topology *topology;
		const char *text;
		uint64_t cpus;
	} rows[] = {
		{ &one, "all", 0x1 },
		{ &eight, "all", 0xff },
		/* LLCs and nodes have all their CPUs, the last one too. */
		{ &eight, "llc:0", 0x03 },
		{ &eight, "llc:3", 0xc0 },
		{ &one, "llc:0", 0x1 },
		{ &eight, "numa:0", 0x0f },
		{ &eight, "numa:1", 0xf0 },
		/* floor(7 * share) */
		{ &eight, "range:0-1", 0x7f },
		{ &eight, "range:0-0.5", 0x07 },
		{ &eight, "range:0.5-1", 0x78 },
		{ &eight, "range:0.5-1.0", 0x78 },
		{ &eight, "range:0.3-0.6", 0x0c },
		{ &two, "range:0-0.5", 0x1 },
		{ &two, "range:0.5-1", 0x2 },
		/* 7 / 2 = 3, and the last takes the rest. */
		{ &eight, "disjoint:0/2", 0x07 },
		{ &eight, "disjoint:1/2", 0x78 },
		{ &eight, "disjoint:0/1", 0x7f },
		{ &eight, "disjoint:0/3", 0x03 },
		{ &eight, "disjoint:1/3", 0x0c },
		{ &eight, "disjoint:2/3", 0x70 },
		{ &eight, "disjoint:6/7", 0x40 },
		/* Parts of 3, reaching floor(3 * share) CPUs over. */
		{ &eight, "overlap:0/2:0", 0x07 },
		{ &eight, "overlap:1/2:0", 0x78 },
		{ &eight, "overlap:0/2:0.25", 0x07 },
		{ &eight, "overlap:0/2:0.5", 0x0f },
		{ &eight, "overlap:1/2:0.5", 0x7c },
		{ &eight, "overlap:0/2:1", 0x3f },
		{ &eight, "overlap:1/2:1", 0x7f },
		{ &eight, "overlap:1/3:1", 0x3f },
		{ &eight, "overlap:2/3:0.5", 0x78 },
		{ &eight, "overlap:5/7:1", 0x70 },
		{ &eight, "overlap:0/1:1", 0x7f },
		/* Named CPUs may be any, the last one too. */
		{ &eight, "0", 0x01 },
		{ &eight, "7", 0x80 },
		{ &eight, "0-3,5", 0x2f },
		{ &eight, "3,3,2-3", 0x0c },
		{ &eight, "0-7", 0xff },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(resolve(rows[i].topology, rows[i].text), rows[i].cpus, "%s: got %#llx",
			     rows[i].text,
			     (unsigned long long)resolve(rows[i].topology, rows[i].text));
}

Test(cpuset_spec, the_largest_topology_fits)
{
	struct ktstr_topology large = { .numa_nodes = 2, .llcs = 4, .cores = 128, .threads = 2 };
	struct ktstr_error err = { 0 };
	struct ktstr_cpuset set;

	cr_assert_eq(cpuset_spec_resolve("all", &large, &set, &err), 0);
	cr_expect_eq(ktstr_cpuset_count(&set), 1024);
	cr_assert_eq(cpuset_spec_resolve("disjoint:1022/1023", &large, &set, &err), 0);
	cr_expect_eq(ktstr_cpuset_count(&set), 1);
	cr_expect(ktstr_cpuset_has(&set, 1022));
	cr_assert_eq(cpuset_spec_resolve("1023", &large, &set, &err), 0);
	cr_expect(ktstr_cpuset_has(&set, 1023));
}

#define FORMS                                                                                      \
	"use all, llc:0, numa:0, range:0-0.5, disjoint:0/2, overlap:0/2:0.25 or CPUs as in 0-3,5"

Test(cpuset_spec, says_what_is_out_of_range)
{
	static const struct {
		const struct ktstr_topology *topology;
		const char *text;
		int code;
		const char *message;
	} rows[] = {
		{ &eight, "llc:4", -ERANGE, "llc:4 is out of range: the VM has 4 LLCs" },
		{ &one, "llc:1", -ERANGE, "llc:1 is out of range: the VM has 1 LLC" },
		{ &eight, "numa:2", -ERANGE, "numa:2 is out of range: the VM has 2 NUMA nodes" },
		{ &one, "numa:1", -ERANGE, "numa:1 is out of range: the VM has 1 NUMA node" },
		{ &eight, "llc:4294967296", -ERANGE,
		  "llc:4294967296 is out of range: the VM has 4 LLCs" },
		{ &eight, "range:0.5-0.5", -EINVAL,
		  "range:0.5-0.5 is no range: the shares must grow and end at 1 at most" },
		{ &eight, "range:0.6-0.5", -EINVAL,
		  "range:0.6-0.5 is no range: the shares must grow and end at 1 at most" },
		{ &eight, "range:0-1.1", -EINVAL,
		  "range:0-1.1 is no range: the shares must grow and end at 1 at most" },
		{ &eight, "range:0-0.1", -ERANGE,
		  "range:0-0.1 holds no CPU: the VM has 7 usable CPUs" },
		{ &one, "range:0-0.9", -ERANGE,
		  "range:0-0.9 holds no CPU: the VM has 1 usable CPU" },
		{ &eight, "disjoint:0/0", -EINVAL, "disjoint:0/0 asks for no parts at all" },
		{ &eight, "disjoint:2/2", -EINVAL,
		  "disjoint:2/2 is out of range: parts run from 0 to 1" },
		{ &eight, "disjoint:0/8", -ERANGE,
		  "disjoint:0/8 cannot be shared out: the VM has 7 usable CPUs" },
		{ &eight, "overlap:0/0:0.5", -EINVAL, "overlap:0/0:0.5 asks for no parts at all" },
		{ &eight, "overlap:3/2:0.5", -EINVAL,
		  "overlap:3/2:0.5 is out of range: parts run from 0 to 1" },
		{ &two, "overlap:0/3:0.5", -ERANGE,
		  "overlap:0/3:0.5 cannot be shared out: the VM has 2 usable CPUs" },
		{ &eight, "overlap:0/2:1.5", -EINVAL,
		  "overlap:0/2:1.5 reaches too far: the share must be 0 to 1" },
		{ &eight, "8", -ERANGE, "'8': the VM has no CPU 8, only 0-7" },
		{ &eight, "0-3,9", -ERANGE, "'0-3,9': the VM has no CPU 9, only 0-7" },
		{ &eight, "5-99999999999", -ERANGE,
		  "'5-99999999999': the VM has no CPU 999999999, only 0-7" },
		{ &eight, "3-1", -EINVAL, "'3-1': the range 3-1 runs backwards" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };
		struct ktstr_cpuset set = { { 0x55 } };

		cr_expect_eq(cpuset_spec_resolve(rows[i].text, rows[i].topology, &set, &err),
			     rows[i].code, "%s", rows[i].text);
		cr_expect_str_eq(err.text, rows[i].message);
		cr_expect_eq(set.bits[0], 0x55, "%s: the result was touched", rows[i].text);
	}
}

Test(cpuset_spec, refuses_what_is_no_set)
{
	static const char *const texts[] = {
		"",
		" ",
		"nope",
		"all ",
		"allx",
		"all:0",
		"llc",
		"llc:",
		"llc:x",
		"llc:-1",
		"llc:1x",
		"llc: 1",
		"numa:",
		"numa:0,1",
		"range:",
		"range:0",
		"range:0-",
		"range:-0.5",
		"range:0-.5",
		"range:0.-1",
		"range:nan-1",
		"range:0-inf",
		"range:0-1e0",
		"range:0x0-1",
		"range:0-0.5x",
		"range:+0-1",
		"disjoint:",
		"disjoint:1",
		"disjoint:1/",
		"disjoint:/2",
		"disjoint:0/2:0",
		"overlap:0/2",
		"overlap:0/2:",
		"overlap:0/2:x",
		"overlap:0/2:-1",
		"overlap:0/2:0.5,",
		"0-",
		"-3",
		"0,",
		",0",
		"0--3",
		"0 -3",
		"0-3 ",
		"1.5",
		"LLC:0",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ktstr_error err = { 0 };
		struct ktstr_cpuset set;
		char message[256];

		(void)snprintf(message, sizeof(message), "'%s' is no set of CPUs; " FORMS,
			       texts[i]);
		cr_expect_eq(cpuset_spec_resolve(texts[i], &eight, &set, &err), -EINVAL, "'%s'",
			     texts[i]);
		cr_expect_str_eq(err.text, message);
	}
}
