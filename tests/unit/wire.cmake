ktstr_unit_test(wire ktstr_wire)
ktstr_unit_test(wire_payload ktstr_wire)
ktstr_unit_test(wire_requests ktstr_wire)
ktstr_unit_test(wire_sched ktstr_wire)
ktstr_unit_test(guest_clock ktstr_wire)

# The same tests with zlib's CRC, whichever library the build takes: its object comes before the archive's.
add_executable(test_wire_zlib test_wire.c ${PROJECT_SOURCE_DIR}/core/wire/crc_zlib.c)
target_link_libraries(test_wire_zlib PRIVATE ktstr_wire ZLIB::ZLIB PkgConfig::CRITERION)
target_include_directories(test_wire_zlib PRIVATE ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR}/include
	${PROJECT_SOURCE_DIR}/tests)
set_target_properties(test_wire_zlib PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME unit.wire_zlib COMMAND test_wire_zlib --jobs 1 --verbose=1)
set_tests_properties(unit.wire_zlib PROPERTIES
	FAIL_REGULAR_EXPRESSION "${KTSTR_TEST_FAIL_REGEX}" TIMEOUT 120 LABELS unit)
