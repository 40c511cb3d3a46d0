if(TARGET ktstr_plugin)
	ktstr_unit_test(job ktstr_plugin)
endif()
