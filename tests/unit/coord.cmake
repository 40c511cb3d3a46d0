ktstr_unit_test(assembler ktstr_coord)
ktstr_unit_test(watchdog ktstr_coord)
ktstr_unit_test(stats ktstr_run)
# Frames and the sinks that they reach.
foreach(test dispatch dispatch_seeds dispatch_requests)
	ktstr_unit_test(${test} ktstr_coord)
	target_sources(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/outcome.c)
endforeach()
# The whole loop, with a script as VM.
foreach(test coord coord_ends coord_records coord_virtual)
	ktstr_unit_test(${test} ktstr_coord)
	target_sources(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/fake_vm.c
		${PROJECT_SOURCE_DIR}/tests/support/coord_fixture.c)
endforeach()
# The same, with a VM that can be stopped and looked into.
foreach(test requests freeze watch)
	ktstr_unit_test(${test} ktstr_coord)
	target_sources(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/fake_vm.c
		${PROJECT_SOURCE_DIR}/tests/support/coord_fixture.c ${PROJECT_SOURCE_DIR}/tests/support/host_vm.c)
endforeach()
