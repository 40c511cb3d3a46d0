# One plugin:
#
#   ktstr_add_plugin(<name> KIND scheduler|scenario|workload|checker SOURCES a.c [b.c ...] [LIBS lib ...])
#
# makes <name>.so, a target called <kind>_<name>, and an install rule for it. Projects outside of ktstr get the
# same function from find_package(ktstr).
#
# Where the file lies:
#   in ktstr's own tree  <build>/${KTSTR_PLUGINDIR}/<kind>s/<name>.so, where the built `ktstr` looks
#   outside              <build>/plugins/<kind>s/<name>.so, for `ktstr --plugin-dir <build>/plugins`
# It is installed to ${KTSTR_PLUGINDIR}/<kind>s: outside, that is the folder of the ktstr that was found, unless
# the cache says otherwise. A folder that sets KTSTR_PLUGIN_NO_INSTALL gets its plugins in its own build folder,
# under <kind>s, and nothing installed.
#
# The global property KTSTR_PLUGIN_TARGETS names every target made here.

function(ktstr_add_plugin name)
	cmake_parse_arguments(ARG "" "KIND" "SOURCES;LIBS" ${ARGN})
	set(kinds scheduler scenario workload checker)
	if(NOT ARG_KIND IN_LIST kinds)
		message(FATAL_ERROR "ktstr_add_plugin(${name}): KIND must be one of: ${kinds}")
	endif()
	if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "ktstr_add_plugin(${name}): needs KIND and SOURCES, and may have LIBS")
	endif()
	string(LENGTH "${name}" length)
	if(NOT name MATCHES "^[a-z][a-z0-9_]*$" OR length GREATER 31)
		message(FATAL_ERROR "ktstr_add_plugin(${name}): a name is [a-z][a-z0-9_]*, at most 31 long")
	endif()

	set(target ${ARG_KIND}_${name})
	add_library(${target} MODULE ${ARG_SOURCES})
	target_link_libraries(${target} PRIVATE ktstr::headers ${ARG_LIBS})
	target_compile_features(${target} PRIVATE c_std_11)
	# One exported symbol, whatever static libraries are linked; nothing left to be found at run time.
	target_link_options(${target} PRIVATE -Wl,-z,now -Wl,-z,relro -Wl,--build-id=sha1 -Wl,--exclude-libs,ALL)
	if(NOT KTSTR_SANITIZE AND NOT "${CMAKE_C_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS}" MATCHES "-fsanitize")
		target_link_options(${target} PRIVATE -Wl,-z,defs)
	endif()

	if(KTSTR_PLUGIN_NO_INSTALL)
		set(folder ${CMAKE_CURRENT_BINARY_DIR}/${ARG_KIND}s)
	elseif(TARGET ktstr_headers)
		set(folder ${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}/${ARG_KIND}s)
	else()
		set(folder ${CMAKE_BINARY_DIR}/plugins/${ARG_KIND}s)
	endif()
	set_target_properties(${target} PROPERTIES
		PREFIX "" SUFFIX ".so" OUTPUT_NAME ${name} NO_SONAME ON
		LIBRARY_OUTPUT_DIRECTORY ${folder}
		C_VISIBILITY_PRESET hidden
		POSITION_INDEPENDENT_CODE ON)
	if(NOT KTSTR_PLUGIN_NO_INSTALL)
		install(TARGETS ${target} LIBRARY DESTINATION ${KTSTR_PLUGINDIR}/${ARG_KIND}s)
	endif()
	set_property(GLOBAL APPEND PROPERTY KTSTR_PLUGIN_TARGETS ${target})
endfunction()
