ktstr_unit_test(str ktstr_base)
ktstr_unit_test(io ktstr_base)
ktstr_unit_test(log ktstr_base)
ktstr_unit_test(progress ktstr_base)
