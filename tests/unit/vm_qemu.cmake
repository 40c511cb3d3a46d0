foreach(name base_store qemu_argv qmp initramfs vm vm_hold vm_save guest_memory registers gdbstub vm_qemu)
	ktstr_unit_test(${name} ktstr_vm)
endforeach()

add_executable(fake_qemu fake_qemu.c)
target_link_libraries(fake_qemu PRIVATE PkgConfig::JANSSON)
set_target_properties(fake_qemu PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
foreach(name vm vm_hold vm_save)
	add_dependencies(test_${name} fake_qemu)
	target_compile_definitions(test_${name} PRIVATE FAKE_QEMU="$<TARGET_FILE:fake_qemu>")
endforeach()
ktstr_unit_test(kernel_symbols ktstr_vm)

# The gate stands before every sanitizer's own library, which would not have it.
ktstr_unit_test(qemu_gate)
add_executable(gate_subject gate_subject.c)
target_compile_options(gate_subject PRIVATE -fno-sanitize=all)
target_link_options(gate_subject PRIVATE -fno-sanitize=all)
set_target_properties(gate_subject PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(test_qemu_gate gate_subject ktstr-qemu-gate)
target_compile_definitions(test_qemu_gate PRIVATE GATE_SUBJECT="$<TARGET_FILE:gate_subject>"
	QEMU_GATE="$<TARGET_FILE:ktstr-qemu-gate>")
