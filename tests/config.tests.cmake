unit_test(config_test USES base config)
fuzz_target(config_fuzz USES base config)
