/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <sched.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/kernel_build_job.h"
#include "vm/kernel_build_run.h"

#define CONFIG_BYTES_MAX (8u << 20)
#define SHOW_NS (200 * NS_PER_MS)
#define WORDS_MAX 12
#define HEADER_BYTES_MAX (1u << 20)
/* 1.26 */
#define PAHOLE_WITH_KFUNCS 126

/* What make says before the name of an object that it compiles. */
static const char *const compilers[] = { "CC", "AS", "HOSTCC" };
/* What a line has that tells why a build failed, the most telling first. */
static const char *const complaints[] = {
	"error: ", "Error: ",	  "undefined reference", "No space left", "Out of memory",
	"Killed",  ": not found", "No such file or ",	 "*** "
};

static void show(struct build_job *job)
{
	uint64_t now = clock_monotonic_ns();
	char line[160];

	if (!job->watch->update || now - job->shown_ns < SHOW_NS)
		return;
	job->shown_ns = now;
	(void)snprintf(line, sizeof(line), "%zu objects, %" PRIu64 " s%s%s", job->compiled,
		       (now - job->start_ns) / NS_PER_S, job->last[0] ? ", " : "", job->last);
	job->watch->update(job->watch->arg, line);
}

/* "  CC      kernel/fork.o" */
static bool is_compiled(const char *line, const char **ret_name)
{
	size_t blanks = strspn(line, " "), length = strcspn(line + blanks, " ");

	if (blanks == 0)
		return false;
	line += blanks;
	for (size_t i = 0; i < ARRAY_SIZE(compilers); i++) {
		if (strlen(compilers[i]) != length || memcmp(compilers[i], line, length) != 0)
			continue;
		*ret_name = line + length + strspn(line + length, " ");
		return true;
	}
	return false;
}

static void take_line(void *arg, const char *line)
{
	struct build_job *job = arg;
	const char *name;

	if (line && is_compiled(line, &name)) {
		job->compiled++;
		str_copy(job->last, sizeof(job->last), name);
	}
	/* Of those that tell as much, the first: others follow from it. */
	for (size_t i = 0; line && i < job->complaint_rank; i++) {
		if (!strstr(line, complaints[i]))
			continue;
		str_copy(job->complaint, sizeof(job->complaint), line + strspn(line, " \t"));
		job->complaint_rank = i;
	}
	if (!line || job->compiled > 0)
		show(job);
}

static int run(struct build_job *job, const char *const *argv, struct ktstr_error *err)
{
	const struct build_run build_run_spec = {
		.argv = argv,
		.folder = job->objects,
		.log_fd = job->log_fd,
		.interrupt_fd = job->watch->interrupt_fd,
		.line = take_line,
		.arg = job,
	};
	int code;

	job->start_ns = clock_monotonic_ns();
	job->complaint[0] = '\0';
	job->complaint_rank = ARRAY_SIZE(complaints);
	code = build_run(&build_run_spec, err);
	if (code != -EIO)
		return code;
	return ktstr_fail(err, code, "cannot %s the kernel: %s; '%s' has all of it", job->doing,
			  job->complaint[0] ? job->complaint : err->text, job->log);
}

/* make, in the tree for the folder of objects; @target is the last word. */
static int make(struct build_job *job, const char *target, struct ktstr_error *err)
{
	_cleanup_free_ char *output = str_format("O=%s", job->objects);
	_cleanup_free_ char *release = str_format("LOCALVERSION=%s", job->suffix);
	_cleanup_free_ char *jobs = NULL;
	uint32_t count = job->build->jobs;
	cpu_set_t cpus;

	if (count == 0)
		count = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (uint32_t)CPU_COUNT(&cpus);
	jobs = str_format("-j%" PRIu32,
			  count < KERNEL_BUILD_JOBS_MAX ? count : KERNEL_BUILD_JOBS_MAX);
	const char *const argv[WORDS_MAX] = {
		"make",
		"-C",
		job->tree,
		"--no-print-directory",
		jobs,
		output,
		release,
		/* Where the user's shell has one, it would find other files than these. */
		"ARCH=x86_64",
		target,
		NULL,
	};

	if (!output || !release || !jobs)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	return run(job, argv, err);
}

static int write_own_fragment(const struct build_job *job, char **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/" BUILD_CONFIG_OWN, job->work);
	const char *text = build_config_own();
	int code;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = io_replace_file(path, text, strlen(text), err);
	if (!code)
		*ret = steal_ptr(path);
	return code;
}

/* By the kernel's own script: sh merge_config.sh -m -O OBJECTS OBJECTS/.config FRAGMENT... */
static int merge(struct build_job *job, struct ktstr_error *err)
{
	const size_t count = job->build->fragment_count, fixed = 7;
	_cleanup_free_ char *script = str_format("%s/scripts/kconfig/merge_config.sh", job->tree);
	_cleanup_free_ char *config = str_format("%s/.config", job->objects);
	_cleanup_free_ char *own = NULL;
	const char **argv = calloc(fixed + count + 1, sizeof(*argv));
	char **paths = calloc(count + 1, sizeof(*paths));
	int code = script && config && argv && paths ? write_own_fragment(job, &own, err)
						     : ktstr_fail(err, -ENOMEM, "out of memory");

	for (size_t i = 0; !code && i < count; i++) {
		/* It runs in another folder. */
		paths[i] = realpath(job->build->fragments[i], NULL);
		if (!paths[i])
			code = ktstr_fail(err, -errno, "cannot find '%s': %s",
					  job->build->fragments[i], strerror(errno));
		else
			argv[fixed + i] = paths[i];
	}
	if (!code) {
		const char *const words[] = { "sh", script, "-m", "-O", job->objects, config, own };

		memcpy(argv, words, sizeof(words));
		code = run(job, argv, err);
	}
	for (size_t i = 0; paths && i < count; i++)
		free(paths[i]);
	free(paths);
	free(argv);
	return code;
}

/*
 * Kernels with functions whose last argument the verifier supplies leave that out of their types
 * only where pahole marks them, and no scheduler that calls one fits the types otherwise.
 */
static int check_pahole(const struct build_job *job, const char *config, struct ktstr_error *err)
{
	_cleanup_free_ char *has_ext = build_config_value(config, "SCHED_CLASS_EXT");
	_cleanup_free_ char *version = build_config_value(config, "PAHOLE_VERSION");
	_cleanup_free_ char *path = str_format("%s/include/linux/btf.h", job->tree);
	_cleanup_free_ char *header = NULL;
	struct ktstr_error unused;
	long number;

	if (!has_ext || !version || !path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	number = strtol(version, NULL, 10);
	if (strcmp(has_ext, "y") != 0 || number == 0 || number >= PAHOLE_WITH_KFUNCS ||
	    io_read_file(path, HEADER_BYTES_MAX, &header, NULL, &unused) ||
	    !strstr(header, "KF_IMPLICIT_ARGS"))
		return 0;
	return ktstr_fail(
		err, -ENOENT,
		"pahole %ld.%ld is too old for this kernel: no sched_ext scheduler could be loaded "
		"into it; install pahole %d.%d or later, or build an older kernel",
		number / 100, number % 100, PAHOLE_WITH_KFUNCS / 100, PAHOLE_WITH_KFUNCS % 100);
}

static int check(struct build_job *job, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/.config", job->objects);
	_cleanup_free_ char *text = NULL;
	int code;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = io_read_file(path, CONFIG_BYTES_MAX, &text, NULL, err);
	if (!code)
		code = build_config_check(&job->wanted, text, job->tree, job->watch->problem,
					  job->watch->arg, err);
	return code ? code : check_pahole(job, text, err);
}

int build_configure(struct build_job *job, struct ktstr_error *err)
{
	int code;

	build_say(job, "config", "%zu options over a tinyconfig", job->wanted.count);
	job->doing = "configure";
	code = make(job, "tinyconfig", err);
	if (!code)
		code = merge(job, err);
	if (!code)
		code = make(job, "olddefconfig", err);
	return code ? code : check(job, err);
}

int build_compile(struct build_job *job, struct ktstr_error *err)
{
	build_say(job, "build", "bzImage with '%s' in its release", job->suffix + 1);
	job->doing = "build";
	job->compiled = 0;
	job->last[0] = '\0';
	return make(job, "bzImage", err);
}
