unit_test(config_test USES base config)
if(COMMAND fuzz_target)
  fuzz_target(config_fuzz USES base config)
endif()
