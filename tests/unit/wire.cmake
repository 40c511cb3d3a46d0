ktstr_unit_test(wire ktstr_wire)
