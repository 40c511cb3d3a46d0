ktstr_unit_test(job ktstr_plugin)

ktstr_unit_test(out_of_memory ktstr_config ktstr_plugin)
foreach(function malloc calloc realloc reallocarray strdup strndup)
	target_link_options(test_out_of_memory PRIVATE -Wl,--wrap=${function})
endforeach()
