/* SPDX-License-Identifier: GPL-2.0-only */
/* Feeds every file of the folders on the command line to a fuzz target. Fails when there is none.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

#define INPUT_MAX (64u * 1024u * 1024u)

static int replay_file(const char *path)
{
	struct ktstr_error err = { 0 };
	_cleanup_free_ char *data = NULL;
	_cleanup_free_ uint8_t *exact = NULL;
	size_t length;

	if (io_read_file(path, INPUT_MAX, &data, &length, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	/* Exactly as long as the input, so that a read beyond it is seen. */
	exact = malloc(length ? length : 1);
	if (!exact)
		return -1;
	memcpy(exact, data, length);
	(void)LLVMFuzzerTestOneInput(exact, length); /* always 0 */
	return 0;
}

/* How many files were fed, or -1. */
static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!folder) {
		perror(path);
		return -1;
	}
	while (count >= 0 && (entry = readdir(folder))) {
		_cleanup_free_ char *file = NULL;

		if (entry->d_name[0] == '.')
			continue;
		file = str_format("%s/%s", path, entry->d_name);
		count = file && replay_file(file) == 0 ? count + 1 : -1;
	}
	(void)closedir(folder); /* was only read */
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int count = replay_folder(argv[i]);

		if (count < 0)
			return 1;
		total += count;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
