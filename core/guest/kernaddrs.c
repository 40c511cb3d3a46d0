/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/kernaddrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "guest/symbols.h"

#define KERNEL_MAP_BASE UINT64_C(0xffffffff80000000)
/* Where x86 kernels are linked, above KERNEL_MAP_BASE. */
#define KERNEL_LINK_OFFSET UINT64_C(0x1000000)
/* "Kernel code" and "_text" stand within the first page or two of their files. */
#define HEAD_BYTES 16384

uint64_t kernaddrs_iomem_code(const char *text)
{
	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *name = memmem(line, (size_t)(end - line), " : Kernel code", 14);

		if (name && name + 14 == end)
			return strtoull(line, NULL, 16);
		line = *end ? end + 1 : end;
	}
	return 0;
}

uint64_t kernaddrs_kallsyms_find(const char *text, const char *symbol)
{
	size_t length = strlen(symbol);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const char *type = memchr(line, ' ', (size_t)(end - line));

		/* "ffffffff81000000 T _text"; a line without its newline may be cut off */
		if (*end && type && end - type > 3 && type[2] == ' ' &&
		    (size_t)(end - type) == 3 + length && memcmp(type + 3, symbol, length) == 0)
			return strtoull(line, NULL, 16);
		line = *end ? end + 1 : end;
	}
	return 0;
}

void kernaddrs_make(uint64_t code_physical, uint64_t text_virtual, uint64_t page_offset_base,
		    struct ktstr_kern_addrs *ret)
{
	uint64_t offset = text_virtual ? text_virtual - KERNEL_MAP_BASE : KERNEL_LINK_OFFSET;

	*ret = (struct ktstr_kern_addrs){
		.phys_base_plus_1 = code_physical ? code_physical - offset + 1 : 0,
		.page_offset_base = page_offset_base,
		.kernel_text_plus_1 = text_virtual ? text_virtual + 1 : 0,
	};
}

/* The first HEAD_BYTES of a file of /proc, as text. */
static void read_head(const char *path, char text[HEAD_BYTES])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;

	while (fd >= 0 && length < HEAD_BYTES - 1) {
		ssize_t n = read(fd, text + length, HEAD_BYTES - 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	text[length] = '\0';
}

void kernaddrs_read(struct ktstr_kern_addrs *ret)
{
	char text[HEAD_BYTES];
	uint64_t code, kernel_text;

	read_head("/proc/iomem", text);
	code = kernaddrs_iomem_code(text);
	read_head("/proc/kallsyms", text);
	kernel_text = kernaddrs_kallsyms_find(text, "_text");
	if (!kernel_text)
		kernel_text = symbol_find_by_bpf("_text");
	kernaddrs_make(code, kernel_text, symbol_find_by_bpf("page_offset_base"), ret);
}
