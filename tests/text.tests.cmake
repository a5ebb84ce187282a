unit_test(base64url_test USES base text)
unit_test(digest_test USES base text LIBS Threads::Threads)
unit_test(json_test USES base text)

if(COMMAND fuzz_target)
  fuzz_target(json_fuzz USES base text)
endif()
