/* SPDX-License-Identifier: GPL-2.0-only */
#include "judge/result.h"

#include <errno.h>

#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "wire/frame.h"

/* What comes through the pipe is not believed. */

static struct str encode(uint32_t outcome, const char *reason, int findings)
{
	const struct decision decision = { .outcome = outcome,
					   .reason = (char *)reason,
					   .wanted = 9,
					   .has_whole_evidence = true };
	const struct finding finding = { .outcome = KTSTR_OUTCOME_PASS,
					 .subject = (char *)"s",
					 .measured = 1.5,
					 .text = (char *)"t" };
	struct str bytes = { 0 };

	cr_assert_eq(result_encode_progress(&bytes), 0);
	for (int i = 0; i < findings; i++)
		cr_assert_eq(result_encode_finding(&finding, &bytes), 0);
	cr_assert_eq(result_encode_decision(&decision, &bytes), 0);
	return bytes;
}

Test(result, comes_back_as_it_was_sent)
{
	struct str bytes = encode(KTSTR_OUTCOME_SKIP, "one CPU", 3);
	struct decision decision = { .name = strdup("x"), .took_ns = 5 };

	cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), 0);
	cr_assert_str_eq(decision.name, "x");
	cr_assert_eq(decision.took_ns, 5);
	cr_assert_eq(decision.outcome, KTSTR_OUTCOME_SKIP);
	cr_assert_str_eq(decision.reason, "one CPU");
	cr_assert_eq(decision.wanted, 9);
	cr_assert_eq(decision.finding_count, 3);
	cr_assert_str_eq(decision.findings[2].subject, "s");
	cr_assert_str_eq(decision.findings[2].metric, "");
	decision_done(&decision);
	str_done(&bytes);
}

Test(result, no_flipped_bit_is_believed)
{
	struct str bytes = encode(KTSTR_OUTCOME_PASS, NULL, 1);

	for (size_t i = 0; i < bytes.length * 8; i++) {
		struct decision decision = { 0 };

		bytes.data[i / 8] ^= (char)(1 << i % 8);
		cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), -EBADMSG,
			     "bit %zu", i);
		cr_assert_eq(decision.outcome, KTSTR_OUTCOME_NONE);
		bytes.data[i / 8] ^= (char)(1 << i % 8);
	}
	str_done(&bytes);
}

Test(result, no_part_of_it_is_believed)
{
	struct str bytes = encode(KTSTR_OUTCOME_PASS, "x", 2);

	for (size_t length = 0; length < bytes.length; length++) {
		struct decision decision = { 0 };

		cr_assert_eq(result_decode(bytes.data, length, &decision), -EBADMSG, "%zu", length);
	}
	str_done(&bytes);
}

Test(result, nothing_may_follow_the_decision)
{
	struct str bytes = encode(KTSTR_OUTCOME_PASS, NULL, 0);
	struct str second = encode(KTSTR_OUTCOME_FAIL, NULL, 0);
	struct decision decision = { 0 };

	cr_assert_eq(str_add_bytes(&bytes, second.data, second.length), 0);
	cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), -EBADMSG);
	str_done(&bytes);
	str_done(&second);
}

Test(result, no_outcome_out_of_range_is_believed)
{
	static const uint32_t outcomes[] = { KTSTR_OUTCOME_NONE, KTSTR_OUTCOME_ERROR + 1,
					     UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		struct str bytes = encode(outcomes[i], NULL, 0);
		struct decision decision = { 0 };

		cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), -EBADMSG);
		str_done(&bytes);
	}
}

Test(result, no_limit_of_an_unknown_kind_is_believed)
{
	struct finding finding = { .outcome = KTSTR_OUTCOME_PASS,
				   .metric = (char *)"m",
				   .limit_kind = KTSTR_LIMIT_AT_LEAST };
	struct decision decision = { 0 };
	struct str bytes = { 0 };

	cr_assert_eq(result_encode_finding(&finding, &bytes), 0);
	cr_assert_eq(
		result_encode_decision(&(struct decision){ .outcome = KTSTR_OUTCOME_PASS }, &bytes),
		0);
	cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), 0);
	cr_assert_eq(decision.findings[0].limit_kind, KTSTR_LIMIT_AT_LEAST);
	decision_done(&decision);
	decision = (struct decision){ 0 };
	str_clear(&bytes);
	finding.limit_kind++;
	cr_assert_eq(result_encode_finding(&finding, &bytes), 0);
	cr_assert_eq(
		result_encode_decision(&(struct decision){ .outcome = KTSTR_OUTCOME_PASS }, &bytes),
		0);
	cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), -EBADMSG);
	str_done(&bytes);
}

Test(result, no_more_findings_than_allowed_are_believed)
{
	struct str bytes = encode(KTSTR_OUTCOME_PASS, NULL, RESULT_FINDINGS_MAX + 1);
	struct decision decision = { 0 };

	cr_assert_eq(result_decode(bytes.data, bytes.length, &decision), -EBADMSG);
	str_done(&bytes);
}
