/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest/btf_name.h"

#include <linux/btf.h>
#include <string.h>

/* Newer than some headers. */
#define KIND_DECL_TAG 17u
#define KIND_TYPE_TAG 18u
#define KIND_ENUM64 19u

/* How many bytes follow a struct btf_type; SIZE_MAX: nobody knows. */
static size_t tail_size(uint32_t kind, uint32_t count)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case KIND_ENUM64:
		return (kind == BTF_KIND_ARRAY ? 1 : count) * (size_t)12;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return count * (size_t)8;
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case KIND_TYPE_TAG:
		return 0;
	default:
		return SIZE_MAX;
	}
}

/* Both parts lie in the bytes. */
static int check_header(const struct btf_header *header, size_t length)
{
	size_t room;

	if (header->magic != BTF_MAGIC || header->hdr_len < sizeof(*header) ||
	    header->hdr_len > length)
		return -1;
	room = length - header->hdr_len;
	if (header->type_off > room || header->type_len > room - header->type_off ||
	    header->str_off > room || header->str_len > room - header->str_off)
		return -1;
	return 0;
}

/* A text that ends before the strings do. */
static const char *name_at(const char *strings, size_t length, uint32_t at)
{
	if (at == 0 || at >= length || !memchr(strings + at, '\0', length - at))
		return NULL;
	return strings + at;
}

const char *btf_name(const void *bytes, size_t length, uint32_t id)
{
	struct btf_header header;
	const char *types, *strings;
	size_t at = 0;

	if (length < sizeof(header))
		return NULL;
	memcpy(&header, bytes, sizeof(header));
	if (check_header(&header, length) < 0)
		return NULL;
	types = (const char *)bytes + header.hdr_len + header.type_off;
	strings = (const char *)bytes + header.hdr_len + header.str_off;
	for (uint32_t now = 1; header.type_len - at >= sizeof(struct btf_type); now++) {
		struct btf_type type;
		size_t tail;

		memcpy(&type, types + at, sizeof(type));
		if (now == id)
			return name_at(strings, header.str_len, type.name_off);
		at += sizeof(type);
		tail = tail_size(BTF_INFO_KIND(type.info), BTF_INFO_VLEN(type.info));
		if (tail > header.type_len - at)
			return NULL;
		at += tail;
	}
	return NULL;
}
