ktstr_unit_test(job ktstr_plugin)
