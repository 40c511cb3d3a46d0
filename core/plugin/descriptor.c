/* SPDX-License-Identifier: GPL-2.0-only */
#include "plugin/descriptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ktstr/checker.h"
#include "ktstr/scenario.h"
#include "param/table.h"
#include "plugin/image.h"

#define TEXT_MAX 4096u
#define ROWS_MAX 20000u /* of all tables together */
#define CHOICES_MAX 256u
#define OPS_SIZE_MAX 4096u
#define WANTS_MAX 1024u
#define DEPTH_MAX 16u

struct descriptor_block {
	struct descriptor_block *next;
	uint64_t address; /* of the table that is copied here; 0: of none */
	_Alignas(16) unsigned char bytes[];
};

struct rebuild {
	const struct image *image;
	struct descriptor *descriptor;
	size_t rows;
	uint32_t row_size;
	struct ktstr_error *err;
};

static int damaged(struct rebuild *r, const char *what)
{
	return ktstr_fail(r->err, -EINVAL, "'%s' is damaged (%s cannot be read); build it again",
			  r->image->path, what);
}

/* Memory that lives as long as the descriptor, zeroed. */
static void *keep(struct rebuild *r, size_t size, uint64_t address)
{
	struct descriptor_block *block = calloc(1, sizeof(*block) + size);

	if (!block) {
		(void)ktstr_fail(r->err, -ENOMEM, "out of memory"); /* the caller returns it */
		return NULL;
	}
	block->address = address;
	block->next = r->descriptor->blocks;
	r->descriptor->blocks = block;
	return block->bytes;
}

/* The table copied from @address, or NULL. Tables may point at each other in a circle. */
static void *kept(const struct rebuild *r, uint64_t address)
{
	for (struct descriptor_block *block = r->descriptor->blocks; block; block = block->next)
		if (block->address == address)
			return block->bytes;
	return NULL;
}

/* The text that the pointer at @address leads to; *ret is NULL when it is NULL. */
static int rebuild_text(struct rebuild *r, uint64_t address, const char *what, const char **ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t pointer;
	char *copy;

	*ret = NULL;
	if (!image_pointer(r->image, address, &pointer))
		return damaged(r, what);
	if (pointer == 0)
		return 0;
	text = image_read_text(r->image, pointer, TEXT_MAX);
	if (!text)
		return damaged(r, what);
	copy = keep(r, strlen(text) + 1, 0);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, strlen(text) + 1);
	*ret = copy;
	return 0;
}

static int rebuild_choices(struct rebuild *r, uint64_t address, const char *const **ret)
{
	const char **copy;
	uint64_t table;
	int rc;

	*ret = NULL;
	if (!image_pointer(r->image, address, &table))
		return damaged(r, "a parameter's choices");
	if (table == 0)
		return 0;
	copy = keep(r, (CHOICES_MAX + 1) * sizeof(*copy), 0);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	for (size_t i = 0; i < CHOICES_MAX; i++) {
		rc = rebuild_text(r, table + i * sizeof(uint64_t), "a parameter's choice",
				  &copy[i]);
		if (rc < 0 || !copy[i])
			return rc;
	}
	return damaged(r, "the end of a parameter's choices");
}

static int rebuild_table(struct rebuild *r, uint64_t address, size_t max_rows, unsigned int depth,
			 const struct ktstr_param **ret);

static int rebuild_row(struct rebuild *r, uint64_t address, unsigned int depth,
		       struct ktstr_param *ret)
{
	const struct ktstr_param *fields = NULL;
	const char *const *choices = NULL;
	struct ktstr_param row = { 0 };
	uint64_t table;
	int rc;

	if (!image_read(r->image, address, &row,
			r->row_size < sizeof(row) ? r->row_size : sizeof(row)) ||
	    !image_pointer(r->image, address + offsetof(struct ktstr_param, fields), &table))
		return damaged(r, "its parameter table");
	rc = rebuild_text(r, address + offsetof(struct ktstr_param, key), "a parameter's key",
			  &row.key);
	if (rc == 0)
		rc = rebuild_text(r, address + offsetof(struct ktstr_param, help),
				  "a parameter's help", &row.help);
	if (rc == 0)
		rc = rebuild_text(r, address + offsetof(struct ktstr_param, fallback),
				  "a parameter's fallback", &row.fallback);
	if (rc == 0)
		rc = rebuild_choices(r, address + offsetof(struct ktstr_param, choices), &choices);
	if (rc == 0 && table != 0)
		rc = rebuild_table(r, table, row.type == KTSTR_PARAM_LIST ? 1 : ROWS_MAX, depth + 1,
				   &fields);
	if (rc < 0)
		return rc;
	row.choices = choices;
	row.fields = fields;
	memset(row.reserved, 0, sizeof(row.reserved));
	*ret = row;
	return 0;
}

/* How many rows a table has before the one without a key; the first @max count. */
static int count_rows(struct rebuild *r, uint64_t address, size_t max, size_t *ret)
{
	uint64_t key;

	for (size_t i = 0; i < max; i++) {
		if (!image_pointer(r->image, address + i * r->row_size, &key))
			return damaged(r, "its parameter table");
		if (key == 0) {
			*ret = i;
			return 0;
		}
	}
	*ret = max;
	return max < ROWS_MAX ? 0 : damaged(r, "the end of its parameter table");
}

static int rebuild_table(struct rebuild *r, uint64_t address, size_t max_rows, unsigned int depth,
			 const struct ktstr_param **ret)
{
	/* Tables are aligned: the low bit tells the one row of a list from the table it is in. */
	uint64_t mark = address | (max_rows == 1);
	char *rows = kept(r, mark);
	size_t count = 0;
	int rc = 0;

	if (!rows) {
		rc = depth > DEPTH_MAX ? damaged(r, "the depth of its parameter tables")
				       : count_rows(r, address, max_rows, &count);
		if (rc < 0)
			return rc;
		r->rows += count;
		if (r->rows > ROWS_MAX)
			return damaged(r, "so large a parameter table");
		rows = keep(r, (count + 1) * r->row_size, mark);
		if (!rows)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct ktstr_param row = { 0 };

		rc = rebuild_row(r, address + i * r->row_size, depth, &row);
		/* A row may be shorter than the host's struct. */
		memcpy(rows + i * r->row_size, &row,
		       r->row_size < sizeof(row) ? r->row_size : sizeof(row));
	}
	*ret = (const struct ktstr_param *)(void *)rows;
	return rc;
}

static int rebuild_wants(struct rebuild *r, struct ktstr_checker_ops *ops)
{
	uint64_t address = (uint64_t)(uintptr_t)ops->wants;
	uint32_t *copy;

	ops->wants = NULL;
	if (address == 0 || ops->wants_count == 0)
		return 0;
	if (ops->wants_count > WANTS_MAX)
		return damaged(r, "the frames that it wants");
	copy = keep(r, ops->wants_count * sizeof(*copy), 0);
	if (!copy)
		return -ENOMEM;
	if (!image_read(r->image, address, copy, ops->wants_count * sizeof(*copy)))
		return damaged(r, "the frames that it wants");
	ops->wants = copy;
	return 0;
}

/* A copy of an ops table: pointers as they will be relative to the load address, so that those that
 * are set differ from NULL. At least as long as the host's own struct, whatever its size says. */
static int rebuild_ops(struct rebuild *r, uint64_t address, uint32_t kind, const void **ret)
{
	struct ktstr_scenario_ops *scenario;
	uint32_t size;
	char *copy;
	int rc = 0;

	*ret = NULL;
	if (address == 0)
		return 0;
	if (!image_read(r->image, address, &size, sizeof(size)))
		return damaged(r, "its ops table");
	copy = keep(r, OPS_SIZE_MAX, 0);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	if (size < sizeof(uint64_t) || size > OPS_SIZE_MAX) {
		memcpy(copy, &size, sizeof(size));
		return 0;
	}
	if (!image_read(r->image, address, copy, size))
		return damaged(r, "its ops table");
	for (uint32_t at = sizeof(uint64_t); at + sizeof(uint64_t) <= size;
	     at += sizeof(uint64_t)) {
		uint64_t pointer;

		if (!image_pointer(r->image, address + at, &pointer))
			return damaged(r, "its ops table");
		memcpy(copy + at, &pointer, sizeof(pointer));
	}
	if (kind == KTSTR_KIND_CHECKER)
		return rebuild_wants(r, (struct ktstr_checker_ops *)(void *)copy);
	scenario = (struct ktstr_scenario_ops *)(void *)copy;
	if (kind == KTSTR_KIND_SCENARIO && KTSTR_HAS(scenario, judgement)) {
		const void *judgement;

		rc = rebuild_ops(r, (uint64_t)(uintptr_t)scenario->judgement, KTSTR_KIND_CHECKER,
				 &judgement);
		scenario->judgement = rc == 0 ? judgement : NULL;
	}
	return rc;
}

/* Everything behind the 16 bytes that never change. */
static int rebuild_rest(struct rebuild *r, uint64_t address)
{
	struct ktstr_plugin *plugin = &r->descriptor->plugin;
	uint64_t params, ops;
	const void *copy;
	int rc;

	if (!image_read(r->image, address + offsetof(struct ktstr_plugin, param_size),
			&plugin->param_size, sizeof(plugin->param_size)) ||
	    !image_pointer(r->image, address + offsetof(struct ktstr_plugin, params), &params) ||
	    !image_pointer(r->image, address + offsetof(struct ktstr_plugin, ops), &ops))
		return damaged(r, "its descriptor");
	rc = rebuild_text(r, address + offsetof(struct ktstr_plugin, name), "its name",
			  &plugin->name);
	if (rc == 0)
		rc = rebuild_text(r, address + offsetof(struct ktstr_plugin, version),
				  "its version", &plugin->version);
	if (rc == 0)
		rc = rebuild_text(r, address + offsetof(struct ktstr_plugin, summary),
				  "its summary", &plugin->summary);
	if (rc == 0)
		rc = rebuild_text(r, address + offsetof(struct ktstr_plugin, license),
				  "its licence", &plugin->license);
	if (rc == 0)
		rc = rebuild_ops(r, ops, plugin->kind, &copy);
	if (rc < 0)
		return rc;
	plugin->ops = copy;
	/* Rows of an impossible size are for plugin_check() to refuse: any non-NULL table does. */
	r->row_size = plugin->param_size < PARAM_STRIDE_MIN ||
				      plugin->param_size > PARAM_STRIDE_MAX ||
				      plugin->param_size % sizeof(void *) != 0
			      ? 0
			      : plugin->param_size;
	if (params != 0 && r->row_size == 0)
		plugin->params = keep(r, sizeof(struct ktstr_param), 0);
	else if (params != 0)
		rc = rebuild_table(r, params, ROWS_MAX, 0, &plugin->params);
	return rc;
}

static int rebuild_all(struct rebuild *r)
{
	struct ktstr_plugin *plugin = &r->descriptor->plugin;
	const size_t frozen = offsetof(struct ktstr_plugin, name);
	Elf64_Sym symbol;

	if (!image_symbol(r->image, KTSTR_PLUGIN_SYMBOL, &symbol))
		return ktstr_fail(r->err, -EINVAL,
				  "'%s' does not export '" KTSTR_PLUGIN_SYMBOL
				  "'; end one of its files with KTSTR_PLUGIN_DEFINE",
				  r->image->path);
	if (!image_read(r->image, symbol.st_value, plugin, frozen))
		return damaged(r, "its descriptor");
	if (plugin->magic != KTSTR_PLUGIN_MAGIC || plugin->abi_major != KTSTR_ABI_MAJOR ||
	    plugin->size < KTSTR_PLUGIN_SIZE_1_0)
		return 0;
	return rebuild_rest(r, symbol.st_value);
}

int descriptor_read(const char *path, struct descriptor **ret, struct ktstr_error *err)
{
	struct rebuild r = { .err = err };
	struct image *image;
	int rc;

	rc = image_open_shared(path, &image, err);
	if (rc < 0)
		return rc;
	r.image = image;
	r.descriptor = calloc(1, sizeof(*r.descriptor));
	rc = r.descriptor ? image_relocate(image, err) : ktstr_fail(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = rebuild_all(&r);
	image_free(image);
	if (rc < 0) {
		descriptor_free(r.descriptor);
		return rc;
	}
	*ret = r.descriptor;
	return 0;
}

void descriptor_free(struct descriptor *descriptor)
{
	struct descriptor_block *next;

	if (!descriptor)
		return;
	for (struct descriptor_block *block = descriptor->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(descriptor);
}
