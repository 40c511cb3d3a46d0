ktstr_unit_test(yaml ktstr_config)
ktstr_unit_test(scenario_file ktstr_config)
ktstr_unit_test(plugin_ref ktstr_config)
ktstr_unit_test(expect ktstr_config)
