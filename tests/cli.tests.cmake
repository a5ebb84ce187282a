unit_test(admin_client_test USES base cli)
unit_test(request_read_test USES base proto cli)
fuzz_target(request_read_fuzz USES base proto cli)
fuzz_target(admin_answer_fuzz USES base cli)
