# How this project's own code is compiled. Nothing here is for users of the installed headers.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# The build tree is laid out as the installed tree is, so that a program finds its parts the same way in both.
set(KTSTR_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/ktstr)
set(KTSTR_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/ktstr)
set(KTSTR_SCENARIODIR ${CMAKE_INSTALL_DATADIR}/ktstr/scenarios)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${CMAKE_INSTALL_BINDIR})

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wwrite-strings -Wpointer-arith -Walloca
	-Wformat=2 -Wimplicit-fallthrough -fno-strict-aliasing -fno-omit-frame-pointer)
if(KTSTR_WERROR)
	add_compile_options(-Werror)
endif()
if(KTSTR_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
	add_link_options(-fsanitize=address,undefined)
endif()
if(KTSTR_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# One module of core/: a static library ktstr_<name>, whose headers are included as "<name>/x.h".
#   ktstr_module(wire SOURCES frame.c DEPENDS ktstr_base ZLIB::ZLIB)
function(ktstr_module name)
	cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
	add_library(ktstr_${name} STATIC ${ARG_SOURCES})
	target_include_directories(ktstr_${name} PUBLIC ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR}/include)
	target_compile_options(ktstr_${name} PRIVATE -include ${PROJECT_SOURCE_DIR}/core/base/banned.h)
	target_link_libraries(ktstr_${name} PUBLIC ${ARG_DEPENDS})
	set_property(GLOBAL APPEND PROPERTY KTSTR_MODULES ${name})
endfunction()
