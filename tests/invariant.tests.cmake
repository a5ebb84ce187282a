unit_test(invariant_test USES base policy)
