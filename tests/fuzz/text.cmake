ktstr_fuzz_target(yaml ktstr_config)
ktstr_fuzz_target(node ktstr_plugin)
ktstr_fuzz_target(payload ktstr_wire)
