/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/scx_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#define EVENTS_TEXT_MAX 8192

void scx_sysfs_open(struct scx_sysfs *sysfs, const char *folder)
{
	*sysfs = (struct scx_sysfs){ .folder_fd = -1, .state_fd = -1, .seq_fd = -1 };
	sysfs->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sysfs->folder_fd < 0)
		return;
	sysfs->state_fd = openat(sysfs->folder_fd, "state", O_RDONLY | O_CLOEXEC);
	sysfs->seq_fd = openat(sysfs->folder_fd, "enable_seq", O_RDONLY | O_CLOEXEC);
}

void scx_sysfs_done(struct scx_sysfs *sysfs)
{
	int *fds[] = { &sysfs->folder_fd, &sysfs->state_fd, &sysfs->seq_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

/* From the file's start, without the newline at its end; "" when it cannot be read. */
static void read_fd(int fd, char *text, size_t size)
{
	ssize_t n = fd < 0 ? 0 : pread(fd, text, size - 1, 0);

	if (n > 0 && text[n - 1] == '\n')
		n--;
	text[n > 0 ? n : 0] = '\0';
}

static void read_file(int folder_fd, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = folder_fd < 0 ? -1 : openat(folder_fd, name, O_RDONLY | O_CLOEXEC);

	read_fd(fd, text, size);
}

static uint64_t read_number(int folder_fd, const char *name)
{
	char text[32];

	read_file(folder_fd, name, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

void scx_sysfs_glance(const struct scx_sysfs *sysfs, struct scx_glance *ret)
{
	char text[32];

	read_fd(sysfs->state_fd, ret->state, sizeof(ret->state));
	read_fd(sysfs->seq_fd, text, sizeof(text));
	ret->enable_seq = strtoull(text, NULL, 10);
}

bool scx_is_enabled(const struct scx_glance *glance)
{
	return strcmp(glance->state, "enabled") == 0;
}

bool scx_is_busy(const struct scx_glance *glance)
{
	return glance->state[0] && strcmp(glance->state, "disabled") != 0;
}

bool scx_wait_idle(const struct scx_sysfs *sysfs, uint64_t timeout_ns)
{
	static const struct timespec pause = { .tv_nsec = 2 * (long)NS_PER_MS };
	uint64_t end_ns = clock_monotonic_ns() + timeout_ns;
	struct scx_glance glance;

	for (;;) {
		scx_sysfs_glance(sysfs, &glance);
		if (!scx_is_busy(&glance))
			return true;
		if (clock_monotonic_ns() >= end_ns)
			return false;
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
}

void scx_throw_out(const char *sysrq)
{
	_cleanup_close_ int fd = open(sysrq, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "S", 1); /* what becomes of it is seen in the state */
}

void scx_sysfs_read(const struct scx_sysfs *sysfs, uint32_t when, struct scx_reading *ret)
{
	struct ktstr_scx_state *state = &ret->state;
	char events[EVENTS_TEXT_MAX];
	int folder_fd = sysfs->folder_fd;

	memset(ret, 0, sizeof(*ret));
	state->size = sizeof(*state);
	state->when = when;
	state->guest_ns = clock_monotonic_ns();
	/* These two go when the scheduler does, so they come first. */
	read_file(folder_fd, "root/ops", state->ops, sizeof(state->ops));
	read_file(folder_fd, "root/events", events, sizeof(events));
	state->event_count = scx_events_parse(events, ret->events, KTSTR_SCX_EVENTS_MAX);
	read_file(folder_fd, "state", state->state, sizeof(state->state));
	state->enable_seq = read_number(folder_fd, "enable_seq");
	state->nr_rejected = read_number(folder_fd, "nr_rejected");
	state->hotplug_seq = read_number(folder_fd, "hotplug_seq");
	state->switch_all = (uint32_t)read_number(folder_fd, "switch_all");
}

uint32_t scx_reading_size(const struct scx_reading *reading)
{
	return (uint32_t)(sizeof(reading->state) +
			  reading->state.event_count * sizeof(reading->events[0]));
}

/* "NAME VALUE" of one line. */
static bool parse_event(const char *line, size_t length, struct ktstr_scx_event *ret)
{
	const char *blank = memchr(line, ' ', length);
	char value[32], *end;
	size_t name_length = blank ? (size_t)(blank - line) : 0;
	size_t value_length = blank ? length - name_length - 1 : 0;

	if (name_length == 0 || name_length >= sizeof(ret->name) || value_length == 0 ||
	    value_length >= sizeof(value))
		return false;
	memcpy(value, blank + 1, value_length);
	value[value_length] = '\0';
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->name, line, name_length);
	ret->value = strtoll(value, &end, 10);
	return end != value && *end == '\0';
}

uint32_t scx_events_parse(const char *text, struct ktstr_scx_event *ret, uint32_t max)
{
	uint32_t count = 0;

	while (*text && count < max) {
		size_t length = strcspn(text, "\n");
		struct ktstr_scx_event event;

		if (parse_event(text, length, &event))
			ret[count++] = event;
		text += length;
		text += *text == '\n';
	}
	return count;
}
