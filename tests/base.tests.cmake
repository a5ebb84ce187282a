unit_test(arena_test USES base)
unit_test(rfc3339_test USES base)
unit_test(utf8_test USES base)
unit_test(folder_file_test USES base)
