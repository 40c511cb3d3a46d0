/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/object.h"

#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ktstr/scx.h"
#include "ktstr/scx_record.h"

KTSTR_SCX_OBJECT(sample_object);

static size_t sample_size(void)
{
	return (size_t)(sample_object_end - sample_object);
}

static struct object *open_sample(void)
{
	struct object *object = NULL;
	struct ktstr_error err = { 0 };
	int code = object_new(sample_object, sample_size(), "sample", &object, &err);

	cr_assert_eq(code, 0, "%s", err.text);
	return object;
}

/* What libbpf would load: the initial value of a variable after the patches. */
static void read_back(const struct object *object, const char *variable, void *ret, size_t size)
{
	struct object_variable found;
	struct ktstr_error err = { 0 };
	size_t bytes_size, map_size;
	const void *bytes = object_bytes(object, &bytes_size);
	struct bpf_object_open_opts options = { .sz = sizeof(options), .object_name = "sample" };
	struct bpf_object *bpf;
	const char *data;

	(void)libbpf_set_print(NULL);
	bpf = bpf_object__open_mem(bytes, bytes_size, &options);
	cr_assert(bpf, "libbpf does not open it");
	cr_assert_eq(object_find_variable(object, variable, &found, &err), 0, "%s", err.text);
	cr_assert_eq(found.size, size, "'%s' has %zu bytes", variable, found.size);
	data = bpf_map__initial_value(bpf_object__find_map_by_name(bpf, found.section), &map_size);
	cr_assert(data && found.offset + size <= map_size);
	memcpy(ret, data + found.offset, size);
	bpf_object__close(bpf);
}

Test(scx_object, sets_numbers_of_all_sizes_and_libbpf_sees_them)
{
	static const struct {
		const char *variable;
		int64_t value;
		size_t size;
	} rows[] = {
		{ "tiny", 255, 1 },
		{ "small", 65535, 2 },
		{ "middle", 4294967295, 4 },
		{ "large", INT64_MAX, 8 },
		{ "below_zero", INT32_MIN, 4 },
		{ "flag", 1, 1 },
		{ "colour", 2, 4 },
		{ "initial", 77, 8 },
		{ "own_section", 88, 8 },
	};
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(object_set_int(object, rows[i].variable, rows[i].value, &err), 0, "%s",
			     err.text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 0;

		read_back(object, rows[i].variable, &value, rows[i].size);
		cr_assert_eq(memcmp(&value, &rows[i].value, rows[i].size), 0, "'%s' is %#llx",
			     rows[i].variable, (unsigned long long)value);
	}
	object_free(object);
}

Test(scx_object, leaves_the_original_and_what_was_not_set_alone)
{
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };
	uint32_t value = 0;
	size_t size;

	cr_assert_eq(object_set_int(object, "middle", 99, &err), 0, "%s", err.text);
	object_free(object);
	object = open_sample();
	cr_assert_eq(memcmp(object_bytes(object, &size), sample_object, sample_size()), 0);
	cr_assert_eq(size, sample_size());
	read_back(object, "middle", &value, sizeof(value));
	cr_assert_eq(value, 3);
	object_free(object);
}

Test(scx_object, says_why_a_number_cannot_be_set)
{
	static const struct {
		const char *variable;
		int64_t value;
		int code;
		const char *text;
	} rows[] = {
		{ "nothing", 1, -ENOENT, "the BPF object has no variable 'nothing'" },
		{ "sample_enqueue", 1, -ENOENT, "the BPF object has no variable 'sample_enqueue'" },
		{ "tiny", 256, -EINVAL, "'tiny' of the BPF object cannot hold 256" },
		{ "large", -1, -EINVAL, "'large' of the BPF object cannot hold -1" },
		{ "below_zero", INT64_C(1) << 31, -EINVAL,
		  "'below_zero' of the BPF object cannot hold 2147483648" },
		{ "flag", 2, -EINVAL, "'flag' of the BPF object cannot hold 2" },
		{ "text", 1, -EINVAL, "'text' of the BPF object is no number" },
		{ "pair", 1, -EINVAL, "'pair' of the BPF object is no number" },
		{ "frozen", 1, -EINVAL,
		  "'frozen' of the BPF object is const; make it 'const volatile'" },
		{ "zero", 1, -EINVAL,
		  "'zero' has no initial value in the BPF object to be replaced; make it 'const "
		  "volatile', or give it one" },
	};
	struct object *object = open_sample();
	size_t size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_error err = { 0 };

		cr_expect_eq(object_set_int(object, rows[i].variable, rows[i].value, &err),
			     rows[i].code);
		cr_expect_str_eq(err.text, rows[i].text);
	}
	cr_expect_eq(memcmp(object_bytes(object, &size), sample_object, sample_size()), 0,
		     "a failure has changed it");
	object_free(object);
}

Test(scx_object, sets_texts_that_fit)
{
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };
	char text[8];

	cr_assert_eq(object_set_text(object, "text", "a", &err), 0, "%s", err.text);
	read_back(object, "text", text, sizeof(text));
	cr_assert_eq(memcmp(text, "a\0\0\0\0\0\0\0", 8), 0, "the old text shows through");
	cr_assert_eq(object_set_text(object, "text", "seven 7", &err), 0, "%s", err.text);
	read_back(object, "text", text, sizeof(text));
	cr_assert_str_eq(text, "seven 7");
	cr_assert_eq(object_set_text(object, "text", "eight 88", &err), -EINVAL);
	cr_assert_str_eq(err.text, "'text' of the BPF object holds 7 bytes of text, not 8");
	cr_assert_eq(object_set_text(object, "numbers", "one", &err), -EINVAL);
	cr_assert_str_eq(err.text, "'numbers' of the BPF object is no text");
	object_free(object);
}

Test(scx_object, sets_bytes_of_the_right_size)
{
	static const uint32_t numbers[4] = { 9, 8, 7, 6 };
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };
	uint32_t got[4];

	cr_assert_eq(object_set_bytes(object, "numbers", numbers, sizeof(numbers), &err), 0, "%s",
		     err.text);
	read_back(object, "numbers", got, sizeof(got));
	cr_assert_eq(memcmp(got, numbers, sizeof(got)), 0);
	cr_assert_eq(object_set_bytes(object, "numbers", numbers, 15, &err), -EINVAL);
	cr_assert_str_eq(err.text, "'numbers' of the BPF object has 16 bytes, not 15");
	object_free(object);
}

Test(scx_object, sets_members_of_the_ops)
{
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };
	const uint32_t timeout = 54321;
	struct object_variable ops;
	const char *bytes;
	size_t size, changed = 0;

	cr_assert_eq(object_set_ops(object, "timeout_ms", timeout, &err), 0, "%s", err.text);
	bytes = object_bytes(object, &size);
	cr_assert_eq(object_find_variable(object, "sample", &ops, &err), 0, "%s", err.text);
	cr_assert_str_eq(ops.section, ".struct_ops");
	for (size_t i = 0; i < size; i++)
		changed += bytes[i] != sample_object[i];
	cr_assert(changed > 0 && changed <= sizeof(timeout), "%zu bytes have changed", changed);
	cr_assert(memmem(bytes, size, &timeout, sizeof(timeout)));
	cr_assert_not(memmem(sample_object, sample_size(), &timeout, sizeof(timeout)));
	object_free(object);
}

Test(scx_object, says_why_a_member_cannot_be_set)
{
	struct object *object = open_sample();
	struct ktstr_error err = { 0 };

	cr_expect_eq(object_set_ops(object, "nothing", 1, &err), -ENOENT);
	cr_expect_str_eq(err.text, "the ops of the BPF object have no member 'nothing'");
	cr_expect_eq(object_set_ops(object, "enqueue", 1, &err), -EINVAL);
	cr_expect_str_eq(err.text, "the member 'enqueue' of the ops is no number");
	cr_expect_eq(object_set_ops(object, "timeout_ms", -1, &err), -EINVAL);
	cr_expect_str_eq(err.text, "the member 'timeout_ms' of the ops cannot hold -1");
	object_free(object);
}

Test(scx_object, knows_which_program_is_which_callback)
{
	struct object *object = open_sample();

	cr_expect_str_eq(object_member_of(object, "sample_select_cpu"), "select_cpu");
	cr_expect_str_eq(object_member_of(object, "sample_cgroup_init"), "cgroup_init");
	cr_expect_str_eq(object_member_of(object, "sample_init"), "init");
	cr_expect_str_eq(object_member_of(object, "ktstr_scx_exit"), "exit");
	cr_expect_null(object_member_of(object, "sample_unused"));
	cr_expect_null(object_member_of(object, "enqueue"));
	object_free(object);
}

Test(scx_object, finds_variables_where_they_lie)
{
	struct object *object = open_sample();
	struct object_variable found;
	struct ktstr_error err = { 0 };

	cr_assert_eq(object_find_variable(object, "zero", &found, &err), 0, "%s", err.text);
	cr_expect_str_eq(found.section, ".bss");
	cr_assert_eq(object_find_variable(object, "own_section", &found, &err), 0, "%s", err.text);
	cr_expect_str_eq(found.section, ".data.mine");
	cr_assert_eq(object_find_variable(object, "ktstr_scx_record", &found, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(found.section, ".data.ktstr");
	cr_expect_eq(found.size, sizeof(struct ktstr_scx_record));
	cr_expect_eq(object_find_variable(object, "nothing", &found, &err), -ENOENT);
	object_free(object);
}

Test(scx_object, refuses_what_is_no_object_of_that_sort)
{
	struct object *object = NULL;
	struct ktstr_error err = { 0 };

	cr_expect_eq(object_new("no ELF", 6, "sample", &object, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "the BPF object cannot be read: it is no ELF file");
	cr_expect_eq(object_new("", 0, "sample", &object, &err), -EBADMSG);
	cr_expect_eq(object_new(sample_object, sample_size(), "other", &object, &err), -ENOENT);
	cr_expect_str_eq(err.text, "the BPF object has no variable 'other'");
	cr_expect_eq(object_new(sample_object, sample_size(), "pair", &object, &err), -EINVAL);
	cr_expect_str_eq(err.text, "'pair' of the BPF object is no struct sched_ext_ops");
	cr_expect_null(object);
}

/* Whatever a damaged object says of itself, nothing outside of it is touched. */
Test(scx_object, survives_damaged_objects)
{
	char *bytes = malloc(sample_size());
	unsigned int seed = 1, refused = 0, rounds = 400;

	cr_assert(bytes);
	(void)libbpf_set_print(NULL);
	for (unsigned int i = 0; i < rounds; i++) {
		struct object *object = NULL;
		struct ktstr_error err = { 0 };
		size_t size = i % 4 ? sample_size() : sample_size() * (i + 1) / (rounds + 1);

		memcpy(bytes, sample_object, sample_size());
		for (int k = 0; i % 4 && k < 64; k++)
			bytes[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
		if (object_new(bytes, size, "sample", &object, &err) < 0) {
			refused++;
			continue;
		}
		(void)object_set_int(object, "large", 5, &err);
		(void)object_set_ops(object, "timeout_ms", 5, &err);
		object_free(object);
	}
	cr_assert_gt(refused, 0);
	free(bytes);
}
