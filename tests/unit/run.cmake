ktstr_unit_test(observe ktstr_run)
ktstr_unit_test(run_list ktstr_run)
ktstr_unit_test(run_paths ktstr_run)
ktstr_unit_test(run_needs ktstr_run)
ktstr_unit_test(run_record ktstr_run)
ktstr_unit_test(run_observe ktstr_run)
ktstr_unit_test(run_prepare ktstr_run)
ktstr_unit_test(run_image ktstr_run PkgConfig::ARCHIVE)
target_compile_definitions(test_run_image PRIVATE GUEST_PROGRAM="$<TARGET_FILE:ktstr-guest>")
foreach(name run_prepare run_image)
	target_compile_definitions(test_${name} PRIVATE
		SHIPPED_PLUGIN_DIR="${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}")
	add_dependencies(test_${name} scheduler_eevdf scenario_cpu_hog workload_cpu_spin
		checker_gap checker_starvation checker_isolation)
endforeach()
add_dependencies(test_run_image ktstr-guest)

# This one looks for its parts as the program does: in a tree with the same folders as that of the build.
ktstr_unit_test(run_check ktstr_run)
target_sources(test_run_check PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/runfile_maker.c)
set(place ${CMAKE_BINARY_DIR}/tests/place)
set_target_properties(test_run_check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${place}/${CMAKE_INSTALL_BINDIR})
foreach(folder ${KTSTR_LIBEXECDIR} ${KTSTR_PLUGINDIR})
	cmake_path(GET folder PARENT_PATH above)
	file(MAKE_DIRECTORY ${place}/${above})
	file(CREATE_LINK ${CMAKE_BINARY_DIR}/${folder} ${place}/${folder} SYMBOLIC)
endforeach()
add_dependencies(test_run_check ktstr-judge checker_gap checker_starvation scenario_cpu_hog scheduler_eevdf
	workload_cpu_spin)
