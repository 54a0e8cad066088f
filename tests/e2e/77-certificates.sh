#!/bin/bash
# User certificates with limits, and what is revoked, at both doors: our own,
# those of ssh-keygen with our CA, and a key that is made with its certificate.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh ssh-keygen softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2577 2578
sample app.exe
reconfigure "/^profiles = (/a { name = \"other\";\
	certificates = [ \"test\" ]; },"
check "another profile is granted" admin 'grant ci other'

# At sshd-sign; admin is on the console.
by_ssh()
{
	local host=admin
	ssh -F "$dir/ssh_config" "$host" "$@"
}

# event KIND: the last one.
event()
{
	admin 'events --json --limit=20' | grep "\"kind\":\"$1\"" | tail -n 1
}

# hosts NAME: its key and certificate at both doors, as NAME and NAME-openssh.
hosts()
{
	openssh_port=2577 new_door "$1" sign "$1" >>"$dir/ssh_config"
	openssh_port=2578 new_door "$1-openssh" sign "$1" >>"$dir/ssh_config"
}

# new_key NAME
new_key()
{
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/$1" && hosts "$1"
}

# limited NAME OPTION ...: a certificate of ci's, for a new key.
limited()
{
	local name=$1
	shift
	new_key "$name" && by_ssh "issue ci $*" <"$dir/$name.pub" \
	    >"$dir/$name-cert.pub"
}

# elsewhere NAME SERIAL [OPTION ...]: one that ssh-keygen signs.
elsewhere()
{
	local name=$1 serial=$2
	shift 2
	new_key "$name" && ssh-keygen -q -s "$dir/user_ca" -I "ci/$serial" \
	    -z "$serial" -n client:ci -V -1m:+1h "$@" "$dir/$name.pub"
}

serial_of()
{
	ssh-keygen -L -f "$dir/$1-cert.pub" | awk '$1 == "Serial:" { print $2 }'
}

key_of()
{
	ssh-keygen -l -f "$dir/$1.pub" | cut -d ' ' -f 2
}

# ask HOST WORD ...: sets $status.
ask()
{
	local door=$1
	shift
	request "$@" <"$work/app.exe"
}

# --- what is in a certificate ----------------------------------------------------

limited all --ttl=1h --source=127.0.0.0/8,::1 --profile=other --uses=3
ssh-keygen -L -f "$dir/all-cert.pub" >"$work/listing"
check "ssh-keygen lists the addresses" grep -q \
    'source-address 127.0.0.0/8,::1' "$work/listing"
check "and the profile" grep -q \
    'profile@htsign UNKNOWN OPTION: 000000056f74686572 ' "$work/listing"
check "and the uses" grep -q 'uses@htsign UNKNOWN OPTION: 0000000133 ' \
    "$work/listing"
check "each serial is another one, and rises" test "$(serial_of all)" -gt \
    "$(serial_of ci)"
event=$(event certificate-issued)
for word in '"role":"admin"' '"from":"127.0.0.1"' '"profile":"other"' \
    '"source":"127.0.0.0/8,::1"' '"uses":3' "\"serial\":$(serial_of all)"; do
	check "its event has $word" grep -qF "$word" <<<"$event"
done
for words in '--uses=0' '--uses=4294967296' '--uses=x' '--uses=-1' \
    '--profile=none' '--source=here' '--source=10.0.0.1/8' '--ttl=25h'; do
	admin "issue ci $words" <"$dir/all.pub" >"$work/out" 2>"$work/err"
	status=$?
	refused "issue $words" 64
done
admin 'issue ci --new-key=x' </dev/null >"$work/out" 2>"$work/err"
status=$?
refused "issue --new-key=x" 64
admin "issue ci" </dev/null >"$work/out" 2>"$work/err"
status=$?
refused "issue without a key" 64

# --- uses, and the profile --------------------------------------------------------

ask all default
signed "its profile is the default at sshd-sign"
journal_says "and in the journal" '"profile":"other"'
ask all-openssh default
signed "and at OpenSSH"
for host in all all-openssh; do
	ask "$host" test-signing
	refused "another profile at $host" 77
	journal_says "is on record" '"status":"refused"' '"code":"profile"'
	ssh -F "$dir/ssh_config" "$host" profiles >"$work/out" 2>/dev/null
	check "profiles at $host are the one" test \
	    "$(cut -d ' ' -f 1 "$work/out")" = other
done
head -c 100 "$work/app.exe" >"$work/short.exe"
door=all request other <"$work/short.exe"
refused "a file that is damaged" 65
ask all other
signed "did not count: the third use"
for host in all all-openssh; do
	ask "$host" other
	refused "a fourth one at $host" 77
	journal_says "is on record" '"status":"refused"' '"code":"uses"' \
	    "\"serial\":$(serial_of all)"
done
admin "certificates ci" >"$work/out"
check "certificates says so" grep -Eq \
    "^$(serial_of all) .* from 127.0.0.0/8,::1 for other used 3 of 3\$" \
    "$work/out"
check "and in JSON" grep -q '"profile":"other","uses":3,"used":3,' \
    <<<"$(admin 'certificates --json')"
admin rebuild 2>/dev/null
ask all other
refused "after a rebuild, too" 77
ask sign other
signed "another certificate of the client's goes on"

limited away --source=192.0.2.0/24
for host in away away-openssh; do
	ask "$host" other
	check "from another address there is no login at $host" test "$status" \
	    -eq 255
done

# --- one more than allowed, while keyd dies ----------------------------------------

limited five --uses=5
mkdir "$work/released"
clients=()
one()
{
	ssh -F "$dir/ssh_config" "$1" other <"$work/app.exe" \
	    >"$work/released/$2.part" 2>>"$work/errors" &&
	    mv "$work/released/$2.part" "$work/released/$2"
}
for i in 1 2 3 4 5 6 7 8; do
	one five "s$i" &
	clients+=($!)
	one five-openssh "o$i" &
	clients+=($!)
	sleep 0.1
	! keyd=$(keyd_process) || [ $((i % 3)) -ne 0 ] || kill -KILL "$keyd"
done
wait "${clients[@]}"
for i in 1 2 3 4 5 6 7 8; do
	ask five other
	[ "$status" -ne 0 ] || cp "$work/out" "$work/released/t$i"
done
check "then it is used up" grep -q "is used up" "$work/err"
admin 'log --json --limit=1000' | grep "\"serial\":$(serial_of five)," \
    >"$work/rows"
check "five were decided, keyd's deaths or not" test \
    "$(grep -c '"decided":' "$work/rows")" -eq 5
check "and at most five came back: $(released | wc -l)" test \
    "$(released | wc -l)" -le 5 -a "$(released | wc -l)" -gt 0
check "all of them on record" released_is_recorded

# --- of our CA, and from elsewhere -------------------------------------------------

elsewhere plain 4711
elsewhere once 4712 -O clear -O extension:profile@htsign=other \
    -O extension:uses@htsign=1
elsewhere bad 4713 -O clear -O extension:uses@htsign=01
elsewhere new 4714 -O clear -O extension:more@htsign=1
elsewhere zero 0
for host in plain plain-openssh zero zero-openssh; do
	ask "$host" other
	signed "one of ssh-keygen's at $host"
done
ask once-openssh default
signed "one with limits"
for host in once once-openssh; do
	ask "$host" default
	refused "and no more of it at $host" 77
done
for name in bad new; do
	for host in "$name" "$name-openssh"; do
		ask "$host" other
		check "an extension of ours that is not known at $host" test \
		    "$status" -eq 255
	done
done
check "counts as such" within 70 grep -q '"reason":"extension"' \
    <(admin 'events --limit=1000')

# --- revoke, in each form ----------------------------------------------------------

# gone NAME: neither door lets it in.
gone()
{
	local host
	for host in "$1" "$1-openssh"; do
		ask "$host" other
		check "$1 is refused at $host" test "$status" -eq 255
	done
}

# revoked KIND TEXT WORD ...: there is an event with who, from where, and this.
revoked()
{
	local kind=$1 text=$2 event word
	shift 2
	check "$text" by_ssh "$text"
	event=$(event "$kind")
	for word in '"role":"admin"' '"from":"127.0.0.1"' "$@"; do
		check "its event has $word" grep -qF "$word" <<<"$event"
	done
}

revoked certificate-revoked "revoke serial 4711" '"serial":4711'
gone plain
elsewhere again 4711
gone again
limited two
revoked key-revoked "revoke key $(key_of two)" \
    "\"fingerprint\":\"$(key_of two)\""
gone two
check "certificates says so" grep -q "(revoked)" \
    <(admin 'certificates ci' | grep "$(serial_of two)")
ssh-keygen -q -s "$dir/user_ca" -I ci/4720 -z 4720 -n client:ci -V -1m:+1h \
    "$dir/two.pub"
gone two
admin "issue ci" <"$dir/two.pub" >"$work/out" 2>"$work/err"
status=$?
refused "nothing is issued for a revoked key" 64
limited three
ask three-openssh other
number=$(last_request | sed -n 's/^{"request":\([0-9]*\),.*/\1/p')
revoked certificate-revoked "revoke request $number" \
    "\"serial\":$(serial_of three)" "\"fingerprint\":\"$(key_of three)\"" \
    '"name":"ci"' '"valid_before":'
gone three
limited four
check "the short form takes a serial" admin "revoke $(serial_of four)"
gone four
for words in 'serial x' 'serial 4711' 'key two' "key $(key_of two)" \
    'request 0' 'request 1000000' 'client nobody' 'other 1' nobody; do
	admin "revoke $words" >"$work/out" 2>"$work/err"
	status=$?
	refused "revoke $words" 64
done
ask sign other
signed "nobody else is meant"

# --- a key and its certificate in one ------------------------------------------------

by_ssh "issue ci --new-key --uses=2" >"$work/secret"
check "a key is made with its certificate" test "$(wc -l <"$work/secret")" -gt 5
grep -v cert-v01 "$work/secret" >"$dir/made"
grep cert-v01 "$work/secret" >"$dir/made-cert.pub"
chmod 600 "$dir/made"
ssh-keygen -y -f "$dir/made" >"$dir/made.pub"
check "ssh-keygen reads the key" test -s "$dir/made.pub"
check "which is that of the certificate" grep -qF "$(key_of made)" \
    <(ssh-keygen -L -f "$dir/made-cert.pub")
hosts made
ask made other
signed "it signs at sshd-sign"
ask made-openssh other
signed "and at OpenSSH"
ssh -F "$dir/ssh_config" openssh-admin 'issue ci --new-key' >"$work/secret"
check "by OpenSSH, too, and another one" test \
    "$(cat "$work/secret" "$dir/made" | sort -u | grep -c ^b3BlbnNzaC)-$(
	cat "$work/secret" "$dir/made" | sort | uniq -d | wc -l)" = 1-3

# --- the list -----------------------------------------------------------------------

admin krl >"$work/krl"
for name in plain again two three four ci all five once made zero; do
	case $name in
	plain | again | two | three | four) expected=1 ;;
	*) expected=0 ;;
	esac
	ssh-keygen -Q -f "$work/krl" "$dir/$name-cert.pub" >/dev/null
	check "ssh-keygen says the same of $name" test $? -eq "$expected"
done
cat >"$work/sshd_config" <<CONF
ListenAddress 127.0.0.1
Port 2579
HostKey /etc/htsign/host_ed25519
UsePAM no
PidFile none
TrustedUserCAKeys /etc/htsign/user_ca.pub
AuthorizedPrincipalsFile $work/principals
RevokedKeys $work/krl
ForceCommand echo in
StrictModes no
CONF
echo client:ci >"$work/principals"
/usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
another_sshd=$!
port=2579 within 20 port_answers
for name in plain two three four all made; do
	ssh -F none -p 2579 -i "$dir/$name" -o StrictHostKeyChecking=no \
	    -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o LogLevel=ERROR \
	    -o "CertificateFile=$dir/$name-cert.pub" root@127.0.0.1 \
	    </dev/null >"$work/out" 2>/dev/null
	case $name in
	all | made) expected=in ;;
	*) expected= ;;
	esac
	check "and so does RevokedKeys of sshd of $name" test \
	    "$(cat "$work/out")" = "$expected"
done
kill "$another_sshd"

# An administrator's key as well, which ends his connection at sshd-sign, and what
# he may do at a prompt of OpenSSH's.
ssh -F "$dir/ssh_config" -o ControlPath="$work/control" \
    -o ControlMaster=yes -fN admin
mkfifo "$work/keys"
ssh -F "$dir/ssh_config" -tt openssh-admin <"$work/keys" \
    >"$work/prompt" 2>&1 &
prompt=$!
exec 3>"$work/keys"
echo 'client list' >&3
check "an administrator is at a prompt" within 10 grep -q test-signing \
    "$work/prompt"
check "his key is revoked" admin "revoke key $(key_of admin)"
check "his connection ends" within 4 not ssh -F "$dir/ssh_config" \
    -o ControlPath="$work/control" -O check admin
echo 'client disable ci' >&3
check "at the prompt he may no more" within 4 grep -q "is revoked" \
    "$work/prompt"
exec 3>&-
kill "$prompt" 2>/dev/null
ask sign other
signed "and has done nothing"
check "he does not come in again" not by_ssh 'client list'
done_testing
