#!/bin/bash
# htsign-reader as root runs it: under a uid of its own that can write nothing; keyd
# signs whatever becomes of it, and administrators are told.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2971 2972

state=$fake/state
reader()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-reader
}
signs()
{
	request test-signing <"$work/app.exe"
	[ "$status-$(head -c 2 "$work/out")" = 0-MZ ]
}
# A command of an administrator on the console.
console()
{
	admin "$1" >"$work/said" 2>"$work/why"
}

sample app.exe
check "it signs" signs

# --- what it may -------------------------------------------------------------------

check "is htsign-reader" grep -Eqx 'Uid:([[:space:]]+64109){4}' \
    "/proc/$(reader)/status"
check "without groups" grep -Eqx 'Groups:[[:space:]]*' "/proc/$(reader)/status"
check "without capabilities" grep -Eqx 'CapPrm:[[:space:]]+0+' \
    "/proc/$(reader)/status"
check "in a sandbox" grep -Eqx 'Seccomp:[[:space:]]+2' "/proc/$(reader)/status"
check "may pass the state folder" test "$(stat -c '%a %u %g' "$state")" = \
    "710 64101 64109"
for file in journal.db journal.db-wal journal.db-shm; do
	check "may read $file" test "$(stat -c '%a %u %g' "$state/$file")" = \
	    "640 64101 64109"
done
for file in journal.db-lock pin.key; do
	check "may not read $file" test \
	    "$(stat -c '%a %u' "$state/$file")" = "600 64101"
done
check "keyd has its group, and no other" grep -Eqx 'Groups:[[:space:]]*64109 *' \
    "/proc/$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)/status"
check "holds nothing that can be written but sockets and the log" test -z "$(
	for fd in "/proc/$(reader)/fd/"*; do
		case $(readlink "$fd") in
		socket:* | /dev/null | *.log | anon_inode:*) continue ;;
		esac
		awk '/^flags:/ { print $2 }' \
		    "/proc/$(reader)/fdinfo/${fd##*/}" | grep '[12]$'
	done)"

# --- what it does ------------------------------------------------------------------

check "log" console "log --json --limit=1"
check "is that request" grep -q '"status":"delivered"' "$work/said"
check "show" console "show 1"
check "events" console "events --limit=3"
check "are three" test "$(wc -l <"$work/said")" -eq 3
console "show 99"
check "an error is keyd's as before" test "$?-$(cat "$work/why")" = \
    "64-htsign: there is no request 99"

# --- what becomes of it ------------------------------------------------------------

kill -STOP "$(reader)"
check "it stands still: keyd signs" signs
kill -CONT "$(reader)"
kill -KILL "$(reader)"
gone()
{
	console log
	[ "$?" -eq 69 ] && grep -q 'htsign-reader' "$work/why" &&
	    [ "$(wc -l <"$work/why")" -eq 1 ]
}
check "it is killed: one line, and 69" gone
check "keyd signs" signs
check "and it comes back" within 5 console log
check "keyd has said so" grep -q 'htsign-reader has ended' \
    "$dir/htsign-keyd.log"

keyd_pid=$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)
kill -KILL "$keyd_pid"
check "keyd is killed: both come back" within 10 console "log --limit=1"
check "and it signs" within 10 signs

stop_one htsign-keyd
sed -i '/^htsign-reader:/d' /etc/passwd
sed -i 's/ reader = 64109;/ reader = "htsign-reader";/' "$dir/htsign.conf"
start_one htsign-keyd "$keyd" -c /etc/htsign/htsign.conf
check "without an account it signs" within 10 signs
console log
check "and log says what is missing" test "$?-$(cat "$work/why")" = \
    "69-htsign: htsign-reader has no account (htsign-reader(8))"
done_testing
