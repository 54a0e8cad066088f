#!/bin/bash
# Faults under the archive: EIO and ENOSPC at each system call that keeps a file,
# in the child of htsign-pump and in keyd, a folder that is gone, and htsign-pump
# killed at points drawn by lot.  Nothing is signed that is not kept, whoever is
# refused is told why, and the next request is signed, with no human.
#
# HTSIGN_KILLS (8) is how often htsign-pump is killed, 50 by hand;
# HTSIGN_KILLS_SEED says where.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util strace
[ "$(id -u)" -eq 0 ] || skip "it needs root to trace keyd"
endpoint 2941
archive=$dir/state/archive
reconfigure '/^profiles = (/a\
  { name = "both"; certificates = [ "test" ]; archive = "both"; },'
admin "grant ci both"
unkept=0 refused=0 met=0

pump()
{
	local pid
	for pid in $(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-pump); do
		if ! has_ended "$pid"; then
			echo "$pid"
			return
		fi
	done
}

# The first poll is also htsign-pump's own: then that is away for a while.
has_pump()
{
	pump=$(pump)
	[ -n "$pump" ]
}

# another: a program that nobody has kept yet.
another()
{
	sample app.exe
	head -c 300000 /dev/urandom >>"$work/app.exe"
}

# trace PID CALLS [FAULT]: what the process and its children call.
trace()
{
	strace -qq -f -o "$work/trace" -e "trace=$2" \
	    ${3:+-e "inject=$2:$3"} -p "$1" 2>>"$work/strace.log" &
	tracer=$!
	until grep -q "^TracerPid:.$tracer\$" "/proc/$1/status"; do
		kill -0 "$tracer" || return
	done 2>/dev/null
}

untrace()
{
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
}

# is_kept: what was just sent is kept, as it was sent.
is_kept()
{
	cmp -s "$work/app.exe" \
	    "$archive/$(sha256sum <"$work/app.exe" | cut -d ' ' -f 1)"
}

# fault TEXT PID CALL ERROR WHEN: that call of the process, or of its child.
fault()
{
	another
	check "$1" trace "$2" "$3" "error=$4:syscall=getpid:when=$5"
	request both <"$work/app.exe"
	untrace
	check "it was met" grep -q INJECTED "$work/trace"
	refused "$1" 69
	check "who asks is told" grep -Eq \
	    'cannot be kept: .*(No space|Input/output)' "$work/err"
	journal_says "it is on record" '"exit":69' '"status":"failed"'
	check "nothing was signed" not grep -qE '"signed"|"decided"' \
	    <(last_request)
	check "and nothing is kept" not is_kept
	request both <"$work/app.exe"
	signed "then the same file is signed"
	check "and kept" is_kept
}

# --- errors of the disk -------------------------------------------------------------

another
request both <"$work/app.exe"
signed "a file is kept"
first=$(keyd_process)
for error in EIO ENOSPC; do
	fault "$error when the file is written" "$(pump)" write "$error" 1
	fault "$error in the middle" "$(pump)" write "$error" 3
	fault "$error when it is made durable" "$(pump)" fsync "$error" 1
	fault "$error when it gets its name" "$first" linkat "$error" 1
	fault "$error when the name is made durable" "$first" fsync "$error" 1
done
check "keyd was not started anew" test "$(keyd_process)" = "$first"

rm -r "$archive"
request both <"$work/app.exe"
refused "a folder that is gone" 69
check "who asks is told" grep -q 'cannot be kept' "$work/err"
reconfigure '/^$/d'
request both <"$work/app.exe"
signed "a start makes one"
check "and the file is kept" is_kept

# --- at once --------------------------------------------------------------------------

another
pids=()
for i in 1 2 3 4 5 6 7 8; do
	request both "at-once-$i" <"$work/app.exe" &
	pids+=("$!")
done
wait "${pids[@]}"
check "eight have the same file signed at once" test 8 -eq "$(admin \
    "log --json --limit=8" | grep "\"sha256\":\"$(sha256sum \
    <"$work/app.exe" | cut -d ' ' -f 1)\"" | grep -c '"status":"delivered"')"
check "it is kept" is_kept

# --- killing ------------------------------------------------------------------------

kills=${HTSIGN_KILLS:-8}
seed=${HTSIGN_KILLS_SEED:-$RANDOM}
RANDOM=$seed
ok "HTSIGN_KILLS_SEED=$seed"
calls=prctl,poll,read,write,fsync,sendmsg,close,exit_group
has_pump
another
trace "$pump" "$calls"
request both <"$work/app.exe"
untrace
# Each call of the child, and which of that name it is.
mapfile -t points < <(awk -v pump="$pump" '$1 != pump &&
    match($2, /^[a-z_]+\(/) { call = substr($2, 1, RLENGTH - 1)
    print call, ++n[call] }' "$work/trace")
check "a child of htsign-pump makes ${#points[@]} calls" \
    test "${#points[@]}" -gt 10
for ((i = 0; i < kills; i++)); do
	read -r call when <<<"${points[RANDOM % ${#points[@]}]}"
	another
	within 40 has_pump || break
	trace "$pump" "$call" "signal=SIGKILL:when=$when"
	request both <"$work/app.exe"
	untrace
	! grep -q 'killed by SIGKILL' "$work/trace" || met=$((met + 1))
	if [ "$status" -ne 0 ]; then
		refused=$((refused + 1))
		if [ "$status" -ne 69 ] || [ -s "$work/out" ]; then
			bad "killed at $call $when: $status, $(cat "$work/err")"
		fi
		if grep -qE '"signed"|"decided"' <(last_request) && ! is_kept
		then
			unkept=$((unkept + 1))
		fi
	elif ! is_kept; then
		unkept=$((unkept + 1))
	fi
done
ok "$met of $kills points were met, $refused before the file was kept"
check "some were" test "$refused" -gt 0
check "nothing was signed that is not kept" test "$unkept" -eq 0
another
trace "$(keyd_process)" fsync signal=SIGKILL:when=1
request both <"$work/app.exe"
untrace
check "keyd is killed when the file has a name, but no row" \
    grep -q 'killed by SIGKILL' "$work/trace"
if [ "$status" -ne 0 ] && [ ! -s "$work/out" ]; then
	ok "which is a refusal: $status, $(cat "$work/err")"
else
	bad "which is no refusal: $status"
fi
check "the name is gone" within 10 not is_kept
works()
{
	request both <"$work/app.exe"
	[ "$status" -eq 0 ]
}
check "then it works again" within 20 works
done_testing
