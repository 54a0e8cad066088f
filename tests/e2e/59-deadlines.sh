#!/bin/bash
# The deadlines of a session, waited for as long as they are: an upload without
# a byte for 120 seconds ends, and so does a client that takes nothing of its
# result; keyd silent for 60 is away.  Who is only slow is served.  All of them
# wait at the same time.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 3259
sample app.exe

# start NAME COMMAND ... <in >out: in the background.  Its status, and for how
# many seconds it ran, are in $work/NAME.status once it has ended.
start()
{
	local name=$1 began=$SECONDS
	shift
	{
		"$@" 2>"$work/$name.err"
		echo "$? $((SECONDS - began))" >"$work/$name.tmp"
		mv "$work/$name.tmp" "$work/$name.status"
	} <&0 7>&- 8>&- 9>&- &
}

send()
{
	ssh -F "$dir/ssh_config" sign test-signing "--name=$1"
}

ended()
{
	[ -e "$work/$1.status" ]
}

# ends NAME SECONDS: it ends within that time from now.
ends()
{
	status='' took=0
	check "it ends: $1" within "$2" ended "$1"
	! ended "$1" || read -r status took <"$work/$1.status"
	mv "$work/$1.out" "$work/out"
	mv "$work/$1.err" "$work/err"
}

# row NAME: its request in the journal.
row()
{
	admin 'log --json' | grep "\"name\":\"$1\""
}

status_is()
{
	row "$1" | grep -q "\"status\":\"$2\""
}

# slowly FILE COUNT: its last COUNT bytes come one by one.
slowly()
{
	local at
	head -c "-$2" "$1"
	for at in $(seq "$2" -1 1); do
		sleep 5
		tail -c "$at" "$1" | head -c 1
	done
}

# --- those that wait for 120 seconds -----------------------------------------------

mkfifo "$work/idle"
exec 7<>"$work/idle"
head -c 1000 "$work/app.exe" >&7
start idle send idle <"$work/idle" >"$work/idle.out"

slowly "$work/app.exe" 25 | start slow send slow >"$work/slow.out" &

# Its result fills the pipe, the client's window and all buffers between.
{
	cat "$work/app.exe"
	head -c 24M /dev/zero
} >"$work/large.exe"
mkfifo "$work/deaf"
exec 8<>"$work/deaf"
start deaf send deaf <"$work/large.exe" >"$work/deaf"

for name in idle slow; do
	check "an upload is under way: $name" within 30 status_is "$name" asked
done
check "a result waits to be taken" within 60 status_is deaf finished

# --- keyd is silent for 60 -----------------------------------------------------------

mkfifo "$work/unanswered"
exec 9<>"$work/unanswered"
head -c 1000 "$work/app.exe" >&9
start unanswered send unanswered <"$work/unanswered" >"$work/unanswered.out"
check "another upload is under way" within 30 status_is unanswered asked
keyd_process=$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)
kill -STOP "$keyd_process"
tail -c +1001 "$work/app.exe" >&9
exec 9>&-
start administrator admin log </dev/null >"$work/administrator.out"

for name in unanswered administrator; do
	ends "$name" 90
	check "not before 60 seconds: $took" test "$took" -ge 60
	refused "keyd is silent" 69
done
kill -CONT "$keyd_process"
check "what came of it is on record" within 20 status_is unanswered aborted
request test-signing <"$work/app.exe"
signed "the next request"

# --- the end of the others -------------------------------------------------------------

check "an upload that waits may do so for longer" status_is idle asked
check "and so may a result" status_is deaf finished
ends idle 90
check "not before 120 seconds: $took" test "$took" -ge 120
refused "an upload without a byte for so long" 69
check "the journal has the reason" grep -q '"code":"upload"' <(row idle)
check "a result that is not taken is undelivered" within 60 \
    status_is deaf undelivered
exec 8>&-
ends slow 60
check "a slow upload took longer: $took seconds" test "$took" -gt 120
signed "and was served all the same"
check "it verifies" verify_osslsigncode "$work/out"
done_testing
