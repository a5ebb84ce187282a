unit_test(authorization_test USES base policy text assurance)
unit_test(jwks_test USES base policy text assurance SOURCES support/test_tokens.c LIBS OpenSSL::Crypto)
unit_test(jwt_verify_test USES base policy text assurance
  SOURCES support/test_tokens.c support/test_issuers.c LIBS OpenSSL::Crypto Threads::Threads)
unit_test(token_cache_test USES base policy text assurance
  SOURCES support/test_tokens.c support/test_issuers.c LIBS OpenSSL::Crypto)
unit_test(wycheproof_jose_test USES base policy text assurance
  SOURCES support/test_issuers.c LIBS PkgConfig::JANSSON)
unit_test(jose_interop_test USES base policy text assurance SOURCES support/test_issuers.c)

if(COMMAND fuzz_target)
  fuzz_target(jwks_fuzz USES base policy text assurance)
  fuzz_target(jwt_verify_fuzz USES base policy text assurance
    SOURCES support/test_tokens.c support/test_issuers.c LIBS OpenSSL::Crypto)
endif()
