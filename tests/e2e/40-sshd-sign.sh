#!/bin/bash
# sshd-sign itself: what it refuses, what a connection may carry, and what
# becomes of one that is cut, silent, damaged or not who it says.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh ssh-keygen softhsm2-util osslsigncode python3
proxy=
cleanup_more()
{
	[ -z "$proxy" ] || kill "$proxy" 2>/dev/null
}

endpoint 2304
sample app.exe
listener=$(cat "$dir/sshd-sign.pid")

connect()
{
	timeout 20 ssh -F "$dir/ssh_config" "$@"
}

shells()
{
	descendants "$listener" htsign-shell
}

no_shells()
{
	[ -z "$(shells)" ]
}

networks()
{
	descendants "$listener" sshd-sign
}

no_networks()
{
	[ -z "$(networks)" ]
}

# --- what is offered -----------------------------------------------------------

# A libssh before 0.12 does not have the first key exchange.
lists()
{
	sed 's/ mlkem768x25519-sha256//' | sort -u
}
# Of the host keys, the one that this endpoint has.
awk -F ' *[|] *' '/^[|] list [|]/ { on = 1; next } !/^[|]/ { on = 0 }
    on && !/---/ { gsub(/`/, "")
	if ($2 == "host key") $3 = "ssh-ed25519"
	print $2 ":" ($3 == "" ? "" : " ") $3 }' "$srcdir"/DESIGN.md |
    lists >"$work/documented"
python3 "$srcdir/tests/support/kexinit.py" 2304 | lists >"$work/offered"
check "all lists are documented" test "$(wc -l <"$work/documented")" -eq 6
check "no algorithms but those" diff "$work/documented" "$work/offered"

# --- what is refused -----------------------------------------------------------

check "ports of the server: refused" not \
    connect -W 127.0.0.1:2304 sign </dev/null
check "listening for the client: refused" not \
    connect -o ExitOnForwardFailure=yes -R 2305:127.0.0.1:2304 sign help
check "subsystems: refused" not connect -s sign netconf </dev/null
connect -tt sign help >"$work/out" 2>"$work/err" </dev/null
check "terminals: refused" grep -q "PTY allocation request failed" "$work/err"
check "other ciphers: refused" not \
    connect -c chacha20-poly1305@openssh.com sign help
check "passwords: refused" not connect -o PubkeyAuthentication=no sign help
for i in 1 2; do
	ssh-keygen -q -t ed25519 -N '' -f "$work/wrong$i"
done

# ssh -i KEY finds KEY-cert.pub by itself, and offers the plain key first.
strangers()
{
	admin 'events --json' | grep -c '"auth-failed".*unknown-key'
}
sed "/CertificateFile/d" "$dir/ssh_config" >"$work/plain"
ssh -v -F "$work/plain" sign help >"$work/out" 2>"$work/err"
check "a plain key before its certificate" test "$?" -eq 0 -a \
    "$(grep -c 'Offering public key' "$work/err")" -eq 2
check "is no failure in a log" not grep -E 'refused|unknown-key' \
    "$dir/sshd-sign.log" "$dir/htsign-keyd.log"
check "nor in the journal" test "$(strangers)" -eq 0
sed "s,\"$dir/ci\",\"$work/wrong1\"," "$work/plain" >"$work/stranger"
check "a stranger's key: refused" not \
    timeout 20 ssh -F "$work/stranger" sign help
counted()
{
	[ "$(strangers)" -eq 1 ]
}
check "which is counted" within 5 counted
check "and logged" grep -q "login refused" "$dir/sshd-sign.log"

# --- environment ---------------------------------------------------------------

request -o SetEnv='HTSIGN_DESCRIPTION="From the environment"' \
    test-signing <"$work/app.exe"
signed "a description by environment"
check "which is in the signature" describes "$work/out" "From the environment"

mkfifo "$work/fifo"
connect -o SetEnv=LD_PRELOAD=/nonexistent sign test-signing <"$work/fifo" \
    >/dev/null 2>&1 &
client=$!
exec 3>"$work/fifo"
check "a shell starts" within 5 not no_shells
check "with no environment" test ! -s "/proc/$(shells)/environ"

# While it waits: what the processes may do.
confined()
{
	grep -qx 'NoNewPrivs:	1' "/proc/$1/status" &&
	    grep -qx 'Seccomp:	2' "/proc/$1/status"
}
if ! grep -q '^#define HT_NO_SANDBOX' "$builddir/config.h"; then
	check "the network process is confined" \
	    confined "$(networks | head -n 1)"
	check "the shell is confined" confined "$(shells)"
	check "the listener is confined" confined "$listener"
fi
# Its socket, the relay, three pipes and /dev/null.
check "the network process has only its descriptors" test \
    "$(find "/proc/$(networks | head -n 1)/fd" -type l | wc -l)" -le 8
exec 3>&-
wait "$client"
check "the shell goes" within 5 no_shells

# --- several channels ------------------------------------------------------------

control=(-o ControlPath="$work/control")
connect "${control[@]}" -o ControlMaster=yes -fN sign 2>/dev/null
pids=()
for i in 1 2 3 4 5 6 7 8; do
	connect "${control[@]}" sign test-signing <"$work/app.exe" \
	    >"$work/channel.$i" 2>"$work/err" &
	pids+=($!)
done
wait "${pids[@]}"
one_network()
{
	[ "$(networks | wc -l)" -eq 1 ]
}
check "side by side: one network process" within 5 one_network
for i in 1 2 3 4 5 6 7 8; do
	check "channel $i" verify_osslsigncode "$work/channel.$i"
done
for i in 1 2 3; do
	connect "${control[@]}" sign test-signing <"$work/app.exe" \
	    >"$work/channel.$i"
	check "one after another: $i" verify_osslsigncode "$work/channel.$i"
done
connect "${control[@]}" sign no-such-profile </dev/null >/dev/null 2>&1
check "a status of its own" test $? -eq 77
connect "${control[@]}" -O exit sign 2>/dev/null
check "the connection ends" within 5 no_networks

# --- keys change on the way ---------------------------------------------------------

head -c 8M /dev/urandom >"$work/overlay"
cat "$work/app.exe" "$work/overlay" >"$work/large.exe"
request -o RekeyLimit=1M test-signing <"$work/large.exe"
signed "new keys every megabyte"
check "which verifies" verify_osslsigncode "$work/out"

# --- a client that goes ---------------------------------------------------------------

aborted()
{
	last_request | grep -q '"status":"aborted"'
}

# The whole file, but no end of it: it could be signed, and must not be.
before=$(requests)
ssh -F "$dir/ssh_config" sign test-signing <"$work/fifo" >"$work/cut" \
    2>/dev/null &
client=$!
exec 3>"$work/fifo"
cat "$work/app.exe" >&3
within 5 not no_shells
sleep 0.5
kill -KILL "$client"
wait "$client" 2>/dev/null
exec 3>&-
check "a cut upload: the shell goes" within 5 no_shells
check "and the network process" within 5 no_networks
check "nothing came out" test ! -s "$work/cut"
check "one request" test "$(requests)" -eq $((before + 1))
check "it was aborted" within 5 aborted

# The same with the network process.
ssh -F "$dir/ssh_config" sign test-signing <"$work/fifo" >"$work/cut" \
    2>/dev/null &
client=$!
exec 3>"$work/fifo"
cat "$work/app.exe" >&3
within 5 not no_shells
sleep 0.5
kill -KILL "$(networks)"
wait "$client"
check "a network process that dies: ssh's own status" test $? -eq 255
exec 3>&-
check "the shell goes" within 5 no_shells
check "it was aborted" within 5 aborted

# Refused early, while the client still sends.
started=$SECONDS
head -c 2G /dev/zero | connect sign test-signing >"$work/out" 2>"$work/err"
status=${PIPESTATUS[1]}
refused "an early refusal arrives" 65
check "at once" test $((SECONDS - started)) -lt 4

# --- a flipped bit -----------------------------------------------------------------------

# flip DIRECTION OFFSET
flip()
{
	"$builddir/tests/support/flip-proxy" 2306 2304 "$1" "$2" &
	proxy=$!
	port=2306 within 5 port_answers
	timeout 20 ssh -F "$dir/ssh_config" -p 2306 -o HostKeyAlias=flip \
	    -o UserKnownHostsFile="$work/known_flip" sign test-signing \
	    <"$work/large.exe" >"$work/out" 2>"$work/err"
	status=$?
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	proxy=
}
echo "flip $(cat "$dir/host_ed25519.pub")" >"$work/known_flip"
before=$(requests)
flip up 100000000
signed "through a proxy that flips nothing"
check "verifies" verify_osslsigncode "$work/out"
check "it is one request" test "$(requests)" -eq $((before + 1))
for offset in 3500 50000 200001 4000002; do
	flip up "$offset"
	check "a bit flipped at $offset: the connection ends ($status)" \
	    test "$status" -eq 255
	check "with no result" test ! -s "$work/out"
done
flip down 100003
check "a bit flipped on the way back: the connection ends ($status)" \
    test "$status" -eq 255
check "no shell is left" within 5 no_shells
admin 'log --json' | tail -n +$((before + 2)) >"$work/journal"
check "the journal has them" test -s "$work/journal"
check "and none was delivered" not grep '"status":"delivered"' "$work/journal"

# --- time and number ------------------------------------------------------------------------

reconfigure 's/listen = .*;/& login_grace = 3; max_auth_tries = 2; idle = 2;/'
listener=$(cat "$dir/sshd-sign.pid")
exec 4<>/dev/tcp/127.0.0.1/2304
started=$SECONDS
timeout 10 cat <&4 >/dev/null
check "a client that does not log in is cut off" \
    test $((SECONDS - started)) -lt 8
exec 4>&-

# Keys before the good one; without its certificate that is none either.
sed "s,^    IdentityFile \"$dir/ci\",    IdentityFile \"$work/wrong1\"\n&," \
    "$dir/ssh_config" >"$work/one_wrong"
sed "/CertificateFile/d; s,^    IdentityFile,&     \"$work/wrong2\"\n&," \
    "$work/one_wrong" >"$work/three_wrong"
check "within the attempts" timeout 10 ssh -F "$work/one_wrong" sign profiles
timeout 10 ssh -F "$work/three_wrong" sign profiles 2>"$work/err"
check "attempts are counted" grep -q "too many authentication failures" \
    "$work/err"

connect "${control[@]}" -o ControlMaster=yes -fN sign 2>/dev/null
check "an idle connection ends" within 6 test ! -S "$work/control"

# --- the end -----------------------------------------------------------------------------------

# A session that runs when SIGTERM comes still ends well.
connect sign test-signing <"$work/fifo" >"$work/out" 2>"$work/err" &
client=$!
exec 3>"$work/fifo"
within 5 not no_shells
kill "$listener"
sleep 0.5
check "draining: no new connections" not connect sign profiles
cat "$work/app.exe" >&3
exec 3>&-
wait "$client"
status=$?
signed "draining: the session ends well"
check "then the listener goes" within 10 not is_running sshd-sign
done_testing
