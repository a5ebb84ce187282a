unit_test(admin_client_test USES base cli)
unit_test(request_read_test USES base proto cli)
