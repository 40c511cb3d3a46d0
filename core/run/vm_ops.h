/* SPDX-License-Identifier: GPL-2.0-only */
/* What the coordinator may ask of a VM, over a struct vm. */
#ifndef RUN_VM_OPS_H
#define RUN_VM_OPS_H

#include "coord/coord.h"

extern const struct coord_vm_ops run_vm_ops;

#endif
