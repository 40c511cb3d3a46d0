/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/entropy.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/random.h"

#define WORDS 4

void entropy_seed(uint64_t seed)
{
	_cleanup_close_ int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	struct {
		int bits;
		int bytes;
		uint64_t words[WORDS];
	} pool = { .bits = WORDS * 64, .bytes = sizeof(pool.words) };
	struct random random;

	if (fd < 0)
		return;
	random_init(&random, seed, RANDOM_FOR_KERNEL, 0, 0);
	for (int i = 0; i < WORDS; i++)
		pool.words[i] = random_next(&random);
	/* What a saved machine had is the same for every run, and mixed in: then a new start. */
	if (ioctl(fd, RNDADDENTROPY, &pool) == 0)
		(void)ioctl(fd, RNDRESEEDCRNG);
}
