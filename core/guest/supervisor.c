/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/fall_back.h"
#include "guest/forward.h"
#include "guest/kill.h"
#include "guest/limits.h"
#include "guest/relay.h"
#include "guest/scx_state.h"
#include "guest/wake.h"

/* Frames of one output before the others get their turn. */
#define TURN_MAX 16
/* How long killed processes may take to be gone. */
#define KILL_TIMEOUT_NS (2 * NS_PER_S)
/* The same for a session that the kernel does not let go. */
#define STUCK_TIMEOUT_NS (500 * NS_PER_MS)
/* Plugins are called more often than it is worth to be woken for it. */
#define LOOK_INTERVAL_NS (1 * NS_PER_S)
/* The agent must run when the scheduler under test does not let anybody else run. */
#define INIT_PRIORITY 2
#define SESSION_PRIORITY 1

enum source {
	SOURCE_CHANNEL,
	SOURCE_STDOUT,
	SOURCE_STDERR,
	SOURCE_LOG,
	SOURCE_WAKE,
	SOURCE_RELAY,
	SOURCE_SESSION,
	SOURCE_COUNT,
};

struct supervisor {
	const struct supervisor_spec *spec;
	struct session_status *status; /* shared with the session */
	struct channel channel;	       /* shared with it, too */
	struct channel_receiver receiver;
	bool is_deaf; /* to what else comes through it */
	struct forward output;
	struct forward errors;
	struct forward log; /* of schedulers */
	struct relay relay;
	int stop_fd;
	int wake_fd; /* -1 once nothing comes any more */
	pid_t session;
	int session_fd;
	bool is_gone;
	siginfo_t end;	    /* of the session */
	uint64_t stop_ns;   /* when the session was told to end early; 0: it was not */
	bool is_overdue;    /* and that not by the host */
	uint64_t killed_ns; /* when the session was; 0: it was not */
	/* What is wrong with the session, should it be so; code 0: nothing. */
	struct ktstr_error fault;
	uint32_t fault_stage; /* where the session was then: it may still go on a little */
};

static int supervisor_init(struct supervisor *supervisor, const struct supervisor_spec *spec)
{
	void *page;
	int rc;

	*supervisor = (struct supervisor){
		.spec = spec,
		.channel = { .frames_fd = -1, .room_fd = -1 },
		.output = { .read_fd = -1, .write_fd = -1 },
		.errors = { .read_fd = -1, .write_fd = -1 },
		.log = { .read_fd = -1, .write_fd = -1 },
		.relay = { .from_fd = -1, .to_fd = -1, .session_fd = -1 },
		.wake_fd = spec->wake_fd,
		.session_fd = -1,
	};
	supervisor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (supervisor->stop_fd < 0)
		return -errno;
	page = mmap(NULL, sizeof(*supervisor->status), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	supervisor->status = page;
	rc = channel_init(&supervisor->channel);
	channel_receiver_init(&supervisor->receiver, &supervisor->channel);
	if (rc == 0)
		rc = forward_init(&supervisor->output, KTSTR_MSG_STDOUT);
	if (rc == 0)
		rc = forward_init(&supervisor->errors, KTSTR_MSG_STDERR);
	if (rc == 0)
		rc = forward_init_log(&supervisor->log);
	if (rc == 0)
		rc = relay_init(&supervisor->relay, spec->port->fd);
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void supervisor_done(struct supervisor *supervisor)
{
	channel_done(&supervisor->channel);
	forward_done(&supervisor->output);
	forward_done(&supervisor->errors);
	forward_done(&supervisor->log);
	relay_done(&supervisor->relay);
	close_fd(&supervisor->stop_fd);
	close_fd(&supervisor->session_fd);
	if (supervisor->status)
		(void)munmap(supervisor->status, sizeof(*supervisor->status));
}

/* Real-time, so that no other class starves us; what we fork starts as an ordinary task. */
static void set_priority(int value)
{
	struct sched_param priority = { .sched_priority = value };

	(void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority); /* or without */
}

__attribute__((noreturn)) static void session_main(struct supervisor *supervisor, pid_t parent)
{
	const struct supervisor_spec *spec = supervisor->spec;
	struct session_link link = { .status = supervisor->status, .stop_fd = supervisor->stop_fd };
	sigset_t none;
	int code;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)prctl(PR_SET_NAME, "session");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (dup2(supervisor->output.write_fd, STDOUT_FILENO) < 0 ||
	    dup2(supervisor->errors.write_fd, STDERR_FILENO) < 0)
		_exit(1);
	/* A crash must not take what was printed with it. */
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	crash_catch_session(&supervisor->status->crash);
	if (spec->is_init)
		set_priority(SESSION_PRIORITY);
	/* The port has one writer, and it is not this process. */
	port_done(spec->port);
	close_fd(&supervisor->wake_fd);
	forward_done(&supervisor->output);
	forward_done(&supervisor->errors);
	channel_sender_init(&link.sender, &supervisor->channel);
	link.log_fd = forward_take_write_fd(&supervisor->log);
	link.reply_fd = relay_take_session_fd(&supervisor->relay);
	code = spec->session(spec->arg, &link);
	(void)fflush(NULL);
	supervisor->status->is_done = 1;
	_exit(code);
}

static int start_session(struct supervisor *supervisor)
{
	pid_t parent = getpid();

	(void)fflush(NULL); /* or the session prints it again */
	supervisor->session = fork();
	if (supervisor->session < 0)
		return -errno;
	if (supervisor->session == 0)
		session_main(supervisor, parent);
	(void)setpgid(supervisor->session, supervisor->session); /* whoever comes first */
	forward_close_write(&supervisor->output);
	forward_close_write(&supervisor->errors);
	forward_close_write(&supervisor->log);
	relay_close_session_fd(&supervisor->relay);
	supervisor->session_fd = pidfd_open(supervisor->session, 0);
	return supervisor->session_fd < 0 ? -errno : 0;
}

static void kill_session(struct supervisor *supervisor)
{
	if (supervisor->is_gone)
		return;
	(void)kill(supervisor->session, SIGKILL);
	if (!supervisor->killed_ns)
		supervisor->killed_ns = clock_monotonic_ns();
}

static void reap_session(struct supervisor *supervisor)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)supervisor->session_fd, &info, WEXITED | WNOHANG) == 0 &&
	    info.si_pid) {
		supervisor->end = info;
		supervisor->is_gone = true;
	}
}

/* 0, or what the port said. A session that writes nonsense is ended. */
static int pump_channel(struct supervisor *supervisor)
{
	struct ktstr_error err = { 0 };
	int rc;

	if (supervisor->is_deaf)
		return 0;
	rc = channel_receive(&supervisor->receiver, supervisor->spec->port, &err);
	if (rc == 0)
		return 0;
	supervisor->is_deaf = true;
	if (rc != -EBADMSG)
		return rc;
	supervisor->fault = err;
	supervisor->fault_stage = supervisor->status->stage;
	kill_session(supervisor);
	return 0;
}

static int pump_output(struct supervisor *supervisor, struct forward *forward,
		       unsigned int max_frames)
{
	int rc;

	if (forward->read_fd < 0)
		return 0;
	rc = forward_pump(forward, supervisor->spec->port, max_frames);
	if (rc < 0)
		close_fd(&forward->read_fd);
	return rc == -ENODATA ? 0 : rc;
}

static void stop_early(struct supervisor *supervisor, uint32_t why)
{
	uint64_t one = 1;

	supervisor->stop_ns = clock_monotonic_ns();
	supervisor->status->is_stopping = why;
	(void)!write(supervisor->stop_fd, &one, sizeof(one)); /* cannot be full */
}

static void listen_to_host(struct supervisor *supervisor)
{
	struct wake_news news = { 0 };

	if (wake_read(supervisor->wake_fd, &news) < 0)
		supervisor->wake_fd = -1; /* not ours to close */
	if (news.is_shutdown && !supervisor->stop_ns)
		stop_early(supervisor, SESSION_STOP_WANTED);
}

/* Whether a limit of time still counts: not for who is told to end already. */
static struct limit next_limit(const struct supervisor *supervisor)
{
	struct limit none = { .at_ns = UINT64_MAX };

	if (supervisor->stop_ns || supervisor->killed_ns || supervisor->is_gone)
		return none;
	return limits_next(&supervisor->status->limits);
}

/* 0, or what the port said. */
static int enforce_limits(struct supervisor *supervisor)
{
	struct limit limit;
	int rc;

	if (clock_monotonic_ns() < next_limit(supervisor).at_ns)
		return 0;
	rc = pump_channel(supervisor); /* what was said before it comes before it */
	limit = next_limit(supervisor);
	if (rc < 0 || clock_monotonic_ns() < limit.at_ns)
		return rc;
	rc = limits_tell(&limit, supervisor->spec->port);
	supervisor->is_overdue = true;
	stop_early(supervisor, SESSION_STOP_OVERDUE);
	return rc;
}

/* When the session's time is over, as things stand; UINT64_MAX: never. */
static uint64_t session_deadline_ns(const struct supervisor *supervisor)
{
	const struct supervisor_spec *spec = supervisor->spec;

	if (!supervisor->stop_ns || supervisor->is_gone)
		return UINT64_MAX;
	if (!supervisor->status->is_winding_up)
		return supervisor->stop_ns + spec->stop_grace_ns;
	return supervisor->stop_ns + spec->stop_grace_ns + spec->wind_up_ns;
}

static const char *subject(const struct supervisor *supervisor, char text[64])
{
	/* The session may have crashed while it wrote there. */
	memcpy(text, supervisor->status->subject, 64);
	text[63] = '\0';
	return text[0] ? text : "the session";
}

static void enforce_deadline(struct supervisor *supervisor)
{
	char text[64];

	if (clock_monotonic_ns() < session_deadline_ns(supervisor))
		return;
	if (!supervisor->fault.code) {
		(void)ktstr_fail(&supervisor->fault, -ETIMEDOUT, "%s did not stop when %s",
				 subject(supervisor, text),
				 supervisor->is_overdue ? "its time was over"
							: "the host asked for an early end");
		supervisor->fault_stage = supervisor->status->stage;
	}
	kill_session(supervisor);
	supervisor->stop_ns = 0;
}

/* When a start() or stop() of a scheduler must be over; UINT64_MAX: none is at work. */
static uint64_t op_end_ns(const struct supervisor *supervisor)
{
	const struct session_status *status = supervisor->status;
	uint64_t end_ns;

	if (__atomic_load_n(&status->op, __ATOMIC_ACQUIRE) == SESSION_OP_NONE ||
	    supervisor->killed_ns)
		return UINT64_MAX;
	end_ns = status->op_start_ns + status->op_limit_ns;
	return end_ns < status->op_start_ns ? UINT64_MAX : end_ns;
}

/* When a scheduler that does not let go is to be thrown out. */
static uint64_t release_ns(const struct supervisor *supervisor)
{
	const struct session_status *status = supervisor->status;

	if (!supervisor->spec->sysrq || supervisor->killed_ns || status->is_forced ||
	    __atomic_load_n(&status->op, __ATOMIC_ACQUIRE) != SESSION_OP_STOP)
		return UINT64_MAX;
	return status->op_start_ns + SUPERVISOR_RELEASE_NS;
}

static void throw_out(const struct supervisor *supervisor)
{
	if (supervisor->spec->sysrq)
		scx_throw_out(supervisor->spec->sysrq);
}

static const char *op_word(uint32_t op)
{
	if (op == SESSION_OP_ALIVE)
		return "say whether it is alive";
	return op == SESSION_OP_STOP ? "stop" : "start";
}

/* The plugin may hang in the kernel, for as long as a scheduler is in charge that runs nobody. */
static void enforce_op(struct supervisor *supervisor)
{
	uint64_t now_ns = clock_monotonic_ns(), end_ns = op_end_ns(supervisor);
	struct session_status *status = supervisor->status;
	char text[64];

	if (now_ns >= end_ns) {
		(void)ktstr_fail(&supervisor->fault, -ETIMEDOUT, "%s did not %s within %g s",
				 subject(supervisor, text), op_word(status->op),
				 (double)status->op_limit_ns / (double)NS_PER_S);
		supervisor->fault_stage = status->stage;
		throw_out(supervisor);
		kill_session(supervisor);
	} else if (now_ns >= release_ns(supervisor)) {
		throw_out(supervisor);
		status->is_forced = 1;
	}
}

/* When to look around, should nothing happen before. */
static uint64_t next_look_ns(const struct supervisor *supervisor, uint64_t now_ns)
{
	const uint64_t looks_ns[] = {
		session_deadline_ns(supervisor),
		op_end_ns(supervisor),
		next_limit(supervisor).at_ns,
		release_ns(supervisor),
		supervisor->log.read_fd >= 0 && supervisor->log.rest_ns > now_ns
			? supervisor->log.rest_ns
			: UINT64_MAX,
		supervisor->killed_ns ? supervisor->killed_ns + STUCK_TIMEOUT_NS : UINT64_MAX,
		supervisor->receiver.is_lingering ? now_ns + CHANNEL_LINGER_NS : UINT64_MAX,
		now_ns + LOOK_INTERVAL_NS,
	};
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(looks_ns); i++)
		if (looks_ns[i] < next_ns)
			next_ns = looks_ns[i];
	return next_ns;
}

static void wait_for_news(struct supervisor *supervisor, struct pollfd poll_fds[SOURCE_COUNT])
{
	uint64_t now_ns = clock_monotonic_ns(), until_ns = next_look_ns(supervisor, now_ns);
	struct timespec left = { 0 };
	const int fds[SOURCE_COUNT] = {
		[SOURCE_CHANNEL] = supervisor->is_deaf ? -1 : supervisor->channel.frames_fd,
		[SOURCE_STDOUT] = supervisor->output.read_fd,
		[SOURCE_STDERR] = supervisor->errors.read_fd,
		[SOURCE_LOG] = forward_poll_fd(&supervisor->log, now_ns),
		[SOURCE_WAKE] = supervisor->wake_fd,
		[SOURCE_SESSION] = supervisor->session_fd,
	};

	for (int i = 0; i < SOURCE_COUNT; i++)
		poll_fds[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	relay_poll(&supervisor->relay, &poll_fds[SOURCE_RELAY]);
	if (until_ns > now_ns) {
		left.tv_sec = (time_t)((until_ns - now_ns) / NS_PER_S);
		left.tv_nsec = (long)((until_ns - now_ns) % NS_PER_S);
	}
	if (ppoll(poll_fds, SOURCE_COUNT, &left, NULL) < 0)
		for (int i = 0; i < SOURCE_COUNT; i++)
			poll_fds[i].revents = 0;
}

/* A killed process may hang in the kernel. */
static bool is_stuck(const struct supervisor *supervisor)
{
	return supervisor->killed_ns &&
	       clock_monotonic_ns() >= supervisor->killed_ns + STUCK_TIMEOUT_NS;
}

/* Until the session has ended. */
static int watch(struct supervisor *supervisor)
{
	while (!supervisor->is_gone && !is_stuck(supervisor)) {
		struct pollfd poll_fds[SOURCE_COUNT];
		int rc = 0;

		wait_for_news(supervisor, poll_fds);
		if (poll_fds[SOURCE_WAKE].revents)
			listen_to_host(supervisor);
		if (poll_fds[SOURCE_RELAY].revents)
			relay_pump(&supervisor->relay, &poll_fds[SOURCE_RELAY]);
		if (poll_fds[SOURCE_CHANNEL].revents || supervisor->receiver.is_lingering)
			rc = pump_channel(supervisor);
		if (rc == 0 && poll_fds[SOURCE_STDOUT].revents)
			rc = pump_output(supervisor, &supervisor->output, TURN_MAX);
		if (rc == 0 && poll_fds[SOURCE_STDERR].revents)
			rc = pump_output(supervisor, &supervisor->errors, TURN_MAX);
		if (rc == 0 && poll_fds[SOURCE_LOG].revents)
			rc = pump_output(supervisor, &supervisor->log, TURN_MAX);
		if (rc < 0)
			return rc;
		if (poll_fds[SOURCE_SESSION].revents)
			reap_session(supervisor);
		enforce_deadline(supervisor);
		enforce_op(supervisor);
		rc = enforce_limits(supervisor);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Leave nobody alive who could still print. */
static void kill_rest(const struct supervisor *supervisor)
{
	if (supervisor->spec->is_init)
		kill_others(supervisor->is_gone ? KILL_TIMEOUT_NS : STUCK_TIMEOUT_NS);
	else
		(void)kill(-supervisor->session, SIGKILL);
}

/* What the session's end was, if it was not in order. */
static void judge_end(struct supervisor *supervisor)
{
	const struct session_status *status = supervisor->status;
	const siginfo_t *end = &supervisor->end;
	char text[64], name[16];

	if (supervisor->fault.code || (status->is_done && end->si_code == CLD_EXITED))
		return;
	supervisor->fault_stage = status->stage;
	if (end->si_code == CLD_EXITED)
		(void)ktstr_fail(&supervisor->fault, -ECHILD,
				 "%s ended the session with exit code %d",
				 subject(supervisor, text), end->si_status);
	else if (status->crash.signal == end->si_status && status->crash.has_address)
		(void)ktstr_fail(&supervisor->fault, -ECHILD,
				 "%s was killed by %s (address 0x%llx)", subject(supervisor, text),
				 crash_signal_name(end->si_status, name, sizeof(name)),
				 (unsigned long long)status->crash.address);
	else
		(void)ktstr_fail(&supervisor->fault, -ECHILD, "%s was killed by %s",
				 subject(supervisor, text),
				 crash_signal_name(end->si_status, name, sizeof(name)));
}

static int send_fault(struct supervisor *supervisor)
{
	const struct ktstr_error *fault = &supervisor->fault;
	struct {
		struct ktstr_error_info info;
		char text[KTSTR_ERROR_TEXT_MAX];
	} payload = {
		.info = {
			.size = sizeof(payload.info),
			.stage = supervisor->fault_stage,
			.code = fault->code,
			.text_length = (uint32_t)strlen(fault->text),
		},
	};

	memcpy(payload.text, fault->text, payload.info.text_length);
	return port_send(supervisor->spec->port, KTSTR_MSG_ERROR, &payload,
			 (uint32_t)sizeof(payload.info) + payload.info.text_length);
}

/* Everything that was said, then how it ended. */
static int close_stream(struct supervisor *supervisor, int32_t *ret_code)
{
	struct port *port = supervisor->spec->port;
	int rc = pump_channel(supervisor);

	if (rc == 0)
		rc = pump_output(supervisor, &supervisor->output, 0);
	if (rc == 0)
		rc = pump_output(supervisor, &supervisor->errors, 0);
	if (rc == 0)
		rc = pump_output(supervisor, &supervisor->log, 0);
	if (rc == 0)
		rc = forward_tell_dropped(&supervisor->log, port);
	if (rc < 0)
		return rc;
	judge_end(supervisor);
	if (supervisor->spec->sched_ext)
		rc = fall_back(supervisor->spec->sched_ext, supervisor->spec->sysrq, port,
			       supervisor->fault.code != 0);
	if (rc < 0)
		return rc;
	/* As the kernel tells it: what both can write proves nothing. */
	*ret_code = supervisor->fault.code ? 1 : supervisor->end.si_status;
	if (supervisor->fault.code)
		rc = send_fault(supervisor);
	if (rc == 0)
		rc = port_send(port, KTSTR_MSG_EXIT, ret_code, sizeof(*ret_code));
	return rc < 0 ? rc : port_end(port);
}

int supervisor_run(const struct supervisor_spec *spec, struct ktstr_error *err)
{
	struct supervisor supervisor;
	sigset_t child, before;
	int32_t code = 1;
	int rc;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, &before); /* kill_others() waits for it */
	if (spec->is_init)
		set_priority(INIT_PRIORITY);
	rc = supervisor_init(&supervisor, spec);
	if (rc == 0)
		rc = start_session(&supervisor);
	if (rc < 0) {
		(void)ktstr_fail(err, rc, "cannot start the session: %s", strerror(-rc));
		goto done;
	}
	rc = watch(&supervisor);
	kill_session(&supervisor);
	kill_rest(&supervisor);
	if (rc == 0)
		rc = close_stream(&supervisor, &code);
	if (rc < 0)
		(void)ktstr_fail(err, rc, "cannot write to the bulk port: %s", strerror(-rc));
done:
	supervisor_done(&supervisor);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return rc < 0 ? rc : code;
}
