/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/record.h"

#include <stdlib.h>
#include <string.h>

#include "ktstr/sched_ext.h"

#define BACKTRACE_HEAD "Backtrace:\n"

uint32_t record_kind(const struct ktstr_scx_record *record)
{
	return __atomic_load_n(&record->kind, __ATOMIC_ACQUIRE);
}

/* Of the dump: from the line behind "Backtrace:" up to the next empty one. */
static const char *find_backtrace(const char *dump, size_t dump_length, size_t *ret_length)
{
	const char *begin = memmem(dump, dump_length, BACKTRACE_HEAD, strlen(BACKTRACE_HEAD));
	const char *end;

	*ret_length = 0;
	if (!begin)
		return "";
	begin += strlen(BACKTRACE_HEAD);
	end = memmem(begin, dump_length - (size_t)(begin - dump), "\n\n", 2);
	*ret_length = end ? (size_t)(end - begin) : dump_length - (size_t)(begin - dump);
	return begin;
}

void *record_frame(const struct ktstr_scx_record *record, uint32_t *ret_length)
{
	size_t reason = strnlen(record->reason, sizeof(record->reason));
	size_t message = strnlen(record->message, sizeof(record->message));
	size_t dump = strnlen(record->dump, sizeof(record->dump));
	size_t backtrace_length;
	const char *backtrace = find_backtrace(record->dump, dump, &backtrace_length);
	struct ktstr_scx_exit head = {
		.size = sizeof(head),
		.kind = record_kind(record),
		.exit_code = record->exit_code,
		.source = KTSTR_SCX_EXIT_OF_OPS,
		.reason_length = (uint32_t)reason,
		.message_length = (uint32_t)message,
		.backtrace_length = (uint32_t)backtrace_length,
		.dump_length = (uint32_t)dump,
	};
	size_t length = sizeof(head) + reason + message + backtrace_length + dump;
	char *frame = malloc(length), *next = frame;

	if (!frame)
		return NULL;
	next = mempcpy(next, &head, sizeof(head));
	next = mempcpy(next, record->reason, reason);
	next = mempcpy(next, record->message, message);
	next = mempcpy(next, backtrace, backtrace_length);
	memcpy(next, record->dump, dump);
	*ret_length = (uint32_t)length;
	return frame;
}

int record_fail(const struct ktstr_scx_record *record, struct ktstr_error *err)
{
	int reason = (int)strnlen(record->reason, sizeof(record->reason));
	int message = (int)strnlen(record->message, sizeof(record->message));

	return ktstr_fail(err, -ESRCH, "ejected by the kernel: %.*s%s%.*s", reason, record->reason,
			  reason > 0 && message > 0 ? ": " : "", message, record->message);
}
