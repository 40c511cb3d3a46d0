# Kernels, KVM and memory. Some of these work on small files that look like kernels.
function(kernel_test name)
	ktstr_unit_test(${name} ktstr_vm)
	target_sources(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/fake_kernel.c)
endfunction()

ktstr_unit_test(command ktstr_vm)
ktstr_unit_test(memory ktstr_vm)
kernel_test(kernel)
kernel_test(kernel_fetch)
kernel_test(kernel_image)
kernel_test(kvm)
