#!/bin/bash
# SIGKILL around the attempt with a wrong PIN, of the worker, of keyd, of its
# parent: once the token has refused the PIN, it never gets it again, whoever
# starts again, however often.
#
# HTSIGN_PIN_KILLS (8) is how many; 200 by hand.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util
kills=${HTSIGN_PIN_KILLS:-8}
endpoint 2473

has_event()
{
	admin 'events --json' | grep "\"$1\""
}

# SoftHSM behind a module that counts the logins; single_user goes by names.
mkdir "$work/control"
cp "$builddir/tests/support/lying-token.so" "$work/libsofthsm2.so"
reconfigure "s|module = \"\(.*\)\";|module = \"$work/libsofthsm2.so\";|
    s|environment = \[|& \"LYING_MODULE=$(find_module)\",\
        \"LYING_CONTROL=$work/control\",|
    s|writable = \[|& \"$work/control\",|"
check "SoftHSM counts, says the configuration" \
    grep -q 'pin_counted = true' "$dir/htsign.conf"

# The right PIN, and keyd is killed while the token has it.
stop_programs
: >"$work/control/calls"
printf '!' >"$work/control/login-hang"
start_programs no
within 20 grep -qx login "$work/control/calls"
kill -KILL "$(keyd_process)"
sample app.exe
request_again()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 0 ]
}
check "the right PIN is tried again by itself" within 10 request_again
check "and that is on record" has_event pin-repeated

stop_programs
cp -a "$dir/tokens" "$work/tokens"
echo 99999999 >"$dir/pin"

calls()
{
	grep -cx "$1" "$work/control/calls"
}

# The token is locked, or a request would try it once more.
settled()
{
	admin tokens >"$work/tokens.out" 2>&1 &&
	    grep -Eq '^softhsm +(locked|away)' "$work/tokens.out"
}

# pause MILLISECONDS, less than 1000, without a program, from a pipe that nobody writes to.
mkfifo "$work/nothing"
exec 9<>"$work/nothing"
pause()
{
	local ms=000$1
	read -r -t "0.${ms: -3}" -u 9
}

# kill_soon: the worker, keyd or its parent, by lot, between the module's start
# and a while after the login.  What comes in between must start no program.
kill_soon()
{
	local top pid name all=()
	read -r top <"$dir/htsign-keyd.pid"
	for _ in $(seq 2000); do
		[ ! -s "$work/control/calls" ] || break
		pause 5
	done
	read -r -a all <"/proc/$top/task/$top/children"
	victim=${kinds[RANDOM % 3]}
	for pid in "${all[@]}"; do
		read -r name <"/proc/$pid/comm"
		[ "$name" = "$victim" ] && break
	done
	[ "$victim" != parent ] || pid=$top
	# Most come after the token has got the PIN; it judges it after 50 ms.
	until [ $((RANDOM % 300)) -eq 0 ] ||
	    [[ $(<"$work/control/calls") == *login* ]]; do
		pause 1
	done
	pause $((RANDOM % 130))
	kill -KILL "$pid"
}

# one_kill: a new journal, a token that has refused nothing, and one kill.
one_kill()
{
	local kinds=(htsign-token htsign-keyd parent) victim
	rm -rf "$dir/tokens" "$dir/state/"journal.db*
	cp -a "$work/tokens" "$dir/tokens"
	: >"$work/control/calls"
	printf '!' >"$work/control/login-slow"
	start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
	kill_soon
	[ "$victim" != parent ] ||
	    start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
	within 20 settled || return
	# Each start may want to try the PIN again.
	for _ in 1 2; do
		stop_programs
		start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
		within 20 settled || return
	done
	! admin 'events --json' | grep -q '"pin-repeated"' ||
	    again=$((again + 1))
	stop_programs
	[ "$(calls login-refused)" -le 1 ] && [ "$(calls login-low)" -eq 0 ]
}

again=0
RANDOM=${HTSIGN_PIN_SEED:-1}
wrong=0
for i in $(seq "$kills"); do
	one_kill 2>"$work/kill.log" || {
		wrong=$((wrong + 1))
		cat "$work/kill.log" "$work/control/calls" "$work/tokens.out"
	}
done
check "$kills kills: no PIN that was refused was tried again" \
    test "$wrong" -eq 0
ok "$again times one was tried again that the token had not refused"

start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
check "the token is locked" within 20 settled
check "tokens says what to type" \
    grep -q 'type: htsign-admin unlock softhsm' "$work/tokens.out"
check "so does the log" \
    grep -q 'is locked: .*type: htsign-admin unlock softhsm' \
    "$dir/htsign-keyd.log"
admin '' >"$work/greeting" 2>&1
check "so does the administrators' greeting" \
    grep -q 'token softhsm is locked: .*type: htsign-admin unlock softhsm' \
    "$work/greeting"
done_testing
