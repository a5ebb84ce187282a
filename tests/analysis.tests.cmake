unit_test(analysis_test USES base policy analysis SOURCES support/policy_generator.c)
