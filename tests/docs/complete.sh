#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The man pages and the program know the same words: commands, options, exit codes and environment variables in
# ktstr(1); keys of the scenario file, plugins, their parameters and defaults in ktstr-scenario(5); frames in wire.md.
#   complete.sh KTSTR SOURCE_DIR
set -euo pipefail

program=$1
source=$2
page1=$source/docs/ktstr.1
page5=$source/docs/ktstr-scenario.5
bad=0
checks=0
declare -A known=() # words that ktstr-scenario(5) may describe
unset KTSTR_PLUGIN_PATH

complain() {
	printf '%s\n' "$*"
	bad=1
}

# has TEXT REGEX MESSAGE...
has() {
	checks=$((checks + 1))
	grep -qE -- "$2" <<<"$1" || complain "${@:3}"
}

# The lines of the section of `ktstr help` that begins with "$1:".
help_section() {
	"$program" help | sed -n "/^$1:\$/,/^\$/{/^  /p}"
}

# Long options in a help text.
long_options() {
	sed -n '/^options:$/,/^$/s/^  .\{0,4\}--\([a-z-]*\).*/\1/p'
}

check_ktstr_1() {
	local page commands command option options code variable
	page=$(<"$page1")
	mapfile -t commands < <(help_section commands | awk '{ print $1 }')
	options=$("$program" help | long_options)
	for command in "${commands[@]}"; do
		has "$page" "^\\.It Cm $command( |\$)" "$page1 does not describe the command '$command'"
		[[ $command == help ]] || options+=$'\n'$("$program" help "$command" | long_options)
	done
	options=$(sort -u <<<"$options")
	for option in $options; do
		has "$page" "^\\.It (.* )?Fl -$option( |\$)" "$page1 does not describe the option --$option"
	done
	while read -r option; do
		grep -qxF -- "$option" <<<"$options" || complain "$page1 describes --$option, which there is not"
	done < <(sed -n 's/^\.It .*Fl -\([a-z-]\{2,\}\).*/\1/p' "$page1")
	while read -r code; do
		has "$page" "^\\.It $code\$" "$page1 does not describe the exit status $code"
	done < <(help_section 'exit status' | awk '{ print $1 }')
	while read -r variable; do
		has "$page" "^\\.It Ev $variable\$" "$page1 does not describe the environment variable $variable"
	done < <(grep -rhoE 'getenv\("[A-Z_]+"' "$source/core" | sed 's/.*"\(.*\)"/\1/' | sort -u)
}

# The part of ktstr-scenario(5) about plugin $1: its item, and the section of its name when there is one.
about_plugin() {
	awk -v item=".It Ic $1" -v section=".Sh ${1^^}" -v names="$2" '
		BEGIN { split(names, list, " "); for (i in list) plugin[".It Ic " list[i]] = 1 }
		/^\.Sh / { on = in_section = $0 == section }
		/^\.Ss / && !in_section { on = 0 }
		!in_section && $0 in plugin { on = $0 == item }
		on
	' "$page5"
}

# What $1 says of the key $2, wherever it stands.
about_key() {
	awk -v key="$2" '
		/^\.(It|El|Bl)/ { on = $0 ~ "^\\.It Ic " key "( |$)" }
		on
	' <<<"$1"
}

check_plugins() {
	local json names name key fallback text
	json=$("$program" plugins --output json)
	names=$(jq -r '[.plugins[].name] | join(" ")' <<<"$json")
	[[ -n $names ]] || complain "$program lists no plugins"
	for name in $names; do
		known[$name]=1
		has "$(about_plugin "$name" "$names")" "^\\.It Ic $name\$" "$page5 does not describe the plugin '$name'"
	done
	while IFS=$'\t' read -r name key fallback; do
		known[$key]=1
		text=$(about_key "$(about_plugin "$name" "$names")" "$key")
		has "$text" . "$page5 does not describe the parameter '$key' of '$name'"
		[[ -z $fallback ]] || has "$text" "(^|[ (;])$fallback([ ,.);]|\$)" \
			"$page5 does not say that '$key' of '$name' is $fallback by default"
	done < <(jq -r '.plugins[] | .name as $name | .params[] |
		[$name, (.key | sub("(\\[\\])+$"; "") | sub(".*[.]"; "")), .fallback // ""] | @tsv' <<<"$json")
}

check_keys() {
	local key page
	page=$(<"$page5")
	while read -r key; do
		known[$key]=1
		has "$page" "^\\.It Ic $key( |\$)" "$page5 does not describe the key '$key'"
	done < <(
		grep -hoE '\.key = "[a-z_]+"' "$source"/core/config/{scenario,expect}.c | cut -d'"' -f2 | grep -vx checker
		sed -n '/other_keys\[\] =/,/;/p' "$source/core/config/scenario.c" | grep -oE '"[a-z]+"' | tr -d '"'
	)
}

# Words that the page describes and nobody knows.
check_stale() {
	local word
	# What a plugin that was left out knows cannot be asked for.
	[[ $("$program" plugins --output json | jq '[.plugins[] | select(.refused)] | length') == 0 ]] || return 0
	while read -r word; do
		[[ -n ${known[$word]:-} ]] || complain "$page5 describes '$word', which there is not"
	done < <(sed -n 's/^\.It Ic \([a-z_]*\).*/\1/p' "$page5")
}

check_wire() {
	local page name tag
	page=$(<"$source/docs/wire.md")
	while read -r name tag; do
		has "$page" "^\\| \`$tag\` \\| $name \\| " "docs/wire.md does not describe the frame $name, '$tag'"
	done < <(tr -d '\\\n' <"$source/include/ktstr/frame.h" | grep -oE 'KTSTR_MSG_[A-Z_]+\s+KTSTR_TAG\([^)]*\)' |
		sed -E "s/KTSTR_MSG_(\w+)\s+KTSTR_TAG/\1 /; s/[(),']//g; s/ (.) (.) (.) (.)\$/ \1\2\3\4/")
}

check_ktstr_1
check_plugins
check_wire
check_keys
check_stale
((checks > 60)) || complain "only $checks checks were made"
printf '%d checks\n' "$checks"
exit "$bad"
