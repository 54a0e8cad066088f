#!/bin/bash
# An installed endpoint, as root: OpenSSH's sshd with the shipped fragment
# beside sshd-sign, each process under its own uid, and what a shell's uid can
# do without a ticket of its own: nothing.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh scp sftp script softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2410 2411
sample app.exe

# --- both doors ----------------------------------------------------------------

request test-signing My App <"$work/app.exe"
signed "sshd-sign signs"
cp "$work/out" "$work/first.exe"
door=openssh
request test-signing My App <"$work/app.exe"
signed "OpenSSH signs"
check "the same bytes" cmp "$work/out" "$work/first.exe"
check "osslsigncode verifies them" verify_osslsigncode "$work/out"
# ssh -i KEY finds KEY-cert.pub by itself, and offers the plain key first.
new_door plain sign ci | grep -v CertificateFile >>"$dir/ssh_config"
check "a plain key before its certificate" ssh -F "$dir/ssh_config" plain profiles
# A connection that is closed at once is our question whether sshd is there.
usual="Server listening|Accepted publickey|Received disconnect|Disconnected from\
|kex_exchange_identification|Connection closed"
check "sshd has logged nothing unusual" not grep -vE "^($usual)" \
    "$dir/openssh.log"
journal_says "the journal knows the door" '"door":"openssh"' \
    '"peer":"127.0.0.1"' '"client":"ci"' '"status":"delivered"'
request test-signing "'two  spaces'" --pkcs7 <"$work/app.exe"
signed "OpenSSH, PKCS#7"
check "is SignedData" openssl pkcs7 -inform DER -in "$work/out" -noout
request -o SetEnv='HTSIGN_DESCRIPTION="From SetEnv"' test-signing \
    <"$work/app.exe"
signed "OpenSSH, SetEnv"
check "has that description" describes "$work/out" "From SetEnv"
request test-signing </dev/null
refused "OpenSSH, an empty input" 65
request production <"$work/app.exe"
refused "OpenSSH, no grant" 77
request profiles </dev/null
check "OpenSSH, profiles" grep -q test-signing "$work/out"
request </dev/null
check "OpenSSH, a greeting" test "$status" -eq 64

# What people type first gets a line that says what to type, at both doors.
hint="the file goes through stdin, and what is signed comes from stdout.  \
Type: ssh sign@HOST"
for door in sign openssh; do
	for words in "ls -l" "scp -t ." "rsync --server . ."; do
		# shellcheck disable=SC2086
		request $words </dev/null
		refused "$door, $words" 64
		check "says what to type" grep -qF "$hint" "$work/err"
	done
	scp -O -F "$dir/ssh_config" "$work/app.exe" "$door:" >"$work/out" \
	    2>"$work/err"
	check "$door, scp -O" grep -qF "$hint" "$work/err"
	request -s sftp </dev/null
	check "$door, SFTP" test "$status" -eq 64
done
# sshd drops what a subsystem says on stderr.
scp -F "$dir/ssh_config" "$work/app.exe" sign: >"$work/out" 2>"$work/err"
check "scp" grep -qF "$hint" "$work/err"
echo ls | sftp -b - -F "$dir/ssh_config" sign >"$work/out" 2>"$work/err"
check "sftp" grep -qF "$hint" "$work/err"
# A terminal is refused.
sleep 20 | script -qec "ssh -F '$dir/ssh_config' sign" "$work/typescript" \
    >"$work/out" &
wait "$!"
check "an interactive login" test "$?" -eq 64
check "ends at once" grep -q "nobody can log in here" "$work/typescript"
check "with a greeting" grep -q "test-signing" "$work/typescript"
door=openssh
for words in "--name=my setup.exe" "--pkcs7 My App"; do
	# shellcheck disable=SC2086
	request test-signing $words <"$work/app.exe"
	refused "$words" 64
done
check "OpenSSH's administrator" ssh -F "$dir/ssh_config" openssh-admin log
check "no forwarding" not ssh -F "$dir/ssh_config" -o ExitOnForwardFailure=yes \
    -R 0:127.0.0.1:1 openssh profiles
ssh-keygen -q -s "$dir/user_ca" -I ci/9 -z 9 -n client:ci -V -2h:-1h \
    "$dir/ci.pub"
request test-signing <"$work/app.exe"
check "an expired certificate is 255" test "$status" -eq 255
rm "$dir/ci-cert.pub"
make_client

# no_login STATE: neither door lets ci in, and both are on record.
no_login()
{
	for door in sign openssh; do
		request test-signing <"$work/app.exe"
		check "$door, a $1 client is 255" test "$status" -eq 255
	done
	admin 'events --json' | grep '"auth-failed"' | grep "\"$1\"" \
	    >"$work/events"
	check "which is counted at sshd-sign" grep -q '"sshd-sign"' \
	    "$work/events"
	check "and at OpenSSH" grep -q '"openssh"' "$work/events"
}
admin 'client disable ci'
no_login disabled
admin 'client enable ci'
request test-signing <"$work/app.exe"
signed "a client that is enabled again"
admin 'revoke ci' 2>/dev/null
no_login revoked
check "no attempt has a row of its own" not grep refused-login \
    < <(admin 'events --json')
rm "$dir/ci-cert.pub"
make_client

# --- uids ------------------------------------------------------------------------

# status_of PID FIELD: the first value of a line of /proc/PID/status.
status_of()
{
	awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

# runs_as WHAT PID UID
runs_as()
{
	check "$1 runs as $3" test "$(status_of "$2" Uid)" = "$3"
}

# confined WHAT PID: under seccomp, and without a way up.
confined()
{
	check "$1: seccomp" test "$(status_of "$2" Seccomp)" = 2
	check "$1: no new privileges" test "$(status_of "$2" NoNewPrivs)" = 1
}

# An undumpable process's files in /proc are root's.
undumpable()
{
	check "$1 is not dumpable" test "$(stat -c %u "/proc/$2/environ")" = 0
}

keyd_parent=$(cat "$dir/htsign-keyd.pid")
keyd_child=$(descendants "$keyd_parent" htsign-keyd)
worker=$(token_worker)
runs_as "keyd's parent" "$keyd_parent" 0
runs_as "keyd" "$keyd_child" 64101
runs_as "the token worker" "$worker" 64102
confined "keyd" "$keyd_child"
undumpable "keyd" "$keyd_child"
confined "the token worker" "$worker"
undumpable "the token worker" "$worker"

# less_than_a_day PID: its limit of processor time, in seconds.
less_than_a_day()
{
	[ "$(awk '/^Max cpu time/ { print $5 }' "/proc/$1/limits")" -lt 86400 ]
}

# hold HOST: a request whose upload does not end.
hold()
{
	{ cat "$work/app.exe"; sleep 30; } |
	    ssh -F "$dir/ssh_config" "$1" test-signing >/dev/null \
	        2>"$work/hold.err" &
}

# shell_of PID: the shell below that process, when it is in its sandbox.
shell_of()
{
	local pid
	pid=$(descendants "$1" htsign-shell)
	[ -n "$pid" ] && [ "$(status_of "$pid" Seccomp)" = 2 ] && echo "$pid"
}

listener=$(cat "$dir/sshd-sign.pid")
runs_as "the listener" "$listener" 0
hold sign
check "a shell at sshd-sign" within 5 shell_of "$listener"
pid=$(shell_of "$listener")
runs_as "it" "$pid" 64104
confined "it" "$pid"
undumpable "it" "$pid"
network=$(descendants "$listener" sshd-sign | head -n 1)
runs_as "the network process" "$network" 64103
confined "the network process" "$network"
undumpable "the network process" "$network"
check "the shell may compute no longer than its file takes" \
    within 5 less_than_a_day "$pid"
check "its root is empty" test -z "$(ls -A "/proc/$network/root/")"
kill "$(jobs -p | tail -n 1)" 2>/dev/null

hold openssh
check "a shell at OpenSSH" within 5 shell_of "$sshd_door"
pid=$(shell_of "$sshd_door")
runs_as "it" "$pid" 64104
confined "it" "$pid"
undumpable "it" "$pid"
kill "$(jobs -p | tail -n 1)" 2>/dev/null

# The PIN is nowhere to be seen.
pin=$(cat "$dir/pin")
for pid in $keyd_parent $keyd_child $worker $listener; do
	check "no PIN in process $pid" not grep -aq "$pin" \
	    "/proc/$pid/environ" "/proc/$pid/cmdline"
done
check "no PIN in the logs" not grep -aq "$pin" "$dir/htsign-keyd.log" \
    "$dir/sshd-sign.log" "$dir/openssh.log"
check "no PIN in the journal" not grep -arq "$pin" "$fake/state"

# --- tickets -----------------------------------------------------------------------

# as UID COMMAND ...: with what sshd would set.
as()
{
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups env -i \
	    SSH_ORIGINAL_COMMAND=test-signing \
	    SSH_CONNECTION="127.0.0.1 40000 127.0.0.1 22" \
	    SSH_USER_AUTH="$work/user_auth" "$@" \
	    <"$work/app.exe" >"$work/out" 2>"$work/err"
	status=$?
}

# new_ticket: what htsign-principals gives for the certificate of ci.
new_ticket()
{
	local type blob
	read -r type blob _ <"$dir/ci-cert.pub"
	printf 'publickey %s %s\n' "$type" "$blob" >"$work/user_auth"
	chmod 644 "$work/user_auth"
	setpriv --reuid 64106 --regid 64106 --clear-groups \
	    /usr/libexec/htsign/htsign-principals sign ci/1 1 "$blob" |
	    sed -n 's/.*--ticket \([^"]*\)".*/\1/p'
}

ticket=$(new_ticket)
check "htsign-principals gives a ticket" test -n "$ticket"
as 64104 "$shell" --ticket "$ticket"
signed "a shell with its ticket signs"
as 64104 "$shell"
refused "without one it does not" 77
as 64104 "$shell" -c "$shell --ticket $ticket"
signed "a login shell with its forced command does"
as 64104 "$shell" -c "id"
refused "with any other it does not" 77
altered=${ticket%?}$([ "${ticket: -1}" = A ] && echo B || echo A)
as 64104 "$shell" --ticket "$altered"
refused "an altered ticket" 77
as 64104 "$shell" --ticket "${ticket:0:20}"
refused "a cut ticket" 77
new_client other
own_blob=$(cut -d ' ' -f 1-2 "$dir/other-cert.pub")
printf 'publickey %s\n' "$own_blob" >"$work/user_auth"
as 64104 "$shell" --ticket "$ticket"
refused "a ticket for another certificate" 77
ticket=$(new_ticket)
as 64105 "$shell" --ticket "$ticket"
check "another uid cannot use it" test "$status" -ne 0 -a ! -s "$work/out"
as 64104 "$shell" --admin -c log
check "a client's shell is no administrator's" test "$status" -ne 0 -a \
    ! -s "$work/out"
as 64999 "$shell" --admin -c log
check "nor is anybody else" test "$status" -ne 0 -a ! -s "$work/out"
sleep 61
as 64104 "$shell" --ticket "$ticket"
refused "a stale ticket" 77
ticket=$(new_ticket)
stop_one htsign-keyd
start_programs no
as 64104 "$shell" --ticket "$ticket"
refused "a ticket of before the last start" 77
door=sign
request test-signing <"$work/app.exe"
signed "and all goes on"
done_testing
