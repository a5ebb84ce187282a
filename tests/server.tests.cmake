set(world ${CMAKE_CURRENT_LIST_DIR}/support/world.c ${CMAKE_CURRENT_LIST_DIR}/support/world_issuer.c
  ${CMAKE_CURRENT_LIST_DIR}/support/test_ca.c ${CMAKE_CURRENT_LIST_DIR}/support/test_tokens.c
  ${CMAKE_CURRENT_LIST_DIR}/support/check_request_builder.c)
set(world_floors base policy observe text wire identity assurance journal config state authz)

unit_test(snapshot_test USES ${world_floors} SOURCES ${world} LIBS proto)
unit_test(reload_test USES ${world_floors} SOURCES ${world} LIBS proto)
unit_test(request_facts_test USES ${world_floors})
unit_test(shadow_log_test USES ${world_floors})
unit_test(check_test USES ${world_floors} proto SOURCES ${world})
unit_test(bypass_test USES ${world_floors} SOURCES ${world} LIBS proto)
unit_test(check_allocation_test USES ${world_floors} SOURCES ${world} LIBS proto)
target_link_options(check_allocation_test PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
unit_test(worker_pool_test USES base server LIBS Threads::Threads)
unit_test(compile_form_test USES base policy server)
unit_test(compile_broker_test USES base server)
if(COMMAND fuzz_target)
  fuzz_target(compile_form_fuzz USES base policy server)
endif()
