/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A BPF object before it is loaded: a copy of its bytes, in which variables and members of struct
 * sched_ext_ops are given other values. It is done in the bytes because old libbpf has no way to
 * the ops before they are loaded, and because what is written is then the same with any libbpf.
 */
#ifndef SCX_OBJECT_H
#define SCX_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktstr/error.h"

struct object;

/* Where a variable lies. */
struct object_variable {
	char section[32]; /* also the name of libbpf's map: ".bss", ".data.mine" */
	size_t offset;
	size_t size;
};

/* Copy @size bytes at @bytes and read them. @ops names the struct sched_ext_ops. -EBADMSG for what
 * is no BPF object; -ENOENT without such a variable. To be freed by object_free(). */
int object_new(const void *bytes, size_t size, const char *ops, struct object **ret_object,
	       struct ktstr_error *err);

/* NULL is fine. */
void object_free(struct object *object);

/* The bytes as they are now; the object's. */
const void *object_bytes(const struct object *object, size_t *ret_size);

/* As in ktstr/scx.h. */
int object_set_int(struct object *object, const char *variable, int64_t value,
		   struct ktstr_error *err);
int object_set_bytes(struct object *object, const char *variable, const void *data, size_t size,
		     struct ktstr_error *err);
int object_set_text(struct object *object, const char *variable, const char *text,
		    struct ktstr_error *err);
int object_set_ops(struct object *object, const char *member, int64_t value,
		   struct ktstr_error *err);

int object_find_variable(const struct object *object, const char *variable,
			 struct object_variable *ret_variable, struct ktstr_error *err);

/* Which member of the ops does @program implement? NULL: none. Valid as long as @object. */
const char *object_member_of(const struct object *object, const char *program);

#endif
