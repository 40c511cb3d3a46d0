/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage: ask FOLDER REQUEST
 * Send one line to the socket stats.sock of a run's folder, and print the line that comes back.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "stats.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte = '\0';

	/* The folder's path may be longer than an address. */
	if (argc != 3 || chdir(argv[1]) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("ask");
		return 1;
	}
	if (dprintf(fd, "%s\n", argv[2]) < 0)
		return 1;
	while (byte != '\n') {
		if (read(fd, &byte, 1) != 1)
			return 1;
		(void)putchar(byte);
	}
	return 0;
}
