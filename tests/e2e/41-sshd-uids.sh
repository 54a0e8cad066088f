#!/bin/bash
# sshd-sign as root runs it: each process under its own uid, the network
# process without a file system.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util
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
	[ -n "$(descendants "$listener" htsign-shell)" ]
}
check "a session starts" within 5 has_shell
network=$(descendants "$listener" sshd-sign)
session=$(descendants "$listener" htsign-shell)
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
done_testing
