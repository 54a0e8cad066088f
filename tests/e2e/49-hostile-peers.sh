#!/bin/bash
# Clients that use what SSH lets a peer choose against the network process:
# packet sizes, windows, data that nobody reads, a key exchange without an end;
# and network processes that do not answer.  Others must not notice.
#
# By hand: HTSIGN_SEEDS (10) is of how many connections the packets are changed;
# with HTSIGN_BURN one only burns processor time, which takes minutes.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
python=/usr/bin/python3
"$python" -c 'import asyncssh' 2>/dev/null ||
    skip "python3-asyncssh is missing"

endpoint 2519
sample app.exe
listener=$(cat "$dir/sshd-sign.pid")
mkfifo "$work/say"

# children NAME: the ids of the listener's children of that name; with 64 shells
# descendants takes long.
children()
{
	local child
	while read -rd ' ' child; do
		[ "$(cat "/proc/$child/comm" 2>/dev/null)" != "$1" ] ||
		    echo "$child"
	done <"/proc/$listener/task/$listener/children"
}

none()
{
	[ -z "$(children "$1")" ]
}

hostile=(timeout 300 "$python" "$srcdir/tests/support/hostile_client.py" \
    "$port" "$dir/ci")

# play NAME [FILE]: in the background; it waits until something is written to
# descriptor 3.  $client and $network are its process and ours.
play()
{
	rm -f "$work/played"
	"${hostile[@]}" "$@" <"$work/say" >"$work/played" 2>"$work/err" &
	client=$!
	exec 3>"$work/say"
	within 120 test -s "$work/played"
	network=$(children sshd-sign)
}

# played TEXT RESULT: let it end, and see what came of it.
played()
{
	local out
	(echo >&3) # which is no end of ours if it has ended already
	exec 3>&-
	wait "$client"
	out=$(tail -n 1 "$work/played")
	check "$1: $out" test "$out" = "$2"
}

log_says()
{
	grep -q "$1" "$dir/sshd-sign.log"
}

# ticks PID: the processor time that it has used, in hundredths of a second.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# kib PID FIELD
kib()
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# --- packet sizes and windows -------------------------------------------------------

head -c 200000 /dev/urandom >"$work/overlay"
cat "$work/app.exe" "$work/overlay" >"$work/large.exe"
for size in 0 1 2 9 10 11 12 64 100 400; do
	started=$SECONDS
	out=$("${hostile[@]}" packet_size "$size" "$work/large.exe" 2>"$work/err")
	check "packets of $size bytes: $out" \
	    grep -qx -e closed -e ignored -e 0 <<<"$out"
	check "which takes no time" test $((SECONDS - started)) -le 15
	check "no network process is left" within 2 none sshd-sign
done
check "the log says why" log_says "packets of fewer than 512 bytes"
for size in 1024 32768 4294967295; do
	check "packets of $size bytes are fine" \
	    test "$("${hostile[@]}" packet_size "$size" "$work/large.exe")" = 0
done
check "a window that opens late" \
    test "$("${hostile[@]}" window 1000000 "$work/large.exe")" = 0
check "or by more than there is, twice" \
    test -n "$("${hostile[@]}" window 4294967295 "$work/large.exe")"
check "no network process is left" within 2 none sshd-sign

# --- channels that nobody reads -------------------------------------------------------

head -c 2200000 /dev/urandom >"$work/overlay"
cat "$work/app.exe" "$work/overlay" >"$work/large.exe"

# They start a few at a time.
all_run()
{
	[ "$(children htsign-shell | wc -l)" -eq 64 ]
}

stop_shells()
{
	local shell
	for shell in $(children htsign-shell); do
		kill "-$1" "$shell" 2>/dev/null
	done
}

# settled PID: it does nothing any more.
settled()
{
	local before
	before=$(ticks "$1")
	sleep 3
	[ "$(ticks "$1")" = "$before" ]
}

play unread "$work/large.exe"
within 60 all_run
stop_shells STOP
echo >&3
check "64 channels that no shell reads" within 30 settled "$network"
held=$(kib "$network" VmHWM)
check "take $held KiB of memory" test "$held" -le 81920
request test-signing <"$work/app.exe"
signed "another client does not notice"
stop_shells CONT
played "then all are done" "64 signed"

play early "$work/large.exe"
sleep 1
held=$(kib "$network" VmHWM)
check "64 channels without a command take $held KiB" \
    test "$held" -le 81920
played "and get none any more" "a command: False"
check "no network process is left" within 2 none sshd-sign

# A client that leaves while nothing is read from it.
play unread "$work/large.exe"
within 60 all_run
stop_shells STOP
echo >&3
within 30 settled "$network"
exec 3>&-
kill "$client"
wait "$client"
stop_shells CONT
check "a client that leaves then is missed when the shells read on" \
    within 10 none sshd-sign
check "which end" within 5 none htsign-shell

# --- network processes that do not answer ------------------------------------------------

# Its time counts from the last answer, which may have come just before.
play burn
for _ in 1 2; do
	! none sshd-sign || break
	kill -CONT "$network"
	sleep 2
	kill -STOP "$network"
	started=$SECONDS
	request test-signing <"$work/app.exe"
	signed "others sign while a network process does not answer"
	within 12 none sshd-sign
done
check "it is ended, after $((SECONDS - started)) s" none sshd-sign
check "the log says why" log_says "does not answer: killed"
played "its client notices" closed

play unread "$work/large.exe"
kill -STOP "$network"
check "one with shells, which has used no time" within 12 none sshd-sign
check "nor are its shells left" within 5 none htsign-shell
played "its client notices" closed

if [ -n "${HTSIGN_BURN:-}" ]; then
	check "packets without a meaning" \
	    test "$("${hostile[@]/#300/3000}" burn | tail -n 1)" = closed
	check "the log says why" log_says "too much processor time"
fi

# --- packets that are changed ------------------------------------------------------------------

check "changed packets after the login" \
    test "$("${hostile[@]/#300/3000}" mutate "${HTSIGN_SEEDS:-10}" \
    "$work/app.exe" 2>/dev/null)" = "all sent"
check "no network process is left" within 10 none sshd-sign
check "no shell is left" within 10 none htsign-shell
request test-signing <"$work/app.exe"
signed "then a request is signed"
check "no network process crashed" not log_says "died"

# --- a key exchange without an end ---------------------------------------------------------

reconfigure 's/listen = /idle = 2; &/'
listener=$(cat "$dir/sshd-sign.pid")
started=$SECONDS
out=$("${hostile[@]}" rekey "$work/app.exe")
check "a key exchange that is not ended: $out" test "$out" = closed
check "after $((SECONDS - started)) s" test $((SECONDS - started)) -le 10
check "no shell is left" within 5 none htsign-shell
check "no network process crashed" not log_says "died"
done_testing
