unit_test(policy_image_test USES base policy)
unit_test(image_check_test USES base policy)
unit_test(image_differential_test USES base policy SOURCES support/policy_generator.c support/decision_text.c)
fuzz_target(policy_image_fuzz USES base policy analysis)
