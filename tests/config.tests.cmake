unit_test(config_test USES base policy text config)
fuzz_target(config_fuzz USES base policy config)
