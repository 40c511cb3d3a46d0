/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages for a person, one line an event: "level: text". Only run/ and cli/ log; other modules
 * return errors. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#define LOG_LEVEL_ERROR 0
#define LOG_LEVEL_WARNING 1
#define LOG_LEVEL_NOTE 2
#define LOG_LEVEL_DEBUG 3

/* Where messages go; the default writes to stderr. @text has no newline. */
typedef void (*log_sink)(void *arg, int level, const char *text);

/* Set the sink, and the highest level that reaches it. NULL: back to stderr. */
void log_set(log_sink sink, void *arg, int max_level);

__attribute__((format(printf, 2, 3))) void log_message(int level, const char *format, ...);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_note(...) log_message(LOG_LEVEL_NOTE, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
