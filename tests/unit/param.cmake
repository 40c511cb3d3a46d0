foreach(name node scalar source bind bind_nested params_check)
	ktstr_unit_test(${name} ktstr_param)
endforeach()
