# gRPC C core, linked statically: the target grpc_static.
#
# Dynamically it drags in about 80 shared objects, which costs more time and
# memory at the start than all of our own code. Only its plaintext variant is
# taken (no TLS, no xDS): the sidecar serves a unix socket or loopback.
# gRPC, abseil, re2, upb, address_sorting, c-ares and gpr are archives that name
# each other, hence one group. The C++ runtime is nobody else's, and of it too little is
# used to map the whole; libc and zlib stay shared.
include_guard(GLOBAL)

set(BARTIZAN_GRPC_ARCHIVES "")
foreach(name grpc_unsecure gpr address_sorting re2 upb cares)
  find_library(BARTIZAN_${name}_ARCHIVE lib${name}.a REQUIRED)
  list(APPEND BARTIZAN_GRPC_ARCHIVES ${BARTIZAN_${name}_ARCHIVE})
endforeach()

# Whatever abseil archives are installed: the linker takes the members it needs.
get_filename_component(grpc_library_dir ${BARTIZAN_grpc_unsecure_ARCHIVE} DIRECTORY)
file(GLOB grpc_absl_archives ${grpc_library_dir}/libabsl_*.a)
list(FILTER grpc_absl_archives EXCLUDE REGEX "absl_(flags|random_internal_distribution_test_util|scoped_set_env|failure_signal)")
if(NOT grpc_absl_archives)
  message(FATAL_ERROR "grpc_static: no libabsl_*.a beside ${BARTIZAN_grpc_unsecure_ARCHIVE}")
endif()
list(APPEND BARTIZAN_GRPC_ARCHIVES ${grpc_absl_archives})

add_library(grpc_static INTERFACE)
target_link_libraries(grpc_static INTERFACE
  -Wl,--start-group ${BARTIZAN_GRPC_ARCHIVES} -Wl,--end-group z)
if(BARTIZAN_SANITIZE MATCHES thread) # it sees what it intercepts, which is the shared one
  target_link_libraries(grpc_static INTERFACE stdc++)
else()
  target_link_libraries(grpc_static INTERFACE -l:libstdc++.a)
  target_link_options(grpc_static INTERFACE -static-libgcc)
endif()
target_link_libraries(grpc_static INTERFACE m dl rt Threads::Threads)
