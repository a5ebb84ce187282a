set(BARTIZAN_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Wswitch-enum -Wformat=2 -Wcast-align -Wwrite-strings)
if(BARTIZAN_WERROR)
  list(APPEND BARTIZAN_WARNINGS -Werror)
endif()

add_compile_options(-fno-strict-aliasing -fno-omit-frame-pointer -g
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# Hardening, checked on the finished binary by tests/hardening.
if(NOT BARTIZAN_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
                      -fstack-clash-protection -fcf-protection=full)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-ftrivial-auto-var-init=zero>)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
add_link_options(-pie)

if(BARTIZAN_SANITIZE)
  add_compile_options(-fsanitize=${BARTIZAN_SANITIZE} -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${BARTIZAN_SANITIZE})
endif()
if(BARTIZAN_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
