/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/recorded.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "run/record.h"
#include "runfile/reader.h"

static int no_memory(const char *path, struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot read '%s': out of memory", path);
}

int recorded_find(const char *path, char **ret, struct ktstr_error *err)
{
	struct stat status;
	char *run_path;

	if (stat(path, &status) < 0)
		return ktstr_fail(err, -errno, "cannot open run '%s': %s", path, strerror(errno));
	run_path = S_ISDIR(status.st_mode) ? str_format("%s/" RECORD_RUN_FILE, path) : strdup(path);
	if (!run_path)
		return no_memory(path, err);
	*ret = run_path;
	return 0;
}

/* The SOURCE record. */
static int read_source(struct recorded *recorded, struct ktstr_error *err)
{
	struct runfile_reader *reader = NULL;
	struct runfile_record record;
	const void *payload;
	int rc = runfile_open_fd(recorded->run_fd, recorded->run_path, &reader, err);

	while (rc == 0 && !recorded->source && runfile_next(reader, &record, &payload) == 1) {
		if (record.kind != RUNFILE_SOURCE)
			continue;
		recorded->source = malloc((size_t)record.length + 1);
		if (!recorded->source) {
			rc = no_memory(recorded->run_path, err);
			break;
		}
		memcpy(recorded->source, payload, record.length);
		recorded->source[record.length] = '\0';
		recorded->source_length = record.length;
	}
	runfile_reader_free(reader);
	if (rc == 0 && !recorded->source)
		return ktstr_fail(err, -ENODATA,
				  "cannot run '%s' again: it does not have its scenario",
				  recorded->run_path);
	return rc;
}

static int read_all(struct recorded *recorded, struct ktstr_error *err)
{
	int rc;

	recorded->run_fd = open(recorded->run_path, O_RDONLY | O_CLOEXEC);
	if (recorded->run_fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", recorded->run_path,
				  strerror(errno));
	rc = facts_read(recorded->run_fd, recorded->run_path, &recorded->facts, err);
	if (rc < 0)
		return rc;
	if (!recorded->facts->meta || !recorded->facts->meta->again.is_there)
		return ktstr_fail(err, -ENODATA,
				  "cannot run '%s' again: it does not say with what it was made; "
				  "another ktstr may have made it",
				  recorded->run_path);
	return read_source(recorded, err);
}

int recorded_open(const char *path, struct recorded *ret, struct ktstr_error *err)
{
	struct recorded recorded = { .run_fd = -1 };
	_cleanup_free_ char *named = NULL;
	int rc = recorded_find(path, &named, err);

	if (rc < 0)
		return rc;
	recorded.run_path = realpath(named, NULL);
	if (!recorded.run_path)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", named, strerror(errno));
	rc = read_all(&recorded, err);
	if (rc < 0) {
		recorded_done(&recorded);
		return rc;
	}
	*ret = recorded;
	return 0;
}

void recorded_done(struct recorded *recorded)
{
	if (recorded->run_fd >= 0)
		(void)close(recorded->run_fd); /* only read */
	facts_free(recorded->facts);
	free(recorded->source);
	free(recorded->run_path);
	*recorded = (struct recorded){ .run_fd = -1 };
}

/* Could only this user and root have put the file there? */
static bool is_trusted(const struct stat *status)
{
	return S_ISREG(status->st_mode) && !(status->st_mode & S_IWOTH) &&
	       (status->st_uid == geteuid() || status->st_uid == 0);
}

bool recorded_is_file_of_then(const struct meta_plugin *then)
{
	struct ktstr_error ignored; /* whatever it is, it is not that file */
	struct stat status;
	uint32_t crc32;

	return then->path[0] == '/' && stat(then->path, &status) == 0 && is_trusted(&status) &&
	       plugin_file_crc32(then->path, &crc32, &ignored) == 0 && crc32 == then->crc32;
}

static uint32_t kind_of(const char *name)
{
	static const uint32_t kinds[] = { KTSTR_KIND_SCHEDULER, KTSTR_KIND_SCENARIO,
					  KTSTR_KIND_WORKLOAD, KTSTR_KIND_CHECKER };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(plugin_kind_name(kinds[i]), name) == 0)
			return kinds[i];
	return 0;
}

static int load_plugin(const struct meta_plugin *then, bool is_forced, struct registry *registry,
		       struct ktstr_error *err)
{
	uint32_t kind = kind_of(then->kind), crc32;
	struct plugin *plugin;
	struct stat status;
	int rc;

	if (kind == 0 || strchr(then->name, '/'))
		return ktstr_fail(err, -EBADMSG, "'%s %s' in the run file is no plugin", then->kind,
				  then->name);
	/* In this order, which the job has, too. */
	if (then->path[0] != '/' || stat(then->path, &status) < 0)
		return registry_get(registry, kind, then->name, &plugin, err);
	if (!is_trusted(&status))
		return ktstr_fail(err, -ESTALE,
				  "%s '%s' lies at '%s', where others can put one in its place; "
				  "give its folder with --plugin-dir, and take that one away",
				  then->kind, then->name, then->path);
	rc = plugin_file_crc32(then->path, &crc32, err);
	if (rc < 0)
		return rc;
	if (crc32 != then->crc32 && !is_forced)
		return ktstr_fail(err, -ESTALE,
				  "%s '%s' ('%s') is not the file that the run was made with: "
				  "checksum %08" PRIx32 ", then %08" PRIx32
				  "; --force runs it all the same",
				  then->kind, then->name, then->path, crc32, then->crc32);
	return registry_get(registry, kind, then->path, &plugin, err);
}

int recorded_load_plugins(const struct recorded *recorded, bool is_forced,
			  struct registry *registry, struct ktstr_error *err)
{
	const struct meta *meta = recorded->facts->meta;
	int rc = 0;

	for (size_t i = 0; i < meta->plugin_count && rc == 0; i++)
		rc = load_plugin(&meta->plugins[i], is_forced, registry, err);
	return rc;
}
