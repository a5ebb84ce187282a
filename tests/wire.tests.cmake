unit_test(pb_test USES base text)
unit_test(check_request_test USES base policy text wire proto
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/check_request_builder.c
          ${CMAKE_CURRENT_LIST_DIR}/support/check_request_oracle.c)
unit_test(check_response_test USES base policy wire proto)
unit_test(check_metadata_test USES base policy text wire)
unit_test(request_body_test USES base policy resource)
fuzz_target(check_request_fuzz USES base policy text wire proto
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/check_request_oracle.c)
fuzz_target(check_metadata_fuzz USES base policy wire)
fuzz_target(request_body_fuzz USES base policy text resource)
