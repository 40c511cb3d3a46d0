#!/bin/sh
# Install ktstr into a fresh folder, and build the templates against it as a stranger would: with find_package()
# and with pkg-config.
#   sdk-outside.sh CMAKE GENERATOR BUILD_DIR COMPILER LIBDIR
set -eu

cmake=$1 generator=$2 build=$3 compiler=$4 libdir=$5
exports=$(dirname "$0")/check-exports.sh
kinds='scheduler scenario workload checker'
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
prefix=$tmp/prefix

fail()
{
	echo "$*" >&2
	exit 1
}

quietly()
{
	"$@" >"$tmp/log" 2>&1 || {
		cat "$tmp/log" >&2
		fail "failed: $*"
	}
}

# What is asked for must be in the list that the installed program prints.
check_listed()
{
	[ -x "$prefix/bin/ktstr" ] || return 0
	KTSTR_PLUGIN_PATH=${1-} "$prefix/bin/ktstr" plugins >"$tmp/list" || fail "ktstr plugins: exit code $?"
	for kind in $kinds; do
		grep -q "my_$kind" "$tmp/list" || fail "ktstr plugins does not list my_$kind"
	done
}

quietly "$cmake" --install "$build" --prefix "$prefix"
mv "$prefix" "$tmp/moved" # an installation may be moved
prefix=$tmp/moved

# Each header stands alone.
for header in "$prefix"/include/ktstr/*.h; do
	case $header in *.bpf.h) continue ;; esac # for clang's bpf target
	printf '#include "ktstr/%s"\n' "$(basename "$header")" >"$tmp/header.c"
	quietly "$compiler" -std=gnu11 -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only "$tmp/header.c"
done

# find_package()
cp -r "$prefix/share/ktstr/skeleton" "$tmp/source"
quietly "$cmake" -G "$generator" -S "$tmp/source" -B "$tmp/build" \
	-DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" \
	-DCMAKE_C_FLAGS='-Wall -Wextra -Werror' -DCMAKE_BUILD_TYPE=Release
quietly "$cmake" --build "$tmp/build"
for kind in $kinds; do
	"$exports" "$tmp/build/plugins/${kind}s/my_$kind.so" >/dev/null
done
check_listed "$tmp/build/plugins"
# The one that carries BPF: where ktstr itself has been built with such.
if [ -f "$prefix/$libdir/libktstr_scx.a" ]; then
	"$exports" "$tmp/build/plugins/schedulers/my_bpf_scheduler.so" >/dev/null
fi

# Installed, they lie where the installed ktstr looks.
quietly "$cmake" --install "$tmp/build"
for kind in $kinds; do
	[ -f "$prefix/$libdir/ktstr/${kind}s/my_$kind.so" ] || fail "my_$kind was not installed where ktstr looks"
done
check_listed

# pkg-config
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig
export PKG_CONFIG_PATH
plugindir=$(pkg-config --variable=plugindir ktstr)
[ "$(realpath "$plugindir")" = "$(realpath "$prefix/$libdir/ktstr")" ] || fail "plugindir is $plugindir"
mkdir -p "$tmp/by-hand"
for kind in $kinds; do
	# shellcheck disable=SC2046
	quietly "$compiler" -O2 -Wall -Wextra -Werror $(pkg-config --cflags ktstr) \
		$(pkg-config --variable=plugin_flags ktstr) -o "$tmp/by-hand/my_$kind.so" "$tmp/source/$kind.c"
	"$exports" "$tmp/by-hand/my_$kind.so" >/dev/null
done
check_listed "$tmp/by-hand"

echo "the templates build against the installed headers, by find_package() and by pkg-config"
