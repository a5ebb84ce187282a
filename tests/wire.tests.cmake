unit_test(pb_test USES base text)
