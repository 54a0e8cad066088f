#!/bin/bash
# Clients that have no AES-GCM: they are refused, and ssh.compatible lets those
# in that can encrypt, then authenticate.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util python3 plink puttygen dbclient
# The package belongs to Debian's python3, which need not be the first one.
python=/usr/bin/python3
"$python" -W ignore -c 'import paramiko' || skip "python3-paramiko is missing"
proxy=
cleanup_more()
{
	[ -z "$proxy" ] || kill "$proxy" 2>/dev/null
}

endpoint 2354
sample app.exe
cp "$dir/ci" "$work/key"
cp "$dir/ci-cert.pub" "$work/key-cert.pub"
puttygen "$work/key" -O private -o "$work/key.ppk" --new-passphrase /dev/null

# with PROGRAM [WORD ...]: its way to have app.exe signed, to $work/out.
with()
{
	case $1 in
	ssh)
		timeout 20 ssh -F "$dir/ssh_config" "${@:2}" sign test-signing
		;;
	paramiko)
		timeout 20 "$python" -W ignore \
		    "$srcdir/tests/support/paramiko_client.py" "$port" \
		    "$work/key" test-signing
		;;
	plink)
		timeout 20 plink -batch -P "$port" -i "$work/key.ppk" \
		    -cert "$work/key-cert.pub" -hostkey "$(ssh-keygen -l \
		    -f "$dir/host_ed25519.pub" | cut -d ' ' -f 2)" \
		    sign@127.0.0.1 test-signing
		;;
	dbclient)
		timeout 20 dbclient -y -y -p "$port" sign@127.0.0.1 test-signing
		;;
	esac <"$work/app.exe" >"$work/out" 2>"$work/err"
}

# lets_in PROGRAM [WORD ...]
lets_in()
{
	check "$*: signed" with "$@"
	check "and whole" "$htsign" verify "$work/out" --ca "$dir/ca.pem"
}

keeps_out()
{
	check "$*: refused" not with "$@"
	check "and nothing is signed" test ! -s "$work/out"
}

# The lists of DESIGN.md, section 10, below the head $1.
documented()
{
	awk -F ' *[|] *' -v head="$1" '$2 == head { on = 1; next }
	    !/^[|]/ { on = 0 } on && !/---/ { gsub(/`/, ""); print $2 ": " $3 }' \
	    "$srcdir"/DESIGN.md
}
offered()
{
	python3 "$srcdir/tests/support/kexinit.py" "$port" |
	    grep -E '^(encryption|MAC):' | sort -u
}

# --- as it comes -------------------------------------------------------------------

said()
{
	[ "$(grep -c 'no algorithm fits' "$dir/sshd-sign.log")" -eq "$1" ]
}
keeps_out ssh -c aes256-ctr
check "the log has what the client offered, and the key" within 5 grep -q \
    '127.0.0.1: no algorithm fits (encryption client->server); ssh.compatible = true would add aes256-ctr; client \[aes256-ctr\]' \
    "$dir/sshd-sign.log"
keeps_out paramiko
keeps_out dbclient
check "once, for all of them" said 1
lets_in ssh
lets_in plink

# --- with ssh.compatible -------------------------------------------------------------

reconfigure 's/^ssh: {/& compatible = true;/'
offered >"$work/offered"
check "the lists are documented" \
    test "$(documented "list with \`ssh.compatible\`" | wc -l)" -eq 2
check "and no algorithms but those" diff \
    <(documented "list with \`ssh.compatible\`" | sort) "$work/offered"
lets_in ssh -c aes256-ctr -m hmac-sha2-256-etm@openssh.com
lets_in ssh -c aes256-ctr -m hmac-sha2-512-etm@openssh.com
lets_in ssh -c aes128-gcm@openssh.com
lets_in paramiko
check "paramiko encrypts, then authenticates" \
    grep -qx 'aes256-ctr hmac-sha2-[0-9]*-etm@openssh.com' "$work/err"
lets_in plink
keeps_out ssh -c aes128-ctr
keeps_out ssh -c aes256-ctr -m hmac-sha2-256
# It has no such MAC, and no certificates.
keeps_out dbclient
check "the log names no key that would not help" grep -q \
    'no algorithm fits (.*); client \[aes128-ctr' "$dir/sshd-sign.log"

# --- a flipped bit -----------------------------------------------------------------

head -c 1M /dev/urandom >>"$work/app.exe"
echo "flip $(cat "$dir/host_ed25519.pub")" >"$work/known_flip"
# flip DIRECTION OFFSET MAC
flip()
{
	"$builddir/tests/support/flip-proxy" 2355 2354 "$1" "$2" &
	proxy=$!
	port=2355 within 5 port_answers
	with ssh -p 2355 -o HostKeyAlias=flip -c aes256-ctr -m "$3" \
	    -o UserKnownHostsFile="$work/known_flip"
	status=$?
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	proxy=
}
for mac in hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com; do
	flip up 100000000 "$mac"
	signed "through a proxy that flips nothing, with $mac"
	for at in "up 3500" "up 500003" "down 100003"; do
		flip "${at% *}" "${at#* }" "$mac"
		check "a bit flipped $at: the connection ends ($status)" \
		    test "$status" -eq 255
	done
done
done_testing
