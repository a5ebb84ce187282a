set(test_ca ${CMAKE_CURRENT_SOURCE_DIR}/support/test_ca.c)
set(test_bundles ${test_ca} ${CMAKE_CURRENT_SOURCE_DIR}/support/test_bundles.c)

unit_test(spiffe_id_test USES base policy text identity)
unit_test(xfcc_test USES base policy text identity)
unit_test(pem_test USES base policy text identity)
unit_test(trust_bundle_test USES base policy text identity SOURCES ${test_bundles})
unit_test(x509_svid_test USES base policy text identity SOURCES ${test_bundles})
