#!/bin/bash
# An htsign-fetch that was taken over gets no signature released; one that dies,
# whenever that is, costs its requests their time or a 69, and nothing else.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
port=2802
# shellcheck source=tests/support/timestamps.sh
. "$srcdir/tests/support/timestamps.sh"
sample a.exe

# --- taken over ----------------------------------------------------------------

request must Another program --pkcs7 <"$work/a.exe"
signed "a good one"
offset=$(openssl asn1parse -inform DER -in "$work/out" | awk -F : '
    /:1\.3\.6\.1\.4\.1\.311\.3\.3\.1$/ { at = NR }
    at && NR == at + 2 { print $1 + 0; exit }')
check "has a token" openssl asn1parse -inform DER -in "$work/out" \
    -strparse "$offset" -noout -out "$work/first"
sed 's/= tsa\./= other./' "$work/tsa/tsa.conf" >"$work/tsa/other.conf"
echo 01 >"$work/tsa/other.serial"
stop_one htsign-fetch

fetch_is_there()
{
	tail -n 1 "$dir/htsign-keyd.log" | grep -q 'htsign-fetch is there'
}

# is_false WAY STATUS TEXT
is_false()
{
	(cd "$work/tsa" && exec python3 "$srcdir/tests/support/false_fetch.py" \
	    "$dir/run/fetch.sock" "$srcdir/protocol/messages.h" "$1" \
	    other.conf "$work/first") &
	fetch_pid=$!
	within 20 fetch_is_there || bad "$1 is not there"
	request must <"$work/a.exe"
	kill "$fetch_pid" 2>/dev/null
	wait "$fetch_pid" 2>/dev/null
	check "$1: nothing comes back" \
	    test "$status-$(wc -c <"$work/out")" = "$2-0"
	check "$1: $3" grep -q "$3" "$work/err"
	journal_says "$1: on record" '"signed":"20' '"status":"failed"'
}
is_false other 70 'the result does not verify: .*certificate chain is not valid'
journal_says "as what it was" '"stamp_server":"good"'
is_false replay 70 'the result does not verify: .*for another signature'
is_false more 69 'no timestamp: htsign-fetch'
is_false less 69 'no timestamp: htsign-fetch'
check "keyd saw what no timestamp was" \
    grep -q 'gave what is no timestamp' "$dir/htsign-keyd.log"

# --- killed --------------------------------------------------------------------

start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
check "the real one is there again" within 20 fetch_is_there

# kill_it PAUSE ...: eight requests, and after each pause htsign-fetch is killed,
# and started again.  $good of them come back.
kill_it()
{
	local before pids='' i pause
	before=$(requests)
	for i in 1 2 3 4 5 6 7 8; do
		{
			ssh -F "$dir/ssh_config" sign late <"$work/a.exe" \
			    >"$work/out.$i" 2>"$work/err.$i"
			echo "$?" >"$work/status.$i"
		} &
		pids+=" $!"
	done
	for pause; do
		sleep "$pause"
		kill -KILL "$(cat "$dir/htsign-fetch.pid")"
		start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
	done
	# shellcheck disable=SC2086
	wait $pids
	good=0
	for i in 1 2 3 4 5 6 7 8; do
		case $(cat "$work/status.$i") in
		0) good=$((good + 1)) ;;
		69) check "nothing leaves with 69" test ! -s "$work/out.$i" ;;
		*) bad "status $(cat "$work/status.$i"): $(cat "$work/err.$i")" ;;
		esac
	done
	check "none was lost" test "$(requests)" -eq $((before + 8))
	admin 'log --json --limit=8' >"$work/rows"
	check "each one's signature is on record" \
	    test "$(grep -c '"signed":"20' "$work/rows")" -eq 8
	check "and each timestamp that was given" \
	    test "$(grep -c '"stamped":"20' "$work/rows")" -eq "$good"
}
kill_it 0.3
check "killed once, it is asked again" test "$good" -eq 8
kill_it 0.6 0.1 0.3
ok "killed three times, $good of 8 came back"
request must <"$work/a.exe"
signed "and all is well again"
done_testing
