ktstr_unit_test(node ktstr_param)
ktstr_unit_test(bind ktstr_param)
ktstr_unit_test(params_check ktstr_param)
