#!/bin/bash
# What is on record of a request, through both doors: all of it after a success,
# and the word for what became of it after each way to fail.  `show` lays it out for
# a person, and --json is for programs.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util clamd python3 openssl /usr/sbin/sshd setpriv unshare
port=2585
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
# shellcheck source=tests/support/clamav.sh
. "$srcdir/tests/support/clamav.sh"
# shellcheck source=tests/support/authority.sh
. "$srcdir/tests/support/authority.sh"
openssh_port=$((port + 1))
authority tsa 2>/dev/null && start_authority 0 || exit 1
install -m 644 "$work/tsa/tsa-root.pem" /etc/htsign/tsa-root.pem
dead=http://127.0.0.1:9
reconfigure "1i timestamp_servers = (\
	{ name = \"good\"; operator = \"us\"; url = \"$url/good\";\
	  roots = \"/etc/htsign/tsa-root.pem\"; },\
	{ name = \"dead\"; operator = \"them\"; url = \"$dead/\";\
	  roots = \"/etc/htsign/tsa-root.pem\"; } );
	/^profiles = (/a { name = \"full\"; clamav = \"required\";\
	  archive = \"both\"; timestamp = \"required\";\
	  timestamp_servers = [ \"good\" ]; certificates = [ \"test\" ]; },\
	{ name = \"late\"; timestamp = \"required\";\
	  timestamp_servers = [ \"dead\" ]; certificates = [ \"test\" ]; },\
	{ name = \"small\"; max_size = 2048; certificates = [ \"test\" ]; },"
for profile in full late small; do
	admin "grant ci $profile" || exit 1
done
sample app.exe

# row NAME …: members of the last request's row, a line each.
row()
{
	admin 'log --json --limit=1' | python3 -c '
import json, sys
row = json.loads(sys.stdin.readline())
for name in sys.argv[1:]:
    print(row.get(name, ""))' "$@"
}

# became RESULT STATUS TEXT: what is on record of the last request.
became()
{
	local is
	is=$(row result)
	[ "$is" = "$1" ] || {
		echo "it is $is"
		admin 'log --json --limit=1'
		return 1
	}
}

# asks HOST WORD … <FILE: $status
asks()
{
	local host=$1
	shift
	ssh -F "$dir/ssh_config" "$host" "$*" >"$work/out" 2>"$work/err"
	status=$?
}

hex()
{
	sha256sum | cut -d' ' -f1
}

key=$(ssh-keygen -lf "$dir/ci.pub" | cut -d' ' -f2)
serial=$(ssh-keygen -L -f "$dir/ci-cert.pub" |
    awk '$1 == "Serial:" { print $2 }')
signer=$(openssl x509 -in "$dir/ca.pem" -outform DER | hex)
version=$("$keyd" -V 2>/dev/null | sed 's/.* //')
for host in sign openssh; do
	case $host in
	sign) door=sshd-sign ;;
	openssh) door=openssh ;;
	esac
	asks "$host" full My App --url=https://example.org/ --name=app.exe \
	    <"$work/app.exe"
	check "$host: all that a profile can want" test "$status" -eq 0
	check "success" became success
	check "who asked, by which door and certificate" test \
	    "$(row client door serial user_fingerprint | tr '\n' ' ')" = \
	    "ci $door $serial $key "
	check "from where" grep -qx '127.0.0.1 [1-9][0-9]*' \
	    <(row peer port | paste -sd' ')
	if [ "$host" = sign ]; then
		check "with which software" grep -q '^SSH-2.0-OpenSSH_' \
		    <(row banner)
	else
		check "sshd does not say with which software" test \
		    -z "$(row banner)"
	fi
	check "what for" test "$(row profile description url name | paste -sd'|')" \
	    = "full|My App|https://example.org/|app.exe"
	check "which file" test "$(row format size sha256 | paste -sd' ')" = \
	    "pe $(stat -c %s "$work/app.exe") $(hex <"$work/app.exe")"
	check "what it became" test \
	    "$(row output_size output_sha256 delivered_bytes | paste -sd' ')" = \
	    "$(stat -c %s "$work/out") $(hex <"$work/out") $(stat -c %s "$work/out")"
	check "by which certificate" test \
	    "$(row certificate fingerprint | paste -sd' ')" = "test $signer"
	check "its digest" grep -qE '^sha256 [0-9a-f]{64}$' \
	    <(row algorithm digest | paste -sd' ')
	check "the scanner and its database" grep -qE '^clean\|ClamAV .*/27000/' \
	    <(row scan scan_database | paste -sd'|')
	check "the timestamp" grep -qE '^good 20[0-9-]+T' \
	    <(row stamp_server stamp_time | paste -sd' ')
	check "htsign's version" test -n "$(row version)"
	[ -z "$version" ] || check "which is this" test "$(row version)" = "$version"
	check "the time of each step, in order" python3 -c '
import json, sys
row = json.loads(sys.argv[1])
steps = [row[s] for s in ("asked", "received", "pumped", "archived", "decided",
    "signed", "stamped", "finished", "ended")]
assert all(steps), steps
order = [s for s in steps if s]
assert sorted(order[2:]) == order[2:], order
assert order[0] == min(order), order' "$(admin 'log --json --limit=1')"

	# --- what became of others
	asks "$host" full <<<"not a program"
	check "$host: text" became unsupported-format
	cp "$work/app.exe" "$work/virus.exe"
	virus "$work/virus.exe"
	asks "$host" full <"$work/virus.exe"
	check "a virus" became virus
	asks "$host" nix <"$work/app.exe"
	check "no grant" became not-allowed
	{ cat "$work/app.exe" && head -c 4096 /dev/zero; } >"$work/long.exe"
	asks "$host" small <"$work/long.exe"
	check "too long" became too-big
	asks "$host" small --size=4096 <"$work/long.exe"
	check "announced to be too long" became too-big
	asks "$host" late <"$work/app.exe"
	check "no timestamp: $(cat "$work/err")" became timestamp-error
	admin 'lock softhsm'
	within 20 eval 'admin tokens | grep -q "softhsm *locked"'
	asks "$host" test-signing <"$work/app.exe"
	check "a token that is locked" became no-certificate
	admin 'unlock softhsm' </dev/null
	within 20 eval 'admin tokens | grep -q "softhsm *ready"'
	asks "$host" full --size=1 <"$work/app.exe"
	check "not as long as it was to be" became cancelled
	[ "$host" = sign ] || continue # sshd says EOF of a connection that is cut
	mkfifo "$work/fifo"
	ssh -F "$dir/ssh_config" "$host" full <"$work/fifo" >/dev/null 2>&1 &
	exec 3>"$work/fifo"
	rm "$work/fifo"
	head -c 100 "$work/app.exe" >&3
	sleep 1
	kill -KILL $!
	wait $! 2>/dev/null
	exec 3>&-
	check "cut" within 10 became cancelled
done

# --- for a person ------------------------------------------------------------------

check "log --result" test "$(admin 'log --result=virus' | wc -l)" -eq 2
admin 'log --result=luck' 2>"$work/err"
status=$?
check "names the words" test "$status" -eq 64 -a -n "$(grep timestamp-error "$work/err")"
for n in $(seq "$(admin 'log --limit=1' | awk '{ print $1 }')"); do
	admin "show $n" >"$work/show"
	[ "$(LC_ALL=C.UTF-8 wc -L <"$work/show")" -le 80 ] ||
	    bad "show $n is $(wc -L <"$work/show") wide"
	for word in request status result client profile; do
		grep -q "^$word  " "$work/show" || bad "show $n has no $word"
	done
done
check "show was looked at" test "$n" -ge 18
admin "show 1 --json" >"$work/json"
check "--json is an object for the row, and one for each event" python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert rows[0]["request"] == 1 and len(rows) > 3
assert all(r["request"] == 1 for r in rows)' "$work/json"
done_testing
