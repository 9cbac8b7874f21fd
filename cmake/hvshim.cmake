# What every target of the project shares.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

add_library(hvshim_flags INTERFACE)
target_compile_options(hvshim_flags INTERFACE
  -Wall -Wextra -Wshadow -Wundef -Wswitch-enum -Wvla -fno-common -fvisibility=hidden
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes -Wstrict-prototypes>)

# A part of libhvshim: an object library.
function(hvs_library_part name)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE hvshim_flags)
  set_property(GLOBAL APPEND PROPERTY HVSHIM_PARTS ${name})
endfunction()

# A part in freestanding C: the core and the translators.
function(hvs_freestanding_part name)
  hvs_library_part(${name} ${ARGN})
  target_link_libraries(${name} PUBLIC hvshim_core_headers hvshim_translators_headers)
  target_compile_options(${name} PRIVATE -ffreestanding -mgeneral-regs-only)
  set_property(GLOBAL APPEND PROPERTY HVSHIM_FREESTANDING ${name})
endfunction()

# A cmocka test on the mock backend: hvs_unit_test(name SOURCE...). May include the headers beside its subject.
function(hvs_unit_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE hvshim_flags hvshim_mock hvshim_static cmocka)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
