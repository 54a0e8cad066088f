#!/bin/bash
# sshd-sign as root runs it: each process under its own uid, the network
# process without a file system.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util setpriv
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2307 2308
listener=$(cat "$dir/sshd-sign.pid")
mkfifo "$work/fifo"

# uid_is PID UID: real, effective, saved and of files; and no groups.
uid_is()
{
	grep -Eqx "Uid:([[:space:]]+$2){4}" "/proc/$1/status" &&
	    grep -Eqx "Groups:[[:space:]]*" "/proc/$1/status"
}

no_rights()
{
	grep -Eqx 'CapPrm:[[:space:]]+0+' "/proc/$1/status" &&
	    grep -Eqx 'NoNewPrivs:[[:space:]]+1' "/proc/$1/status" &&
	    grep -Eqx 'Seccomp:[[:space:]]+2' "/proc/$1/status"
}

ssh -F "$dir/ssh_config" sign test-signing <"$work/fifo" >/dev/null 2>&1 &
client=$!
exec 3>"$work/fifo"
has_shell()
{
	session=$(descendants "$listener" htsign-shell)
	network=$(descendants "$listener" sshd-sign)
	[ -n "$session" ] && [ -n "$network" ]
}
check "a session starts" within 5 has_shell
check "the network process is htsign-net" uid_is "$network" 64103
check "with no rights" no_rights "$network"
check "in an empty root" test "$(find "/proc/$network/root/" | wc -l)" -eq 1
check "that has no name" grep -q deleted < <(readlink "/proc/$network/root")
check "the shell is htsign-sign" uid_is "$session" 64104
check "with no rights" no_rights "$session"
exec 3>&-
wait "$client"

check "an administrator's session" admin log
sample app.exe
request test-signing <"$work/app.exe"
signed "a request"

# --- what others leave for root ------------------------------------------------

# start_keyd: its exit status in $status, and why in $work/keyd.log.
start_keyd()
{
	timeout 5 "$keyd" -c "$dir/htsign.conf" >"$work/keyd.log" 2>&1
	status=$?
}

stop_programs
mkdir "$work/victim"
as_keyd()
{
	setpriv --reuid 64101 --regid 64101 --clear-groups "$@"
}
as_keyd rmdir "$fake/state/spool"
as_keyd ln -s "$work/victim" "$fake/state/spool"
start_keyd
check "keyd's link for a folder: root gives nothing away" \
    test "$(stat -c %u "$work/victim")" -eq 0
check "and says why" grep -q "state/spool: Not a directory" "$work/keyd.log"
rm "$fake/state/spool"
chown 64101 /run/htsign
start_keyd
check "a folder of sockets that is not root's is refused" \
    test "$status" -eq 64
chown 0 /run/htsign
chmod 775 /run/htsign
start_keyd
check "as is one that others may write to" test "$status" -eq 64
check "which is said" grep -q "/run/htsign: must be a folder of root's" \
    "$work/keyd.log"
chmod 755 /run/htsign
start_programs no
request test-signing <"$work/app.exe"
signed "all is well again"
done_testing
