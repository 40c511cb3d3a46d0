ktstr_unit_test(wire ktstr_wire)
ktstr_unit_test(wire_requests ktstr_wire)
