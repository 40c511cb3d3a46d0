/* SPDX-License-Identifier: GPL-2.0-only */
#include "sched_ext_state.h"

#include <fcntl.h>
#include <unistd.h>

int sched_ext_state_read(const char *path, char ret_state[SCHED_EXT_STATE_MAX],
			 struct ktstr_error *err)
{
	char state[SCHED_EXT_STATE_MAX];
	ssize_t length;
	int fd, code;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		memcpy(ret_state, "disabled", sizeof("disabled"));
		return 0;
	}
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", path, strerror(errno));
	length = read(fd, state, sizeof(state) - 1);
	code = length < 0 ? -errno : 0;
	(void)close(fd); /* nothing was written through it */
	if (code < 0)
		return ktstr_fail(err, code, "cannot read '%s': %s", path, strerror(-code));
	state[length] = '\0';
	state[strcspn(state, "\n")] = '\0';
	if (!state[0])
		return ktstr_fail(err, -EBADMSG, "'%s' is empty", path);
	memcpy(ret_state, state, sizeof(state));
	return 0;
}
