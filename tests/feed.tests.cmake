set(feed_floors base policy observe text identity assurance config pki state feed)

unit_test(workload_endpoint_test USES base config)
unit_test(feed_stamp_test USES base policy text identity config state)
unit_test(backoff_test USES feed)
unit_test(workload_message_test USES ${feed_floors})
unit_test(feed_files_test USES ${feed_floors} SOURCES ${CMAKE_CURRENT_LIST_DIR}/support/test_ca.c LIBS OpenSSL::Crypto)

fuzz_target(workload_message_fuzz USES ${feed_floors})
fuzz_target(feed_stamp_fuzz USES base policy text identity config state)
