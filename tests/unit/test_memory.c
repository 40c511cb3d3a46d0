/* SPDX-License-Identifier: GPL-2.0-only */
#include <criterion/criterion.h>
#include <stdint.h>

#include "vm/memory.h"

#define MIB (UINT64_C(1) << 20)

static const struct memory_needs small = {
	.kernel_bytes = 60 * MIB,
	.initramfs_bytes = 3 * MIB,
	.unpacked_bytes = 6 * MIB,
	.cpus = 2,
};

Test(memory, floor_holds_all_parts)
{
	uint64_t floor = memory_floor_bytes(&small);

	/* Image, initramfs, its files at nine tenths, and room for the rest; not twice of it. */
	cr_assert_gt(floor, (60 + 3 + 7) * MIB);
	cr_assert_lt(floor, 2 * (60 + 3 + 7) * MIB);
}

Test(memory, floor_is_a_multiple_of_a_large_page)
{
	for (uint32_t cpus = 1; cpus < 40; cpus++) {
		struct memory_needs needs = small;

		needs.cpus = cpus;
		needs.extra_bytes = cpus * 12345;
		cr_assert_eq(memory_floor_bytes(&needs) % (2 * MIB), 0);
	}
}

/* Each need alone, and by how much 630 MiB more of it raise the floor at least. */
Test(memory, floor_grows_with_each_need)
{
	const struct {
		struct memory_needs more;
		uint64_t least;
	} cases[] = {
		{ { .kernel_bytes = 630 * MIB }, 640 }, /* a 64th is struct pages */
		{ { .initramfs_bytes = 630 * MIB }, 640 },
		{ { .unpacked_bytes = 630 * MIB }, 711 }, /* tmpfs takes nine tenths */
		{ { .extra_bytes = 630 * MIB }, 640 },
		{ { .cpus = 100 }, 100 },
	};
	uint64_t floor = memory_floor_bytes(&small);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memory_needs needs = small;
		uint64_t grown;

		needs.kernel_bytes += cases[i].more.kernel_bytes;
		needs.initramfs_bytes += cases[i].more.initramfs_bytes;
		needs.unpacked_bytes += cases[i].more.unpacked_bytes;
		needs.extra_bytes += cases[i].more.extra_bytes;
		needs.cpus += cases[i].more.cpus;
		grown = memory_floor_bytes(&needs) - floor;
		cr_assert_geq(grown + 2 * MIB, cases[i].least * MIB, "case %zu", i);
	}
}

Test(memory, image_of_unknown_size_is_taken_for_a_large_one)
{
	struct memory_needs needs = small;

	needs.kernel_bytes = 0;
	cr_assert_gt(memory_floor_bytes(&needs), memory_floor_bytes(&small));
}

Test(memory, default_grows_by_cpus)
{
	struct memory_needs needs = small;

	cr_assert_eq(memory_default_bytes(&needs), 384 * MIB);
	needs.cpus = 64;
	cr_assert_eq(memory_default_bytes(&needs), (256 + 64 * 64) * MIB);
}

Test(memory, default_is_never_below_the_floor)
{
	struct memory_needs needs = small;

	needs.unpacked_bytes = 4096 * MIB;
	cr_assert_eq(memory_default_bytes(&needs), memory_floor_bytes(&needs));
	cr_assert_gt(memory_default_bytes(&needs), 4096 * MIB);
}

Test(memory, absurd_needs_do_not_wrap)
{
	const struct memory_needs needs = {
		.kernel_bytes = UINT64_MAX,
		.initramfs_bytes = UINT64_MAX,
		.unpacked_bytes = UINT64_MAX,
		.extra_bytes = UINT64_MAX,
		.cpus = UINT32_MAX,
	};

	cr_assert_geq(memory_floor_bytes(&needs), UINT64_MAX - 2 * MIB);
	cr_assert_geq(memory_default_bytes(&needs), UINT64_MAX - 2 * MIB);
}
