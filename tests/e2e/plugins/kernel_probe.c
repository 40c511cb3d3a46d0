/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scenario that asks the host about its own kernel, and compares the answers with what the kernel
 * says itself. Fails with the first difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktstr/scenario.h"

#define RATIO_SYMBOL "sysctl_overcommit_ratio"
#define RATIO_PATH "/proc/sys/vm/overcommit_ratio"
#define BANNER_MAX 512u
#define MS UINT64_C(1000000)
/* The kernel's text without KASLR, in physical memory. */
#define TEXT_PHYSICAL UINT64_C(0x1000000)
#define HIGH_START UINT64_C(0x100000000)

enum {
	P_WHAT,
	P_WORKLOAD,
};

enum what {
	WHAT_CAPTURE,
	WHAT_READ,
	WHAT_WRITE,
	WHAT_WATCH,
	WHAT_WATCH_MUCH,
	WHAT_REFUSALS,
	WHAT_MANY,
	WHAT_NONE,
};

static const char *const whats[] = {
	[WHAT_CAPTURE] = "capture",
	[WHAT_READ] = "read",
	[WHAT_WRITE] = "write",
	[WHAT_WATCH] = "watch",
	[WHAT_WATCH_MUCH] = "watch_much",
	[WHAT_REFUSALS] = "refusals",
	[WHAT_MANY] = "many",
	[WHAT_NONE] = "none",
	NULL,
};

static const struct ktstr_param params[] = {
	[P_WHAT] = { .key = "what",
		     .help = "what to try",
		     .type = KTSTR_PARAM_ENUM,
		     .flags = KTSTR_PARAM_REQUIRED,
		     .choices = whats },
	[P_WORKLOAD] = { .key = "workload",
			 .help = "what runs meanwhile",
			 .type = KTSTR_PARAM_PLUGIN,
			 .fallback = "cpu_spin",
			 .min = KTSTR_KIND_WORKLOAD },
	{ .key = NULL },
};

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)values;
	(void)err;
	needs->duration_ns = 5000 * MS;
	return 0;
}

static int read_file(const char *path, char *text, size_t size, struct ktstr_error *err)
{
	FILE *file = fopen(path, "re");
	size_t length;

	if (!file)
		return ktstr_fail(err, -errno, "cannot open '%s'", path);
	length = fread(text, 1, size - 1, file);
	fclose(file);
	text[length] = '\0';
	return 0;
}

static int expect(int is_so, struct ktstr_error *err, const char *what)
{
	return is_so ? 0 : ktstr_fail(err, -EBADMSG, "it is not so that %s", what);
}

/* A call failed, as it should: with this code and this text in its sentence. */
static int expect_refusal(int rc, int code, const struct ktstr_error *said, const char *text,
			  struct ktstr_error *err)
{
	if (rc == code && strstr(said->text, text))
		return 0;
	return ktstr_fail(err, -EBADMSG, "wanted %d with '%s', got %d with '%.400s'", code, text,
			  rc, rc < 0 ? said->text : "");
}

static int capture(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct ktstr_kernel_range ranges[] = {
		{ .symbol = "linux_banner", .length = BANNER_MAX },
		{ .symbol = "linux_banner", .address = 6, .length = 7 },
	};
	uint64_t before_ns = ktstr_now_ns(g);
	int rc = ktstr_snapshot(g, "hogs", ranges, 2, err);

	if (rc == 0)
		ktstr_log(g, KTSTR_LOG_INFO, "a snapshot took %llu us",
			  (unsigned long long)((ktstr_now_ns(g) - before_ns) / 1000));
	if (rc == 0)
		rc = ktstr_snapshot(g, "hogs", NULL, 0, err);
	return rc;
}

static int read_u64(struct ktstr_guest *g, const char *symbol, uint64_t *ret,
		    struct ktstr_error *err)
{
	const struct ktstr_kernel_range range = { .symbol = symbol, .data = ret, .length = 8 };

	return ktstr_kernel_read(g, "pointer", KTSTR_KERNEL_HOT, &range, 1, err);
}

static int read_banner(struct ktstr_guest *g, uint32_t mode, uint32_t flags,
		       struct ktstr_error *err)
{
	char banner[BANNER_MAX + 1] = "", version[BANNER_MAX + 1];
	const struct ktstr_kernel_range range = {
		.symbol = "linux_banner", .data = banner, .length = BANNER_MAX, .flags = flags
	};
	int rc = read_file("/proc/version", version, sizeof(version), err);

	if (rc == 0)
		rc = ktstr_kernel_read(g, "banner", mode, &range, 1, err);
	if (rc == 0)
		rc = expect(strcmp(banner, version) == 0, err, "linux_banner is /proc/version");
	return rc;
}

/* The same bytes by each of their addresses. */
static int read_addresses(struct ktstr_guest *g, struct ktstr_error *err)
{
	uint8_t text[64], direct[64], walked[64], page[64] = { 0 };
	uint64_t page_offset = 0, vmemmap = 0;
	int rc = read_u64(g, "page_offset_base", &page_offset, err);

	if (rc == 0)
		rc = read_u64(g, "vmemmap_base", &vmemmap, err);
	if (rc == 0) {
		const struct ktstr_kernel_range ranges[] = {
			{ .symbol = "_text", .data = text, .length = 64 },
			{ .address = page_offset + TEXT_PHYSICAL,
			  .data = direct,
			  .length = 64,
			  .flags = KTSTR_KERNEL_DIRECT },
			{ .address = page_offset + TEXT_PHYSICAL,
			  .data = walked,
			  .length = 64,
			  .flags = KTSTR_KERNEL_WALK },
			/* The struct page of the kernel's first one. */
			{ .address = vmemmap + (TEXT_PHYSICAL >> 12) * 64,
			  .data = page,
			  .length = 64 },
		};

		rc = ktstr_kernel_read(g, "all", KTSTR_KERNEL_COLD, ranges, 4, err);
	}
	if (rc == 0)
		rc = expect(memcmp(text, direct, 64) == 0, err, "the map of memory has the text");
	if (rc == 0)
		rc = expect(memcmp(text, walked, 64) == 0, err, "the page tables lead there");
	if (rc == 0)
		rc = expect(page[0] || page[1] || page[2] || page[3], err, "its page has flags");
	return rc;
}

/* The first bytes of the memory above the hole that PCI has below 4 GiB, where there are any. */
static int read_high(struct ktstr_guest *g, struct ktstr_error *err)
{
	uint64_t page_offset = 0;
	uint8_t direct[64], walked[64];
	int rc = read_u64(g, "page_offset_base", &page_offset, err);

	if (rc == 0 && sysconf(_SC_PHYS_PAGES) > 3L << 18) {
		const struct ktstr_kernel_range ranges[] = {
			{ .address = page_offset + HIGH_START,
			  .data = direct,
			  .length = 64,
			  .flags = KTSTR_KERNEL_DIRECT },
			{ .address = page_offset + HIGH_START,
			  .data = walked,
			  .length = 64,
			  .flags = KTSTR_KERNEL_WALK },
		};

		ktstr_log(g, KTSTR_LOG_INFO, "reads high memory");
		rc = ktstr_kernel_read(g, "high", KTSTR_KERNEL_COLD, ranges, 2, err);
		if (rc == 0)
			rc = expect(memcmp(direct, walked, 64) == 0, err, "high memory is one");
	}
	return rc;
}

static int read_all(struct ktstr_guest *g, struct ktstr_error *err)
{
	static uint8_t much[KTSTR_KERNEL_READ_MAX];
	const struct ktstr_kernel_range range = { .symbol = "_text",
						  .data = much,
						  .length = sizeof(much) };
	int rc = read_banner(g, KTSTR_KERNEL_HOT, 0, err);

	if (rc == 0)
		rc = read_banner(g, KTSTR_KERNEL_COLD, 0, err);
	if (rc == 0)
		rc = read_banner(g, KTSTR_KERNEL_HOT, KTSTR_KERNEL_WALK, err);
	if (rc == 0)
		rc = read_addresses(g, err);
	if (rc == 0)
		rc = read_high(g, err);
	if (rc == 0)
		rc = ktstr_kernel_read(g, "much", KTSTR_KERNEL_HOT, &range, 1, err);
	if (rc == 0)
		rc = expect(much[0] || much[1], err, "the text begins with something");
	return rc;
}

static int expect_ratio(long want, struct ktstr_error *err)
{
	char text[64];
	int rc = read_file(RATIO_PATH, text, sizeof(text), err);

	if (rc == 0 && strtol(text, NULL, 10) != want)
		rc = ktstr_fail(err, -EBADMSG, "the kernel says '%.20s', want %ld", text, want);
	return rc;
}

static int write_ratio(struct ktstr_guest *g, uint32_t mode, uint32_t flags, uint32_t value,
		       long want, struct ktstr_error *err)
{
	const struct ktstr_kernel_range range = {
		.symbol = RATIO_SYMBOL, .data = &value, .length = sizeof(value), .flags = flags
	};
	int rc = ktstr_kernel_write(g, "the ratio", mode, &range, 1, err);

	return rc < 0 ? rc : expect_ratio(want, err);
}

static int write_all(struct ktstr_guest *g, struct ktstr_error *err)
{
	int rc = expect_ratio(50, err);

	if (rc == 0)
		rc = write_ratio(g, KTSTR_KERNEL_COLD, 0, 64, 64, err);
	if (rc == 0)
		rc = write_ratio(g, KTSTR_KERNEL_COLD, KTSTR_KERNEL_OR, 9, 73, err);
	if (rc == 0)
		rc = write_ratio(g, KTSTR_KERNEL_HOT, 0, 50, 50, err);
	if (rc == 0)
		rc = write_ratio(g, KTSTR_KERNEL_HOT, KTSTR_KERNEL_WALK, 51, 51, err);
	return rc;
}

static int write_by_kernel(const char *value, struct ktstr_error *err)
{
	FILE *file = fopen(RATIO_PATH, "we");

	if (!file)
		return ktstr_fail(err, -errno, "cannot open '%s'", RATIO_PATH);
	if (fputs(value, file) < 0 || fclose(file) < 0)
		return ktstr_fail(err, -EIO, "cannot write '%s'", RATIO_PATH);
	return 0;
}

static int watch(struct ktstr_guest *g, struct ktstr_error *err)
{
	static const char *const values[] = { "61", "62", "63" };
	int rc = ktstr_watch(g, RATIO_SYMBOL, err);

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) && rc == 0; i++) {
		rc = write_by_kernel(values[i], err);
		if (rc == 0)
			rc = ktstr_hold(g, 600 * MS, err);
	}
	return rc;
}

static int watch_much(struct ktstr_guest *g, struct ktstr_error *err)
{
	int rc = ktstr_watch(g, "jiffies_64", err);

	return rc < 0 ? rc : ktstr_hold(g, 4000 * MS, err);
}

static int refuse_watches(struct ktstr_guest *g, struct ktstr_error *err)
{
	static const char *const symbols[] = { RATIO_SYMBOL, "panic_timeout", "pid_max" };
	struct ktstr_error said = { 0 };
	int rc;

	rc = ktstr_watch(g, "no_such_symbol", &said);
	rc = expect_refusal(rc, -ENOENT, &said, "symbol 'no_such_symbol' not found", err);
	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = ktstr_watch(g, symbols[i % 2], i == 2 ? &said : err);
	rc = expect_refusal(rc, -EREMOTEIO, &said, "'" RATIO_SYMBOL "' is watched already", err);
	if (rc == 0)
		rc = ktstr_watch(g, "oops_in_progress", err);
	if (rc < 0)
		return rc;
	rc = ktstr_watch(g, "sysctl_overcommit_memory", &said);
	return expect_refusal(rc, -EREMOTEIO, &said, "no free slot: 3 symbols are watched already",
			      err);
}

static const struct {
	struct ktstr_kernel_range range;
	int code;
	const char *text;
} bad_reads[] = {
	{ { .address = 0x1000, .length = 8 }, -EREMOTEIO, "entry[0]: 0x1000 is no address" },
	{ { .address = 0xffffe00000000000, .length = 8 }, -EREMOTEIO, "nothing is mapped" },
	{ { .symbol = "_text", .length = 8, .flags = KTSTR_KERNEL_DIRECT },
	  -EREMOTEIO,
	  "is not in the kernel's map of memory" },
	{ { .symbol = "no_such_symbol", .length = 8 }, -ENOENT, "not found" },
	{ { .symbol = "_text" }, -EINVAL, "range 0 has no bytes" },
	{ { .symbol = "_text", .length = 4, .flags = KTSTR_KERNEL_OR }, -EINVAL, "set bits" },
	{ { .symbol = "_text", .length = 4, .flags = 0x100 }, -EINVAL, "unknown flags 0x100" },
	{ { .symbol = "_text", .length = KTSTR_KERNEL_READ_MAX + 1 }, -E2BIG, "too many" },
};

static int refusals(struct ktstr_guest *g, struct ktstr_error *err)
{
	static uint8_t data[16];
	uint32_t bits = 1;
	struct ktstr_kernel_range range;
	struct ktstr_error said = { 0 };
	int rc = 0;

	for (size_t i = 0; i < sizeof(bad_reads) / sizeof(bad_reads[0]) && rc == 0; i++) {
		range = bad_reads[i].range;
		range.data = data;
		rc = ktstr_kernel_read(g, "bad", KTSTR_KERNEL_HOT, &range, 1, &said);
		rc = expect_refusal(rc, bad_reads[i].code, &said, bad_reads[i].text, err);
	}
	range = (struct ktstr_kernel_range){
		.symbol = RATIO_SYMBOL, .data = &bits, .length = 4, .flags = KTSTR_KERNEL_OR
	};
	if (rc == 0)
		rc = ktstr_kernel_write(g, "hot", KTSTR_KERNEL_HOT, &range, 1, &said);
	rc = expect_refusal(rc, -EREMOTEIO, &said, "only while the guest stands still", err);
	range = (struct ktstr_kernel_range){ .address = 0x1000, .length = 8 };
	if (rc == 0)
		rc = ktstr_snapshot(g, "bad", &range, 1, &said);
	rc = expect_refusal(rc, -EREMOTEIO, &said, "range[0]: 0x1000 is no address", err);
	if (rc == 0)
		rc = ktstr_snapshot(g, "", NULL, 0, &said);
	rc = expect_refusal(rc, -EINVAL, &said, "'' is no tag", err);
	return rc < 0 ? rc : refuse_watches(g, err);
}

static int many(struct ktstr_guest *g, struct ktstr_error *err)
{
	struct ktstr_error said = { 0 };
	int rc = 0;

	for (int i = 0; i < 64 && rc == 0; i++) {
		char tag[32];

		(void)snprintf(tag, sizeof(tag), "number %d", i);
		rc = ktstr_snapshot(g, tag, NULL, 0, err);
	}
	if (rc < 0)
		return rc;
	rc = ktstr_snapshot(g, "one more", NULL, 0, &said);
	return expect_refusal(rc, -EREMOTEIO, &said, "64 captures are kept already", err);
}

static int try(struct ktstr_guest *g, enum what what, struct ktstr_error *err)
{
	switch (what) {
	case WHAT_CAPTURE:
		return capture(g, err);
	case WHAT_READ:
		return read_all(g, err);
	case WHAT_WRITE:
		return write_all(g, err);
	case WHAT_WATCH:
		return watch(g, err);
	case WHAT_WATCH_MUCH:
		return watch_much(g, err);
	case WHAT_REFUSALS:
		return refusals(g, err);
	case WHAT_MANY:
		return many(g, err);
	case WHAT_NONE:
		return ktstr_hold(g, 2000 * MS, err);
	}
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	const struct ktstr_spawn_spec hogs = { .size = sizeof(hogs),
					       .workload = &values[P_WORKLOAD],
					       .workers = ktstr_topology_cpus(g->topology) };
	uint32_t group;
	int rc = ktstr_spawn(g, &hogs, &group, err);

	(void)state;
	if (rc == 0)
		rc = ktstr_hold(g, 200 * MS, err);
	if (rc == 0)
		rc = try(g, (enum what)values[P_WHAT].i, err);
	if (rc == 0)
		rc = ktstr_hold(g, 200 * MS, err);
	return rc;
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "kernel_probe", .version = "1.0",
		    .summary = "ask the host about the own kernel", .params = params,
		    .scenario = &ops, .license = "GPL-2.0-only");
