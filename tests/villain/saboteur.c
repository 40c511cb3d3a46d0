/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario plugin that turns against the agent that runs it, as root and from inside. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <unistd.h>

#include "ktstr/outcome.h"
#include "ktstr/scenario.h"
#include "villain/forge.h"

#define PORTS "/sys/class/virtio-ports"
#define BULK "ktstr-bulk"

__attribute__((noreturn)) static void hang(void)
{
	for (;;)
		(void)pause();
}

/* The node of the bulk port ("vport1p1"); "" when it is not there. */
static void find_port(char *ret, size_t size)
{
	char path[PATH_MAX], name[64] = "";
	const struct dirent *entry;
	DIR *dir = opendir(PORTS);

	ret[0] = '\0';
	while (dir && !ret[0] && (entry = readdir(dir))) {
		FILE *file;

		(void)snprintf(path, sizeof(path), PORTS "/%s/name", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof(name), file) &&
		    strncmp(name, BULK, strlen(BULK)) == 0)
			(void)snprintf(ret, size, "%s", entry->d_name);
		if (file)
			(void)fclose(file);
	}
	if (dir)
		(void)closedir(dir);
}

static int open_port(struct ktstr_guest *g, struct ktstr_error *err)
{
	char node[300], path[320];
	int fd;

	(void)g;
	find_port(node, sizeof(node));
	(void)snprintf(path, sizeof(path), "/dev/%s", node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ktstr_fail(err, -errno, "cannot open the port a second time: %s",
				  strerror(errno));
	return 0;
}

/* A copy of PID 1's own descriptor of the port, to write beside it. */
static int steal_port(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_PASS };
	uint8_t bytes[FORGE_FRAME_MAX];
	size_t size = forge_frame(bytes, KTSTR_MSG_TEST_RESULT, &result, sizeof(result));
	char path[64], target[64];
	int init = pidfd_open(1, 0);

	(void)g;
	for (int fd = 3; fd < 64; fd++) {
		ssize_t length;
		int stolen;

		(void)snprintf(path, sizeof(path), "/proc/1/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0 || strncmp(target, "/dev/vport", 10) != 0)
			continue;
		stolen = pidfd_getfd(init, fd, 0);
		if (stolen < 0 || write(stolen, bytes, size) < 0)
			break;
		return 0;
	}
	return ktstr_fail(err, -EPERM, "cannot steal the port");
}

/* Hand bytes to PID 1 that the agent's own code did not make, then stay there. */
static int publish(struct ktstr_guest *g, const void *bytes, size_t length, uint32_t more,
		   struct ktstr_error *err)
{
	int rc = forge_publish(getpid(), bytes, length, more);

	if (rc < 0)
		return ktstr_fail(err, rc, "cannot reach the memory that PID 1 reads: %s",
				  strerror(-rc));
	return ktstr_hold(g, 300000000, err);
}

static int channel_garbage(struct ktstr_guest *g, struct ktstr_error *err)
{
	static const char garbage[64] = "this is no frame, and never will be one";

	return publish(g, garbage, sizeof(garbage), 0, err);
}

static int channel_beyond(struct ktstr_guest *g, struct ktstr_error *err)
{
	return publish(g, "", 1, 0x7fffffff, err);
}

/* What a session that is dead by now cannot have said. */
static int channel_result(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct ktstr_test_result result = { .size = sizeof(result),
						  .outcome = KTSTR_OUTCOME_PASS };
	uint8_t bytes[FORGE_FRAME_MAX];

	(void)publish(g, bytes, forge_frame(bytes, KTSTR_MSG_TEST_RESULT, &result, sizeof(result)),
		      0, err);
	raise(SIGKILL);
	return 0;
}

static int channel_end(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct ktstr_stream_end end = { .frame_count = 1 };
	uint8_t bytes[FORGE_FRAME_MAX];

	return publish(g, bytes, forge_frame(bytes, KTSTR_MSG_END, &end, sizeof(end)), 0, err);
}

static int channel_sys_rdy(struct ktstr_guest *g, struct ktstr_error *err)
{
	uint8_t bytes[FORGE_FRAME_MAX];

	return publish(g, bytes, forge_frame(bytes, KTSTR_MSG_SYS_RDY, NULL, 0), 0, err);
}

static int channel_sched_exit(struct ktstr_guest *g, struct ktstr_error *err)
{
	uint8_t bytes[FORGE_FRAME_MAX];

	return publish(g, bytes, forge_sched_exit(bytes), 0, err);
}

static int close_all(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)g;
	(void)err;
	for (int fd = 0; fd < 64; fd++)
		(void)close(fd);
	return 0;
}

/* None of it does anything to the first process of a machine. */
static int kill_init(struct ktstr_guest *g, struct ktstr_error *err)
{
	static const int signals[] = { SIGKILL, SIGSTOP, SIGTERM, SIGHUP, SIGUSR1, SIGALRM };

	(void)g;
	(void)err;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)kill(1, signals[i]);
	return 0;
}

static int ptrace_init(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)g;
	if (ptrace(PTRACE_SEIZE, 1, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, 1, NULL, NULL) < 0)
		return ktstr_fail(err, -errno, "cannot stop PID 1: %s", strerror(errno));
	hang();
}

/* Overwrite the stack that PID 1 stands on. */
static int smash_init(struct ktstr_guest *g, struct ktstr_error *err)
{
	static char ones[16384];
	unsigned long start, end;
	char line[256];
	FILE *maps = fopen("/proc/1/maps", "re");
	int memory = open("/proc/1/mem", O_WRONLY | O_CLOEXEC);

	memset(ones, 0xff, sizeof(ones));
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[stack]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (pwrite(memory, ones, sizeof(ones), (off_t)(end - sizeof(ones))) < 0)
			break;
		(void)fclose(maps);
		return ktstr_hold(g, 60000000000, err);
	}
	return ktstr_fail(err, -EPERM, "cannot write to the memory of PID 1");
}

/* Take the driver of the port away while it is in use. */
static int unbind_port(struct ktstr_guest *g, struct ktstr_error *err)
{
	char node[300], path[400], device[PATH_MAX];
	const char *name;
	ssize_t length;
	int fd;

	find_port(node, sizeof(node));
	(void)snprintf(path, sizeof(path), PORTS "/%s/device", node);
	length = readlink(path, device, sizeof(device) - 1);
	if (length < 0)
		return ktstr_fail(err, -errno, "cannot find the device: %s", strerror(errno));
	device[length] = '\0';
	name = strrchr(device, '/') ? strrchr(device, '/') + 1 : device;
	fd = open("/sys/bus/virtio/drivers/virtio_console/unbind", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, name, strlen(name)) < 0)
		return ktstr_fail(err, -errno, "cannot unbind '%s': %s", name, strerror(errno));
	return ktstr_hold(g, 60000000000, err);
}

static int eat_memory(struct ktstr_guest *g, struct ktstr_error *err)
{
	const size_t size = 16 << 20;

	(void)g;
	for (;;) {
		char *block = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (block == MAP_FAILED)
			return ktstr_fail(err, -ENOMEM, "the memory is all eaten");
	}
}

/* Above everything else that runs, on every CPU. */
static int rt_hog(struct ktstr_guest *g, struct ktstr_error *err)
{
	const struct sched_param priority = { .sched_priority = 99 };

	(void)g;
	for (long i = 1; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		if (fork() == 0)
			break;
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		return ktstr_fail(err, -errno, "cannot be above all: %s", strerror(errno));
	for (;;)
		;
}

/* Processes that want to outlive everybody. */
static int orphans(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)g;
	(void)err;
	for (int i = 0; i < 200; i++) {
		if (fork() != 0)
			continue;
		(void)setsid();
		for (int signal_number = 1; signal_number < 32; signal_number++)
			(void)signal(signal_number, SIG_IGN);
		hang();
	}
	return 0;
}

static int exit_0(struct ktstr_guest *g, struct ktstr_error *err)
{
	(void)g;
	(void)err;
	_exit(0);
}

/* What PID 1 believes of this session lies in memory that both share. */
static int status_page(struct ktstr_guest *g, struct ktstr_error *err)
{
	unsigned long start, end;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)g;
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "rw-s") && sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    end - start < sizeof(struct channel_area)) {
			memset((void *)start, 0xff, end - start);
			_exit(0);
		}
	return ktstr_fail(err, -ENOENT, "there is no shared memory");
}

static int flood_output(struct ktstr_guest *g, struct ktstr_error *err)
{
	static char text[65536];

	(void)g;
	memset(text, 'x', sizeof(text));
	for (;;)
		if (write(STDOUT_FILENO, text, sizeof(text)) < 0)
			return ktstr_fail(err, -errno, "cannot print: %s", strerror(errno));
}

static const struct {
	const char *name;
	int (*play)(struct ktstr_guest *g, struct ktstr_error *err);
} tricks[] = {
	{ "open_port", open_port },
	{ "steal_port", steal_port },
	{ "channel_garbage", channel_garbage },
	{ "channel_beyond", channel_beyond },
	{ "channel_result", channel_result },
	{ "channel_end", channel_end },
	{ "channel_sys_rdy", channel_sys_rdy },
	{ "channel_sched_exit", channel_sched_exit },
	{ "close_all", close_all },
	{ "kill_init", kill_init },
	{ "ptrace_init", ptrace_init },
	{ "smash_init", smash_init },
	{ "unbind_port", unbind_port },
	{ "eat_memory", eat_memory },
	{ "rt_hog", rt_hog },
	{ "orphans", orphans },
	{ "exit_0", exit_0 },
	{ "status_page", status_page },
	{ "flood_output", flood_output },
};

enum {
	P_TRICK,
	P_DURATION,
};

static const struct ktstr_param params[] = {
	[P_TRICK] = { .key = "trick",
		      .help = "what it does to the agent",
		      .type = KTSTR_PARAM_STRING,
		      .flags = KTSTR_PARAM_REQUIRED,
		      .min = 1,
		      .max = 64 },
	[P_DURATION] = { .key = "duration",
			 .help = "how long the run may take, beside the watchdog's time",
			 .type = KTSTR_PARAM_DURATION,
			 .fallback = "100ms" },
	{ .key = NULL },
};

static int needs(const struct ktstr_value *values, struct ktstr_needs *needs,
		 struct ktstr_error *err)
{
	(void)err;
	needs->duration_ns = (uint64_t)values[P_DURATION].i;
	return 0;
}

static int run(struct ktstr_guest *g, const struct ktstr_value *values, void *state,
	       struct ktstr_error *err)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
		if (strcmp(values[P_TRICK].s, tricks[i].name) == 0)
			return tricks[i].play(g, err);
	return ktstr_fail(err, -EINVAL, "there is no trick '%s'", values[P_TRICK].s);
}

static const struct ktstr_scenario_ops ops = { .size = sizeof(ops), .needs = needs, .run = run };

KTSTR_PLUGIN_DEFINE(KTSTR_KIND_SCENARIO, .name = "saboteur", .version = "1.0",
		    .summary = "turn against the agent from inside", .params = params,
		    .scenario = &ops, .license = "GPL-2.0-only");
