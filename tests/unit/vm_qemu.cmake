foreach(name base_store qemu_argv qmp initramfs vm guest_memory registers gdbstub vm_qemu)
	ktstr_unit_test(${name} ktstr_vm)
endforeach()

add_executable(fake_qemu fake_qemu.c)
target_link_libraries(fake_qemu PRIVATE PkgConfig::JANSSON)
set_target_properties(fake_qemu PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(test_vm fake_qemu)
target_compile_definitions(test_vm PRIVATE FAKE_QEMU="$<TARGET_FILE:fake_qemu>")
