/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ask apt for packages of Debian's development release, with lists and caches of our own. The
 * host's apt and dpkg state is neither changed nor, but for its mirror and its proxy settings,
 * looked at. Works for any user. apt verifies all of it with Debian's archive keys.
 */
#ifndef VM_KERNEL_APT_H
#define VM_KERNEL_APT_H

#include <stddef.h>

#include "ktstr/error.h"

struct kernel_apt {
	char *folder; /* ours */
	char *option; /* "-c=FILE", the first argument of every call */
	const char *suite;
	const char *keyring;
	const char *architecture;
};

struct kernel_package {
	char *version;
	char *source;
	char *sha256;
	char **depends; /* names, the first of each alternative; ended by NULL */
};

/*
 * Prepare @folder. @keyring NULL: Debian's, where its package puts it. -ENOENT when there is no
 * apt-get or no keyring.
 */
int kernel_apt_init(struct kernel_apt *apt, const char *folder, const char *keyring,
		    const char *architecture, struct ktstr_error *err);
void kernel_apt_done(struct kernel_apt *apt);

/* Read the lists anew from @mirror. */
int kernel_apt_update(const struct kernel_apt *apt, const char *mirror, struct ktstr_error *err);

/* The mirror that the host itself uses, or Debian's own; the caller frees. NULL: no memory. */
char *kernel_apt_mirror(void);
#define KERNEL_APT_DEBIAN "http://deb.debian.org/debian"

int kernel_apt_show(const struct kernel_apt *apt, const char *package, struct kernel_package *ret,
		    struct ktstr_error *err);
void kernel_package_done(struct kernel_package *package);

/* Parse what "apt-cache show" prints; -EBADMSG without a text when it has no version. */
int kernel_package_parse(const char *text, struct kernel_package *ret);

/*
 * Download one package; its path goes to @ret_path (the caller frees), and is valid until the next
 * call.
 */
int kernel_apt_download(const struct kernel_apt *apt, const char *package, char **ret_path,
			struct ktstr_error *err);

#endif
