/* SPDX-License-Identifier: GPL-2.0-only */
#include "scx/object.h"

#include <bpf/btf.h>
#include <elf.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>

/* More callbacks than struct sched_ext_ops has. */
#define CALLBACKS_MAX 128u
/* A chain of names for one type is never longer. */
#define TYPE_DEPTH_MAX 32u

/* One callback that the ops have. */
struct callback {
	const char *member;
	const char *program;
};

struct object {
	char *bytes;
	size_t size;
	Elf *elf;
	struct btf *btf;
	Elf_Data *symbols; /* of the symbol table */
	size_t symbol_count;
	size_t symbol_names; /* section of their names */
	size_t section_names;
	const char *ops;
	GElf_Sym ops_symbol;
	struct callback callbacks[CALLBACKS_MAX];
	size_t callback_count;
};

static int fail_object(struct ktstr_error *err, const char *why)
{
	return ktstr_fail(err, -EBADMSG, "the BPF object cannot be read: %s", why);
}

static const char *symbol_name(const struct object *object, const GElf_Sym *symbol)
{
	const char *name = elf_strptr(object->elf, object->symbol_names, symbol->st_name);

	return name ? name : "";
}

static const char *section_name(const struct object *object, const GElf_Shdr *header)
{
	const char *name = elf_strptr(object->elf, object->section_names, header->sh_name);

	return name ? name : "";
}

/* The symbol of a variable, and the section that it lies in. */
static int find_symbol(const struct object *object, const char *name, GElf_Sym *ret_symbol,
		       GElf_Shdr *ret_header)
{
	for (size_t i = 0; i < object->symbol_count; i++) {
		Elf_Scn *section;
		GElf_Sym symbol;

		if (!gelf_getsym(object->symbols, (int)i, &symbol) ||
		    GELF_ST_TYPE(symbol.st_info) != STT_OBJECT ||
		    strcmp(symbol_name(object, &symbol), name) != 0)
			continue;
		section = elf_getscn(object->elf, symbol.st_shndx);
		if (!section || !gelf_getshdr(section, ret_header))
			continue;
		*ret_symbol = symbol;
		return 0;
	}
	return -ENOENT;
}

/* The type behind names and qualifiers; *ret_is_volatile when one of them says so. */
static const struct btf_type *plain_type(const struct object *object, uint32_t id,
					 bool *ret_is_volatile)
{
	const struct btf_type *type = btf__type_by_id(object->btf, id);

	for (unsigned int i = 0; type && i < TYPE_DEPTH_MAX; i++) {
		if (!btf_is_mod(type) && !btf_is_typedef(type))
			return type;
		if (btf_is_volatile(type) && ret_is_volatile)
			*ret_is_volatile = true;
		type = btf__type_by_id(object->btf, type->type);
	}
	return NULL;
}

static const struct btf_type *variable_type(const struct object *object, const char *name,
					    bool *ret_is_volatile)
{
	int id = btf__find_by_name_kind(object->btf, name, BTF_KIND_VAR);
	const struct btf_type *variable =
		id > 0 ? btf__type_by_id(object->btf, (uint32_t)id) : NULL;

	const struct btf_type *type =
		variable ? plain_type(object, variable->type, ret_is_volatile) : NULL;
	/* Of an array it is the elements that are. */
	if (type && btf_is_array(type))
		(void)plain_type(object, btf_array(type)->type, ret_is_volatile);
	return type;
}

/* Where the bytes of @size at @symbol lie in the object; NULL: nowhere. */
static char *symbol_bytes(const struct object *object, const GElf_Sym *symbol,
			  const GElf_Shdr *header, uint64_t offset, size_t size)
{
	if (header->sh_type != SHT_PROGBITS || header->sh_offset > object->size ||
	    header->sh_size > object->size - header->sh_offset ||
	    symbol->st_value > header->sh_size ||
	    symbol->st_size > header->sh_size - symbol->st_value || offset > symbol->st_size ||
	    size > symbol->st_size - offset)
		return NULL;
	return object->bytes + header->sh_offset + symbol->st_value + offset;
}

static bool is_number(const struct btf_type *type)
{
	return type && (btf_is_int(type) || btf_is_enum(type) || btf_is_enum64(type)) &&
	       (type->size == 1 || type->size == 2 || type->size == 4 || type->size == 8);
}

/* Can a number of this type hold @value? */
static bool holds(const struct btf_type *type, int64_t value)
{
	unsigned int bits = type->size * 8;
	bool is_signed =
		btf_is_int(type) ? (btf_int_encoding(type) & BTF_INT_SIGNED) != 0 : btf_kflag(type);

	if (btf_is_int(type) && (btf_int_encoding(type) & BTF_INT_BOOL))
		return value == 0 || value == 1;
	if (!is_signed)
		return value >= 0 && (bits == 64 || value < INT64_C(1) << bits);
	return bits == 64 ||
	       (value >= -(INT64_C(1) << (bits - 1)) && value < INT64_C(1) << (bits - 1));
}

static void write_number(char *bytes, size_t size, int64_t value)
{
	const uint8_t u8 = (uint8_t)value;
	const uint16_t u16 = (uint16_t)value;
	const uint32_t u32 = (uint32_t)value;

	if (size == 1)
		memcpy(bytes, &u8, sizeof(u8));
	else if (size == 2)
		memcpy(bytes, &u16, sizeof(u16));
	else if (size == 4)
		memcpy(bytes, &u32, sizeof(u32));
	else
		memcpy(bytes, &value, sizeof(value));
}

/* A variable that can be given a value: its type, and its bytes. */
static int find_settable(struct object *object, const char *variable,
			 const struct btf_type **ret_type, char **ret_bytes, size_t *ret_size,
			 struct ktstr_error *err)
{
	const struct btf_type *type;
	bool is_volatile = false;
	GElf_Shdr header;
	GElf_Sym symbol;
	char *bytes;

	if (find_symbol(object, variable, &symbol, &header) < 0)
		return ktstr_fail(err, -ENOENT, "the BPF object has no variable '%s'", variable);
	type = variable_type(object, variable, &is_volatile);
	if (!type)
		return ktstr_fail(err, -EINVAL, "the BPF object does not tell the type of '%s'",
				  variable);
	if (header.sh_type == SHT_NOBITS)
		return ktstr_fail(err, -EINVAL,
				  "'%s' has no initial value in the BPF object to be replaced; "
				  "make it 'const volatile', or give it one",
				  variable);
	/* The compiler has made use of the value otherwise. */
	if (!(header.sh_flags & SHF_WRITE) && !is_volatile)
		return ktstr_fail(err, -EINVAL,
				  "'%s' of the BPF object is const; make it 'const volatile'",
				  variable);
	bytes = symbol_bytes(object, &symbol, &header, 0, symbol.st_size);
	if (!bytes)
		return fail_object(err, "a variable lies outside of it");
	*ret_type = type;
	*ret_bytes = bytes;
	*ret_size = symbol.st_size;
	return 0;
}

int object_set_int(struct object *object, const char *variable, int64_t value,
		   struct ktstr_error *err)
{
	const struct btf_type *type = NULL;
	char *bytes = NULL;
	size_t size = 0;
	int code = find_settable(object, variable, &type, &bytes, &size, err);

	if (code < 0)
		return code;
	if (!is_number(type) || type->size != size)
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object is no number", variable);
	if (!holds(type, value))
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object cannot hold %lld", variable,
				  (long long)value);
	write_number(bytes, size, value);
	return 0;
}

int object_set_bytes(struct object *object, const char *variable, const void *data, size_t size,
		     struct ktstr_error *err)
{
	const struct btf_type *type = NULL;
	char *bytes = NULL;
	size_t has = 0;
	int code = find_settable(object, variable, &type, &bytes, &has, err);

	if (code < 0)
		return code;
	if (has != size)
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object has %zu bytes, not %zu",
				  variable, has, size);
	memcpy(bytes, data, size);
	return 0;
}

int object_set_text(struct object *object, const char *variable, const char *text,
		    struct ktstr_error *err)
{
	const struct btf_type *type = NULL, *element;
	size_t size = 0, length = strlen(text);
	char *bytes = NULL;
	int code = find_settable(object, variable, &type, &bytes, &size, err);

	if (code < 0)
		return code;
	element = btf_is_array(type) ? plain_type(object, btf_array(type)->type, NULL) : NULL;
	if (!element || !btf_is_int(element) || element->size != 1)
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object is no text", variable);
	if (length >= size)
		return ktstr_fail(err, -EINVAL,
				  "'%s' of the BPF object holds %zu bytes of text, not %zu",
				  variable, size - 1, length);
	memset(bytes, 0, size);
	memcpy(bytes, text, length);
	return 0;
}

/* The member of the ops' struct by name or, without one, by where it begins. */
static const struct btf_member *ops_member(const struct object *object, const char *name,
					   uint64_t offset)
{
	const struct btf_type *type = variable_type(object, object->ops, NULL);
	const struct btf_member *members;

	if (!type || !btf_is_struct(type))
		return NULL;
	members = btf_members(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const char *its = btf__name_by_offset(object->btf, members[i].name_off);

		if (name ? its && strcmp(its, name) == 0
			 : btf_member_bit_offset(type, i) == offset * 8)
			return &members[i];
	}
	return NULL;
}

int object_set_ops(struct object *object, const char *member, int64_t value,
		   struct ktstr_error *err)
{
	const struct btf_member *found = ops_member(object, member, 0);
	const struct btf_type *type;
	GElf_Shdr header;
	GElf_Sym symbol;
	char *bytes;

	if (!found)
		return ktstr_fail(err, -ENOENT, "the ops of the BPF object have no member '%s'",
				  member);
	type = plain_type(object, found->type, NULL);
	if (!is_number(type))
		return ktstr_fail(err, -EINVAL, "the member '%s' of the ops is no number", member);
	if (!holds(type, value))
		return ktstr_fail(err, -EINVAL, "the member '%s' of the ops cannot hold %lld",
				  member, (long long)value);
	if (find_symbol(object, object->ops, &symbol, &header) < 0)
		return fail_object(err, "its ops have no symbol");
	bytes = symbol_bytes(object, &symbol, &header, found->offset / 8, type->size);
	if (!bytes)
		return fail_object(err, "its ops lie outside of it");
	write_number(bytes, type->size, value);
	return 0;
}

int object_find_variable(const struct object *object, const char *variable,
			 struct object_variable *ret_variable, struct ktstr_error *err)
{
	GElf_Shdr header;
	GElf_Sym symbol;
	const char *section;

	if (find_symbol(object, variable, &symbol, &header) < 0)
		return ktstr_fail(err, -ENOENT, "the BPF object has no variable '%s'", variable);
	section = section_name(object, &header);
	if (symbol.st_size > header.sh_size || symbol.st_value > header.sh_size - symbol.st_size)
		return fail_object(err, "a variable lies outside of its section");
	if (strlen(section) >= sizeof(ret_variable->section))
		return ktstr_fail(err, -EINVAL, "the section '%s' of '%s' has too long a name",
				  section, variable);
	*ret_variable =
		(struct object_variable){ .offset = symbol.st_value, .size = symbol.st_size };
	memcpy(ret_variable->section, section, strlen(section));
	return 0;
}

const char *object_member_of(const struct object *object, const char *program)
{
	for (size_t i = 0; i < object->callback_count; i++)
		if (strcmp(object->callbacks[i].program, program) == 0)
			return object->callbacks[i].member;
	return NULL;
}

/* The ops' pointers to programs are relocations against the programs' symbols. */
static void read_callbacks(struct object *object, Elf_Data *relocations, size_t count)
{
	for (size_t i = 0; i < count && object->callback_count < CALLBACKS_MAX; i++) {
		const struct btf_member *member;
		GElf_Sym symbol;
		GElf_Rel rel;

		if (!gelf_getrel(relocations, (int)i, &rel) ||
		    rel.r_offset < object->ops_symbol.st_value ||
		    rel.r_offset - object->ops_symbol.st_value >= object->ops_symbol.st_size ||
		    !gelf_getsym(object->symbols, (int)GELF_R_SYM(rel.r_info), &symbol))
			continue;
		member = ops_member(object, NULL, rel.r_offset - object->ops_symbol.st_value);
		if (!member)
			continue;
		object->callbacks[object->callback_count++] = (struct callback){
			.member = btf__name_by_offset(object->btf, member->name_off),
			.program = symbol_name(object, &symbol),
		};
	}
}

/* The symbol table and the types; what else is in the object does not matter here. */
static int read_sections(struct object *object, struct ktstr_error *err)
{
	Elf_Scn *section = NULL;
	Elf_Data *types = NULL;

	if (elf_getshdrstrndx(object->elf, &object->section_names) < 0)
		return fail_object(err, elf_errmsg(-1));
	while ((section = elf_nextscn(object->elf, section)) != NULL) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header))
			return fail_object(err, elf_errmsg(-1));
		if (header.sh_type == SHT_SYMTAB && header.sh_entsize > 0) {
			object->symbols = elf_getdata(section, NULL);
			object->symbol_count = header.sh_size / header.sh_entsize;
			object->symbol_names = header.sh_link;
		}
		if (strcmp(section_name(object, &header), ".BTF") == 0)
			types = elf_getdata(section, NULL);
	}
	if (!object->symbols)
		return fail_object(err, "it has no symbols");
	if (!types || !types->d_buf || types->d_size > UINT32_MAX)
		return fail_object(err, "it has no types (BTF); build it with -g");
	object->btf = btf__new(types->d_buf, (uint32_t)types->d_size);
	if (!object->btf)
		return fail_object(err, strerror(errno));
	return 0;
}

static int read_ops(struct object *object, struct ktstr_error *err)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	if (find_symbol(object, object->ops, &object->ops_symbol, &header) < 0)
		return ktstr_fail(err, -ENOENT, "the BPF object has no variable '%s'", object->ops);
	if (!ops_member(object, "name", 0))
		return ktstr_fail(err, -EINVAL, "'%s' of the BPF object is no struct sched_ext_ops",
				  object->ops);
	while ((section = elf_nextscn(object->elf, section)) != NULL) {
		GElf_Shdr relocations;
		Elf_Data *data;

		if (!gelf_getshdr(section, &relocations) || relocations.sh_type != SHT_REL ||
		    relocations.sh_info != object->ops_symbol.st_shndx ||
		    relocations.sh_entsize == 0)
			continue;
		data = elf_getdata(section, NULL);
		if (data)
			read_callbacks(object, data, relocations.sh_size / relocations.sh_entsize);
	}
	return 0;
}

int object_new(const void *bytes, size_t size, const char *ops, struct object **ret_object,
	       struct ktstr_error *err)
{
	struct object *object = calloc(1, sizeof(*object));
	int code;

	if (!object)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	object->ops = ops;
	object->bytes = malloc(size ? size : 1);
	if (!object->bytes) {
		code = ktstr_fail(err, -ENOMEM, "out of memory");
		goto free_object;
	}
	memcpy(object->bytes, bytes, size);
	object->size = size;
	(void)elf_version(EV_CURRENT);
	object->elf = elf_memory(object->bytes, size);
	if (!object->elf || elf_kind(object->elf) != ELF_K_ELF) {
		code = fail_object(err, "it is no ELF file");
		goto free_object;
	}
	code = read_sections(object, err);
	if (code == 0)
		code = read_ops(object, err);
	if (code < 0)
		goto free_object;
	*ret_object = object;
	return 0;

free_object:
	object_free(object);
	return code;
}

void object_free(struct object *object)
{
	if (!object)
		return;
	btf__free(object->btf);
	if (object->elf)
		(void)elf_end(object->elf); /* the count of its users */
	free(object->bytes);
	free(object);
}

const void *object_bytes(const struct object *object, size_t *ret_size)
{
	*ret_size = object->size;
	return object->bytes;
}
