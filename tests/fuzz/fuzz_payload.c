/* SPDX-License-Identifier: GPL-2.0-only */
/* Payloads of frames: every decoder sees every input. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/frame.h"
#include "wire/payload.h"
#include "wire/types.h"

static void decode_fixed(const uint8_t *data, size_t size)
{
	struct ktstr_snapshot_request request;
	struct ktstr_scenario_end scenario_end;
	struct ktstr_stimulus stimulus;
	struct ktstr_kern_addrs addrs;
	struct ktstr_stream_end end;
	int32_t number;

	FUZZ_REQUIRE((wire_decode_stimulus(data, size, &stimulus) == 0) == (size >= 24));
	FUZZ_REQUIRE((wire_decode_kern_addrs(data, size, &addrs) == 0) == (size == 24));
	FUZZ_REQUIRE((wire_decode_stream_end(data, size, &end) == 0) == (size == 24));
	FUZZ_REQUIRE((wire_decode_i32(data, size, &number) == 0) == (size >= 4));
	FUZZ_REQUIRE((wire_decode_scenario_end(data, size, &scenario_end) == 0) ==
		     (size == 8 || size >= 16));
	if (wire_decode_snapshot_request(data, size, &request) == 0)
		FUZZ_REQUIRE(size == 72 && request.request_id && request.kind);
}

/* Whatever the lengths in it say, the text ends and cannot drive a terminal. */
static void check_text(int rc, const char *text, size_t size)
{
	if (rc != 0)
		return;
	FUZZ_REQUIRE(memchr(text, '\0', size));
	for (; *text; text++)
		FUZZ_REQUIRE(*text == '\n' || *text == '\t' || (unsigned char)*text >= 0x20);
}

static void decode_with_text(const uint8_t *data, size_t size)
{
	struct ktstr_test_result result;
	struct ktstr_cgroup_info cgroup;
	struct ktstr_error_info error;
	struct ktstr_step_info step;
	char text[40];

	check_text(wire_decode_error(data, size, &error, text, sizeof(text)), text, sizeof(text));
	check_text(wire_decode_test_result(data, size, &result, text, sizeof(text)), text,
		   sizeof(text));
	check_text(wire_decode_step(data, size, &step, text, sizeof(text)), text, sizeof(text));
	check_text(wire_decode_cgroup(data, size, &cgroup, text, sizeof(text)), text, sizeof(text));
}

static void decode_header(const uint8_t *data, size_t size)
{
	struct ktstr_frame_header header;
	uint8_t bytes[WIRE_HEADER_SIZE];
	char tag[5];

	if (size < WIRE_HEADER_SIZE)
		return;
	wire_header_decode(data, &header);
	wire_tag_text(header.msg_type, tag);
	FUZZ_REQUIRE(strlen(tag) == 4);
	wire_header_encode(header.msg_type, data, (uint32_t)size, bytes);
	FUZZ_REQUIRE(memcmp(bytes, data, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_fixed(data, size);
	decode_with_text(data, size);
	decode_header(data, size);
	if (size)
		FUZZ_REQUIRE(wire_phase_name(data[0]) != NULL);
	return 0;
}
