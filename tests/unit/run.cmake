ktstr_unit_test(run_list ktstr_run)
ktstr_unit_test(run_paths ktstr_run)
ktstr_unit_test(run_needs ktstr_run)
ktstr_unit_test(run_record ktstr_run)
ktstr_unit_test(run_observe ktstr_run)
ktstr_unit_test(run_prepare ktstr_run)
target_compile_definitions(test_run_prepare PRIVATE
	SHIPPED_PLUGIN_DIR="${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}")
add_dependencies(test_run_prepare scheduler_eevdf scenario_cpu_hog workload_cpu_spin
	checker_gap checker_starvation checker_isolation)
