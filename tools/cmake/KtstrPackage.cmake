# What others build plugins with: the headers, ktstr.pc, and the CMake package `ktstr`.
include(CMakePackageConfigHelpers)

add_library(ktstr_headers INTERFACE)
add_library(ktstr::headers ALIAS ktstr_headers)
set_target_properties(ktstr_headers PROPERTIES EXPORT_NAME headers)
target_include_directories(ktstr_headers INTERFACE
	$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
	$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ktstr)
configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/ktstrConfig.cmake.in
	${PROJECT_BINARY_DIR}/ktstrConfig.cmake
	INSTALL_DESTINATION ${package_dir} PATH_VARS KTSTR_PLUGINDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ktstrConfigVersion.cmake
	COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
# Relative to the file itself, so that an installation may be moved.
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/ktstr.pc.in ${PROJECT_BINARY_DIR}/ktstr.pc @ONLY)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ktstr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")
install(TARGETS ktstr_headers EXPORT ktstr)
install(EXPORT ktstr NAMESPACE ktstr:: FILE ktstrTargets.cmake DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/ktstrConfig.cmake ${PROJECT_BINARY_DIR}/ktstrConfigVersion.cmake
	${PROJECT_SOURCE_DIR}/tools/cmake/KtstrPlugin.cmake ${PROJECT_SOURCE_DIR}/tools/cmake/KtstrBpf.cmake
	DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/ktstr.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/plugins/skeleton DESTINATION ${CMAKE_INSTALL_DATADIR}/ktstr)
