/* SPDX-License-Identifier: GPL-2.0-only */
#include "support/fake_kernel.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <elf.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"

#define RELEASE "6.99.0-fake"
#define ROOM (1u << 20)

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

/* A legacy lz4 stream, as the kernel's build makes it, of one block with nothing but literals. */
static struct bytes pack_lz4_legacy(const char *data, size_t length)
{
	struct bytes packed = { calloc(1, length + length / 255 + 64), 0 };
	const uint32_t magic = 0x184c2102;
	char *at = packed.data + 8;
	uint32_t block;
	size_t rest = length - 15;

	cr_assert(length > 15);
	*at++ = (char)0xf0;
	for (; rest >= 255; rest -= 255)
		*at++ = (char)0xff;
	*at++ = (char)rest;
	memcpy(at, data, length);
	packed.length = (size_t)(at - packed.data) + length;
	block = (uint32_t)packed.length - 8;
	memcpy(packed.data, &magic, 4);
	memcpy(packed.data + 4, &block, 4);
	return packed;
}

struct bytes fake_pack(const char *filter, const void *data, size_t length)
{
	struct bytes packed = { malloc(length + ROOM), 0 };
	struct archive_entry *entry = archive_entry_new();
	struct archive *archive = archive_write_new();

	if (strcmp(filter, "lz4-legacy") == 0) {
		free(packed.data);
		archive_entry_free(entry);
		(void)archive_write_free(archive);
		return pack_lz4_legacy(data, length);
	}
	cr_assert_eq(archive_write_set_format_raw(archive), ARCHIVE_OK);
	cr_assert_eq(archive_write_add_filter_by_name(archive, filter), ARCHIVE_OK, "%s", filter);
	/* No padding behind the end of the stream. */
	(void)archive_write_set_bytes_in_last_block(archive, 1);
	cr_assert_eq(archive_write_open_memory(archive, packed.data, length + ROOM, &packed.length),
		     ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_pathname(entry, "data");
	cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK);
	cr_assert_eq(archive_write_data(archive, data, length), (la_ssize_t)length);
	cr_assert_eq(archive_write_close(archive), ARCHIVE_OK);
	archive_entry_free(entry);
	(void)archive_write_free(archive);
	return packed;
}

/* The layout of the fake: headers, note, banner and config, BTF, names of sections. */
struct layout {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Nhdr note;
	char note_name[4];
	uint32_t note_value[2];
	Elf64_Shdr sections[3];
	char names[24];
};

static void fill_layout(struct layout *layout, const struct fake_kernel *fake, size_t total,
			size_t btf_at, size_t btf_length)
{
	static const char names[] = "\0.BTF\0.shstrtab";

	memcpy(layout->header.e_ident, ELFMAG, SELFMAG);
	layout->header.e_ident[EI_CLASS] = ELFCLASS64;
	layout->header.e_ident[EI_DATA] = ELFDATA2LSB;
	layout->header.e_ident[EI_VERSION] = EV_CURRENT;
	layout->header.e_type = ET_EXEC;
	layout->header.e_machine = EM_X86_64;
	layout->header.e_version = EV_CURRENT;
	layout->header.e_phoff = offsetof(struct layout, segments);
	layout->header.e_shoff = offsetof(struct layout, sections);
	layout->header.e_ehsize = sizeof(Elf64_Ehdr);
	layout->header.e_phentsize = sizeof(Elf64_Phdr);
	layout->header.e_phnum = 2;
	layout->header.e_shentsize = sizeof(Elf64_Shdr);
	layout->header.e_shnum = 3;
	layout->header.e_shstrndx = 2;
	layout->segments[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_paddr = 0x1000000, .p_filesz = total, .p_memsz = 0x400000
	};
	layout->segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct layout, note),
		.p_filesz = sizeof(layout->note) + 4 + 8,
		.p_align = 4,
	};
	layout->note =
		(Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = fake->has_no_pvh ? 17 : 18 };
	memcpy(layout->note_name, "Xen", 4);
	memcpy(layout->names, names, sizeof(names));
	layout->sections[1] = (Elf64_Shdr){
		.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = btf_at, .sh_size = btf_length
	};
	layout->sections[2] = (Elf64_Shdr){
		.sh_name = 6,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct layout, names),
		.sh_size = sizeof(names),
	};
	if (!btf_length)
		layout->sections[1].sh_name = 0;
}

struct bytes fake_vmlinux(const struct fake_kernel *fake)
{
	struct layout layout = { 0 };
	struct str text = { 0 };
	size_t btf_at;

	cr_assert_eq(str_add_bytes(&text, &layout, sizeof(layout)), 0);
	/* The format that real kernels hold as well stands before the real banner. */
	cr_assert_eq(str_addf(&text, "Linux version %%s%cLinux version %s (gcc)", 0,
			      fake->release ? fake->release : RELEASE),
		     0);
	if (fake->ikconfig) {
		struct bytes packed = fake_pack("gzip", fake->ikconfig, strlen(fake->ikconfig));

		cr_assert_eq(str_add(&text, "IKCFG_ST"), 0);
		cr_assert_eq(str_add_bytes(&text, packed.data, packed.length), 0);
		cr_assert_eq(str_add(&text, "IKCFG_ED"), 0);
		bytes_free(&packed);
	}
	btf_at = text.length;
	if (fake->btf)
		cr_assert_eq(str_add(&text, fake->btf), 0);
	fill_layout(&layout, fake, text.length, btf_at, fake->btf ? strlen(fake->btf) : 0);
	memcpy(text.data, &layout, sizeof(layout));
	return (struct bytes){ text.data, text.length };
}

struct bytes fake_bzimage(const struct fake_kernel *fake)
{
	enum {
		HEAD = 1024,
		VERSION = 0x300,
		PAYLOAD = 64
	};
	const char *filter = fake->filter ? fake->filter : "gzip";
	struct bytes vmlinux = fake_vmlinux(fake);
	struct bytes packed = fake_pack(filter, vmlinux.data, vmlinux.length);
	struct bytes image = { calloc(1, HEAD + PAYLOAD + packed.length + 16), 0 };
	uint32_t length = (uint32_t)packed.length;
	uint32_t size = (uint32_t)(vmlinux.length + fake->wrong_size);
	uint8_t *setup = (uint8_t *)image.data;

	/* gzip ends in the size already. */
	if (strcmp(filter, "gzip") != 0)
		length += 4;
	setup[0x1f1] = 1;
	memcpy(setup + 0x202, "HdrS", 4);
	memcpy(setup + 0x206, &(uint16_t){ 0x20f }, 2);
	memcpy(setup + 0x20e, &(uint16_t){ VERSION - 512 }, 2);
	memcpy(setup + 0x236, &(uint16_t){ fake->has_no_64bit_entry ? 0 : 1 }, 2);
	memcpy(setup + 0x248, &(uint32_t){ PAYLOAD }, 4);
	memcpy(setup + 0x24c, &length, 4);
	memcpy(setup + 0x260, &(uint32_t){ 0x600000 }, 4);
	(void)snprintf(image.data + VERSION, 128, "%s (builder@host) #1 SMP",
		       fake->release ? fake->release : RELEASE);
	memcpy(setup + HEAD + PAYLOAD, packed.data, packed.length);
	memcpy(setup + HEAD + PAYLOAD + length - 4, &size, 4);
	image.length = HEAD + PAYLOAD + length;
	bytes_free(&packed);
	bytes_free(&vmlinux);
	return image;
}

static void add_file(struct archive *archive, const char *path, struct bytes content)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)content.length);
	cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK);
	cr_assert_eq(archive_write_data(archive, content.data, content.length),
		     (la_ssize_t)content.length);
	archive_entry_free(entry);
}

struct bytes fake_deb(const struct fake_file *files, size_t count)
{
	struct bytes tar = { malloc(ROOM), 0 };
	struct bytes deb = { malloc(2 * ROOM), 0 };
	struct archive *archive = archive_write_new();

	cr_assert_eq(archive_write_set_format_ustar(archive), ARCHIVE_OK);
	cr_assert_eq(archive_write_add_filter_xz(archive), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_memory(archive, tar.data, ROOM, &tar.length), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		char *path = str_format("./%s", files[i].path);

		add_file(archive, path, files[i].content);
		free(path);
	}
	cr_assert_eq(archive_write_close(archive), ARCHIVE_OK);
	(void)archive_write_free(archive);

	archive = archive_write_new();
	cr_assert_eq(archive_write_set_format_ar_svr4(archive), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_memory(archive, deb.data, 2 * ROOM, &deb.length),
		     ARCHIVE_OK);
	add_file(archive, "debian-binary", (struct bytes){ (char *)"2.0\n", 4 });
	if (count)
		add_file(archive, "data.tar.xz", tar);
	cr_assert_eq(archive_write_close(archive), ARCHIVE_OK);
	(void)archive_write_free(archive);
	bytes_free(&tar);
	return deb;
}

char *fake_folder(void)
{
	const char *parent = getenv("TMPDIR");
	char *folder = str_format("%s/ktstr-XXXXXX", parent ? parent : "/tmp");

	cr_assert(folder && mkdtemp(folder));
	return folder;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

void fake_folder_remove(const char *folder)
{
	(void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fake_write(const char *folder, const char *path, struct bytes content)
{
	char *full = str_format("%s/%s", folder, path);
	char *slash = strrchr(full, '/');
	struct ktstr_error err;
	FILE *file;

	*slash = '\0';
	cr_assert_eq(io_make_dirs(full, &err), 0, "%s", err.text);
	*slash = '/';
	file = fopen(full, "we");
	cr_assert(file, "%s", full);
	cr_assert_eq(fwrite(content.data, 1, content.length, file), content.length);
	cr_assert_eq(fclose(file), 0);
	free(full);
}

void fake_write_text(const char *folder, const char *path, const char *text)
{
	fake_write(folder, path, (struct bytes){ (char *)text, strlen(text) });
}
