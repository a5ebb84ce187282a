unit_test(base64url_test USES base text SOURCES support/base64url_encode.c)
unit_test(digest_test USES base text LIBS Threads::Threads)
unit_test(json_test USES base text)

if(COMMAND fuzz_target)
  fuzz_target(json_fuzz USES base text SOURCES support/base64url_encode.c)
endif()
