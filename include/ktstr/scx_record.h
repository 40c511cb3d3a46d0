/* SPDX-License-Identifier: MIT */
/*
 * What a BPF scheduler writes down in ops.exit(), for its user half to read: the one thing that
 * both sides of a BPF object must lay out alike. Included by ktstr/scx.bpf.h and by the library,
 * and so without any other header.
 */
#ifndef KTSTR_SCX_RECORD_H
#define KTSTR_SCX_RECORD_H

#define KTSTR_SCX_REASON_MAX 128
#define KTSTR_SCX_MESSAGE_MAX 1024
/* As the kernel's own default; ops.exit_dump_len above it makes longer dumps, which are cut. */
#define KTSTR_SCX_DUMP_MAX 32768

/* The texts end in NUL. All but @kind is complete before @kind is not zero. */
struct ktstr_scx_record {
	unsigned int size; /* sizeof(struct ktstr_scx_record) when the BPF side was built */
	unsigned int kind; /* KTSTR_SCX_EXIT_ */
	long long exit_code;
	char reason[KTSTR_SCX_REASON_MAX];
	char message[KTSTR_SCX_MESSAGE_MAX];
	char dump[KTSTR_SCX_DUMP_MAX];
};

#endif
