# The library for schedulers that carry BPF, as far as it can be tested without a kernel of its own.
if(KTSTR_BPF_MISSING)
	return()
endif()

ktstr_bpf_object(scx_sample.bpf.c $<TARGET_PROPERTY:ktstr::headers,INTERFACE_INCLUDE_DIRECTORIES> scx_sample)
foreach(name scx_object scx_record scx_log)
	ktstr_unit_test(${name} ktstr_scx)
	target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/plugins)
endforeach()
set_source_files_properties(test_scx_object.c PROPERTIES OBJECT_DEPENDS ${scx_sample})
target_compile_definitions(test_scx_object PRIVATE KTSTR_SCX_OBJECT_FILE="${scx_sample}")
