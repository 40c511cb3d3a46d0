/* SPDX-License-Identifier: GPL-2.0-only */
/* ELF files: what is read of a plugin before, or without, loading it. Nothing of it is run. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz/fuzz.h"
#include "plugin/descriptor.h"
#include "plugin/elf.h"
#include "plugin/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct descriptor *descriptor = NULL;
	struct elf_info *info = NULL;
	struct ktstr_error err = { 0 };
	_cleanup_close_ int fd = io_memfd("plugin", data, size, &err);
	char path[64];

	if (fd < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (elf_read(path, &info, &err) == 0) {
		FUZZ_REQUIRE(info->needed && info->run_path && strlen(info->build_id) <= 40);
		elf_free(info);
	} else {
		FUZZ_REQUIRE(err.text[0] != '\0');
	}
	if (descriptor_read(path, &descriptor, &err) == 0) {
		(void)plugin_check(&descriptor->plugin, 0, path, &err); /* either is fine */
		descriptor_free(descriptor);
	}
	return 0;
}
