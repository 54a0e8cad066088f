#!/bin/bash
# make bench-formats works, with files so small that its figures say nothing.

: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${builddir:=$srcdir/build}"
export srcdir builddir
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

TINY=1 bash "$srcdir/tests/bench/formats.sh" >"$out" 2>&1
status=$?
if [ "$status" -ne 0 ]; then
	cat "$out"
	exit "$status"
fi
rows=$(grep -cE '( +[0-9][0-9.e+-]*){3}  ' "$out")
echo "ok the bench of formats prints $rows figures"
[ "$rows" -gt 50 ]
