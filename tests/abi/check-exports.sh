#!/bin/sh
# Every plugin exports exactly one symbol, ktstr_plugin.
#   check-exports.sh PLUGIN.so...
set -u

if [ $# -eq 0 ]; then
	echo "no plugins to look at" >&2
	exit 1
fi
failed=0
for plugin in "$@"; do
	# Sanitizers add symbols of their own, which the plugin's source cannot help.
	symbols=$(nm -D --defined-only "$plugin" | awk '{ print $3 }' | grep -vE '^__(asan|odr_asan|ubsan|(start|stop)_(asan|__sancov))') || symbols=
	if [ "$symbols" != ktstr_plugin ]; then
		echo "$plugin exports:" $symbols >&2
		failed=1
	fi
done
[ $failed -eq 0 ] && echo "$# plugins export ktstr_plugin alone"
exit $failed
