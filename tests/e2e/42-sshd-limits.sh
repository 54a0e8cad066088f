#!/bin/bash
# What sshd-sign's configuration promises about its doors: host keys of each
# kind, IPv6, dropping early; and about clients that do not answer, do not read
# or hang up in the middle of a connection.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh ssh-keygen softhsm2-util osslsigncode
python=/usr/bin/python3
"$python" -c 'import asyncssh' 2>/dev/null ||
    skip "python3-asyncssh is missing"

endpoint 2514
sample app.exe
mkfifo "$work/fifo"
listener=$(cat "$dir/sshd-sign.pid")

connect()
{
	timeout 20 ssh -F "$dir/ssh_config" "$@"
}

networks()
{
	descendants "$listener" sshd-sign
}

no_networks()
{
	[ -z "$(networks)" ]
}

no_shells()
{
	[ -z "$(descendants "$listener" htsign-shell)" ]
}

with()
{
	reconfigure "$1"
	listener=$(cat "$dir/sshd-sign.pid")
}

# --- clients that are not honest ----------------------------------------------------

# trick TEXT RESULT NAME [FILE]: a hundred thousand requests, as one of them
# makes, take ten seconds of a processor's.
trick()
{
	local what=$1 want=$2 out
	shift 2
	out=$(timeout 300 "$python" "$srcdir/tests/support/hostile_client.py" "$port" \
	    "$dir/ci" "$@" 2>"$work/err")
	check "$what: $out" test "$out" = "$want"
	[ "$out" = "$want" ] || tail -n 5 "$work/err"
	check "no shell is left" within 5 no_shells
	check "no connection is left" within 5 no_networks
}

aborted()
{
	last_request | grep -q '"status":"aborted"'
}

trick "a channel closed without EOF, and the next" "then 0" cut \
    "$work/app.exe"
check "the first was aborted" within 5 aborted
trick "sessions without number" "64, then 0" crowd
trick "variables without number" 0 environment
trick "data for no channel" 0 nowhere
trick "answers that nobody reads" closed deaf
trick "passwords without number" closed passwords
trick "Kerberos" closed gssapi
check "no network process crashed" not grep "died" "$dir/sshd-sign.log"

# --- 100 sessions leave nothing behind ----------------------------------------------

descriptors()
{
	find "/proc/$1/fd" -type l | wc -l
}

has_descriptors()
{
	[ "$(descriptors "$1")" -le "$2" ]
}

# But the process that is there for the next shell.
no_children()
{
	local child
	while read -rd ' ' child; do
		[ "$(cat "/proc/$child/comm")" = htsign-forkserv ] || return
	done <"/proc/$listener/task/$listener/children"
}

before=$(descriptors "$listener")
keyd_process=$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)
keyd_before=$(descriptors "$keyd_process")
for i in {1..10}; do
	pids=()
	for _ in {1..10}; do
		connect sign profiles >/dev/null 2>&1 </dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
done
check "no process is left of 100 sessions" within 5 no_children
check "nor a descriptor in sshd-sign" within 5 has_descriptors "$listener" \
    "$before"
check "nor in htsign-keyd" within 5 has_descriptors "$keyd_process" \
    "$keyd_before"

# --- host keys ------------------------------------------------------------------------

for kind in rsa ecdsa; do
	ssh-keygen -q -t "$kind" -N '' -f "$dir/host_$kind" || exit 1
	printf '[127.0.0.1]:%s %s\n[::1]:%s %s\n' "$port" \
	    "$(cat "$dir/host_$kind.pub")" "$port" \
	    "$(cat "$dir/host_$kind.pub")" >>"$dir/known_hosts"
done
has_ipv6()
{
	[ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6
}
listen=
if has_ipv6; then
	listen=", \"[::1]:$port\""
fi
with "s|\(host_keys = \[.*[^ ]\) *\];|\1, \"$dir/host_rsa\", \"$dir/host_ecdsa\" ];|
s|\(listen = \[.*[^ ]\) *\];|\1$listen ]; keepalive = 1; idle = 60;|"
for algorithm in ssh-ed25519 ecdsa-sha2-nistp256 rsa-sha2-256 rsa-sha2-512; do
	connect -v -o HostKeyAlgorithms="$algorithm" sign profiles \
	    >/dev/null 2>"$work/err"
	check "host key: $algorithm" grep -q \
	    "kex: host key algorithm: $algorithm" "$work/err"
	check "which the client accepts" grep -q "Authenticated to" \
	    "$work/err"
done
check "no SHA-1: ssh-rsa" not connect -o HostKeyAlgorithms=ssh-rsa sign \
    profiles

# --- IPv6 ----------------------------------------------------------------------------------

if has_ipv6; then
	awk -v port="$port" '{ sub(/\[127\.0\.0\.1\]/, "[::1]") } 1' \
	    "$dir/known_hosts" >"$work/known6"
	connect -o HostName=::1 -o UserKnownHostsFile="$work/known6" sign \
	    test-signing <"$work/app.exe" >"$work/out" 2>"$work/err"
	status=$?
	signed "over IPv6"
	check "which verifies" verify_osslsigncode "$work/out"
	journal_says "its address is on record" '"peer":"::1"'
else
	ok "no IPv6 here"
fi

# --- a client that does not answer ------------------------------------------------------------

# Probes are sent every second; three stay without an answer.
ssh -F "$dir/ssh_config" sign test-signing <"$work/fifo" >/dev/null \
    2>"$work/err" &
client=$!
exec 3>"$work/fifo"
check "a session starts" within 5 not no_shells
sleep 6
check "a client that answers is kept" not no_shells
kill -STOP "$client"
started=$SECONDS
check "one that does not is let go" within 15 no_networks
check "after its probes" test $((SECONDS - started)) -ge 2
check "and its shell" within 5 no_shells
kill -CONT "$client"
exec 3>&-
wait "$client"
check "as the client notices" test $? -eq 255

# --- a client that does not read ---------------------------------------------------------------

with 's/keepalive = 1; idle = 60;/keepalive = 0; idle = 2;/'
head -c 24M /dev/urandom >"$work/overlay"
cat "$work/app.exe" "$work/overlay" >"$work/large.exe"
# The result fills the pipe, the client's window and all buffers between.
{ ssh -F "$dir/ssh_config" sign test-signing <"$work/large.exe" 2>"$work/err"
echo $? >"$work/status"; } | { read -rn 1 _; sleep 8; } &
client=$!
check "a session starts" within 10 not no_shells
check "a client that does not read is let go" within 12 no_networks
check "and its shell" within 5 no_shells
wait "$client"

# --- dropping early -----------------------------------------------------------------------------

with 's/keepalive = 0; idle = 2;/max_startups = "5:100:5"; login_grace = 30;/'
sleep 1 # until the look whether it listens has a process
check "the look whether it listens is over" within 10 no_networks
strangers=()
for i in 1 2 3 4 5; do
	exec {stranger}<>"/dev/tcp/127.0.0.1/$port"
	strangers+=("$stranger")
done
sleep 2
check "the sixth before a login is let in" connect sign profiles
check "which the log says" grep -q "too many connections" "$dir/sshd-sign.log"
check "and the first has to go" timeout 4 cat <&"${strangers[0]}"
check "but not the second" not timeout 1 cat <&"${strangers[1]}"
for stranger in "${strangers[@]}"; do
	exec {stranger}>&-
done
check "then there is room again" within 5 connect sign profiles
control=(-o ControlPath="$work/control")
connect "${control[@]}" -o ControlMaster=yes -fN sign 2>/dev/null
sleep 1 # until the ends of those before are noticed
for i in 1 2 3 4; do
	exec {stranger}<>"/dev/tcp/127.0.0.1/$port"
done
check "who is logged in does not count" connect sign profiles
check "nor its channels" connect "${control[@]}" sign profiles
connect "${control[@]}" -O exit sign 2>/dev/null
done_testing
