/* SPDX-License-Identifier: GPL-2.0-only */
/* ktstr-judge: started by `ktstr` for each checker, with the descriptors of judge/request.h. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "judge/worker.h"

static int read_request(struct request *ret, struct ktstr_error *err)
{
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	int rc;

	if (fstat(REQUEST_FD_REQUEST, &st) < 0 || st.st_size <= 0 || st.st_size > NODE_BYTES_MAX)
		return ktstr_fail(err, -EINVAL, "ktstr-judge is started by ktstr, not by hand");
	bytes = malloc((size_t)st.st_size);
	if (!bytes)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	rc = io_read_all(REQUEST_FD_REQUEST, bytes, (size_t)st.st_size);
	if (rc < 0)
		return ktstr_fail(err, rc, "cannot read the request: %s", strerror(-rc));
	return request_decode(bytes, (size_t)st.st_size, ret, err);
}

int main(void)
{
	struct ktstr_error err = { 0 };
	struct request request;
	int rc, result_fd;

	rc = read_request(&request, &err);
	if (rc < 0) {
		(void)fprintf(stderr, "error: %s\n", err.text);
		return 2;
	}
	/* Out of the way of a checker that writes to whatever comes after stderr. */
	result_fd = fcntl(REQUEST_FD_RESULT, F_DUPFD_CLOEXEC, 64);
	if (result_fd < 0) {
		(void)fprintf(stderr, "error: no result pipe\n");
		return 2;
	}
	(void)close(REQUEST_FD_RESULT);
	(void)close(REQUEST_FD_REQUEST);
	rc = worker_run(&request, REQUEST_FD_RUNFILE, result_fd);
	request_done(&request);
	(void)fflush(NULL);
	/* No handler that a checker left behind may change what was decided. */
	_exit(rc < 0 ? 1 : 0);
}
