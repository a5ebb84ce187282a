unit_test(policy_seal_test USES base policy)
fuzz_target(policy_seal_fuzz USES base policy)
