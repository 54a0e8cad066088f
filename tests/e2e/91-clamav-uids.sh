#!/bin/bash
# htsign-pump as root runs it: under a uid of its own, and its children with no
# rights, before they read a byte.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
port=2911
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
# shellcheck source=tests/support/clamav.sh
. "$srcdir/tests/support/clamav.sh"

mkfifo "$work/fifo"
ssh -F "$dir/ssh_config" sign must <"$work/fifo" >"$work/out" 2>"$work/err" &
client=$!
exec 3>"$work/fifo"
sample app.exe
head -c 100 "$work/app.exe" >&3
pumps()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-pump
}
has_child()
{
	pumps=$(pumps)
	[ "$(wc -w <<<"$pumps")" -eq 2 ]
}
check "a child for the request" within 5 has_child
for pump in $pumps; do
	check "is htsign-pump" grep -Eqx 'Uid:([[:space:]]+64108){4}' \
	    "/proc/$pump/status"
	check "without groups" grep -Eqx 'Groups:[[:space:]]*' \
	    "/proc/$pump/status"
	check "without capabilities" grep -Eqx 'CapPrm:[[:space:]]+0+' \
	    "/proc/$pump/status"
	check "in a sandbox" grep -Eqx 'Seccomp:[[:space:]]+2' \
	    "/proc/$pump/status"
done
child=$(tail -n 1 <<<"$pumps")
filters()
{
	awk '/^Seccomp_filters:/ { print $2 }' "/proc/$1/status"
}
check "the child has a filter of its own" test "$(filters "$child")" -eq \
    $(($(filters "$(head -n 1 <<<"$pumps")") + 1))
check "and no descriptor but the pipe and sockets" test -z \
    "$(find "/proc/$child/fd" -type l -printf '%l\n' |
        grep -v -e '^pipe:' -e '^socket:' -e /dev/null -e '\.log$')"
check "it is small" test "$(awk '/^VmHWM/ { print $2 }' \
    "/proc/$child/status")" -lt 24576
tail -c +101 "$work/app.exe" >&3
exec 3>&-
wait "$client"
check "it is signed" test "$?-$(head -c 2 "$work/out")" = 0-MZ
journal_says "and was scanned" '"scan":"clean"'
check "its child is gone" within 5 not has_child

cp "$work/app.exe" "$work/virus.exe"
virus "$work/virus.exe"
request must <"$work/virus.exe"
refused "a virus" 66
done_testing
