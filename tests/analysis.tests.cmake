unit_test(analysis_test USES base policy analysis SOURCES support/policy_generator.c)
unit_test(fmt_test USES base policy analysis SOURCES support/policy_generator.c)
fuzz_target(fmt_fuzz USES base policy analysis)
