/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/job_area.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "guest/unpack.h"
#include "wire/frame.h"

/* How often a machine that has no job yet looks for one. */
#define LOOK_NS (1 * NS_PER_MS)
#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
/* A clock source that is still one of the boot's gets so long. */
#define CLOCK_SOURCE_NS (3 * NS_PER_S)

static bool has_number(const char *folder, const char *name, unsigned long want)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);
	_cleanup_free_ char *text = NULL;
	struct ktstr_error ignored;

	return path && io_read_file(path, 64, &text, NULL, &ignored) == 0 &&
	       strtoul(text, NULL, 0) == want;
}

/* Let the device answer at its addresses: no driver does that for us. */
static void enable(const char *folder)
{
	_cleanup_free_ char *path = str_format("%s/enable", folder);
	_cleanup_close_ int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0)
		(void)!write(fd, "1", 1); /* else it cannot be mapped, which is told */
}

static int map(const char *folder, uint8_t **ret, struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/resource2", folder);
	_cleanup_close_ int fd = -1;
	void *area;

	if (!path)
		return ktstr_fail(err, -ENOMEM, "no memory for the job");
	enable(folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	area = fd < 0 ? MAP_FAILED
		      : mmap(NULL, JOB_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		return ktstr_fail(err, -errno, "cannot map the memory of the job, '%s': %s", path,
				  strerror(errno));
	*ret = area;
	return 0;
}

int job_area_map(const char *pci, uint8_t **ret, struct ktstr_error *err)
{
	DIR *dir = opendir(pci);
	struct dirent *entry;
	int rc = -ENODEV;

	while (dir && rc == -ENODEV && (entry = readdir(dir))) {
		_cleanup_free_ char *folder = str_format("%s/%s", pci, entry->d_name);

		if (entry->d_name[0] != '.' && folder &&
		    has_number(folder, "vendor", JOB_AREA_VENDOR) &&
		    has_number(folder, "device", JOB_AREA_DEVICE))
			rc = map(folder, ret, err);
	}
	if (dir)
		(void)closedir(dir); /* it was read */
	if (rc == -ENODEV)
		return ktstr_fail(err, rc, "the VM has no memory for the job (PCI device %x:%x)",
				  JOB_AREA_VENDOR, JOB_AREA_DEVICE);
	return rc;
}

/*
 * A kernel changes its clock source for the last time a second after it has booted, and stops all
 * CPUs for that. A machine that is to be saved waits for it, so that no run has it in the middle.
 */
static void wait_for_clock(void)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t end_ns = clock_monotonic_ns() + CLOCK_SOURCE_NS;

	for (;;) {
		_cleanup_free_ char *source = NULL;
		struct ktstr_error ignored;

		if (clock_monotonic_ns() >= end_ns ||
		    io_read_file(CLOCK_SOURCE, 64, &source, NULL, &ignored) < 0 ||
		    !str_ends(source, "-early\n"))
			return;
		(void)nanosleep(&pause, NULL);
	}
}

static bool is_there(struct job_area *head, uint32_t part)
{
	return __atomic_load_n(&head->parts[part].is_there, __ATOMIC_ACQUIRE) != 0;
}

static void wait_for_job(struct job_area *head)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };

	if (!is_there(head, JOB_AREA_SCHEDULER))
		wait_for_clock();
	while (!is_there(head, JOB_AREA_SCHEDULER)) {
		__atomic_store_n(&head->state, JOB_AREA_READY, __ATOMIC_RELEASE);
		(void)nanosleep(&pause, NULL);
	}
}

static struct job_area *head_of(uint8_t *area)
{
	return (struct job_area *)(area + JOB_AREA_AT);
}

static int take(uint8_t *area, uint32_t number, const char *root, struct ktstr_error *err)
{
	const struct job_area *head = head_of(area);
	const struct job_area_part part = head->parts[number];

	if (head->magic != JOB_AREA_MAGIC || head->version != JOB_AREA_VERSION ||
	    part.length > JOB_AREA_AT || part.offset > JOB_AREA_AT - part.length)
		return ktstr_fail(err, -EBADMSG,
				  "the job is none of this agent's version (%u, version %u)",
				  head->version, JOB_AREA_VERSION);
	if (wire_crc32(0, area + part.offset, (uint32_t)part.length) != part.crc32)
		return ktstr_fail(err, -EBADMSG, "the job did not arrive as the host wrote it");
	return unpack(area + part.offset, (size_t)part.length, root, err);
}

int job_area_take(uint8_t *area, const char *root, struct job_area_taken *ret,
		  struct ktstr_error *err)
{
	struct job_area *head = head_of(area);
	int rc;

	wait_for_job(head);
	ret->seed = head->seed;
	ret->freeze_port = (uint16_t)head->freeze_port;
	ret->is_whole = is_there(head, JOB_AREA_SCENARIO);
	rc = take(area, JOB_AREA_SCHEDULER, root, err);
	return rc == 0 && ret->is_whole ? take(area, JOB_AREA_SCENARIO, root, err) : rc;
}

bool job_area_has_scenario(uint8_t *area)
{
	struct job_area *head = head_of(area);

	if (is_there(head, JOB_AREA_SCENARIO))
		return true;
	__atomic_store_n(&head->state, JOB_AREA_ATTACHED, __ATOMIC_RELEASE);
	return false;
}

int job_area_take_scenario(uint8_t *area, const char *root, uint64_t *ret_seed,
			   struct ktstr_error *err)
{
	*ret_seed = head_of(area)->seed;
	return take(area, JOB_AREA_SCENARIO, root, err);
}

void job_area_unmap(uint8_t *area)
{
	if (area)
		(void)munmap(area, JOB_AREA_BYTES);
}

const struct job_replies *job_area_keep(uint8_t *area, bool are_replies_wanted)
{
	(void)munmap(area, are_replies_wanted ? JOB_REPLIES_AT : JOB_AREA_AT);
	(void)madvise(area + JOB_AREA_AT, JOB_AREA_PAGE, MADV_DONTFORK); /* or they have it, too */
	return are_replies_wanted ? (const struct job_replies *)(area + JOB_REPLIES_AT) : NULL;
}

const struct job_area *job_area_head(uint8_t *area)
{
	return head_of(area);
}
