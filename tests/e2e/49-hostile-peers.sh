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
	within 20 has_network
}

has_network()
{
	network=$(children sshd-sign)
	[ -n "$network" ]
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

# --- data after the server's close ----------------------------------------------------

# Each session has its status, and no packet after its close.
out=$("${hostile[@]}" late 2>"$work/err")
check "nothing follows a close: $out" \
    test "$out" = "[[0], [64], [64], [64], [65]]"
play half_closed
held=$(kib "$network" VmHWM)
check "64 windows of data after a close take $held KiB" test "$held" -le 65536
played "then its client leaves" left
check "no network process is left" within 10 none sshd-sign

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

stopped()
{
	grep -q '^State:.*T' "/proc/$1/status"
}

# spin PID: it jumps to where it is for ever.
spin()
{
	local jump='\xeb\xfe'
	[ "$(uname -m)" != aarch64 ] || jump='\x00\x00\x00\x14'
	kill -STOP "$1"
	within 5 stopped "$1"
	printf %b "$jump" | dd of="/proc/$1/mem" bs=1 conv=notrunc status=none \
	    seek=$(($(awk '{ print $NF }' "/proc/$1/syscall")))
	kill -CONT "$1"
}

if [ "$(id -u)" -eq 0 ]; then
	play burn
	check "a network process can be made to spin" spin "$network"
	request test-signing <"$work/app.exe"
	signed "others sign meanwhile"
	check "it is ended" within $((20 * ${HTSIGN_PATIENCE:-1})) none sshd-sign
	check "the log says why" log_says "does not answer: killed"
	played "its client notices" closed
	play unread "$work/large.exe"
	check "one with shells" spin "$network"
	check "is ended, too" within $((20 * ${HTSIGN_PATIENCE:-1})) none sshd-sign
	check "nor are its shells left" within 5 none htsign-shell
	played "its client notices" closed
fi

# One that the machine has no time for, which is not its fault.
killed=$(grep -c "does not answer" "$dir/sshd-sign.log")
play unread "$work/large.exe"
kill -STOP "$network"
sleep 12
check "one that cannot run is not ended" stopped "$network"
kill -CONT "$network"
played "and goes on when it can" "64 signed"
not_killed()
{
	[ "$(grep -c "does not answer" "$dir/sshd-sign.log")" -eq "$killed" ]
}
check "the log does not speak of it" not_killed

if [ -n "${HTSIGN_BURN:-}" ]; then
	check "packets without a meaning" \
	    test "$("${hostile[@]/#300/3000}" burn | tail -n 1)" = closed
	check "the log says why" log_says "too much processor time"
fi

# --- packets that are changed ------------------------------------------------------------------

# Beside this, a network process that does not run for a minute.
play unread "$work/large.exe"
kill -STOP "$network"
check "changed packets after the login" \
    test "$("${hostile[@]/#300/3000}" mutate "${HTSIGN_SEEDS:-10}" \
    "$work/app.exe" 2>/dev/null)" = "all sent"
check "no network process is left" within 70 none sshd-sign
check "one that does not answer for a minute is ended" not not_killed
played "its client notices" closed
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
