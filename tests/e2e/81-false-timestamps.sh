#!/bin/bash
# An htsign-fetch that was taken over gets no signature released; one that dies,
# whenever that is, costs its requests their time or a 69, and nothing else.
#
# HTSIGN_FULL is for how many seconds it is killed, 6 by default.

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

# client NUMBER: sign until it is told to stop.  A line of asked for each request.
client()
{
	local i=0
	while [ ! -e "$work/stop" ]; do
		i=$((i + 1))
		ssh -F "$dir/ssh_config" sign late "request $1-$i" \
		    <"$work/a.exe" >"$work/$1-$i" 2>"$work/err.$1"
		echo "$1-$i $? $(stat -c %s "$work/$1-$i")"
	done >"$work/asked-$1"
}
# storm SECONDS SEED: eight clients, and htsign-fetch is killed whenever the lot
# says.  Somebody starts it again, sooner or later.
storm()
{
	local end=$((SECONDS + $1)) i pids=()
	RANDOM=$2 kills=0
	rm -f "$work/stop"
	for i in 1 2 3 4 5 6 7 8; do
		client "$i" &
		pids+=("$!")
	done
	while [ "$SECONDS" -lt "$end" ]; do
		sleep "0.$((RANDOM % 9 + 1))"
		fetch_pid=$(cat "$dir/htsign-fetch.pid")
		kill -KILL "$fetch_pid"
		wait "$fetch_pid" 2>/dev/null
		kills=$((kills + 1))
		sleep "0.$((RANDOM % 4))"
		start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
	done
	touch "$work/stop"
	wait "${pids[@]}"
}
# as_it_happened: what clients got is what the journal has.  Counts what there was.
as_it_happened()
{
	admin 'log --json --limit=1000000' >"$work/rows"
	cat "$work"/asked-* | python3 -c '
import collections, json, sys
rows = {}
for line in open(sys.argv[1]):
    row = json.loads(line)
    rows[row.get("description")] = row
seen = collections.Counter()
for line in sys.stdin:
    name, status, size = line.split()
    row = rows["request " + name]
    have = [key for key in ("signed", "stamped") if key in row]
    seen[status, row["status"], *have] += 1
    good = {"0": ("delivered", ["signed", "stamped"]),
            "69": ("failed", ["signed"])}
    if status == "69" and row["status"] == "refused":
        good["69"] = ("refused", [])
    if good[status] != (row["status"], have) or (status == "69") != (size == "0"):
        sys.exit(f"{line}: {row}")
    if "stamped" in row and row["signed"] > row["stamped"]:
        sys.exit(f"stamped first: {row}")
for what, n in seen.items():
    print(n, *what)' "$work/rows" >"$work/counts"
}
released_is_stamped()
{
	local name status
	while read -r name status _; do
		[ "$status" -ne 0 ] || "$htsign" verify "$work/$name" \
		    --ca "$dir/ca.pem" --tsa-ca "$work/tsa/tsa-root.pem" |
		    grep -q '^timestamp: ' || return
	done < <(cat "$work"/asked-*)
}
storm "${HTSIGN_FULL:-6}" 1
ok "killed $kills times"
check "each is on record as it happened" as_it_happened
check "none was lost" test "$(grep -c '"description":"request ' \
    "$work/rows")" -eq "$(cat "$work"/asked-* | wc -l)"
cat "$work/counts"
check "some were stamped" grep ' 0 delivered' "$work/counts"
check "whatever was released is stamped" released_is_stamped
request must <"$work/a.exe"
signed "and all is well again"
done_testing
