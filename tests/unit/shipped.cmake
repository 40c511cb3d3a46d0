# The plugins that ship, driven through their descriptors as the agent and the judge drive them.
set(shipped_plugins scheduler_eevdf scheduler_exec scheduler_kernel workload_cpu_spin workload_bursty workload_yield_heavy workload_futex_pingpong
	scenario_cpu_hog scenario_steps checker_starvation checker_fairness checker_gap checker_isolation)

function(shipped_test name)
	ktstr_unit_test(${name} ${ARGN} ${CMAKE_DL_LIBS})
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/shipped.c)
	target_compile_definitions(test_${name} PRIVATE
		SHIPPED_PLUGIN_DIR="${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}"
		SHIPPED_SCENARIO_DIR="${CMAKE_BINARY_DIR}/${KTSTR_SCENARIODIR}")
	add_dependencies(test_${name} ${shipped_plugins})
endfunction()

foreach(name checkers checker_rules)
	shipped_test(${name})
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/court.c)
endforeach()
shipped_test(workloads)
shipped_test(eevdf)
target_sources(test_eevdf PRIVATE ${PROJECT_SOURCE_DIR}/plugins/schedulers/sched_ext_state.c)
target_include_directories(test_eevdf PRIVATE ${PROJECT_SOURCE_DIR}/plugins)

ktstr_unit_test(cpuset_spec)
target_sources(test_cpuset_spec PRIVATE ${PROJECT_SOURCE_DIR}/plugins/scenarios/cpuset_spec.c)
target_include_directories(test_cpuset_spec PRIVATE ${PROJECT_SOURCE_DIR}/plugins)

set(exec_sources exec_command.c child.c sched_ext_watch.c sched_ext_state.c)
foreach(name exec kernel_file)
	shipped_test(${name} ktstr_config ktstr_param ktstr_base)
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/shipped_bind.c)
	target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
endforeach()
list(TRANSFORM exec_sources PREPEND ${PROJECT_SOURCE_DIR}/plugins/schedulers/)
target_sources(test_exec PRIVATE ${exec_sources})
target_sources(test_kernel_file PRIVATE ${PROJECT_SOURCE_DIR}/plugins/schedulers/kernel_file.c)

foreach(name cpu_hog steps)
	shipped_test(${name} ktstr_config ktstr_param ktstr_base)
	target_sources(test_${name} PRIVATE
		${PROJECT_SOURCE_DIR}/tests/unit/recorder.c ${PROJECT_SOURCE_DIR}/tests/unit/shipped_bind.c)
endforeach()
shipped_test(scenario_files ktstr_config ktstr_plugin ktstr_param ktstr_base)
if(NOT KTSTR_BPF_MISSING)
	add_dependencies(test_scenario_files scheduler_scx_fifo scheduler_scx_lostwake scheduler_scx_vtime checker_scx_alive checker_scx_exit)
endif()
