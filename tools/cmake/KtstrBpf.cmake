# One scheduler plugin that carries BPF:
#
#   ktstr_add_bpf_scheduler(<name> SOURCES a.c [b.c ...] BPF a.bpf.c [LIBS lib ...])
#
# makes <name>.so as ktstr_add_plugin() does, with the object that clang makes of the BPF source inside, and the
# library that loads it. Projects outside of ktstr get the same function from find_package(ktstr).
#
# KTSTR_BPF_CLANG is the compiler (any clang from 14 on with the bpf target), KTSTR_BPF_FLAGS what it gets besides.
# Where that or libbpf is missing, KTSTR_BPF_MISSING says what. ktstr's own schedulers are left out then, and a file
# <name>.missing in the place of each lets `ktstr plugins` say so; for a project outside it is an error.

find_program(KTSTR_BPF_CLANG NAMES clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14
	DOC "clang that compiles for the bpf target")
find_program(KTSTR_BPF_STRIP NAMES llvm-strip llvm-strip-19 llvm-strip-18 llvm-strip-17 llvm-strip-16 llvm-strip-15
	llvm-strip-14 DOC "llvm-strip, which makes BPF objects smaller")
set(KTSTR_BPF_FLAGS "" CACHE STRING "More flags for the compilation of BPF")
mark_as_advanced(KTSTR_BPF_CLANG KTSTR_BPF_STRIP KTSTR_BPF_FLAGS)

function(ktstr_bpf_flags ret_flags)
	set(flags -target bpf -mcpu=v3 -O2 -g -Wall -Wno-unused-parameter)
	# The headers of the kernel's ABI that depend on the machine.
	if(CMAKE_LIBRARY_ARCHITECTURE)
		list(APPEND flags -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
	endif()
	if(KTSTR_WERROR)
		list(APPEND flags -Werror)
	endif()
	separate_arguments(more UNIX_COMMAND "${KTSTR_BPF_FLAGS}")
	set(${ret_flags} ${flags} ${more} PARENT_SCOPE)
endfunction()

# What is missing to build them: "" or half a sentence.
function(ktstr_bpf_check ret_missing)
	set(source ${CMAKE_BINARY_DIR}/CMakeFiles/ktstr_bpf_check.bpf.c)
	set(${ret_missing} "" PARENT_SCOPE)
	if(NOT KTSTR_BPF_CLANG)
		set(${ret_missing} "no clang was found" PARENT_SCOPE)
		return()
	endif()
	ktstr_bpf_flags(flags)
	file(WRITE ${source} "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint x;\n")
	execute_process(COMMAND ${KTSTR_BPF_CLANG} ${flags} -c ${source} -o ${source}.o
		RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
	if(status)
		string(REGEX MATCH "error: [^\n]*" why "${output}")
		set(${ret_missing} "'${KTSTR_BPF_CLANG}' does not compile for the bpf target: ${why}" PARENT_SCOPE)
		return()
	endif()
	find_library(KTSTR_BPF_LIBRARY bpf)
	find_library(KTSTR_ELF_LIBRARY elf)
	mark_as_advanced(KTSTR_BPF_LIBRARY KTSTR_ELF_LIBRARY)
	if(NOT KTSTR_BPF_LIBRARY OR NOT KTSTR_ELF_LIBRARY)
		set(${ret_missing} "libbpf or libelf was not found" PARENT_SCOPE)
	endif()
endfunction()

ktstr_bpf_check(KTSTR_BPF_MISSING)
if(NOT KTSTR_BPF_MISSING AND TARGET ktstr::headers AND NOT TARGET ktstr::scx)
	set(KTSTR_BPF_MISSING "this ktstr was built without clang or libbpf")
endif()

# <source>.o of a BPF source, in the build folder of the calling directory.
function(ktstr_bpf_object source include ret_object)
	get_filename_component(path ${source} ABSOLUTE)
	get_filename_component(file ${source} NAME)
	set(object ${CMAKE_CURRENT_BINARY_DIR}/${file}.o)
	ktstr_bpf_flags(flags)
	if(KTSTR_BPF_STRIP)
		set(strip COMMAND ${KTSTR_BPF_STRIP} -g ${object})
	endif()
	add_custom_command(OUTPUT ${object}
		COMMAND ${KTSTR_BPF_CLANG} ${flags} "-I$<JOIN:${include},;-I>" -MD -MF ${object}.d -MT ${object}
			-c ${path} -o ${object}
		${strip}
		DEPENDS ${path} DEPFILE ${object}.d COMMAND_EXPAND_LISTS VERBATIM
		COMMENT "Building BPF object ${file}.o")
	set(${ret_object} ${object} PARENT_SCOPE)
endfunction()

function(ktstr_add_bpf_scheduler name)
	cmake_parse_arguments(ARG "" "BPF" "SOURCES;LIBS" ${ARGN})
	if(NOT ARG_SOURCES OR NOT ARG_BPF OR ARG_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "ktstr_add_bpf_scheduler(${name}): needs SOURCES and BPF, and may have LIBS")
	endif()
	set(note ${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}/schedulers/${name}.missing)
	if(KTSTR_BPF_MISSING AND NOT TARGET ktstr_headers)
		message(FATAL_ERROR "ktstr_add_bpf_scheduler(${name}): ${KTSTR_BPF_MISSING}")
	elseif(KTSTR_BPF_MISSING)
		message(STATUS "scheduler ${name} is left out: ${KTSTR_BPF_MISSING}")
		if(NOT KTSTR_PLUGIN_NO_INSTALL)
			file(WRITE ${note} "${KTSTR_BPF_MISSING} when ktstr was built\n")
			file(REMOVE ${CMAKE_BINARY_DIR}/${KTSTR_PLUGINDIR}/schedulers/${name}.so)
			install(FILES ${note} DESTINATION ${KTSTR_PLUGINDIR}/schedulers)
		endif()
		return()
	elseif(TARGET ktstr_headers)
		file(REMOVE ${note})
	endif()
	ktstr_bpf_object(${ARG_BPF} $<TARGET_PROPERTY:ktstr::headers,INTERFACE_INCLUDE_DIRECTORIES> object)
	ktstr_add_plugin(${name} KIND scheduler SOURCES ${ARG_SOURCES} LIBS ktstr::scx ${ARG_LIBS})
	# The object is read by the assembler, which the compiler's own list of dependencies does not tell.
	set_source_files_properties(${ARG_SOURCES} PROPERTIES OBJECT_DEPENDS ${object})
	target_compile_definitions(scheduler_${name} PRIVATE KTSTR_SCX_OBJECT_FILE="${object}")
endfunction()
