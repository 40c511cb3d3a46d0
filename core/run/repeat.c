/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "report/checkers.h"
#include "report/compare.h"
#include "report/difference.h"
#include "report/facts.h"
#include "report/meta.h"
#include "report/report.h"
#include "report/stream.h"
#include "report/table.h"
#include "run/alike.h"
#include "run/finish.h"
#include "run/record.h"
#include "run/seed.h"
#include "run/several.h"
#include "run/signals.h"
#include "run/single.h"
#include "vm/kvm.h"

/* "--rep" could be nothing else, and neither could "--exp". */
#define OPTION_SHORTEST strlen("--rep")

/* What is kept of one run. */
struct turn {
	bool is_done;
	uint32_t outcome; /* KTSTR_OUTCOME_ERROR when there is no verdict */
	int exit_code;
	char *problem; /* why it is no PASS, or has no verdict; NULL: nothing to say */
	char *run_path;
	struct stream_identity stream; /* with a run_path */
	uint64_t took_ns;
};

struct repeating {
	const struct run_options *options;
	const char *scenario;
	char *folder;
	struct turn *turns;
	uint32_t count;
	bool must_be_same;
	struct kvm_probe kvm;
	uint64_t drawn_seed; /* of all runs, where the scenario has none */
	bool has_seed;	     /* one run at least came to a verdict */
	uint64_t seed;	     /* that all have */
	struct signals signals;
	bool is_interrupted;
	struct difference *difference; /* NULL: none was looked for */
	uint32_t differs[2];	       /* the first two that are not the same, from 1; 0: none */
	char *reason;		       /* why these differ; NULL: not known */
};

static int no_memory(struct ktstr_error *err)
{
	return ktstr_fail(err, -ENOMEM, "cannot repeat the run: out of memory");
}

/* The command line of one run alone. The caller frees *ret_words. */
static int choose_words(const struct repeating *r, struct run_options *ret, char ***ret_words,
			struct ktstr_error *err)
{
	static const struct {
		const char *name;
		bool has_argument;
	} cut[] = { { "--repeat", true }, { "--expect-identical", false } };
	const struct run_options *options = r->options;
	char **words = calloc(options->word_count + 1, sizeof(*words));
	bool has_ended = false;
	size_t count = 0;

	if (!words)
		return no_memory(err);
	for (size_t i = 0; i < options->word_count;) {
		size_t length = 0;

		has_ended |= strcmp(options->words[i], "--") == 0;
		for (size_t k = 0; k < ARRAY_SIZE(cut) && length == 0 && !has_ended; k++)
			length = several_option_words(&options->words[i], options->word_count - i,
						      cut[k].name, OPTION_SHORTEST,
						      cut[k].has_argument);
		if (length == 0)
			words[count++] = options->words[i++];
		i += length;
	}
	ret->words = *ret_words = words;
	ret->word_count = count;
	return 0;
}

/* One that did not come to its first frame says nothing that another could be held against. */
static bool has_stream(const struct turn *turn)
{
	return turn->run_path && turn->stream.frames > 0;
}

/* What is kept of @single. */
static int keep(struct turn *turn, struct single *single, struct ktstr_error *err)
{
	const char *problem = single->has_verdict ? single->verdict.reason : single->err.text;

	turn->is_done = true;
	turn->exit_code = single->exit_code;
	turn->outcome = single->has_verdict ? single->verdict.outcome : KTSTR_OUTCOME_ERROR;
	turn->took_ns = single->took_ns;
	turn->problem = *problem ? strdup(problem) : NULL;
	if (*problem && !turn->problem)
		return no_memory(err);
	if (!single->has_verdict)
		return 0;
	turn->run_path = steal_ptr(single->run_path);
	return stream_identify(single->run_fd, turn->run_path, &turn->stream, err);
}

/* The line of one run. */
static int show_turn(const struct repeating *r, uint32_t number, struct ktstr_error *err)
{
	const struct turn *turn = &r->turns[number - 1];
	struct str line = { 0 };
	int rc = str_addf(&line, "run %*" PRIu32 "  ", r->count >= 100 ? 4 : 2, number);

	if (rc == 0)
		rc = outcome_add(turn->outcome, 9, r->options->has_out_colour, &line);
	if (rc == 0 && turn->run_path)
		rc = str_addf(&line, "  stream %.*s (%" PRIu64 " frames)  %.1f s  %s",
			      STREAM_DIGEST_SHOWN, turn->stream.digest, turn->stream.frames,
			      (double)turn->took_ns / (double)NS_PER_S, turn->run_path);
	if (rc == 0 && turn->problem) {
		rc = str_add(&line, "\n    ");
		if (rc == 0)
			rc = text_add_safe(&line, turn->problem);
	}
	if (rc == 0)
		rc = str_add(&line, "\n");
	if (rc < 0)
		rc = no_memory(err);
	else
		rc = report_print(r->options->out, str_text(&line), err);
	str_done(&line);
	return rc;
}

static int take_turn(struct repeating *r, uint32_t number, struct ktstr_error *err)
{
	struct run_options options = *r->options;
	_cleanup_free_ char *folder = str_format("%s/%" PRIu32, r->folder, number);
	_cleanup_free_ char **words = NULL;
	struct single single;
	int rc;

	if (!folder)
		return no_memory(err);
	rc = choose_words(r, &options, &words, err);
	if (rc < 0)
		return rc;
	options.run_folder = folder;
	options.has_drawn_seed = true;
	options.drawn_seed = r->drawn_seed;
	options.must_be_virtual = r->must_be_same;
	options.kvm = &r->kvm;
	if (!r->options->is_quiet)
		log_note("run %" PRIu32 " of %" PRIu32, number, r->count);
	single_run(r->scenario, &options, &single);
	r->is_interrupted = single.is_interrupted || signals_have_come(&r->signals);
	rc = keep(&r->turns[number - 1], &single, err);
	if (single.has_verdict) {
		r->has_seed = true;
		r->seed = single.seed;
	}
	single_done(&single);
	return rc == 0 && !r->options->is_json ? show_turn(r, number, err) : rc;
}

/* The first run whose stream is another one than that of the first; 0: there is none. */
static uint32_t find_other(const struct repeating *r, uint32_t *ret_first)
{
	*ret_first = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		if (!has_stream(&r->turns[i]))
			continue;
		if (*ret_first == 0)
			*ret_first = i + 1;
		else if (!stream_is_same(&r->turns[*ret_first - 1].stream, &r->turns[i].stream))
			return i + 1;
	}
	return 0;
}

/* Those that did not start from the same machine were never the same. */
static int find_reason(struct repeating *r, const struct difference_input inputs[2],
		       struct ktstr_error *err)
{
	struct facts *facts[2] = { NULL, NULL };
	const char *bases[2];
	struct str text = { 0 };
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		rc = facts_read(inputs[i].runfile_fd, inputs[i].name, &facts[i], err);
		bases[i] = rc == 0 && facts[i]->meta ? facts[i]->meta->base : "";
	}
	if (rc == 0 && alike_add_bases(r->differs, bases, &text) < 0)
		rc = no_memory(err);
	if (rc == 0 && text.length > 0) {
		r->reason = strdup(str_text(&text));
		rc = r->reason ? 0 : no_memory(err);
	}
	str_done(&text);
	facts_free(facts[0]);
	facts_free(facts[1]);
	return rc;
}

static int find_difference(struct repeating *r, struct ktstr_error *err)
{
	_cleanup_close_ int first_fd = -1;
	_cleanup_close_ int other_fd = -1;
	uint32_t first, other = find_other(r, &first);
	struct difference_input inputs[2];
	int rc;

	if (other == 0)
		return 0;
	r->differs[0] = first;
	r->differs[1] = other;
	inputs[0].name = r->turns[first - 1].run_path;
	inputs[1].name = r->turns[other - 1].run_path;
	inputs[0].runfile_fd = first_fd = open(inputs[0].name, O_RDONLY | O_CLOEXEC);
	inputs[1].runfile_fd = other_fd = open(inputs[1].name, O_RDONLY | O_CLOEXEC);
	if (first_fd < 0 || other_fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s",
				  inputs[first_fd < 0 ? 0 : 1].name, strerror(errno));
	rc = find_reason(r, inputs, err);
	return rc == 0 && r->must_be_same ? difference_find(inputs, &r->difference, err) : rc;
}

/* How often the stream of run @index, from 0, came; 0 when an earlier run has it, too. */
static uint32_t count_stream(const struct repeating *r, uint32_t index)
{
	const struct turn *turn = &r->turns[index];
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->count && has_stream(turn); i++) {
		bool is_same = has_stream(&r->turns[i]) &&
			       stream_is_same(&r->turns[i].stream, &turn->stream);

		if (is_same && i < index)
			return 0;
		count += is_same;
	}
	return count;
}

static uint32_t count_streams(const struct repeating *r)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->count; i++)
		count += count_stream(r, i) > 0;
	return count;
}

static struct alike alike(const struct repeating *r)
{
	struct alike alike = { .runs = r->count, .streams = count_streams(r) };

	for (uint32_t i = 0; i < r->count; i++)
		alike.with_stream += has_stream(&r->turns[i]);
	return alike;
}

static uint32_t count_outcome(const struct repeating *r, uint32_t outcome)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->count; i++)
		count += r->turns[i].is_done && r->turns[i].outcome == outcome;
	return count;
}

/* Folded as those of a comparison are; runs that were left out are errors, streams that must be the
 * same and are not, a failure, and where that is not known, an error. */
static int exit_code_of(const struct repeating *r, int *ret, struct ktstr_error *err)
{
	_cleanup_free_ uint32_t *outcomes = calloc((size_t)r->count + 1, sizeof(*outcomes));
	const struct alike streams = alike(r);
	size_t count = 0;

	if (!outcomes)
		return no_memory(err);
	for (uint32_t i = 0; i < r->count; i++)
		outcomes[count++] = r->turns[i].is_done ? r->turns[i].outcome : KTSTR_OUTCOME_ERROR;
	if (r->difference)
		outcomes[count++] = KTSTR_OUTCOME_FAIL;
	else if (r->must_be_same && !alike_is_known(&streams))
		outcomes[count++] = KTSTR_OUTCOME_ERROR;
	*ret = verdict_exit_code(compare_outcome(outcomes, count));
	return 0;
}

static json_t *turn_json(const struct turn *turn, uint32_t number)
{
	json_t *stream = has_stream(turn) ? json_pack("{ss sI}", "digest", turn->stream.digest,
						      "frames", (json_int_t)turn->stream.frames)
					  : json_null();

	return json_pack("{sI ss sb si so so so sf}", "number", (json_int_t)number, "outcome",
			 outcome_name(turn->outcome), "is_done", turn->is_done, "exit_code",
			 turn->is_done ? turn->exit_code : EXIT_ERROR, "reason",
			 json_text(turn->problem), "run", json_text(turn->run_path), "stream",
			 stream, "took_s", (double)turn->took_ns / (double)NS_PER_S);
}

/* Each stream that there was, with the numbers of the runs that have it. */
static json_t *streams_json(const struct repeating *r)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < r->count; i++) {
		json_t *numbers = count_stream(r, i) > 0 ? json_array() : NULL;

		if (!numbers)
			continue;
		for (uint32_t k = i; numbers && k < r->count; k++)
			if (has_stream(&r->turns[k]) &&
			    stream_is_same(&r->turns[i].stream, &r->turns[k].stream))
				json_add(&numbers, json_integer(k + 1));
		json_add(&list, json_pack("{ss so}", "digest", r->turns[i].stream.digest, "runs",
					  numbers));
	}
	return list;
}

static json_t *difference_or_null(const struct repeating *r)
{
	char names[2][24];
	const char *const labels[2] = { names[0], names[1] };

	if (!r->difference)
		return json_null();
	for (int i = 0; i < 2; i++)
		(void)snprintf(names[i], sizeof(names[i]), "run %" PRIu32, r->differs[i]);
	return difference_json(r->difference, labels);
}

static json_t *document(const struct repeating *r, int exit_code)
{
	const struct alike streams = alike(r);
	json_t *runs = json_array();

	for (uint32_t i = 0; i < r->count; i++)
		json_add(&runs, turn_json(&r->turns[i], i + 1));
	return json_pack("{si ss si so so sb so so so}", "schema_version", REPORT_SCHEMA_VERSION,
			 "kind", "repeat", "exit_code", exit_code, "seed",
			 r->has_seed ? json_integer((json_int_t)r->seed) : json_null(), "runs",
			 runs, "is_identical", alike_is_known(&streams), "streams", streams_json(r),
			 "difference", difference_or_null(r), "reason", json_text(r->reason));
}

/* In the folder of all runs, when there is one. */
static void keep_document(const struct repeating *r, const json_t *json)
{
	_cleanup_free_ char *path = str_format("%s/" REPEAT_DOCUMENT, r->folder);
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	struct ktstr_error err;

	if (access(r->folder, F_OK) < 0)
		return;
	if (!path || !text)
		log_warning("cannot keep the report: out of memory");
	else if (io_replace_file(path, text, strlen(text), &err) < 0)
		log_warning("%s", err.text);
}

static int add_summary(const struct repeating *r, struct str *out)
{
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_PASS, KTSTR_OUTCOME_SKIP,
					     KTSTR_OUTCOME_UNDECIDED, KTSTR_OUTCOME_FAIL,
					     KTSTR_OUTCOME_ERROR };
	const struct alike streams = alike(r);
	uint32_t left_out = r->count;
	const char *separator = ": ";
	int rc = str_addf(out, "\n%" PRIu32 " runs", r->count);

	if (rc == 0 && r->has_seed)
		rc = str_addf(out, " with seed %" PRIu64, r->seed);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes) && rc == 0; i++) {
		uint32_t count = count_outcome(r, outcomes[i]);

		left_out -= count;
		if (count == 0)
			continue;
		rc = str_addf(out, "%s%" PRIu32 " %s", separator, count, outcome_name(outcomes[i]));
		separator = ", ";
	}
	if (rc == 0 && left_out > 0)
		rc = str_addf(out, "%s%" PRIu32 " left out", separator, left_out);
	if (rc == 0)
		rc = str_add(out, "; ");
	if (rc == 0)
		rc = alike_add(&streams, out);
	if (rc == 0)
		rc = str_add(out, "\n");
	return rc == 0 && r->reason ? str_addf(out, "%s\n", r->reason) : rc;
}

static int show_text(const struct repeating *r, struct ktstr_error *err)
{
	char names[2][24];
	const char *const labels[2] = { names[0], names[1] };
	struct str text = { 0 };
	int rc = add_summary(r, &text);

	for (int i = 0; i < 2; i++)
		(void)snprintf(names[i], sizeof(names[i]), "run %" PRIu32, r->differs[i]);
	if (rc == 0 && r->difference)
		rc = str_addf(&text, "\n%s and %s are not the same: ", names[0], names[1]);
	if (rc == 0 && r->difference)
		rc = difference_text(r->difference, labels, &text);
	if (rc < 0)
		rc = no_memory(err);
	else
		rc = report_print(r->options->out, str_text(&text), err);
	str_done(&text);
	return rc;
}

/* The end of it. Returns the exit code. */
static int show(struct repeating *r, struct ktstr_error *err)
{
	int exit_code = EXIT_ERROR;
	json_t *json;
	int rc = find_difference(r, err);

	if (rc == 0)
		rc = exit_code_of(r, &exit_code, err);
	if (rc < 0)
		return finish_error(r->options, EXIT_ERROR, err);
	json = document(r, exit_code);
	keep_document(r, json);
	rc = r->options->is_json ? report_dump(r->options->out, json, err) : show_text(r, err);
	json_decref(json);
	return rc < 0 ? finish_error(r->options, EXIT_ERROR, err) : exit_code;
}

/* Everything that can be known to be wrong before a VM starts. Returns the exit code. */
static int rehearse(struct repeating *r, struct ktstr_error *err)
{
	struct run_options options = *r->options;
	int exit_code = EXIT_ERROR;

	options.must_be_virtual = r->must_be_same;
	options.kvm = &r->kvm;
	if (several_choose_folder(r->scenario, r->options, &r->folder, &exit_code, err) < 0)
		return exit_code;
	return single_rehearse(r->scenario, &options, err);
}

static int take_turns(struct repeating *r, struct ktstr_error *err)
{
	bool is_linked = r->options->run_folder != NULL;
	int rc = 0;

	for (uint32_t i = 0; i < r->count && rc == 0 && !r->is_interrupted; i++) {
		rc = take_turn(r, i + 1, err);
		if (!is_linked && r->turns[i].run_path) {
			record_link_folder(r->folder);
			is_linked = true;
		}
		if (r->is_interrupted && i + 1 < r->count)
			log_warning("interrupted: %" PRIu32 " of %" PRIu32 " runs are left out",
				    r->count - i - 1, r->count);
	}
	return rc;
}

static void repeating_done(struct repeating *r)
{
	for (uint32_t i = 0; r->turns && i < r->count; i++) {
		free(r->turns[i].problem);
		free(r->turns[i].run_path);
	}
	difference_free(r->difference);
	free(r->reason);
	free(r->turns);
	free(r->folder);
	signals_done(&r->signals);
}

int repeat_run(const char *scenario, uint32_t count, bool must_be_same,
	       const struct run_options *options)
{
	struct repeating r = {
		.options = options,
		.scenario = scenario,
		.turns = calloc(count, sizeof(*r.turns)),
		.count = count,
		.must_be_same = must_be_same,
		.drawn_seed = seed_draw(),
		.signals = { .fd = -1 },
	};
	struct ktstr_error err = { 0 };
	int exit_code = EXIT_ERROR;

	if (!r.turns)
		(void)no_memory(&err);
	else if (signals_watch(&r.signals, &err) == 0)
		exit_code = rehearse(&r, &err);
	if (exit_code != EXIT_PASS)
		exit_code = finish_error(options, exit_code, &err);
	else if (take_turns(&r, &err) < 0)
		exit_code = finish_error(options, EXIT_ERROR, &err);
	else
		exit_code = show(&r, &err);
	repeating_done(&r);
	return exit_code;
}
