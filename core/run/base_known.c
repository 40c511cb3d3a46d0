/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/base_known.h"

#include <errno.h>

#include "base/cleanup.h"

static int known(const struct run_base_spec *spec, const char *store, const char *key, char **ret,
		 struct ktstr_error *err)
{
	uint32_t nodes = spec->prepared->spec->vm.topology.numa_nodes;
	struct base base;
	int rc;

	base_init(&base);
	rc = base_open(store, key, nodes, &base, err);
	if (rc == 0 && base_id(&base, ret) < 0)
		*ret = NULL; /* it is being replaced */
	base_done(&base);
	return rc == -ENOMEM ? rc : 0;
}

int run_base_known(const struct run_base_spec *spec, char **ret_booted, char **ret_attached,
		   struct ktstr_error *err)
{
	_cleanup_free_ char *store = run_base_store();
	_cleanup_free_ char *booted_key = NULL;
	_cleanup_free_ char *attached_key = NULL;
	_cleanup_free_ char *booted = NULL;
	int rc;

	*ret_booted = *ret_attached = NULL;
	if (spec->prepared->spec->vm.topology.numa_nodes > BASE_NODES_MAX || !store ||
	    run_base_bytes_max() == 0)
		return 0;
	rc = run_base_keys(spec, &booted_key, &attached_key, err);
	if (rc == 0)
		rc = known(spec, store, booted_key, &booted, err);
	if (rc == 0)
		rc = known(spec, store, attached_key, ret_attached, err);
	if (rc == 0)
		*ret_booted = steal_ptr(booted);
	return rc;
}
