#!/bin/bash
# Who is revoked while his request waits, for clamd, for its token, or for a
# timestamp, loses it at once, at both doors.  What a token has ends when the
# token has answered, and gives nothing.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
port=2582
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
# shellcheck source=tests/support/clamav.sh
. "$srcdir/tests/support/clamav.sh"
sample app.exe

# A server of timestamps that takes a question and says nothing.
python3 - 2584 <<-'PY' &
	import socket, sys
	s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
	held = []
	while True:
	    held.append(s.accept())
	PY
silent=$!
trap 'kill "$silent"; cleanup' EXIT
reconfigure "1i timestamp_servers = ( { name = \"silent\"; operator = \"silent\";\
	url = \"http://127.0.0.1:2584/\"; roots = \"/etc/htsign/ca.pem\"; } );
	/^profiles = (/a { name = \"stamped\"; certificates = [ \"test\" ];\
	existing = \"replace\"; timestamp = \"required\"; },"
admin "grant ci stamped"

again()
{
	rm -f "$dir/ci" "$dir/ci.pub" "$dir/ci-cert.pub"
	ssh-keygen -q -t ed25519 -N '' -C ci -f "$dir/ci" && make_client
	serial=$(ssh-keygen -L -f "$dir/ci-cert.pub" |
	    awk '$1 == "Serial:" { print $2 }')
}

# statuses WORD N: so many requests are in that state.
statuses()
{
	[ "$(admin 'log --json' | grep -c "\"status\":\"$1\"")" -eq "$2" ]
}

# waiting PROFILE [HOST ...]: a request at each door.
declare -A client
waiting()
{
	local host profile=$1
	shift
	[ $# -gt 0 ] || set -- sign openssh
	for host; do
		ssh -F "$dir/ssh_config" "$host" "$profile" <"$work/app.exe" \
		    >"$work/$host.out" 2>"$work/$host.err" &
		client[$host]=$!
	done
}

# lost SECONDS TEXT: both have ended, with this.
lost()
{
	local host
	for host in sign openssh; do
		check "the one at $host ends" within "$1" has_ended \
		    "${client[$host]}"
		wait "${client[$host]}"
		check "with 77" test $? -eq 77
		check "and: $(tail -n 1 "$work/$host.err")" grep -q "$2" \
		    "$work/$host.err"
		check "and nothing else" test ! -s "$work/$host.out"
	done
}

for how in serial key request client; do
	again
	case $how in
	serial) word=$serial ;;
	key) word=$(ssh-keygen -l -f "$dir/ci.pub" | cut -d ' ' -f 2) ;;
	client) word=ci ;;
	esac
	text="certificate ci/$serial is revoked"
	[ "$how" != key ] || text="key $word is revoked"

	kill -STOP "$clamd"
	waiting must
	check "two requests wait for clamd" within 20 statuses asked 2
	sleep 1
	[ "$how" != request ] ||
	    word=$(last_request | sed 's/^{"request":\([0-9]*\),.*/\1/')
	check "revoke $how" admin "revoke $how $word"
	lost 4 "$text"
	kill -CONT "$clamd"
done

again
waiting stamped
check "two requests wait for a timestamp" within 20 statuses signed 2
check "their key is revoked" admin \
    "revoke key $(ssh-keygen -l -f "$dir/ci.pub" | cut -d ' ' -f 2)"
lost 4 "key SHA256:.* is revoked"

again
worker=$(token_worker)
kill -STOP "$worker"
waiting must
check "a token has two requests" within 20 statuses decided 2
check "their certificate is revoked" admin "revoke serial $serial"
sleep 0.2 # sshd-sign waits for two seconds
check "nothing is said of them yet" test ! -s "$work/sign.err" -a ! -s \
    "$work/openssh.err"
kill -CONT "$worker"
lost 10 "certificate ci/$serial is revoked"

# With one place at the token, and four on record, the fifth waits in its queue.
reconfigure 's/name = "softhsm";/& sessions = 1;/'
again
worker=$(token_worker)
kill -STOP "$worker"
for i in 1 2 3 4; do
	waiting must openssh
	check "$i on record for the token" within 20 statuses decided "$i"
done
waiting must sign
check "another one waits for it" within 20 statuses asked 1
sleep 1
check "their client is disabled" admin "client disable ci"
check "the one in the queue ends" within 4 has_ended "${client[sign]}"
check "the other one does not yet" not has_ended "${client[openssh]}"
kill -CONT "$worker"
lost 10 "client ci is disabled"
check "nothing of all that came out" statuses delivered 0
done_testing
