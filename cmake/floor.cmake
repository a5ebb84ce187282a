# A floor is a folder with one static library. Its headers are seen only by what
# names it in USES; a floor may use only floors of a lower level. The list of
# floor() calls is the architecture diagram.
#
#   floor(NAME LEVEL n SOURCES ... USES ... LIBS ...)
set_property(GLOBAL PROPERTY BARTIZAN_FLOORS "")

function(floor name)
  cmake_parse_arguments(F "" "LEVEL" "SOURCES;USES;LIBS" ${ARGN})
  if(F_UNPARSED_ARGUMENTS OR NOT DEFINED F_LEVEL)
    message(FATAL_ERROR "floor(${name}): LEVEL is required; unknown: ${F_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} STATIC ${F_SOURCES})
  set_target_properties(${name} PROPERTIES FLOOR_LEVEL ${F_LEVEL} FLOOR_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BARTIZAN_WARNINGS} -iquote${CMAKE_CURRENT_SOURCE_DIR})
  foreach(used IN LISTS F_USES)
    if(NOT TARGET ${used})
      message(FATAL_ERROR "floor(${name}) uses ${used}, which is not declared above it")
    endif()
    get_target_property(level ${used} FLOOR_LEVEL)
    if(NOT level LESS F_LEVEL)
      message(FATAL_ERROR "floor(${name}) of level ${F_LEVEL} may not use ${used} of level ${level}")
    endif()
  endforeach()
  floor_use(${name} ${F_USES})
  target_link_libraries(${name} PUBLIC ${F_LIBS})
  set_property(GLOBAL APPEND PROPERTY BARTIZAN_FLOORS ${name})
endfunction()

# Lets `target` see the headers of the named floors, and links them.
function(floor_use target)
  foreach(used IN LISTS ARGN)
    get_target_property(dir ${used} FLOOR_DIR)
    target_compile_options(${target} PRIVATE -iquote${dir})
    target_link_libraries(${target} PUBLIC ${used})
  endforeach()
endfunction()
