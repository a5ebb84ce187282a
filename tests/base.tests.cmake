unit_test(arena_test USES base)
