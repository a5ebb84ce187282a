unit_test(invariant_test USES base policy)
unit_test(invariant_sound_test USES base policy SOURCES support/policy_generator.c)
