/* SPDX-License-Identifier: GPL-2.0-only */
#include "cpuset_spec.h"

#include <stdlib.h>

#define SPEC_FORMS                                                                                 \
	"use all, llc:0, numa:0, range:0-0.5, disjoint:0/2, overlap:0/2:0.25 or CPUs as in 0-3,5"

uint32_t cpuset_spec_usable(const struct ktstr_topology *topology)
{
	uint32_t cpus = ktstr_topology_cpus(topology);

	return cpus > 2 ? cpus - 1 : cpus;
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

/* CPUs @first up to, not including, @end. */
static void add_range(struct ktstr_cpuset *set, uint32_t first, uint32_t end)
{
	for (uint32_t cpu = first; cpu < end; cpu++)
		ktstr_cpuset_add(set, cpu);
}

/* Take a decimal number off the front of *@text. */
static int number_take(const char **text, uint32_t *ret)
{
	const char *at = *text;
	uint32_t value = 0;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++) {
		/* More than any topology has; large enough to be out of every range. */
		if (value < 100000000)
			value = value * 10 + (uint32_t)(*at - '0');
	}
	*text = at;
	*ret = value;
	return 0;
}

/* Take a plain decimal fraction off the front of *@text: no sign, no exponent, no "nan". */
static int share_take(const char **text, double *ret)
{
	const char *at = *text;
	size_t whole = strspn(at, "0123456789"), part = 0;

	if (at[whole] == '.')
		part = strspn(at + whole + 1, "0123456789") + 1;
	if (whole == 0 || part == 1)
		return -EINVAL;
	*ret = strtod(at, NULL);
	*text = at + whole + part;
	return 0;
}

static int char_take(const char **text, char wanted)
{
	if (**text != wanted)
		return -EINVAL;
	(*text)++;
	return 0;
}

static int malformed(const char *text, struct ktstr_error *err)
{
	return ktstr_fail(err, -EINVAL, "'%s' is no set of CPUs; " SPEC_FORMS, text);
}

static int resolve_all(const char *text, const char *rest, const struct ktstr_topology *topology,
		       struct ktstr_cpuset *set, struct ktstr_error *err)
{
	if (*rest)
		return malformed(text, err);
	add_range(set, 0, ktstr_topology_cpus(topology));
	return 0;
}

static int resolve_llc(const char *text, const char *rest, const struct ktstr_topology *topology,
		       struct ktstr_cpuset *set, struct ktstr_error *err)
{
	uint32_t cpus = topology->cores * topology->threads, llc;

	if (number_take(&rest, &llc) < 0 || *rest)
		return malformed(text, err);
	if (llc >= topology->llcs)
		return ktstr_fail(err, -ERANGE, "%s is out of range: the VM has %u LLC%s", text,
				  topology->llcs, plural(topology->llcs));
	add_range(set, llc * cpus, (llc + 1) * cpus);
	return 0;
}

static int resolve_numa(const char *text, const char *rest, const struct ktstr_topology *topology,
			struct ktstr_cpuset *set, struct ktstr_error *err)
{
	uint32_t cpus, node;

	if (number_take(&rest, &node) < 0 || *rest)
		return malformed(text, err);
	if (node >= topology->numa_nodes)
		return ktstr_fail(err, -ERANGE, "%s is out of range: the VM has %u NUMA node%s",
				  text, topology->numa_nodes, plural(topology->numa_nodes));
	cpus = ktstr_topology_cpus(topology) / topology->numa_nodes;
	add_range(set, node * cpus, (node + 1) * cpus);
	return 0;
}

static int resolve_range(const char *text, const char *rest, const struct ktstr_topology *topology,
			 struct ktstr_cpuset *set, struct ktstr_error *err)
{
	uint32_t usable = cpuset_spec_usable(topology);
	double from, to;

	if (share_take(&rest, &from) < 0 || char_take(&rest, '-') < 0 ||
	    share_take(&rest, &to) < 0 || *rest)
		return malformed(text, err);
	if (!(from < to && to <= 1))
		return ktstr_fail(err, -EINVAL,
				  "%s is no range: the shares must grow and end at 1 at most",
				  text);
	add_range(set, (uint32_t)(usable * from), (uint32_t)(usable * to));
	if (!ktstr_cpuset_count(set))
		return ktstr_fail(err, -ERANGE, "%s holds no CPU: the VM has %u usable CPU%s", text,
				  usable, plural(usable));
	return 0;
}

/* "I/N", the head of disjoint and overlap: what part, and how many CPUs a part has. */
static int part_take(const char *text, const char **rest, uint32_t usable, uint32_t *ret_index,
		     uint32_t *ret_of, struct ktstr_error *err)
{
	if (number_take(rest, ret_index) < 0 || char_take(rest, '/') < 0 ||
	    number_take(rest, ret_of) < 0)
		return malformed(text, err);
	if (*ret_of == 0)
		return ktstr_fail(err, -EINVAL, "%s asks for no parts at all", text);
	if (*ret_index >= *ret_of)
		return ktstr_fail(err, -EINVAL, "%s is out of range: parts run from 0 to %u", text,
				  *ret_of - 1);
	if (usable < *ret_of)
		return ktstr_fail(err, -ERANGE,
				  "%s cannot be shared out: the VM has %u usable CPU%s", text,
				  usable, plural(usable));
	return 0;
}

static int resolve_disjoint(const char *text, const char *rest,
			    const struct ktstr_topology *topology, struct ktstr_cpuset *set,
			    struct ktstr_error *err)
{
	uint32_t usable = cpuset_spec_usable(topology), index, of, chunk;
	int code;

	code = part_take(text, &rest, usable, &index, &of, err);
	if (code < 0)
		return code;
	if (*rest)
		return malformed(text, err);
	chunk = usable / of;
	add_range(set, index * chunk, index == of - 1 ? usable : (index + 1) * chunk);
	return 0;
}

static int resolve_overlap(const char *text, const char *rest,
			   const struct ktstr_topology *topology, struct ktstr_cpuset *set,
			   struct ktstr_error *err)
{
	uint32_t usable = cpuset_spec_usable(topology), index, of, chunk, reach, first, end;
	double share;
	int code;

	code = part_take(text, &rest, usable, &index, &of, err);
	if (code < 0)
		return code;
	if (char_take(&rest, ':') < 0 || share_take(&rest, &share) < 0 || *rest)
		return malformed(text, err);
	if (share > 1)
		return ktstr_fail(err, -EINVAL, "%s reaches too far: the share must be 0 to 1",
				  text);
	chunk = usable / of;
	reach = (uint32_t)(chunk * share);
	first = index == 0 ? 0 : index * chunk - reach;
	end = (index + 1) * chunk + reach;
	if (index == of - 1 || end > usable)
		end = usable;
	add_range(set, first, end);
	return 0;
}

static int resolve_exact(const char *text, const struct ktstr_topology *topology,
			 struct ktstr_cpuset *set, struct ktstr_error *err)
{
	uint32_t cpus = ktstr_topology_cpus(topology), first, last;
	const char *rest = text;

	do {
		if (number_take(&rest, &first) < 0)
			return malformed(text, err);
		last = first;
		if (char_take(&rest, '-') == 0 && number_take(&rest, &last) < 0)
			return malformed(text, err);
		if (first > last)
			return ktstr_fail(err, -EINVAL, "'%s': the range %u-%u runs backwards",
					  text, first, last);
		if (last >= cpus)
			return ktstr_fail(err, -ERANGE, "'%s': the VM has no CPU %u, only 0-%u",
					  text, last, cpus - 1);
		add_range(set, first, last + 1);
	} while (char_take(&rest, ',') == 0);
	return *rest ? malformed(text, err) : 0;
}

static const struct {
	const char *prefix;
	int (*resolve)(const char *text, const char *rest, const struct ktstr_topology *topology,
		       struct ktstr_cpuset *set, struct ktstr_error *err);
} forms[] = {
	{ "all", resolve_all },
	{ "llc:", resolve_llc },
	{ "numa:", resolve_numa },
	{ "range:", resolve_range },
	{ "disjoint:", resolve_disjoint },
	{ "overlap:", resolve_overlap },
};

int cpuset_spec_resolve(const char *text, const struct ktstr_topology *topology,
			struct ktstr_cpuset *ret, struct ktstr_error *err)
{
	struct ktstr_cpuset set = { 0 };
	int code = 1;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && code > 0; i++) {
		size_t length = strlen(forms[i].prefix);

		if (strncmp(text, forms[i].prefix, length) == 0)
			code = forms[i].resolve(text, text + length, topology, &set, err);
	}
	if (code > 0)
		code = resolve_exact(text, topology, &set, err);
	if (code == 0)
		*ret = set;
	return code;
}
