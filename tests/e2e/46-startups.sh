#!/bin/bash
# Connections that do not log in: whoever opens many of them takes the room from
# himself, and from nobody else.  The same at OpenSSH is in 55-openssh.sh.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util python3

endpoint 2562
sample app.exe
reconfigure 's/host_keys = /login_grace = 300; &/'
listener=$(cat "$dir/sshd-sign.pid")
idle=

cleanup_more()
{
	[ -z "$idle" ] || kill "$idle" 2>/dev/null
}

# idle ADDRESS NUMBER EVERY: keep so many connections open that say nothing, and
# open as many anew each EVERY seconds.
idle()
{
	python3 -c '
import socket, sys, time
address, number, every = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
while True:
    held = []
    for _ in range(number):
        s = socket.socket()
        s.bind((address, 0))
        s.settimeout(10)
        try:
            s.connect(("127.0.0.1", int(sys.argv[4])))
        except OSError:
            pass
        held.append(s)
    print("open", flush=True)
    time.sleep(every)
' "$@" "$port" >"$work/idle" &
	idle=$!
	within 30 grep -qs open "$work/idle"
}

stop_idle()
{
	kill "$idle"
	wait "$idle" 2>/dev/null
	idle=
}

starting()
{
	descendants "$listener" sshd-sign | wc -l
}

# logins NUMBER OPTION ...: how many of so many in a row work, and how long the
# slowest took, in ms.
logins()
{
	local i started took number=$1
	shift
	worked=0 slowest=0
	for i in $(seq "$number"); do
		started=$(date +%s%N)
		ssh -F "$dir/ssh_config" "$@" sign profiles >/dev/null \
		    2>"$work/err" </dev/null && worked=$((worked + 1))
		took=$((($(date +%s%N) - started) / 1000000))
		[ "$took" -le "$slowest" ] || slowest=$took
	done
}

logins 12
check "12 logins, the slowest in $slowest ms" test "$worked" -eq 12

idle 127.1.0.1 299 600
many()
{
	held=$(starting)
	[ "$held" -gt 60 ]
}
check "one address has many connections without a login" within 20 many
least_nice()
{
	local pid
	for pid in $(descendants "$listener" sshd-sign); do
		awk '{ sub(/.*\) /, ""); print $17 }' "/proc/$pid/stat"
	done 2>/dev/null | awk '$1 < 19 { n++ } END { print n + 0 }'
}
held=$(least_nice)
check "all but $held of its processes are as nice as can be" \
    test "$held" -le 12
logins 12
check "12 logins from elsewhere work beside them, the slowest in $slowest ms" \
    test "$worked" -eq 12
check "an administrator is let in" ssh -F "$dir/ssh_config" admin log
sleep 1
logins 12 -o BindAddress=127.1.0.1
check "even from that address, the slowest in $slowest ms" \
    test "$worked" -eq 12
check "the log says so" grep -q "too many connections that do not log in" \
    "$dir/sshd-sign.log"
if [ "$(id -u)" -eq 0 ]; then
	before=$(least_nice)
	ssh -F "$dir/ssh_config" -o BindAddress=127.1.0.1 \
	    -o ControlPath="$work/control" -o ControlMaster=yes -fN sign
	check "who has logged in is not" test "$(least_nice)" -gt "$before"
	ssh -F "$dir/ssh_config" -o ControlPath="$work/control" -O exit sign \
	    2>/dev/null
fi
stop_idle

# It opens them again and again.
idle 127.1.0.1 299 1
logins 12
check "12 logins beside a flood, the slowest in $slowest ms" \
    test "$worked" -eq 12
check "an administrator is let in" ssh -F "$dir/ssh_config" admin log
stop_idle
request test-signing <"$work/app.exe"
signed "a client signs after that"
done_testing
