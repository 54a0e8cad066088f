#!/bin/bash
# An installed endpoint: who is revoked or disabled while he has something open
# loses that at once, at both doors, and nobody else does.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2563 2564
sample app.exe
new_client other test-signing || exit 1
openssh_port=2563 new_door another sign other >>"$dir/ssh_config"
listener=$(cat "$dir/sshd-sign.pid")

# hold HOST: a session that waits for its upload; hold_over ends that.
declare -A client fifo
hold()
{
	local fd
	rm -f "$work/$1.fifo"
	mkfifo "$work/$1.fifo"
	ssh -F "$dir/ssh_config" "$1" test-signing <"$work/$1.fifo" \
	    >"$work/$1.out" 2>"$work/$1.err" &
	client[$1]=$!
	exec {fd}>"$work/$1.fifo"
	fifo[$1]=$fd
}

# hold_over HOST: $status is that of the client.
hold_over()
{
	local fd=${fifo[$1]}
	exec {fd}>&-
	wait "${client[$1]}"
	status=$?
}

connected()
{
	descendants "$listener" sshd-sign | wc -l
}

# asked NUMBER: so many sessions wait for their uploads.
asked()
{
	[ "$(admin 'log --json' | grep -c '"status":"asked"')" -eq "$1" ]
}

# lost TEXT COMMAND: what ci loses by an administrator's command.
lost()
{
	local host what=$1 text=$2 before
	shift 2
	hold sign
	hold openssh
	hold another
	ssh -F "$dir/ssh_config" -o ControlPath="$work/control" \
	    -o ControlMaster=yes -fN sign
	check "three sessions wait for their uploads" within 20 asked 3
	before=$(connected)
	check "three connections are open at sshd-sign" test "$before" -eq 3
	admin "$*" 2>/dev/null
	for host in sign openssh; do
		check "$what: its session at $host ends" within 4 \
		    has_ended "${client[$host]}"
		hold_over "$host"
		check "with 77 and: $(cat "$work/$host.err")" grep -q "$text" \
		    "$work/$host.err"
		check "and without output" test "$status" -eq 77 -a ! -s \
		    "$work/$host.out"
	done
	only_one()
	{
		[ "$(connected)" -eq 1 ]
	}
	check "its idle connection ends, too" within 4 only_one
	cat "$work/app.exe" >&"${fifo[another]}"
	hold_over another
	check "another client's session goes on" test "$status" -eq 0
	[ "$status" -eq 0 ] || cat "$work/another.err"
}

lost disabled "client ci is disabled" client disable ci
admin 'client enable ci'
lost revoked "certificate ci/[0-9]* is revoked" revoke ci
rm "$dir/ci-cert.pub"
make_client
serial=$(ssh-keygen -L -f "$dir/ci-cert.pub" | awk '$1 == "Serial:" { print $2 }')
lost "revoked by its serial" "certificate ci/$serial is revoked" revoke "$serial"

# What is frozen ends what is open as well, and no connection.
rm "$dir/ci-cert.pub"
make_client
for host in sign openssh another; do
	hold "$host"
done
check "three sessions wait for their uploads" within 20 asked 3
admin 'freeze client ci'
for host in sign openssh; do
	check "frozen: its session at $host ends" within 4 \
	    has_ended "${client[$host]}"
	hold_over "$host"
	check "with 77 and: $(cat "$work/$host.err")" test "$status" -eq 77
	check "which says why" grep -q 'client ci is frozen' "$work/$host.err"
	check "as profiles does" grep -q 'client ci is frozen' \
	    <(ssh -F "$dir/ssh_config" "$host" profiles)
done
cat "$work/app.exe" >&"${fifo[another]}"
hold_over another
check "another client's session goes on" test "$status" -eq 0
admin 'thaw client ci'

# The other forms: each means ci and nobody else.
again()
{
	rm -f "$dir/ci" "$dir/ci.pub" "$dir/ci-cert.pub"
	ssh-keygen -q -t ed25519 -N '' -C ci -f "$dir/ci" && make_client
	serial=$(ssh-keygen -L -f "$dir/ci-cert.pub" |
	    awk '$1 == "Serial:" { print $2 }')
}
again
lost "revoked with its client" "certificate ci/$serial is revoked" \
    revoke client ci
again
lost "revoked by serial" "certificate ci/$serial is revoked" \
    revoke serial "$serial"
again
ssh -F "$dir/ssh_config" sign test-signing <"$work/app.exe" >/dev/null
request=$(admin 'log --json --limit=1' | sed 's/^{"request":\([0-9]*\),.*/\1/')
lost "revoked with a request" "certificate ci/$serial is revoked" \
    revoke request "$request"
again
key=$(ssh-keygen -l -f "$dir/ci.pub" | cut -d ' ' -f 2)
lost "revoked with its key" "key $key is revoked" revoke key "$key"
again
# One that was issued elsewhere, by its serial and by its key.
for how in "serial 4711" key; do
	ssh-keygen -q -s "$dir/user_ca" -I ci/4711 -z 4711 -n client:ci \
	    -V -1m:+1h "$dir/ci.pub"
	text="certificate ci/4711 is revoked"
	if [ "$how" = key ]; then
		ssh-keygen -q -s "$dir/user_ca" -I ci/4712 -z 4712 \
		    -n client:ci -V -1m:+1h "$dir/ci.pub"
		key=$(ssh-keygen -l -f "$dir/ci.pub" | cut -d ' ' -f 2)
		how="key $key" text="key $key is revoked"
	fi
	# shellcheck disable=SC2086 # two words
	lost "issued elsewhere, revoked by $how" "$text" revoke $how
done
again

# Serial 0 is a number like others, which a certificate of another's CA may have.
hold sign
hold another
check "two sessions wait for their uploads" within 20 asked 2
check "serial 0 is revoked" admin 'revoke 0'
sleep 3 # who is meant is gone by then
for host in sign another; do
	cat "$work/app.exe" >&"${fifo[$host]}"
	hold_over "$host"
	check "which is not that of $host" test "$status" -eq 0
done
check "each session has its end on record" test \
    "$(admin 'log --json' | grep -c '"status":"refused"')" -eq 20
done_testing
