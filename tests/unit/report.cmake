ktstr_unit_test(table ktstr_report)
ktstr_unit_test(meta ktstr_report)
ktstr_unit_test(live ktstr_report)
ktstr_unit_test(report ktstr_report)
target_sources(test_report PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/run_fixture.c)
# Literals stand where the program has texts of its own.
foreach(name meta report)
	target_compile_options(test_${name} PRIVATE -Wno-write-strings)
endforeach()
