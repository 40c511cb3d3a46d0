#!/bin/sh
# Without a clang that compiles for BPF, the schedulers that carry BPF are left out: configure says so, and so does
# the list of plugins.
#   without-clang.sh CMAKE GENERATOR SOURCE COMPILER KTSTR PLUGINDIR
set -eu

cmake=$1 generator=$2 source=$3 compiler=$4 ktstr=$5 plugindir=$6
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail()
{
	echo "$*" >&2
	exit 1
}

# configure CLANG WHY
configure()
{
	rm -rf "$tmp/build"
	"$cmake" -G "$generator" -S "$source" -B "$tmp/build" -DCMAKE_C_COMPILER="$compiler" -DKTSTR_TESTS=OFF \
		-DKTSTR_BPF_CLANG="$1" >"$tmp/log" 2>&1 || fail "cannot configure: $(cat "$tmp/log")"
	for name in scx_fifo scx_lostwake scx_vtime scx_ktstr; do
		[ "$(grep -c "scheduler $name is left out: .*$2" "$tmp/log")" = 1 ] ||
			fail "configure does not say that $name is left out: $(cat "$tmp/log")"
		[ -f "$tmp/build/$plugindir/schedulers/$name.missing" ] || fail "there is no $name.missing"
	done
	if "$cmake" --build "$tmp/build" --target help | grep -E 'scheduler_scx|ktstr_scx'; then
		fail "there are targets for BPF schedulers"
	fi
}

printf '#!/bin/sh\necho "error: unknown target" >&2\nexit 1\n' >"$tmp/clang"
chmod +x "$tmp/clang"
configure "$tmp/clang" "does not compile for the bpf target: error: unknown target"
configure KTSTR_BPF_CLANG-NOTFOUND "no clang was found"

if [ -x "$ktstr" ]; then
	# A folder of its own: where a plugin is there after all, there is no note of it.
	mkdir -p "$tmp/empty"
	cp -r "$tmp/build/$plugindir/schedulers" "$tmp/empty"
	printf 'for no reason\n' >"$tmp/empty/schedulers/scx_absent.missing"
	KTSTR_PLUGIN_PATH="$tmp/empty" "$ktstr" plugins >"$tmp/list" || fail "ktstr plugins: exit code $?"
	grep -A1 'scheduler scx_absent is left out' "$tmp/list" | grep -q '  for no reason' ||
		fail "ktstr plugins does not say what is left out"
	KTSTR_PLUGIN_PATH="$tmp/empty" "$ktstr" plugins --output json |
		grep -q '"refused": "for no reason"' || fail "nor does it in JSON"
fi

echo "without clang, BPF schedulers are left out, and it is said"
