if(TARGET ktstr_plugin)
	ktstr_fuzz_target(plugin ktstr_plugin)
endif()
