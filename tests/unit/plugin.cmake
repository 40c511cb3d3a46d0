ktstr_unit_test(plugin ktstr_plugin)
