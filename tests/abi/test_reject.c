/* SPDX-License-Identifier: GPL-2.0-only */
/* One really broken .so for each reason to refuse one, and the sentence that says so. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "plugin/elf.h"
#include "plugin/loader.h"
#include "plugin/registry.h"

/* The file, and what is said of it. "@" in the text stands for its path. */
struct row {
	const char *file;
	const char *text;
};

static const struct row rows[] = {
	{ "nothing.so", "cannot open '@': No such file or directory" },
	{ ".", "'@' is not a regular file" },
	{ "not_elf.so", "'@' is not an ELF file" },
	{ "empty.so", "'@' is not an ELF file" },
	{ "truncated_ident.so", "'@' is not an ELF file" },
	{ "truncated_header.so",
	  "'@' is truncated (40 bytes do not hold an ELF header); build or copy it again" },
	{ "truncated_table.so",
	  "'@' is truncated (its program headers end past byte 100); build or copy it again" },
	{ "class32.so", "'@' is not a 64-bit ELF file; build it for x86-64" },
	{ "big_endian.so", "'@' is not a little-endian ELF file; build it for x86-64" },
	{ "wrong_machine.so",
	  "'@' is built for another machine (ELF machine 183, want 62); build it for x86-64" },
	{ "wrong_type.so",
	  "'@' is neither a shared object nor a program (ELF type 1); link it with -shared" },
	{ "undefined_symbol.so",
	  "cannot load '@': undefined symbol: ktstr_nowhere; link the library that has it" },
	{ "missing_library.so",
	  "cannot load '@': libktstr_nowhere.so: cannot open shared object file: No such file or "
	  "directory; install that library" },
	{ "no_symbol.so",
	  "'@' does not export 'ktstr_plugin'; end one of its files with KTSTR_PLUGIN_DEFINE" },
	{ "wrong_magic.so", "'@' is no ktstr plugin: its magic is 0x12345678, want 0x5453544b; "
			    "define the descriptor with KTSTR_PLUGIN_DEFINE" },
	{ "newer_major.so", "'@' needs plugin ABI 2.0, this ktstr has 1.0; update ktstr" },
	{ "older_major.so",
	  "'@' was built for plugin ABI 0.9, this ktstr has 1.0; rebuild the plugin" },
	{ "newer_minor.so", "'@' needs plugin ABI 1.9, this ktstr has 1.0; update ktstr" },
	{ "short_descriptor.so", "'@' has a descriptor of 16 bytes, want at least 72; define it "
				 "with KTSTR_PLUGIN_DEFINE" },
	{ "unknown_kind.so", "'@' is of kind 9, which this ktstr does not know; update ktstr" },
	{ "no_name.so",
	  "'@' is named '', want [a-z][a-z0-9_]* of at most 31 characters; set .name" },
	{ "bad_name.so",
	  "'@' is named 'Good-One', want [a-z][a-z0-9_]* of at most 31 characters; set .name" },
	{ "long_name.so", "'@' is named 'a2345678901234567890123456789012', want [a-z][a-z0-9_]* "
			  "of at most 31 characters; set .name" },
	{ "no_version.so", "'@' has no version; set .version" },
	{ "no_summary.so", "'@' has no summary; set .summary" },
	{ "no_ops.so", "'@' has no ops table; set .workload" },
	{ "tiny_ops.so", "'@': ops table says it has 3 bytes; set .size = sizeof(struct "
			 "ktstr_workload_ops)" },
	{ "short_ops.so",
	  "'@': required op 'run' is missing; set .run in its struct ktstr_workload_ops" },
	{ "missing_op.so",
	  "'@': required op 'run' is missing; set .run in its struct ktstr_workload_ops" },
	{ "short_rows.so", "'@' has parameter rows of 8 bytes, want at least 80; define the "
			   "descriptor with KTSTR_PLUGIN_DEFINE" },
	{ "duplicate_key.so",
	  "'@' has a bad parameter table: parameter 'mode' stands twice in its table" },
	{ "unknown_type.so",
	  "'@' has a bad parameter table: parameter 'pause' has the unknown type 99" },
};

static char *expand(const char *text, const char *path)
{
	const char *at = strchr(text, '@');

	return str_format("%.*s%s%s", (int)(at - text), text, path, at + 1);
}

static void assert_refused(const char *path, uint32_t kind, const char *text)
{
	_cleanup_free_ char *want = expand(text, path);
	struct plugin *plugin = NULL;
	struct ktstr_error err = { 0 };

	cr_expect_lt(plugin_load(path, kind, &plugin, &err), 0, "%s was loaded", path);
	cr_expect_str_eq(err.text, want);
	cr_expect_null(plugin);
}

Test(reject, good_one_loads)
{
	struct plugin *plugin = NULL;
	struct ktstr_error err;

	cr_assert_eq(plugin_load(BAD_PLUGINS "/good.so", KTSTR_KIND_WORKLOAD, &plugin, &err), 0,
		     "%s", err.text);
	cr_assert_str_eq(plugin->descriptor->name, "good");
	cr_assert_str_eq(plugin->path, BAD_PLUGINS "/good.so");
	cr_assert_neq(plugin->crc32, 0);
	plugin_free(plugin);
}

Test(reject, each_reason_has_its_sentence)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", BAD_PLUGINS, rows[i].file);

		assert_refused(path, 0, rows[i].text);
	}
}

/* The text of a bad fallback is the parameter parser's: here counts who and where. */
Test(reject, bad_fallback_names_file_and_parameter)
{
	struct plugin *plugin = NULL;
	struct ktstr_error err = { 0 };

	cr_assert_eq(plugin_load(BAD_PLUGINS "/bad_fallback.so", 0, &plugin, &err), -EINVAL);
	cr_assert(str_starts(err.text, "'" BAD_PLUGINS "/bad_fallback.so' has a bad parameter "
				       "table: parameter 'pause' has a bad fallback: "),
		  "%s", err.text);
}

/* Which segment it is depends on the linker. */
Test(reject, cut_off_file_is_truncated)
{
	static const char *const files[] = { "truncated_segment.so", "truncated_half.so" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", BAD_PLUGINS, files[i]);
		_cleanup_free_ char *start = str_format("'%s' is truncated (segment ", path);
		struct plugin *plugin = NULL;
		struct ktstr_error err = { 0 };

		cr_assert_eq(plugin_load(path, 0, &plugin, &err), -EINVAL);
		cr_assert(str_starts(err.text, start), "%s", err.text);
		cr_assert_not_null(strstr(err.text, " ends past byte "), "%s", err.text);
		cr_assert(str_ends(err.text, "); build or copy it again"), "%s", err.text);
	}
}

Test(reject, wrong_kind)
{
	assert_refused(BAD_PLUGINS "/good.so", KTSTR_KIND_SCENARIO,
		       "'@' is a workload, but is used as a scenario; name a scenario, or use it "
		       "as a workload");
}

Test(reject, program_is_no_plugin)
{
	assert_refused("/proc/self/exe", 0,
		       "'@' is a program, not a shared object; link it with -shared");
}

/* Nothing of an object with a missing library or a bad descriptor keeps the next from loading. */
Test(reject, good_one_loads_after_bad_ones)
{
	struct plugin *plugin = NULL;
	struct ktstr_error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", BAD_PLUGINS, rows[i].file);

		cr_assert_lt(plugin_load(path, 0, &plugin, &err), 0);
	}
	cr_assert_eq(plugin_load(BAD_PLUGINS "/good.so", 0, &plugin, &err), 0, "%s", err.text);
	plugin_free(plugin);
}

static uint64_t end_of_segments(const unsigned char *bytes)
{
	uint64_t table, end = 0;
	uint16_t count;

	memcpy(&table, bytes + 32, sizeof(table));
	memcpy(&count, bytes + 56, sizeof(count));
	for (uint16_t i = 0; i < count; i++) {
		const unsigned char *header = bytes + table + i * 56u;
		uint64_t offset, size;
		uint32_t type;

		memcpy(&type, header, sizeof(type));
		memcpy(&offset, header + 8, sizeof(offset));
		memcpy(&size, header + 32, sizeof(size));
		if (type == 1 && offset + size > end)
			end = offset + size;
	}
	return end;
}

/* Wherever it is cut before the end of its last segment, it is refused and kills nobody; behind it,
 * only what the dynamic linker does not need is gone. */
Test(reject, no_cut_kills_the_loader)
{
	char path[] = "/tmp/ktstr-cut-XXXXXX";
	_cleanup_free_ char *bytes = NULL;
	_cleanup_close_ int fd = mkstemp(path);
	struct plugin *plugin = NULL;
	struct ktstr_error err;
	uint64_t needed;
	size_t length;

	cr_assert(fd >= 0);
	cr_assert_eq(io_read_file(BAD_PLUGINS "/good.so", 16777216, &bytes, &length, &err), 0);
	needed = end_of_segments((unsigned char *)bytes);
	cr_assert(needed > 4096 && needed < length);
	for (size_t cut = 0; cut < needed; cut += cut < 1024 || needed - cut < 64 ? 1 : 61) {
		cr_assert_eq(ftruncate(fd, 0), 0);
		cr_assert_eq(pwrite(fd, bytes, cut, 0), (ssize_t)cut);
		cr_assert_eq(plugin_load(path, 0, &plugin, &err), -EINVAL, "cut at %zu", cut);
	}
	cr_assert_eq(pwrite(fd, bytes, needed, 0), (ssize_t)needed);
	cr_assert_eq(plugin_load(path, 0, &plugin, &err), 0, "%s", err.text);
	plugin_free(plugin);
	(void)unlink(path);
}

static struct registry *bad_registry(void)
{
	static const char *const folders[] = { "/nonexistent/first", BAD_PLUGINS, NULL };
	struct registry *registry = NULL;
	struct ktstr_error err;

	cr_assert_eq(registry_new(folders, &registry, &err), 0);
	return registry;
}

Test(registry, loads_by_name_once)
{
	struct registry *registry = bad_registry();
	struct plugin *first, *second;
	struct ktstr_error err;
	size_t count;

	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "good", &first, &err), 0, "%s",
		     err.text);
	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "good", &second, &err), 0);
	cr_assert_eq(first, second);
	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD,
				  BAD_PLUGINS "/../bad-plugins/good.so", &second, &err),
		     0, "%s", err.text);
	cr_assert_eq(first, second);
	cr_assert_eq(registry_loaded(registry, &count)[0], first);
	cr_assert_eq(count, 1);
	registry_free(registry);
}

Test(registry, refuses_a_name_that_is_taken)
{
	struct registry *registry = bad_registry();
	struct ktstr_error err = { 0 };
	struct plugin *plugin;

	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "good", &plugin, &err), 0);
	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, BAD_PLUGINS "/name_taken.so",
				  &plugin, &err),
		     -EEXIST);
	cr_assert_str_eq(err.text, "workload 'good' of '" BAD_PLUGINS
				   "/name_taken.so' is loaded already from '" BAD_PLUGINS
				   "/good.so'; give one of them another name");
	registry_free(registry);
}

Test(registry, refuses_a_file_that_calls_itself_something_else)
{
	struct registry *registry = bad_registry();
	struct ktstr_error err = { 0 };
	struct plugin *plugin;

	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "name_taken", &plugin, &err),
		     -EINVAL);
	cr_assert_str_eq(err.text, "'" BAD_PLUGINS "/name_taken.so' calls itself 'good'; rename "
				   "the file to good.so");
	registry_free(registry);
}

Test(registry, names_the_nearest)
{
	struct registry *registry = bad_registry();
	struct ktstr_error err = { 0 };
	struct plugin *plugin;

	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "god", &plugin, &err), -ENOENT);
	cr_assert_str_eq(err.text, "no workload 'god' in /nonexistent/first, " BAD_PLUGINS
				   "; did you mean 'good'?");
	cr_assert_eq(registry_get(registry, KTSTR_KIND_WORKLOAD, "zzzzzzzz", &plugin, &err),
		     -ENOENT);
	cr_assert_str_eq(err.text, "no workload 'zzzzzzzz' in /nonexistent/first, " BAD_PLUGINS
				   "; 'ktstr plugins' lists all there are");
	registry_free(registry);
}

Test(registry, hands_out_tables)
{
	struct registry *registry = bad_registry();
	struct plugin_tables tables = registry_tables(registry);
	const struct ktstr_param *params = NULL;
	struct ktstr_error err = { 0 };
	size_t stride = 0;

	cr_assert_eq(tables.find(tables.arg, KTSTR_KIND_WORKLOAD, "good", &params, &stride, &err),
		     0, "%s", err.text);
	cr_assert_eq(stride, sizeof(struct ktstr_param));
	cr_assert_str_eq(params[0].key, "mode");
	cr_assert_eq(tables.find(tables.arg, KTSTR_KIND_CHECKER, "nobody", &params, &stride, &err),
		     -ENOENT);
	registry_free(registry);
}

Test(elf, closure_names_the_missing_library_and_who_needs_it)
{
	struct ktstr_error err = { 0 };
	char **paths = NULL;

	cr_assert_eq(elf_closure(BAD_PLUGINS "/missing_library.so", &paths, &err), -ENOENT);
	cr_assert_str_eq(err.text,
			 "library 'libktstr_nowhere.so', which '" BAD_PLUGINS
			 "/missing_library.so' needs, is in none of its run path, the folders of "
			 "/etc/ld.so.conf and the standard ones; install it");
}
