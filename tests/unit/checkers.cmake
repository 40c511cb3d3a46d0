# Checkers whose evidence or rules are their own.
foreach(name shares scx_life scx_figures)
	shipped_test(${name})
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/court.c)
	add_dependencies(test_${name} checker_shares checker_scx_alive checker_scx_exit checker_scx_events checker_verifier)
endforeach()

ktstr_unit_test(share_model)
target_sources(test_share_model PRIVATE ${PROJECT_SOURCE_DIR}/plugins/checkers/share_model.c)
target_include_directories(test_share_model PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
