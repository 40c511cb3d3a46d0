/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From evidence and decisions to one verdict. Pure: a table of rules, walked in order.
 * docs/architecture.md tells it in words.
 */
#ifndef JUDGE_VERDICT_H
#define JUDGE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/expect.h"
#include "judge/scx.h"
#include "ktstr/outcome.h"
#include "runfile/format.h"

/* Exit codes of `ktstr`: a documented contract. */
#define EXIT_PASS 0
#define EXIT_FAIL 1
#define EXIT_USAGE 2
#define EXIT_ERROR 3
#define EXIT_UNDECIDED 4
#define EXIT_SKIP 77

struct finding {
	uint32_t outcome;
	char *subject;
	char *metric; /* "": no figure, the text says all */
	char *unit;
	double measured;
	double limit;
	uint32_t limit_kind; /* KTSTR_LIMIT_ */
	char *text;	     /* may be NULL */
};

/* How the reason of an ERROR starts: by whose fault, and its name. */
#define DECISION_BY "%s '%.64s' "
#define DECISION_BY_CHECKER "checker"
#define DECISION_BY_SCENARIO "the judgement of scenario"
/* How it goes on where the checker says by itself that it cannot. */
#define DECISION_CANNOT "could not judge the run: "

/* How one checker ended. */
struct decision {
	char *name;
	char *path;
	uint32_t outcome; /* KTSTR_OUTCOME_; NONE: it never decided */
	/*
	 * Why the outcome is not the checker's own, or the checker's words for an ERROR; NULL else.
	 * It counts before all findings. That of an ERROR starts with DECISION_BY.
	 */
	char *reason;
	uint64_t wanted;	 /* frames that it was shown */
	bool has_whole_evidence; /* no frame that it was shown was torn */
	struct finding *findings;
	size_t finding_count;
	uint64_t took_ns;
};

/* What the run file says of itself. */
struct evidence {
	bool is_virtual;	  /* the guest lived in its own time (META) */
	bool has_summary;	  /* the coordinator ended in order */
	bool is_torn;		  /* the run file's tail was cut */
	bool is_sealed;		  /* no record follows the summary */
	uint64_t frames_recorded; /* FRAME records in the file */
	bool has_all_sent;	  /* what stands in the file is what its END frame says was sent */
	struct runfile_summary summary;
	char *end_reason; /* text of the END_REASON event; may be NULL */
	/* The first thing in the stream that makes no sense (judge/protocol.h); or NULL. */
	char *malformed;
	/* What should have come and did not, of every run, whatever became of its scenario; or
	 * NULL.
	 */
	char *unfinished;
	bool has_result; /* a valid TEST_RESULT; of several the worst counts */
	uint32_t result_outcome;
	char *result_text;
	bool is_overdue; /* PID 1 ended the run because a limit of time had passed */
	bool has_error;	 /* an ERROR frame */
	uint32_t error_stage;
	char *error_text;
	bool has_other_error;  /* one of another stage than the scheduler's, or a second one */
	char *sched_exit_text; /* of a valid SCHED_EXIT; may be NULL */
	uint32_t hello_count;
	char *hello_mismatch; /* what the agent loaded is not what the host sent; NULL: all well */
	struct scx scx;	      /* the scheduler's life; its texts count only beside what is above */
};

struct verdict {
	uint32_t outcome;
	/* One sentence: why it is not a PASS, or how it failed as expected. Else empty on PASS. */
	char reason[1024];
	/* The rule that decided, for tests and for --verbose. */
	const char *rule;
	struct decision *decisions;
	size_t decision_count;
	struct evidence evidence;
	int interrupted_by; /* the signal that ended the judging; 0: none */
	/* For verdict_fold(); borrowed until then. NULL, or none given: a PASS is expected. */
	const struct expectation *expect;
};

/*
 * Fill outcome, reason and rule from evidence and decisions, which are set already.
 *
 * PASS needs all of: an end-of-stream frame whose counts match, no frame torn or dropped, a
 * scenario that ran to its end, at least one checker, and every checker decided PASS (or SKIP, with
 * one PASS at least) and saw a frame that it wanted. A FAIL from whole evidence stays FAIL whatever
 * broke after it; but what checkers find in a run that was cut short is no FAIL.
 *
 * Where a FAIL is expected, a FAIL becomes a PASS when each part of the expectation came true,
 * nothing else failed, and the evidence is as whole as it must be for any PASS. The end of a
 * scheduler that is expected takes no checker besides: the expectation judges it. A FAIL of another
 * kind stays FAIL, and so becomes a PASS; ERROR, UNDECIDED and SKIP stay what they are.
 */
void verdict_fold(struct verdict *verdict);

/* The process exit code of an outcome. */
int verdict_exit_code(uint32_t outcome);
/* "PASS", "FAIL", ... */
const char *outcome_name(uint32_t outcome);

/* Its reason without what a table of checkers and outcomes says already (DECISION_BY,
 * DECISION_CANNOT); "": none. */
const char *decision_reason(const struct decision *decision);

/* Free what they hold; zeroed ones are fine. */
void finding_done(struct finding *finding);
void decision_done(struct decision *decision);
void verdict_done(struct verdict *verdict);

#endif
