#!/bin/bash
# The PIN is in no argument, environment, log, journal or core; and who has it
# leaves no core when it dies.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util
ulimit -c unlimited 2>/dev/null || skip "cores cannot be allowed here"
endpoint 2448
pin=$(cat "$dir/pin")
sample app.exe
request test-signing <"$work/app.exe"
signed "the token is unlocked"

processes()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-token
	cat "$dir/htsign-keyd.pid" "$dir/sshd-sign.pid"
}

hidden_in_processes()
{
	local p
	for p in $(processes); do
		! grep -aqF "$pin" "/proc/$p/cmdline" "/proc/$p/environ" \
		    2>/dev/null || return 1
	done
}

hidden_in_files()
{
	! grep -raqF "$pin" "$dir/state" "$dir"/*.log "$dir/htsign.conf" \
	    "$work/err"
}

# What is not dumpable belongs to root in /proc.
undumpable()
{
	local p
	for p in $(processes); do
		[ "$(stat -c %u "/proc/$p/environ")" -eq 0 ] || return 1
		! cat "/proc/$p/environ" >/dev/null 2>&1 || return 1
	done
}

no_cores()
{
	! find "$dir" "$builddir" / -maxdepth 1 -name 'core*' -type f \
	    -newer "$work/app.exe" 2>/dev/null | grep .
}

other_worker()
{
	[ -n "$(token_worker)" ] && [ "$(token_worker)" != "$1" ]
}

serves()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 0 ]
}

check "there are four processes" test "$(processes | wc -l)" -eq 4
check "the PIN is in no argument and no environment" hidden_in_processes
check "the PIN is in no log and not in the journal" hidden_in_files
[ "$(id -u)" -eq 0 ] ||
    check "nobody of the same uid can look into them" undumpable

worker=$(token_worker)
kill -ABRT "$worker"
check "after a worker crashed the next request is served" within 10 serves
check "by another worker" other_worker "$worker"
keyd_pid=$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)
kill -ABRT "$keyd_pid"
check "so is keyd" within 10 serves
check "neither left a core" no_cores
check "the PIN is in no log after all that" hidden_in_files

done_testing
