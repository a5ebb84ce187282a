unit_test(certificate_issue_test USES base policy text identity pki LIBS OpenSSL::Crypto)
