/* SPDX-License-Identifier: GPL-2.0-only */
/* The services that ask the host about the kernel, as in ktstr/guest.h. */
#ifndef GUEST_SERVICES_KERNEL_H
#define GUEST_SERVICES_KERNEL_H

#include <stdint.h>

#include "guest/request.h"
#include "ktstr/guest.h"

int services_snapshot(struct requester *requester, const char *tag,
		      const struct ktstr_kernel_range *ranges, uint32_t count,
		      struct ktstr_error *err);
int services_watch(struct requester *requester, const char *symbol, struct ktstr_error *err);
int services_kernel_read(struct requester *requester, const char *tag, uint32_t mode,
			 const struct ktstr_kernel_range *ranges, uint32_t count,
			 struct ktstr_error *err);
int services_kernel_write(struct requester *requester, const char *tag, uint32_t mode,
			  const struct ktstr_kernel_range *ranges, uint32_t count,
			  struct ktstr_error *err);

#endif
