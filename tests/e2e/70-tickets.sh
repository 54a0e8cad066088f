#!/bin/bash
# A ticket is OpenSSH's word for a client, and stands in the arguments of a shell
# for all to read.  It is good for the connection that it was made for, as long as
# that lasts, and for nobody else.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2420 2421
sample app.exe

# session WORD ...: over the one connection.
session()
{
	ssh -F "$dir/ssh_config" -S "$work/mux" openssh "$@" >"$work/out" \
	    2>"$work/err"
	status=$?
}

# The ticket of a shell that our sshd runs, as anybody sees it.
seen_ticket()
{
	local shell
	shell=$(descendants "$sshd_door" htsign-shell | head -n 1)
	[ -n "$shell" ] || return
	setpriv --reuid 64999 --regid 64999 --clear-groups \
	    cat "/proc/$shell/cmdline" 2>/dev/null | tr '\0' '\n' |
	    sed -n 's/.*--ticket \([A-Za-z0-9_-]*\).*/\1/p;
	        /^--ticket$/{n;p;}' | head -n 1
}

has_ticket()
{
	ticket=$(seen_ticket)
	[ -n "$ticket" ]
}

# It belongs to who says it first, and that is the shell, in its first moment.
is_used()
{
	grep -q '"status":"asked"' < <(admin 'log --json')
}

# replay: what another process of the shells' uid gets for the ticket.
replay()
{
	setpriv --reuid 64104 --regid 64104 --clear-groups env -i \
	    SSH_ORIGINAL_COMMAND=test-signing \
	    SSH_CONNECTION="127.0.0.1 40000 127.0.0.1 22" \
	    SSH_USER_AUTH="$work/user_auth" "$shell" --ticket "$ticket" \
	    <"$work/app.exe" >"$work/out" 2>"$work/err"
	status=$?
}

read -r type blob _ <"$dir/ci-cert.pub"
printf 'publickey %s %s\n' "$type" "$blob" >"$work/user_auth"
chmod 644 "$work/user_auth"
ssh -F "$dir/ssh_config" -M -S "$work/mux" -N openssh &
master=$!
start=$SECONDS
check "one connection" within 10 test -S "$work/mux"
sleep 20 | ssh -F "$dir/ssh_config" -S "$work/mux" openssh test-signing \
    >/dev/null 2>&1 &
check "anybody can read a ticket" within 10 has_ticket
check "whose shell has used it first" within 10 is_used
replay
refused "but not use it" 77
check "which is on record" grep -q ticket-held < <(admin 'events --json')
for i in 2 3 4 5 6 7 8 9; do
	session test-signing <"$work/app.exe"
	signed "session $i"
done
door=openssh
request test-signing <"$work/app.exe"
signed "a connection of its own has a ticket of its own"
sleep $((start + 121 - SECONDS))
session test-signing <"$work/app.exe"
signed "session 10, after two minutes"
replay
refused "the ticket is still not another's" 77
kill "$master"
wait "$master"
replay
refused "nor after the connection has ended" 77
done_testing
