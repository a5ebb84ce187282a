unit_test(policy_image_test USES base policy)
