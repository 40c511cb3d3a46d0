ktstr_unit_test(verdict ktstr_judge)
ktstr_unit_test(verdict_expect ktstr_judge)
ktstr_unit_test(evidence ktstr_judge)
ktstr_unit_test(evidence_scx ktstr_judge)
ktstr_unit_test(protocol ktstr_judge)
ktstr_unit_test(judge ktstr_judge)
ktstr_unit_test(judge_result ktstr_judge)
target_sources(test_verdict_expect PRIVATE expected_run.c)
foreach(name evidence evidence_scx judge)
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/runfile_maker.c)
endforeach()

# Plugins that misbehave, for the judge alone: nothing else finds them.
foreach(plugin bad judged)
	add_library(judge_${plugin} MODULE judge/${plugin}.c)
	target_include_directories(judge_${plugin} PRIVATE ${PROJECT_SOURCE_DIR}/include)
	set_target_properties(judge_${plugin} PROPERTIES PREFIX "" OUTPUT_NAME ${plugin} SUFFIX .so
		LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/judge)
endforeach()
add_dependencies(test_judge ktstr-judge judge_bad judge_judged)
target_compile_definitions(test_judge PRIVATE
	KTSTR_JUDGE="$<TARGET_FILE:ktstr-judge>"
	BAD_CHECKER="$<TARGET_FILE:judge_bad>"
	JUDGED_SCENARIO="$<TARGET_FILE:judge_judged>"
	IS_SANITIZED=$<BOOL:${KTSTR_SANITIZE}>)
