/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "report/difference.h"
#include "report/meta.h"
#include "report/report.h"
#include "report/stream.h"
#include "run/finish.h"
#include "run/recorded.h"
#include "run/single.h"
#include "run/until.h"

static const char *const labels[2] = { "recorded", "again" };

struct replay {
	const struct run_options *given;
	struct run_options options; /* of the new run */
	struct until until;	    /* of it, with a frame for a step */
	struct recorded recorded;
	char *run_folder;      /* absolute; NULL: none was given */
	char **plugin_folders; /* absolute */
	struct single single;
	bool is_compared;
	struct stream_identity stream; /* of the new run */
	struct difference *difference; /* NULL: there is none */
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot run it again: out of memory");
}

static bool is_virtual(const struct replay *r)
{
	return strcmp(r->recorded.facts->meta->clock, "virtual") == 0;
}

/* @path as it is seen from anywhere. NULL when out of memory. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);

	return folder ? str_format("%s/%s", folder, path) : strdup(path);
}

/* What is given now is seen from here, and not from where the run was made. */
static int keep_places(struct replay *r, struct ktstr_error *err)
{
	const struct run_options *given = r->given;

	r->plugin_folders = calloc(given->plugin_folder_count + 1, sizeof(*r->plugin_folders));
	if (!r->plugin_folders)
		return no_memory(err);
	for (size_t i = 0; i < given->plugin_folder_count; i++) {
		r->plugin_folders[i] = absolute(given->plugin_folders[i]);
		if (!r->plugin_folders[i])
			return no_memory(err);
	}
	r->run_folder = given->run_folder ? absolute(given->run_folder) : NULL;
	if (given->run_folder && !r->run_folder)
		return no_memory(err);
	r->options.plugin_folders = (const char *const *)r->plugin_folders;
	r->options.run_folder = r->run_folder;
	return 0;
}

/* A step begins with a frame, whose number the recorded run knows. */
static int choose_stop(struct replay *r, struct ktstr_error *err)
{
	uint64_t frames = r->recorded.facts->stream.frames;
	int rc = 0;

	r->until = *r->given->until;
	r->options.until = &r->until;
	if (r->until.kind == UNTIL_STEP) {
		rc = until_find_step(r->recorded.run_fd, r->recorded.run_path, r->until.value,
				     &r->until.value, err);
		r->until.kind = UNTIL_FRAME;
	}
	if (rc == 0 && r->until.kind == UNTIL_FRAME && r->until.value >= frames)
		return ktstr_fail(err, -EINVAL,
				  "--until: '%s' has frames 0 to %" PRIu64 ", and none with number "
				  "%" PRIu64,
				  r->recorded.run_path, frames - 1, r->until.value);
	return rc;
}

/* The new run is what the old one was. */
static int choose_options(struct replay *r, struct ktstr_error *err)
{
	const struct meta *meta = r->recorded.facts->meta;
	const struct meta_again *again = &meta->again;
	struct run_options *options = &r->options;

	*options = *r->given;
	options->recorded = &r->recorded;
	options->scheduler = again->scheduler;
	options->checkers = (const char *const *)again->checkers;
	options->checker_count = again->checker_count;
	options->has_only_checkers = again->has_only_checkers;
	options->kernel = meta->kernel_path;
	options->is_cold = !meta->base[0];
	options->is_restored = meta->base[0];
	/* See struct started. */
	options->base = strchr(meta->base, '+') ? RUN_BASE_ATTACHED : RUN_BASE_BOOTED;
	options->has_accel = true;
	options->accel = strcmp(meta->accel, "kvm") == 0 ? ACCEL_KVM : ACCEL_TCG;
	options->has_clock = true;
	options->clock = is_virtual(r) ? VM_CLOCK_VIRTUAL : VM_CLOCK_HOST;
	options->has_seed = true;
	options->seed = meta->seed;
	options->stats_interval_ns = again->stats_interval_ns;
	if (options->until && choose_stop(r, err) < 0)
		return err->code;
	return keep_places(r, err);
}

static int check_recorded(const struct replay *r, struct ktstr_error *err)
{
	if (is_virtual(r) || r->given->is_forced)
		return 0;
	return ktstr_fail(err, -EDOM,
			  "'%s' was recorded in the host's time, in which no two runs are the "
			  "same; --force runs it again, but there is nothing to compare",
			  r->recorded.run_path);
}

/* Everything relative is seen from where it was seen then. */
static void run_there(struct replay *r)
{
	_cleanup_close_ int here_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *folder = r->recorded.facts->meta->again.folder;

	if (here_fd < 0 || chdir(folder) < 0)
		log_warning("the run was made in '%s', which cannot be entered (%s); what it "
			    "names by a relative path is looked for here",
			    folder, strerror(errno));
	single_run(r->recorded.facts->meta->scenario_file, &r->options, &r->single);
	if (here_fd >= 0 && fchdir(here_fd) < 0)
		log_warning("cannot go back to the working directory: %s", strerror(errno));
}

static int compare(struct replay *r, struct ktstr_error *err)
{
	const struct difference_input inputs[2] = {
		{ r->recorded.run_fd, r->recorded.run_path },
		{ r->single.run_fd, r->single.run_path },
	};
	int rc = stream_identify(r->single.run_fd, r->single.run_path, &r->stream, err);

	r->is_compared = is_virtual(r);
	if (rc < 0 || !r->is_compared || stream_is_same(&r->recorded.facts->stream, &r->stream))
		return rc;
	return difference_find(inputs, &r->difference, err);
}

static json_t *stream_json(const struct stream_identity *stream, const char *run_path)
{
	return json_pack("{so ss sI}", "run", json_text(run_path), "digest", stream->digest,
			 "frames", (json_int_t)stream->frames);
}

static int show_json(const struct replay *r, int exit_code, struct ktstr_error *err)
{
	const struct report_spec spec = single_report(&r->single, r->given);
	json_t *verdict = NULL, *json;
	int rc = report_document(&r->single.verdict, &spec, &verdict, err);

	if (rc < 0)
		return rc;
	json = json_pack("{si ss si so so so so so}", "schema_version", REPORT_SCHEMA_VERSION,
			 "kind", "replay", "exit_code", exit_code, "is_identical",
			 r->is_compared ? json_boolean(!r->difference) : json_null(), "recorded",
			 stream_json(&r->recorded.facts->stream, r->recorded.run_path), "again",
			 stream_json(&r->stream, r->single.run_path), "difference",
			 r->difference ? difference_json(r->difference, labels) : json_null(),
			 "verdict", verdict);
	rc = report_dump(r->given->out, json, err);
	json_decref(json);
	return rc;
}

static int add_result(const struct replay *r, struct str *out)
{
	const struct stream_identity *then = &r->recorded.facts->stream;
	int rc;

	if (!r->is_compared)
		return str_add(out,
			       "\nnot compared: in the host's time no two runs are the same\n");
	if (!r->difference)
		return str_addf(out, "\nidentical: stream %.*s (%" PRIu64 " frames)\n",
				STREAM_DIGEST_SHOWN, then->digest, then->frames);
	rc = str_addf(out,
		      "\ndifferent: stream %.*s (%" PRIu64 " frames), recorded %.*s (%" PRIu64
		      " frames)\n",
		      STREAM_DIGEST_SHOWN, r->stream.digest, r->stream.frames, STREAM_DIGEST_SHOWN,
		      then->digest, then->frames);
	return rc == 0 ? difference_text(r->difference, labels, out) : rc;
}

static int show_text(const struct replay *r, struct ktstr_error *err)
{
	struct report_spec spec = single_report(&r->single, r->given);
	struct str text = { 0 };
	int rc;

	spec.is_short = !r->given->is_verbose;
	rc = report_text(r->given->out, &r->single.verdict, &spec, err);
	if (rc < 0)
		return rc;
	if (add_result(r, &text) < 0)
		rc = no_memory(err);
	else
		rc = report_print(r->given->out, str_text(&text), err);
	str_done(&text);
	return rc;
}

static json_t *asked_json(const struct until *until)
{
	switch (until->kind) {
	case UNTIL_END:
		break;
	case UNTIL_FRAME:
		return json_pack("{ss sI}", "kind", "frame", "number", (json_int_t)until->value);
	case UNTIL_STEP:
		return json_pack("{ss sI}", "kind", "step", "number", (json_int_t)until->value);
	case UNTIL_TIME:
		return json_pack("{ss sf}", "kind", "time", "time_s",
				 (double)until->value / (double)NS_PER_S);
	}
	return json_null();
}

static int show_stopped_json(const struct replay *r, bool is_same, int exit_code,
			     struct ktstr_error *err)
{
	const json_t *stop = r->single.stop;
	json_t *json = json_pack(
		"{si ss si so so sO? sO? so so so}", "schema_version", REPORT_SCHEMA_VERSION,
		"kind", "replay_stop", "exit_code", exit_code, "is_identical",
		r->is_compared ? json_boolean(is_same) : json_null(), "asked",
		asked_json(r->given->until), "stopped", json_object_get(stop, "stopped"), "cpus",
		json_object_get(stop, "cpus"), "recorded",
		stream_json(&r->recorded.facts->stream, r->recorded.run_path), "again",
		stream_json(&r->stream, r->single.run_path), "difference",
		is_same || !r->difference ? json_null() : difference_json(r->difference, labels));
	int rc = report_dump(r->given->out, json, err);

	json_decref(json);
	return rc;
}

static int show_stopped_text(const struct replay *r, bool is_same, struct ktstr_error *err)
{
	struct str text = { 0 };
	int rc;

	if (!r->is_compared)
		rc = str_add(&text, "not compared: in the host's time no two runs are the same\n");
	else if (is_same)
		rc = str_addf(&text, "identical up to there: %" PRIu64 " of %" PRIu64 " frames\n",
			      r->stream.frames, r->recorded.facts->stream.frames);
	else
		rc = difference_text(r->difference, labels, &text);
	if (rc < 0)
		rc = no_memory(err);
	else
		rc = report_print(r->given->out, str_text(&text), err);
	str_done(&text);
	return rc;
}

/* It was stopped on its way: was it the same up to there? Returns the exit code. */
static int show_stopped(struct replay *r, struct ktstr_error *err)
{
	const struct difference *d;
	int rc = compare(r, err), exit_code;
	bool is_same;

	if (rc < 0)
		return finish_error(r->given, EXIT_ERROR, err);
	d = r->difference;
	/* The new one has no more frames, which is all that may differ. */
	is_same = !d || d->kind > DIFFERENCE_END ||
		  (d->kind == DIFFERENCE_END && !d->sides[1].is_there);
	exit_code = r->is_compared && !is_same ? EXIT_FAIL : EXIT_PASS;
	rc = r->given->is_json ? show_stopped_json(r, is_same, exit_code, err)
			       : show_stopped_text(r, is_same, err);
	return rc < 0 ? finish_error(r->given, EXIT_ERROR, err) : exit_code;
}

/* It was to be stopped, and was not. Returns the exit code. */
static int show_missed(struct replay *r, struct ktstr_error *err)
{
	(void)ktstr_fail(err, -ENODATA,
			 "--until: the run came to its end before it could be stopped; it is kept "
			 "in '%s'",
			 r->single.run_path);
	return finish_error(r->given, EXIT_ERROR, err);
}

/* Returns the exit code. */
static int show(struct replay *r, struct ktstr_error *err)
{
	int exit_code, rc;

	if (r->single.is_stopped)
		return show_stopped(r, err);
	if (!r->single.has_verdict)
		return finish_error(r->given, r->single.exit_code, &r->single.err);
	if (r->given->until)
		return show_missed(r, err);
	rc = compare(r, err);
	if (rc < 0)
		return finish_error(r->given, EXIT_ERROR, err);
	exit_code = r->single.exit_code;
	if (r->is_compared)
		exit_code = r->difference ? EXIT_FAIL : EXIT_PASS;
	if (r->single.is_interrupted)
		exit_code = EXIT_ERROR;
	rc = r->given->is_json ? show_json(r, exit_code, err) : show_text(r, err);
	return rc < 0 ? finish_error(r->given, EXIT_ERROR, err) : exit_code;
}

static void replay_done(struct replay *r)
{
	difference_free(r->difference);
	single_done(&r->single);
	recorded_done(&r->recorded);
	for (size_t i = 0; r->plugin_folders && r->plugin_folders[i]; i++)
		free(r->plugin_folders[i]);
	free(r->plugin_folders);
	free(r->run_folder);
}

int replay_run(const char *path, const struct run_options *options)
{
	struct replay r = { .given = options,
			    .recorded = { .run_fd = -1 },
			    .single = { .run_fd = -1 } };
	struct ktstr_error err = { 0 };
	int exit_code;
	int rc = recorded_open(path, &r.recorded, &err);

	if (rc == 0)
		rc = check_recorded(&r, &err);
	if (rc == 0)
		rc = choose_options(&r, &err);
	if (rc < 0) {
		exit_code = finish_error(options, rc == -ENOMEM ? EXIT_ERROR : EXIT_USAGE, &err);
	} else {
		run_there(&r);
		exit_code = show(&r, &err);
	}
	replay_done(&r);
	return exit_code;
}
