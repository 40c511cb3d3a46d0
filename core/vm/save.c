/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine that is saved once and comes back many times. Its memory is a file that QEMU has mapped
 * ("x-ignore-shared" leaves it out of the saved state), shared while it is saved and private ever
 * after: a restored machine starts with the saved memory, whatever it changes, and pays for what it
 * touches alone.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "vm/internal.h"

#define POLL_NS (1 * NS_PER_MS)
/* The first that knows files as a way in, and is sure to. */
#define QEMU_WITH_FILES 9

static json_t *capabilities(void)
{
	return json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "x-ignore-shared",
			 "state", 1);
}

/* Later versions of QEMU warn of a descriptor that is a file, and earlier ones know no files. */
static json_t *incoming(const struct vm *vm)
{
	json_t *uri = qmp_major(vm->qmp) < QEMU_WITH_FILES
			      ? json_sprintf("fd:%d", vm->state_fd)
			      : json_sprintf("file:/proc/self/fd/%d", vm->state_fd);

	return json_pack("{s:o}", "uri", uri);
}

/* QEMU takes the number of a descriptor for the way in, but not for the way out. Where not all can
 * be written nothing is: QEMU has no other way to learn of it. */
static json_t *outgoing(const struct vm *vm)
{
	return json_pack("{s:o}", "uri",
			 json_sprintf("exec:cat > /proc/%d/fd/%d || : > /proc/%d/fd/%d", vm->pid,
				      vm->state_fd, vm->pid, vm->state_fd));
}

/* Tell a QEMU that waits for it to take the machine. */
static int take_machine(struct vm *vm, struct ktstr_error *err)
{
	/* An incoming machine would announce its network cards for a while, by timers of the host's
	 * clock, and there are none. */
	int rc = qmp_send(vm->qmp, "migrate-set-parameters",
			  json_pack("{s:i}", "announce-rounds", 0), err);

	if (rc == 0)
		rc = qmp_send(vm->qmp, "migrate-set-capabilities", capabilities(), err);
	if (rc == 0)
		rc = qmp_send(vm->qmp, "migrate-incoming", incoming(vm), err);
	return rc;
}

/*
 * Ask @command until the status in its answer is @wanted, or one of @failures. The pauses are
 * short: this is between a command and its first worker.
 */
static int wait_status(struct vm *vm, const char *command, const char *wanted,
		       const char *const failures[], uint64_t deadline_ns, struct ktstr_error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	for (;;) {
		json_t *answer = NULL;
		const char *status, *why;
		uint64_t now_ns;
		int rc = qmp_execute(vm->qmp, command, NULL, deadline_ns, &answer, err);

		if (rc < 0)
			return rc;
		status = json_string_value(json_object_get(answer, "status"));
		why = json_string_value(json_object_get(answer, "error-desc"));
		if (status && strcmp(status, wanted) == 0)
			rc = 1;
		for (size_t i = 0; status && failures[i]; i++)
			if (strcmp(status, failures[i]) == 0)
				rc = ktstr_fail(err, -EBADMSG, "QEMU: the VM's state is '%s'%s%s",
						status, why ? ": " : "", why ? why : "");
		json_decref(answer);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		now_ns = clock_monotonic_ns();
		if (now_ns >= deadline_ns)
			return ktstr_fail(err, -ETIMEDOUT,
					  "QEMU's '%s' did not become '%s' in time", command,
					  wanted);
		(void)nanosleep(&pause, NULL);
		/* We may have been stopped meanwhile, which is not QEMU's fault. */
		deadline_ns += clock_monotonic_ns() - now_ns;
	}
}

/* It was set up, was given a state, and gave up by itself: did it refuse that? One that was killed,
 * or that the host has no room for at the moment, says nothing of it. */
static bool has_refused(struct vm *vm, const char *words)
{
	static const int passing[] = { ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC };
	int status = vm_wait(vm);

	if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (strstr(words, strerrordesc_np(passing[i])))
			return false;
	return true;
}

int vm_wait_restored(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err)
{
	static const char *const failures[] = { "internal-error", "io-error", "guest-panicked",
						"shutdown", NULL };
	int rc = vm_wait_ready(vm, deadline_ns, err);

	if (rc < 0)
		return rc;
	rc = take_machine(vm, err);
	/* It was stopped when it was saved. */
	if (rc == 0)
		rc = wait_status(vm, "query-status", "paused", failures, deadline_ns, err);
	if (rc == 0)
		rc = qmp_send(vm->qmp, "cont", NULL, err);
	if (rc != -EPIPE)
		return rc;
	/* It says why it is gone. */
	rc = vm_fail_ended(vm, deadline_ns, err);
	if (rc == -EPIPE && has_refused(vm, err->text))
		rc = err->code = -EBADMSG;
	return rc;
}

int vm_save(struct vm *vm, uint64_t deadline_ns, struct ktstr_error *err)
{
	static const char *const failures[] = { "failed", "cancelled", NULL };
	int rc;

	if (vm->state_fd < 0)
		return ktstr_fail(err, -EINVAL, "the VM was not started to be saved");
	rc = qmp_execute(vm->qmp, "stop", NULL, deadline_ns, NULL, err);
	if (rc == 0)
		rc = qmp_execute(vm->qmp, "migrate-set-capabilities", capabilities(), deadline_ns,
				 NULL, err);
	if (rc == 0)
		rc = qmp_execute(vm->qmp, "migrate", outgoing(vm), deadline_ns, NULL, err);
	return rc < 0 ? rc
		      : wait_status(vm, "query-migrate", "completed", failures, deadline_ns, err);
}
