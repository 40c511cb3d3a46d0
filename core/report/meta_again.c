/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/meta_again.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/meta.h"

static json_t *checkers_to_json(const struct meta_again *again)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < again->checker_count; i++)
		json_add(&list, json_text(again->checkers[i]));
	return list;
}

static json_t *files_to_json(const struct meta_again *again)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < again->file_count; i++) {
		const struct meta_file *file = &again->files[i];

		json_add(&list,
			 json_pack("{so so sI}", "path", json_text(file->path), "guest_path",
				   json_text(file->guest_path), "crc32", (json_int_t)file->crc32));
	}
	return list;
}

json_t *meta_again_to_json(const struct meta_again *again)
{
	if (!again->is_there)
		return json_null();
	return json_pack(
		"{so so so sb sb sI sI sI sI sI sI so so}", "folder", json_text(again->folder),
		"scheduler", json_text(again->scheduler), "checkers", checkers_to_json(again),
		"only", again->has_only_checkers, "verbose", again->is_verbose, "stats_interval_ns",
		(json_int_t)again->stats_interval_ns, "kernel_crc32",
		(json_int_t)again->kernel_crc32, "agent_crc32", (json_int_t)again->agent_crc32,
		"job_crc32", (json_int_t)again->job_crc32, "machine_crc32",
		(json_int_t)again->machine_crc32, "qemu_crc32", (json_int_t)again->qemu_crc32,
		"qemu_path", json_text(again->qemu_path), "files", files_to_json(again));
}

static int malformed(struct ktstr_error *err, const char *key)
{
	return ktstr_fail(err, -EBADMSG, "'%s' in it says nothing of how to run it again", key);
}

/* A text, *ret; NULL for null. It goes back into a command as it is, so it must be one as it is. */
static int parse_text(const json_t *value, const char *key, char **ret, struct ktstr_error *err)
{
	size_t length = json_string_length(value);
	_cleanup_free_ char *safe = malloc(length + 1);

	if (!value || json_is_null(value))
		return 0;
	if (!safe)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!json_is_string(value))
		return malformed(err, key);
	str_copy_line(safe, length + 1, json_string_value(value), length);
	if (strlen(safe) != length || strcmp(safe, json_string_value(value)) != 0)
		return malformed(err, key);
	*ret = steal_ptr(safe);
	return 0;
}

static int parse_some_text(const json_t *json, const char *key, char **ret, struct ktstr_error *err)
{
	int rc = parse_text(json_object_get(json, key), key, ret, err);

	return rc == 0 && !*ret ? malformed(err, key) : rc;
}

static int parse_number(const json_t *json, const char *key, uint64_t max, uint64_t *ret,
			struct ktstr_error *err)
{
	const json_t *value = json_object_get(json, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number > max)
		return malformed(err, key);
	*ret = (uint64_t)number;
	return 0;
}

static int parse_bool(const json_t *json, const char *key, bool *ret, struct ktstr_error *err)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_boolean(value))
		return malformed(err, key);
	*ret = json_is_true(value);
	return 0;
}

static int parse_crc(const json_t *json, const char *key, uint32_t *ret, struct ktstr_error *err)
{
	uint64_t number = 0;
	int rc = parse_number(json, key, UINT32_MAX, &number, err);

	*ret = (uint32_t)number;
	return rc;
}

/* Its entries; *ret_count of them, at most META_ARRAY_MAX. */
static int get_list(const json_t *json, const char *key, const json_t **ret, size_t *ret_count,
		    struct ktstr_error *err)
{
	*ret = json_object_get(json, key);
	*ret_count = json_array_size(*ret);
	return json_is_array(*ret) && *ret_count <= META_ARRAY_MAX ? 0 : malformed(err, key);
}

static int parse_checkers(const json_t *json, struct meta_again *again, struct ktstr_error *err)
{
	const json_t *list;
	size_t count;
	int rc = get_list(json, "checkers", &list, &count, err);

	if (rc < 0)
		return rc;
	again->checkers = calloc(count + 1, sizeof(*again->checkers));
	if (!again->checkers)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (; again->checker_count < count && rc == 0; again->checker_count++) {
		char **text = &again->checkers[again->checker_count];

		rc = parse_text(json_array_get(list, again->checker_count), "checkers", text, err);
		if (rc == 0 && !*text)
			return malformed(err, "checkers");
	}
	return rc;
}

static int parse_files(const json_t *json, struct meta_again *again, struct ktstr_error *err)
{
	const json_t *list;
	size_t count;
	int rc = get_list(json, "files", &list, &count, err);

	if (rc < 0)
		return rc;
	again->files = calloc(count + 1, sizeof(*again->files));
	if (!again->files)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (; again->file_count < count && rc == 0; again->file_count++) {
		struct meta_file *file = &again->files[again->file_count];
		const json_t *item = json_array_get(list, again->file_count);

		rc = parse_some_text(item, "path", &file->path, err);
		if (rc == 0)
			rc = parse_some_text(item, "guest_path", &file->guest_path, err);
		if (rc == 0)
			rc = parse_crc(item, "crc32", &file->crc32, err);
	}
	return rc;
}

static int parse_inputs(const json_t *json, struct meta_again *again, struct ktstr_error *err)
{
	const struct {
		const char *key;
		uint32_t *crc32;
	} members[] = {
		{ "kernel_crc32", &again->kernel_crc32 },   { "agent_crc32", &again->agent_crc32 },
		{ "job_crc32", &again->job_crc32 },	    { "qemu_crc32", &again->qemu_crc32 },
		{ "machine_crc32", &again->machine_crc32 },
	};
	int rc = parse_some_text(json, "qemu_path", &again->qemu_path, err);

	for (size_t i = 0; i < ARRAY_SIZE(members) && rc == 0; i++)
		rc = parse_crc(json, members[i].key, members[i].crc32, err);
	return rc == 0 ? parse_files(json, again, err) : rc;
}

static int parse_all(const json_t *json, struct meta_again *again, struct ktstr_error *err)
{
	int rc;

	if (!json_is_object(json))
		return malformed(err, "again");
	again->is_there = true;
	rc = parse_some_text(json, "folder", &again->folder, err);
	if (rc == 0)
		rc = parse_text(json_object_get(json, "scheduler"), "scheduler", &again->scheduler,
				err);
	if (rc == 0)
		rc = parse_checkers(json, again, err);
	if (rc == 0)
		rc = parse_bool(json, "only", &again->has_only_checkers, err);
	if (rc == 0)
		rc = parse_bool(json, "verbose", &again->is_verbose, err);
	if (rc == 0)
		rc = parse_number(json, "stats_interval_ns", INT64_MAX, &again->stats_interval_ns,
				  err);
	return rc == 0 ? parse_inputs(json, again, err) : rc;
}

int meta_again_parse(const json_t *json, struct meta_again *ret, struct ktstr_error *err)
{
	struct meta_again again = { 0 };
	int rc = json && !json_is_null(json) ? parse_all(json, &again, err) : 0;

	if (rc < 0) {
		meta_again_done(&again);
		return rc;
	}
	*ret = again;
	return 0;
}

void meta_again_done(struct meta_again *again)
{
	for (size_t i = 0; i < again->checker_count; i++)
		free(again->checkers[i]);
	for (size_t i = 0; i < again->file_count; i++) {
		free(again->files[i].path);
		free(again->files[i].guest_path);
	}
	free(again->checkers);
	free(again->files);
	free(again->folder);
	free(again->scheduler);
	free(again->qemu_path);
	*again = (struct meta_again){ 0 };
}
