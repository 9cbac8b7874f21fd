# libhvshim.a and libhvshim.so with their symbol map, and how others find them.

find_package(Threads REQUIRED)
get_property(parts GLOBAL PROPERTY HVSHIM_PARTS)
set(objects)
foreach(part ${parts})
  list(APPEND objects $<TARGET_OBJECTS:${part}>)
endforeach()

set(public_headers ${PROJECT_SOURCE_DIR}/hvshim/include ${PROJECT_SOURCE_DIR}/translators/include)
if(HVSHIM_TOOLS)
  list(APPEND public_headers ${PROJECT_SOURCE_DIR}/host-backends/kvm/include)
endif()

add_library(hvshim_static STATIC ${objects})
add_library(hvshim_shared SHARED ${objects})
set(symbol_map ${PROJECT_SOURCE_DIR}/hvshim/hvshim.map)
target_link_options(hvshim_shared PRIVATE -Wl,--version-script=${symbol_map} -Wl,--no-undefined)
set_target_properties(hvshim_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${symbol_map})
foreach(form static shared)
  set_target_properties(hvshim_${form} PROPERTIES OUTPUT_NAME hvshim EXPORT_NAME ${form})
  foreach(directory ${public_headers})
    target_include_directories(hvshim_${form} PUBLIC $<BUILD_INTERFACE:${directory}>)
  endforeach()
  target_include_directories(hvshim_${form} PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(hvshim_${form} PUBLIC Threads::Threads)
  add_library(hvshim::${form} ALIAS hvshim_${form})
endforeach()

include(CMakePackageConfigHelpers)
# Relative, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/hvshim.pc.in hvshim.pc @ONLY)
write_basic_package_version_file(hvshim-config-version.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS hvshim_static hvshim_shared EXPORT hvshim)
install(EXPORT hvshim NAMESPACE hvshim:: FILE hvshim-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hvshim)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/hvshim-config.cmake ${PROJECT_BINARY_DIR}/hvshim-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hvshim)
install(FILES ${PROJECT_BINARY_DIR}/hvshim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
foreach(directory ${public_headers})
  install(DIRECTORY ${directory}/hvshim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()
