/* SPDX-License-Identifier: GPL-2.0-only */
/* fake_bzimage RELEASE FILE: what looks like a kernel of that release. */
#include <stdio.h>
#include <stdlib.h>

#include "support/fake_kernel.h"

int main(int argc, char **argv)
{
	struct fake_kernel fake = { .btf = "types" };
	struct bytes image;
	FILE *file;
	bool is_good;

	if (argc != 3)
		return EXIT_FAILURE;
	fake.release = argv[1];
	image = fake_bzimage(&fake);
	file = fopen(argv[2], "wbe");
	is_good = file && fwrite(image.data, 1, image.length, file) == image.length;
	if (file && fclose(file) != 0)
		is_good = false;
	bytes_free(&image);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
