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
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-pump | head -n 1
}

# another: a program that nobody has kept yet.
another()
{
	sample app.exe
	head -c 300000 /dev/urandom >>"$work/app.exe"
}

# trace PID INJECTION: what the process and its children do.
trace()
{
	strace -qq -f -o "$work/trace" -e "trace=${2%%:*}" -e "inject=$2" \
	    -p "$1" 2>>"$work/strace.log" &
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

# fault TEXT PID INJECTION STATUS PATTERN
fault()
{
	another
	check "$1" trace "$2" "$3"
	request both <"$work/app.exe"
	untrace
	check "it was met" grep -q INJECTED "$work/trace"
	refused "$1" "$4"
	check "who asks is told" grep -Eq "$5" "$work/err"
	journal_says "it is on record" "\"exit\":$4" '"status":"failed"'
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
	text='cannot be kept: .*(No space|Input/output)'
	fault "$error when the file is written" "$(pump)" \
	    "write:error=$error:syscall=getpid:when=1" 69 "$text"
	fault "$error in the middle" "$(pump)" \
	    "write:error=$error:syscall=getpid:when=3" 69 "$text"
	fault "$error when it is made durable" "$(pump)" \
	    "fsync:error=$error:syscall=getpid:when=1" 69 "$text"
	fault "$error when it gets its name" "$first" \
	    "linkat:error=$error:syscall=getpid:when=1" 69 "$text"
	fault "$error when the name is made durable" "$first" \
	    "fsync:error=$error:syscall=getpid:when=1" 69 "$text"
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
calls=(read write fsync sendmsg poll recvmsg)
for ((i = 0; i < kills; i++)); do
	call=${calls[RANDOM % ${#calls[@]}]} when=$((1 + RANDOM % 8))
	another
	within 10 pump >/dev/null
	trace "$(pump)" "$call:signal=SIGKILL:when=$when"
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
trace "$(keyd_process)" "fsync:signal=SIGKILL:when=1"
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
