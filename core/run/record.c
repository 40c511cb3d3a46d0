/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/record.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"

#define NAME_MAX_IN_FOLDER 48

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot record the run: out of memory");
}

/* <XDG_STATE_HOME or ~/.local/state>/ktstr/runs; the caller frees. */
static int runs_folder(char **ret, struct ktstr_error *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *folder;

	if (state && state[0] == '/')
		folder = str_format("%s/ktstr/runs", state);
	else if (home && home[0] == '/')
		folder = str_format("%s/.local/state/ktstr/runs", home);
	else
		return ktstr_fail(err, -ENOENT,
				  "cannot record the run: neither XDG_STATE_HOME nor HOME names a "
				  "folder; set one, or use --run-dir");
	if (!folder)
		return no_memory(err);
	*ret = folder;
	return 0;
}

/* NAME-YYYYMMDD-HHMMSS-PID; the caller frees. */
static char *folder_name(const char *name, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000U);
	char safe[NAME_MAX_IN_FOLDER + 1], date[32];
	struct tm local;

	str_copy(safe, sizeof(safe), name && *name ? name : "run");
	for (char *c = safe; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.' && *c != '-')
			*c = '_';
	if (safe[0] == '.')
		safe[0] = '_';
	if (!localtime_r(&seconds, &local) ||
	    strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &local) == 0)
		return NULL;
	return str_format("%s-%s-%ld", safe, date, (long)getpid());
}

static int is_empty_folder(const char *path, struct ktstr_error *err)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (!folder)
		return ktstr_fail(err, -errno, "cannot open folder '%s': %s", path,
				  strerror(errno));
	while (rc == 0 && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = ktstr_fail(
				err, -ENOTEMPTY,
				"--run-dir '%s' is not empty; name another folder or remove "
				"it",
				path);
	(void)closedir(folder); /* only read */
	return rc;
}

/* Cut the last part of @path off. False: it was the only one. */
static bool cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	return slash && slash != path;
}

/* How much of @path is there already; 0: nothing of it. */
static int existing_length(const char *path, size_t *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *part = strdup(path);
	struct stat status;

	if (!part)
		return no_memory(err);
	*ret = 0;
	do {
		if (stat(part, &status) == 0)
			*ret = strlen(part);
	} while (*ret == 0 && cut_last(part));
	return 0;
}

int record_new_folder(const char *name, uint64_t realtime_ns, char **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *runs = NULL;
	_cleanup_free_ char *own = NULL;
	char *folder;
	int rc = runs_folder(&runs, err);

	if (rc < 0)
		return rc;
	own = folder_name(name, realtime_ns);
	folder = own ? str_format("%s/%s", runs, own) : NULL;
	if (!folder)
		return no_memory(err);
	*ret = folder;
	return 0;
}

static int make_folder(struct record *record, const char *run_folder, const char *name,
		       uint64_t realtime_ns, struct ktstr_error *err)
{
	int rc;

	if (run_folder) {
		rc = existing_length(run_folder, &record->kept_length, err);
		record->folder = rc == 0 ? strdup(run_folder) : NULL;
		if (!record->folder)
			return no_memory(err);
		rc = io_make_dirs(run_folder, err);
		return rc == 0 ? is_empty_folder(run_folder, err) : rc;
	}
	rc = record_new_folder(name, realtime_ns, &record->folder, err);
	if (rc < 0)
		return rc;
	/* That of all runs stays. */
	record->kept_length = (size_t)(strrchr(record->folder, '/') - record->folder);
	record->is_listed = true;
	return io_make_dirs(record->folder, err);
}

static int make_files(struct record *record, uint64_t seed, uint64_t realtime_ns,
		      struct ktstr_error *err)
{
	int rc;

	record->run_path = str_format("%s/" RECORD_RUN_FILE, record->folder);
	record->console_path = str_format("%s/" RECORD_CONSOLE_LOG, record->folder);
	record->verdict_path = str_format("%s/" RECORD_VERDICT, record->folder);
	if (!record->run_path || !record->console_path || !record->verdict_path)
		return no_memory(err);
	rc = runfile_create(record->run_path, seed, realtime_ns, &record->writer, err);
	if (rc < 0)
		return rc;
	record->console_fd = open(record->console_path,
				  O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (record->console_fd < 0)
		return ktstr_fail(err, -errno, "cannot create '%s': %s", record->console_path,
				  strerror(errno));
	return 0;
}

/* Whose fault is it that a given folder cannot be used? -ENOTDIR: whoever named it. */
static int blame(int rc, struct ktstr_error *err)
{
	static const int faults[] = { EACCES, EPERM,	    EROFS, EEXIST,
				      ENOENT, ENAMETOOLONG, ELOOP, ENOTDIR };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (rc == -faults[i]) {
			(void)ktstr_prefix(err, "--run-dir");
			err->code = -ENOTDIR;
			return -ENOTDIR;
		}
	}
	return rc;
}

int record_open(const char *run_folder, const char *name, uint64_t seed, uint64_t start_realtime_ns,
		struct record *ret, struct ktstr_error *err)
{
	struct record record = { .console_fd = -1, .run_fd = -1 };
	int rc = make_folder(&record, run_folder, name, start_realtime_ns, err);

	if (rc == 0)
		rc = make_files(&record, seed, start_realtime_ns, err);
	if (rc < 0) {
		record_discard(&record);
		return run_folder ? blame(rc, err) : rc;
	}
	*ret = record;
	return 0;
}

void record_link_folder(const char *folder)
{
	const char *name = strrchr(folder, '/') + 1;
	int runs_length = (int)(name - folder);
	_cleanup_free_ char *link = str_format("%.*slatest", runs_length, folder);
	_cleanup_free_ char *temporary =
		str_format("%.*s.latest-%ld", runs_length, folder, (long)getpid());

	if (!link || !temporary)
		return;
	if (symlink(name, temporary) == 0 && rename(temporary, link) < 0)
		(void)unlink(temporary); /* a comfort: no reason to fail */
}

void record_link_latest(const struct record *record)
{
	if (record->is_listed)
		record_link_folder(record->folder);
}

void record_discard(struct record *record)
{
	/* Whatever cannot be removed stays: the error that led here is the one to tell. */
	if (record->run_path)
		(void)unlink(record->run_path);
	if (record->console_path)
		(void)unlink(record->console_path);
	if (record->folder) {
		_cleanup_free_ char *part = strdup(record->folder);

		while (part && strlen(part) > record->kept_length &&
		       (rmdir(part) == 0 || errno == ENOENT) && cut_last(part))
			;
	}
	record_done(record);
}

int record_close(struct record *record, struct ktstr_error *err)
{
	struct ktstr_error ignored; /* of the second failure */
	int rc = 0;

	if (record->writer) {
		int close_rc;

		record->run_fd = runfile_dup_readonly(record->writer, err);
		rc = record->run_fd < 0 ? record->run_fd : 0;
		close_rc = runfile_close(record->writer, rc == 0 ? err : &ignored);
		rc = rc == 0 ? close_rc : rc;
	}
	record->writer = NULL;
	if (record->console_fd >= 0 && close(record->console_fd) < 0 && rc == 0)
		rc = ktstr_fail(err, -errno, "cannot write '%s': %s", record->console_path,
				strerror(errno));
	record->console_fd = -1;
	return rc;
}

void record_done(struct record *record)
{
	struct ktstr_error ignored;

	if (!record || (!record->folder && !record->writer))
		return;
	(void)record_close(record, &ignored); /* told where it mattered */
	if (record->run_fd >= 0)
		(void)close(record->run_fd); /* only read */
	free(record->folder);
	free(record->run_path);
	free(record->console_path);
	free(record->verdict_path);
	*record = (struct record){ .console_fd = -1, .run_fd = -1 };
}

int record_begin(struct record *record, const struct meta *meta, const struct source *source,
		 struct ktstr_error *err)
{
	json_t *json = meta_to_json(meta);
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int rc;

	json_decref(json);
	if (!text)
		return no_memory(err);
	rc = runfile_append(record->writer, RUNFILE_META, 0, 0, 0, text, (uint32_t)strlen(text),
			    err);
	if (rc == 0 && source->text)
		rc = runfile_append(record->writer, RUNFILE_SOURCE, 0, 0, 0, source->text,
				    (uint32_t)source->length, err);
	return rc;
}

int record_timing(struct record *record, const char *name, uint64_t host_ns,
		  struct ktstr_error *err)
{
	return runfile_append(record->writer, RUNFILE_EVENT, RUNFILE_EVENT_TIMING, 0, host_ns, name,
			      (uint32_t)strlen(name), err);
}
