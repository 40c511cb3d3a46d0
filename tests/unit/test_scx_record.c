/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ktstr/sched_ext.h"

static struct ktstr_scx_record *new_record(uint32_t kind, const char *reason, const char *message,
					   const char *dump)
{
	struct ktstr_scx_record *record = calloc(1, sizeof(*record));

	cr_assert(record);
	record->kind = kind;
	record->exit_code = -7;
	(void)snprintf(record->reason, sizeof(record->reason), "%s", reason);
	(void)snprintf(record->message, sizeof(record->message), "%s", message);
	(void)snprintf(record->dump, sizeof(record->dump), "%s", dump);
	return record;
}

Test(scx_record, tells_all_of_it_in_a_frame)
{
	static const char dump[] = "worker[1] triggered exit kind 1026:\n  reason (message)\n\n"
				   "Backtrace:\n  one+0x1\n  two+0x2\n\nCPU states\n";
	struct ktstr_scx_record *record = new_record(1026, "runnable task stall", "late", dump);
	struct ktstr_scx_exit head;
	uint32_t length = 0;
	char *frame = record_frame(record, &length);
	const char *texts;

	cr_assert(frame);
	memcpy(&head, frame, sizeof(head));
	cr_expect_eq(head.size, sizeof(head));
	cr_expect_eq(head.kind, KTSTR_SCX_EXIT_ERROR_STALL);
	cr_expect_eq(head.exit_code, -7);
	cr_expect_eq(head.source, KTSTR_SCX_EXIT_OF_OPS);
	cr_expect_eq(head.reserved, 0);
	cr_assert_eq(length, sizeof(head) + head.reason_length + head.message_length +
				     head.backtrace_length + head.dump_length);
	texts = frame + sizeof(head);
	cr_expect_eq(memcmp(texts, "runnable task stall", head.reason_length), 0);
	cr_expect_eq(head.reason_length, strlen("runnable task stall"));
	texts += head.reason_length;
	cr_expect_eq(memcmp(texts, "late", head.message_length), 0);
	texts += head.message_length;
	cr_expect_eq(head.backtrace_length, strlen("  one+0x1\n  two+0x2"));
	cr_expect_eq(memcmp(texts, "  one+0x1\n  two+0x2", head.backtrace_length), 0);
	texts += head.backtrace_length;
	cr_expect_eq(head.dump_length, strlen(dump));
	cr_expect_eq(memcmp(texts, dump, head.dump_length), 0);
	free(frame);
	free(record);
}

Test(scx_record, a_dump_cut_within_the_backtrace_ends_it)
{
	struct ktstr_scx_record *record = new_record(1024, "", "", "Backtrace:\n  one+0x1");
	struct ktstr_scx_exit head;
	uint32_t length = 0;
	char *frame = record_frame(record, &length);

	cr_assert(frame);
	memcpy(&head, frame, sizeof(head));
	cr_expect_eq(head.backtrace_length, strlen("  one+0x1"));
	cr_expect_eq(head.reason_length, 0);
	free(frame);
	free(record);
}

/* The BPF side writes into the same memory; a text without its NUL must not run into the next. */
Test(scx_record, bounds_texts_without_an_end)
{
	struct ktstr_scx_record *record = calloc(1, sizeof(*record));
	struct ktstr_error err = { 0 };
	struct ktstr_scx_exit head;
	uint32_t length = 0;
	char *frame;

	cr_assert(record);
	memset(record, 'x', sizeof(*record));
	frame = record_frame(record, &length);
	cr_assert(frame);
	memcpy(&head, frame, sizeof(head));
	cr_expect_eq(head.reason_length, KTSTR_SCX_REASON_MAX);
	cr_expect_eq(head.message_length, KTSTR_SCX_MESSAGE_MAX);
	cr_expect_eq(head.dump_length, KTSTR_SCX_DUMP_MAX);
	cr_expect_eq(record_fail(record, &err), -ESRCH);
	free(frame);
	free(record);
}

Test(scx_record, says_why_in_a_sentence)
{
	static const struct {
		const char *reason, *message, *text;
	} rows[] = {
		{ "runnable task stall", "w[1] failed to run for 2.976s",
		  "ejected by the kernel: runnable task stall: w[1] failed to run for 2.976s" },
		{ "disabled by sysrq-S", "", "ejected by the kernel: disabled by sysrq-S" },
		{ "", "only this", "ejected by the kernel: only this" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ktstr_scx_record *record =
			new_record(1026, rows[i].reason, rows[i].message, "");
		struct ktstr_error err = { 0 };

		cr_expect_eq(record_fail(record, &err), -ESRCH);
		cr_expect_str_eq(err.text, rows[i].text);
		free(record);
	}
}
