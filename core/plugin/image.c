/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PROGRAM_HEADERS_MAX 512u
#define DYNAMIC_BYTES_MAX (1024u * 1024u)
#define NOTE_BYTES_MAX (64u * 1024u)
#define BUILD_ID_BYTES_MAX 20u
#define TEXT_MAX 4096u

#ifdef __aarch64__
#define OWN_MACHINE EM_AARCH64
#define OWN_MACHINE_NAME "aarch64"
#else
#define OWN_MACHINE EM_X86_64
#define OWN_MACHINE_NAME "x86-64"
#endif

static bool read_at(int fd, uint64_t offset, void *ret, size_t length)
{
	char *at = ret;

	while (length > 0) {
		ssize_t n = pread(fd, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return true;
}

static bool is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

/* What libelf would only call "invalid", said so that a person knows what to do. */
static int check_ident(const struct image *image, struct ktstr_error *err)
{
	unsigned char ident[EI_NIDENT];

	if (!read_at(image->fd, 0, ident, SELFMAG) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return ktstr_fail(err, -EINVAL, "'%s' is not an ELF file", image->path);
	if (image->size < sizeof(Elf64_Ehdr) || !read_at(image->fd, 0, ident, sizeof(ident)))
		return ktstr_fail(err, -EINVAL,
				  "'%s' is truncated (%llu bytes do not hold an ELF header); "
				  "build or copy it again",
				  image->path, (unsigned long long)image->size);
	if (ident[EI_CLASS] != ELFCLASS64)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is not a 64-bit ELF file; build it for " OWN_MACHINE_NAME,
				  image->path);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return ktstr_fail(
			err, -EINVAL,
			"'%s' is not a little-endian ELF file; build it for " OWN_MACHINE_NAME,
			image->path);
	return 0;
}

static int check_header(struct image *image, Elf *elf, size_t *ret_count, struct ktstr_error *err)
{
	GElf_Ehdr header;
	size_t count;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return ktstr_fail(err, -EINVAL, "'%s' has a damaged ELF header: %s", image->path,
				  elf_errmsg(-1));
	if (header.e_machine != OWN_MACHINE)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is built for another machine (ELF machine %u, want %u); "
				  "build it for " OWN_MACHINE_NAME,
				  image->path, header.e_machine, OWN_MACHINE);
	if (header.e_type != ET_DYN && header.e_type != ET_EXEC)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is neither a shared object nor a program (ELF type %u); "
				  "link it with -shared",
				  image->path, header.e_type);
	image->type = header.e_type;
	image->machine = header.e_machine;
	count = header.e_phnum;
	if (count > PROGRAM_HEADERS_MAX)
		return ktstr_fail(err, -EINVAL, "'%s' has %zu program headers, at most %u are read",
				  image->path, count, PROGRAM_HEADERS_MAX);
	if (count == 0 || header.e_phentsize != sizeof(Elf64_Phdr))
		return ktstr_fail(err, -EINVAL, "'%s' has no program headers; link it with -shared",
				  image->path);
	if (!is_inside(header.e_phoff, count * sizeof(Elf64_Phdr), image->size))
		return ktstr_fail(err, -EINVAL,
				  "'%s' is truncated (its program headers end past byte %llu); "
				  "build or copy it again",
				  image->path, (unsigned long long)image->size);
	*ret_count = count;
	return 0;
}

static int add_segment(struct image *image, const GElf_Phdr *header, struct ktstr_error *err)
{
	size_t number = image->segment_count;

	if (!is_inside(header->p_offset, header->p_filesz, image->size))
		return ktstr_fail(err, -EINVAL,
				  "'%s' is truncated (segment %zu ends past byte %llu); "
				  "build or copy it again",
				  image->path, number, (unsigned long long)image->size);
	if (header->p_filesz > header->p_memsz ||
	    header->p_vaddr + header->p_memsz < header->p_vaddr)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is damaged (segment %zu has impossible sizes)", image->path,
				  number);
	image->segments[image->segment_count++] = (struct image_segment){
		.address = header->p_vaddr,
		.memory_size = header->p_memsz,
		.offset = header->p_offset,
		.file_size = header->p_filesz,
	};
	return 0;
}

static int read_interpreter(struct image *image, const GElf_Phdr *header, struct ktstr_error *err)
{
	if (image->interpreter)
		return 0;
	if (header->p_filesz == 0 || header->p_filesz > TEXT_MAX)
		return ktstr_fail(err, -EINVAL, "'%s' is damaged (its interpreter has no name)",
				  image->path);
	image->interpreter = calloc(1, header->p_filesz + 1);
	if (!image->interpreter)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!read_at(image->fd, header->p_offset, image->interpreter, header->p_filesz))
		return ktstr_fail(err, -EINVAL,
				  "'%s' is truncated (its interpreter's name ends past byte %llu); "
				  "build or copy it again",
				  image->path, (unsigned long long)image->size);
	return 0;
}

static int read_dynamic(struct image *image, const GElf_Phdr *header, struct ktstr_error *err)
{
	size_t count = header->p_filesz / sizeof(Elf64_Dyn);

	if (image->dynamic || count == 0)
		return 0;
	if (header->p_filesz > DYNAMIC_BYTES_MAX)
		return ktstr_fail(err, -EINVAL,
				  "'%s' is damaged (its dynamic section has %llu bytes)",
				  image->path, (unsigned long long)header->p_filesz);
	image->dynamic = calloc(count, sizeof(Elf64_Dyn));
	if (!image->dynamic)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	if (!read_at(image->fd, header->p_offset, image->dynamic, count * sizeof(Elf64_Dyn)))
		return ktstr_fail(err, -EINVAL,
				  "'%s' is truncated (its dynamic section ends past byte %llu); "
				  "build or copy it again",
				  image->path, (unsigned long long)image->size);
	while (image->dynamic_count < count &&
	       image->dynamic[image->dynamic_count].d_tag != DT_NULL)
		image->dynamic_count++;
	return 0;
}

/* A damaged note costs only the build id. */
static void read_notes(struct image *image, Elf *elf, const GElf_Phdr *header)
{
	Elf_Type type = header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	size_t offset = 0, name_at, text_at;
	GElf_Nhdr note;
	Elf_Data *data;

	if (image->build_id[0] || header->p_filesz > NOTE_BYTES_MAX ||
	    !is_inside(header->p_offset, header->p_filesz, image->size))
		return;
	data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset, header->p_filesz, type);
	if (!data)
		return;
	while ((offset = gelf_getnote(data, offset, &note, &name_at, &text_at)) > 0) {
		const unsigned char *bytes = (const unsigned char *)data->d_buf + text_at;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp((const char *)data->d_buf + name_at, ELF_NOTE_GNU,
			   sizeof(ELF_NOTE_GNU)) != 0)
			continue;
		for (size_t i = 0; i < note.n_descsz && i < BUILD_ID_BYTES_MAX; i++)
			(void)snprintf(image->build_id + 2 * i, 3, "%02x", bytes[i]);
		return;
	}
}

static int read_program_headers(struct image *image, Elf *elf, struct ktstr_error *err)
{
	size_t count = 0;
	int rc;

	rc = check_header(image, elf, &count, err);
	if (rc < 0)
		return rc;
	image->segments = calloc(count, sizeof(*image->segments));
	if (!image->segments)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count && rc == 0; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			return ktstr_fail(err, -EINVAL, "'%s' has a damaged program header: %s",
					  image->path, elf_errmsg(-1));
		if (header.p_type == PT_LOAD)
			rc = add_segment(image, &header, err);
		else if (header.p_type == PT_INTERP)
			rc = read_interpreter(image, &header, err);
		else if (header.p_type == PT_DYNAMIC)
			rc = read_dynamic(image, &header, err);
		else if (header.p_type == PT_NOTE)
			read_notes(image, elf, &header);
	}
	return rc;
}

static int open_regular(struct image *image, struct ktstr_error *err)
{
	struct stat st;

	/* Not blocking: the path may name a FIFO. */
	image->fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (image->fd < 0)
		return ktstr_fail(err, -errno, "cannot open '%s': %s", image->path,
				  strerror(errno));
	if (fstat(image->fd, &st) < 0)
		return ktstr_fail(err, -errno, "cannot stat '%s': %s", image->path,
				  strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ktstr_fail(err, -EINVAL, "'%s' is not a regular file", image->path);
	image->size = (uint64_t)st.st_size;
	return 0;
}

static int image_load(struct image *image, struct ktstr_error *err)
{
	Elf *elf;
	int rc;

	rc = open_regular(image, err);
	if (rc == 0)
		rc = check_ident(image, err);
	if (rc < 0)
		return rc;
	(void)elf_version(EV_CURRENT); /* cannot fail for the version of the header */
	elf = elf_begin(image->fd, ELF_C_READ, NULL);
	if (!elf)
		return ktstr_fail(err, -EINVAL, "cannot read '%s': %s", image->path,
				  elf_errmsg(-1));
	rc = read_program_headers(image, elf, err);
	(void)elf_end(elf); /* nothing was written */
	return rc;
}

int image_open(const char *path, struct image **ret, struct ktstr_error *err)
{
	struct image *image = calloc(1, sizeof(*image));
	int rc;

	if (!image)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	image->fd = -1;
	image->path = strdup(path);
	rc = image->path ? image_load(image, err) : ktstr_fail(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		image_free(image);
		return rc;
	}
	*ret = image;
	return 0;
}

int image_open_shared(const char *path, struct image **ret, struct ktstr_error *err)
{
	struct image *image;
	int rc;

	rc = image_open(path, &image, err);
	if (rc < 0)
		return rc;
	if (image->type != ET_DYN || image->interpreter) {
		image_free(image);
		return ktstr_fail(err, -EINVAL,
				  "'%s' is a program, not a shared object; link it with -shared",
				  path);
	}
	*ret = image;
	return 0;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		(void)close(image->fd); /* nothing was written */
	free(image->path);
	free(image->interpreter);
	free(image->segments);
	free(image->dynamic);
	free(image->relocations);
	free(image);
}

bool image_read(const struct image *image, uint64_t address, void *ret, size_t length)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		uint64_t at = address - segment->address;
		size_t from_file = 0;

		if (address < segment->address || !is_inside(at, length, segment->memory_size))
			continue;
		if (at < segment->file_size)
			from_file = segment->file_size - at < length
					    ? (size_t)(segment->file_size - at)
					    : length;
		memset((char *)ret + from_file, 0, length - from_file);
		return read_at(image->fd, segment->offset + at, ret, from_file);
	}
	return false;
}

/* How many bytes from @address on lie in its segment. */
static uint64_t bytes_after(const struct image *image, uint64_t address)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (address >= segment->address &&
		    address - segment->address < segment->memory_size)
			return segment->memory_size - (address - segment->address);
	}
	return 0;
}

char *image_read_text(const struct image *image, uint64_t address, size_t max)
{
	uint64_t left = bytes_after(image, address);
	size_t length = left < (uint64_t)max + 1 ? (size_t)left : max + 1;
	_cleanup_free_ char *text = malloc(length + 1);

	if (!text || length == 0 || !image_read(image, address, text, length) ||
	    !memchr(text, '\0', length))
		return NULL;
	return strdup(text);
}

bool image_dynamic(const struct image *image, int64_t tag, uint64_t *ret)
{
	for (size_t i = 0; i < image->dynamic_count; i++) {
		if (image->dynamic[i].d_tag == tag) {
			*ret = image->dynamic[i].d_un.d_val;
			return true;
		}
	}
	return false;
}

char *image_dynamic_text(const struct image *image, uint64_t offset)
{
	uint64_t table, size;

	if (!image_dynamic(image, DT_STRTAB, &table) || !image_dynamic(image, DT_STRSZ, &size) ||
	    offset >= size)
		return NULL;
	return image_read_text(image, table + offset, TEXT_MAX);
}
