/* SPDX-License-Identifier: GPL-2.0-only */
/* What the Kconfig files of a kernel say of an option, as far as it tells why one is not set. */
#ifndef VM_KERNEL_BUILD_KCONFIG_H
#define VM_KERNEL_BUILD_KCONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Set @name, zero the rest, and call kconfig_facts_done() whatever comes back. */
struct kconfig_fact {
	const char *name;     /* "SCHED_CLASS_EXT" */
	bool is_known;	      /* there is such an option, for x86 */
	bool has_prompt;      /* it is for choosing */
	size_t choice;	      /* of several that exclude each other the same number; 0: none */
	struct str depends;   /* conditions that all must hold, one a line */
	struct str selectors; /* options that turn it on, one a line */
};

/* Read the Kconfig files of @tree for x86 and fill in @facts. 0, -ENOMEM, or -ENOENT when there is
 * no Kconfig. */
int kconfig_look_up(const char *tree, struct kconfig_fact *facts, size_t count);
void kconfig_facts_done(struct kconfig_fact *facts, size_t count);

/*
 * Does the condition @text ("A && !B || C >= 122") hold in the config @config? Of what cannot be
 * told, such as a macro, it is assumed that it does.
 */
bool kconfig_holds(const char *text, const char *config);

/* Append those parts of @text, joined by &&, that do not hold, separated by ", ". 0 or -ENOMEM. */
int kconfig_add_unmet(const char *text, const char *config, struct str *out);

#endif
