#!/bin/sh
# A damaged copy of an ELF file.
#   damage.sh cut BYTES IN OUT          its first BYTES bytes; BYTES may be a percentage
#   damage.sh set OFFSET VALUE IN OUT   one byte replaced, VALUE in octal
set -eu

case $1 in
cut)
	bytes=$2
	case $bytes in
	*%) bytes=$(($(wc -c <"$3") * ${bytes%\%} / 100)) ;;
	esac
	head -c "$bytes" "$3" >"$4"
	;;
set)
	cp "$4" "$5"
	printf "\\$3" | dd of="$5" bs=1 seek="$2" conv=notrunc status=none
	;;
*)
	echo "damage.sh: unknown command '$1'" >&2
	exit 2
	;;
esac
