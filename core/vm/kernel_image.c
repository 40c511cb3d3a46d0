/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_image.h"

#include <endian.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/unpack.h"

/* Where the x86 boot protocol keeps things (Documentation/arch/x86/boot.rst). */
#define SETUP_SECTS 0x1f1
#define SETUP_MAGIC 0x202
#define SETUP_PROTOCOL 0x206
#define SETUP_VERSION_POINTER 0x20e
#define SETUP_XLOADFLAGS 0x236
#define SETUP_PAYLOAD_OFFSET 0x248
#define SETUP_PAYLOAD_LENGTH 0x24c
#define SETUP_INIT_SIZE 0x260
#define SETUP_END 0x268
#define SECTOR 512
#define XLF_KERNEL_64 0x0001
/* The first protocol that has init_size and payload fields is 2.10, xloadflags came with 2.12. */
#define PROTOCOL_LEAST 0x020c

#define PVH_NOTE_NAME "Xen"
#define PVH_NOTE_TYPE 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

#define CONFIG_START "IKCFG_ST"
#define CONFIG_MAX (UINT64_C(8) << 20)
#define BTF_MAX (UINT64_C(256) << 20)
#define BANNER "Linux version "

#define SCAN_CHUNK (UINT64_C(1) << 20)

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/* As much of @size bytes at @offset as the file has; a negative errno. */
static ssize_t read_at(int fd, void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* The first word of @text is the release. A version text is only printable ASCII. */
static void release_copy(char *release, const char *text, size_t length)
{
	size_t used = 0;

	while (used < length && used < KERNEL_RELEASE_MAX - 1 && text[used] > ' ' &&
	       text[used] <= '~' && text[used] != '/') {
		release[used] = text[used];
		used++;
	}
	release[used] = '\0';
}

/* Where @needle first stands in [start, end) of the file; -ENODATA. */
static int64_t file_find(int fd, uint64_t start, uint64_t end, const char *needle)
{
	_cleanup_free_ char *chunk = malloc(SCAN_CHUNK);
	size_t length = strlen(needle);

	if (!chunk)
		return -ENOMEM;
	while (start + length <= end) {
		uint64_t wanted = end - start < SCAN_CHUNK ? end - start : SCAN_CHUNK;
		ssize_t got = read_at(fd, chunk, (size_t)wanted, start);
		const char *found;

		if (got < (ssize_t)length)
			return got < 0 ? got : -ENODATA;
		found = memmem(chunk, (size_t)got, needle, length);
		if (found)
			return (int64_t)(start + (uint64_t)(found - chunk));
		start += (uint64_t)got - length + 1;
	}
	return -ENODATA;
}

static int fail_damaged(struct ktstr_error *err, const char *path, const char *what)
{
	return ktstr_fail(err, -ENOEXEC, "kernel '%s' is damaged: %s", path, what);
}

static int read_bzimage(struct kernel_image *image, const uint8_t *setup, const char *path,
			struct ktstr_error *err)
{
	uint64_t sectors = setup[SETUP_SECTS] ? setup[SETUP_SECTS] : 4;
	uint64_t body = (sectors + 1) * SECTOR;
	uint64_t version = get_u16(setup + SETUP_VERSION_POINTER);
	char text[KERNEL_RELEASE_MAX] = "";
	ssize_t got;

	if (get_u16(setup + SETUP_PROTOCOL) < PROTOCOL_LEAST ||
	    !(get_u16(setup + SETUP_XLOADFLAGS) & XLF_KERNEL_64))
		return ktstr_fail(err, -ENOEXEC, "kernel '%s' is no 64-bit x86 kernel", path);
	image->init_size = get_u32(setup + SETUP_INIT_SIZE);
	image->payload_offset = body + get_u32(setup + SETUP_PAYLOAD_OFFSET);
	image->payload_length = get_u32(setup + SETUP_PAYLOAD_LENGTH);
	if (image->payload_offset > image->size ||
	    image->payload_length > image->size - image->payload_offset ||
	    image->payload_length <= sizeof(uint32_t))
		return fail_damaged(err, path, "its payload does not lie inside the file");
	if (image->init_size > KERNEL_IMAGE_MAX)
		return fail_damaged(err, path, "it asks for more than 1 GiB to unpack into");
	if (version && version + SECTOR < body) {
		got = read_at(image->fd, text, sizeof(text), version + SECTOR);
		if (got > 0)
			release_copy(image->release, text, (size_t)got);
	}
	return 0;
}

static void read_notes(struct kernel_image *image, Elf *elf, const GElf_Phdr *segment)
{
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)segment->p_offset, segment->p_filesz,
					      segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	size_t offset = 0;
	GElf_Nhdr note;
	size_t name;
	size_t value;

	while (data && (offset = gelf_getnote(data, offset, &note, &name, &value)) > 0) {
		if (note.n_type == PVH_NOTE_TYPE && note.n_namesz == sizeof(PVH_NOTE_NAME) &&
		    memcmp((const char *)data->d_buf + name, PVH_NOTE_NAME,
			   sizeof(PVH_NOTE_NAME)) == 0)
			image->has_pvh = true;
	}
}

static int read_segments(struct kernel_image *image, Elf *elf, const char *path,
			 struct ktstr_error *err)
{
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	size_t count = 0;

	if (elf_getphdrnum(elf, &count))
		return fail_damaged(err, path, elf_errmsg(-1));
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(elf, (int)i, &segment))
			return fail_damaged(err, path, elf_errmsg(-1));
		if (segment.p_filesz > image->size ||
		    segment.p_offset > image->size - segment.p_filesz)
			return fail_damaged(err, path, "it is cut off");
		if (segment.p_type == PT_NOTE)
			read_notes(image, elf, &segment);
		if (segment.p_type != PT_LOAD)
			continue;
		if (segment.p_memsz > KERNEL_IMAGE_MAX ||
		    segment.p_paddr > UINT64_MAX - segment.p_memsz)
			return fail_damaged(err, path, "a segment is too large");
		if (segment.p_paddr < low)
			low = segment.p_paddr;
		if (segment.p_paddr + segment.p_memsz > high)
			high = segment.p_paddr + segment.p_memsz;
	}
	if (high <= low || high - low > KERNEL_IMAGE_MAX)
		return fail_damaged(err, path, "it has nothing to load");
	image->init_size = high - low;
	return 0;
}

static void read_sections(struct kernel_image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return;
	while ((section = elf_nextscn(elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, &header))
			return;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ".BTF") != 0 || header.sh_type == SHT_NOBITS)
			continue;
		if (header.sh_size <= BTF_MAX && header.sh_size <= image->size &&
		    header.sh_offset <= image->size - header.sh_size) {
			image->btf_offset = header.sh_offset;
			image->btf_length = header.sh_size;
		}
	}
}

/* The banner also stands where it is only a format; the release follows the real one. */
static void read_banner(struct kernel_image *image)
{
	uint64_t at = 0;
	int64_t found;

	while ((found = file_find(image->fd, at, image->size, BANNER)) >= 0) {
		char text[KERNEL_RELEASE_MAX];
		ssize_t got;

		at = (uint64_t)found + strlen(BANNER);
		got = read_at(image->fd, text, sizeof(text), at);
		if (got > 0 && text[0] >= '0' && text[0] <= '9') {
			release_copy(image->release, text, (size_t)got);
			return;
		}
	}
}

static int read_elf(struct kernel_image *image, const char *path, struct ktstr_error *err)
{
	GElf_Ehdr header;
	Elf *elf;
	int code;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return ktstr_fail(err, -ENOTSUP, "libelf is too old");
	elf = elf_begin(image->fd, ELF_C_READ, NULL);
	if (!elf)
		return fail_damaged(err, path, elf_errmsg(-1));
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		code = fail_damaged(err, path, "its ELF header is not valid");
	else if (gelf_getclass(elf) != ELFCLASS64 || header.e_machine != EM_X86_64 ||
		 header.e_type != ET_EXEC)
		code = ktstr_fail(err, -ENOEXEC, "kernel '%s' is no x86-64 vmlinux", path);
	else
		code = read_segments(image, elf, path, err);
	if (!code)
		read_sections(image, elf);
	(void)elf_end(elf);
	if (!code)
		read_banner(image);
	return code;
}

int kernel_image_from_fd(int fd, const char *path, struct kernel_image *ret,
			 struct ktstr_error *err)
{
	struct kernel_image image = { .fd = fd };
	uint8_t setup[SETUP_END] = { 0 };
	struct stat status;
	ssize_t got;
	int code;

	if (fstat(fd, &status))
		code = ktstr_fail(err, -errno, "cannot look at '%s': %s", path, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		code = ktstr_fail(err, -ENOEXEC, "kernel '%s' is not a file", path);
	else if ((uint64_t)status.st_size > KERNEL_IMAGE_MAX * 4)
		code = ktstr_fail(err, -EFBIG, "kernel '%s' is larger than 4 GiB", path);
	else
		code = 0;
	if (code)
		goto close_fd;
	image.size = (uint64_t)status.st_size;
	got = read_at(fd, setup, sizeof(setup), 0);
	if (got < 0) {
		code = ktstr_fail(err, (int)got, "cannot read kernel '%s': %s", path,
				  strerror((int)-got));
	} else if (got >= SELFMAG && memcmp(setup, ELFMAG, SELFMAG) == 0) {
		image.is_elf = true;
		code = read_elf(&image, path, err);
	} else if (got == SETUP_END && memcmp(setup + SETUP_MAGIC, "HdrS", 4) == 0) {
		code = read_bzimage(&image, setup, path, err);
	} else {
		code = ktstr_fail(err, -ENOEXEC,
				  "'%s' is no kernel: neither an x86 bzImage nor an ELF vmlinux",
				  path);
	}
	if (!code) {
		*ret = image;
		return 0;
	}

close_fd:
	(void)close(fd); /* only read from */
	return code;
}

int kernel_image_open(const char *path, struct kernel_image *ret, struct ktstr_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int code = fd < 0 ? -errno : 0;
	struct stat status;
	char mode[32] = "";

	if (code == -EACCES || code == -EPERM) {
		if (!stat(path, &status))
			(void)snprintf(mode, sizeof(mode), " (mode %04o)",
				       (unsigned int)status.st_mode & 07777);
		return ktstr_fail(err, code,
				  "cannot read kernel '%s'%s: %s; copy it once as root to where "
				  "you can read it, and give the copy by --kernel",
				  path, mode, strerror(-code));
	}
	if (code)
		return ktstr_fail(err, code, "cannot open kernel '%s': %s", path, strerror(-code));
	return kernel_image_from_fd(fd, path, ret, err);
}

void kernel_image_done(struct kernel_image *image)
{
	if (image && image->fd > 0)
		(void)close(image->fd); /* only read from */
}

int kernel_image_unpack(const struct kernel_image *image, int out_fd, struct ktstr_error *err)
{
	struct unpack unpack = {
		.fd = image->fd,
		.offset = image->payload_offset,
		.length = image->payload_length,
		.output_max = KERNEL_IMAGE_MAX,
	};
	uint8_t ends[2 + sizeof(uint32_t)];
	uint64_t length = 0;
	uint32_t promised;
	int code;

	if (image->is_elf)
		return ktstr_fail(err, -EINVAL, "a vmlinux is not packed");
	if (read_at(image->fd, ends, 2, image->payload_offset) != 2 ||
	    read_at(image->fd, ends + 2, sizeof(promised),
		    image->payload_offset + image->payload_length - sizeof(promised)) !=
		    sizeof(promised))
		return ktstr_fail(err, -EBADMSG, "it was cut off while it was read");
	promised = get_u32(ends + 2);
	/* gzip ends in the unpacked size by itself, for the others the build appends it. */
	if (ends[0] != 0x1f || ends[1] != 0x8b)
		unpack.length -= sizeof(promised);
	code = unpack_stream(&unpack, out_fd, &length, err);
	if (code)
		return code;
	if (length != promised)
		return ktstr_fail(err, -EBADMSG, "it unpacks to %llu bytes instead of %lu",
				  (unsigned long long)length, (unsigned long)promised);
	return 0;
}

int kernel_image_btf(const struct kernel_image *image, int out_fd, struct ktstr_error *err)
{
	_cleanup_free_ char *btf = NULL;
	int code;

	if (!image->btf_length)
		return -ENODATA;
	btf = malloc(image->btf_length);
	if (!btf)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (read_at(image->fd, btf, image->btf_length, image->btf_offset) !=
	    (ssize_t)image->btf_length)
		return ktstr_fail(err, -EBADMSG, "its BTF cannot be read");
	code = io_write_all(out_fd, btf, image->btf_length);
	return code ? ktstr_fail(err, code, "cannot write its BTF: %s", strerror(-code)) : 0;
}

bool kernel_image_has_sched_ext_type(const struct kernel_image *image)
{
	return image->btf_length &&
	       file_find(image->fd, image->btf_offset, image->btf_offset + image->btf_length,
			 "sched_ext_ops") >= 0;
}

int kernel_image_config(const struct kernel_image *image, int out_fd, struct ktstr_error *err)
{
	int64_t found = file_find(image->fd, 0, image->size, CONFIG_START);
	struct unpack unpack = { .fd = image->fd, .output_max = CONFIG_MAX };
	uint64_t length;

	if (found < 0)
		return -ENODATA;
	unpack.offset = (uint64_t)found + strlen(CONFIG_START);
	found = file_find(image->fd, unpack.offset, image->size, "IKCFG_ED");
	if (found < 0)
		return -ENODATA;
	unpack.length = (uint64_t)found - unpack.offset;
	return unpack_stream(&unpack, out_fd, &length, err);
}
