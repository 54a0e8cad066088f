#!/bin/bash
# Authorities that are bad over HTTP, each in its own way.  Nothing leaves with what
# they give, neither from the endpoint nor from `htsign timestamp`; and whoever asks
# after that does not notice them.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
port=2804
# shellcheck source=tests/support/timestamps.sh
. "$srcdir/tests/support/timestamps.sh"
check "an authority for programs" stamper purpose tsa codeSigning
since=(faketime "-9001 days")
check "one that is over" stamper expired tsa timeStamping
check "and one whose root is" root old
since=()
check "but not itself" stamper old old timeStamping

# Where it answers, and what htsign-fetch and htsign timestamp say.
faults=()
mapfile -t faults <<'END'
hang timed out|timeout
slow timed out|timeout
503 HTTP status 503|code=503
reset |
garbage too long|max resp len
headers too long|error receiving
empty |
other another signature
replay nonce
nonce nonce
hour differ by -36
status2 status 2
status5 status 5
redirect HTTP status 302|redirect
trailing left over|content length
type content type
sha1 digest algorithm
by/purpose RFC 3161 2.3
by/expired expired
by/old expired
by/other chain is not valid
END
names=()
{
	for fault in "${faults[@]}"; do
		read -r path _ <<<"$fault"
		name=x${path/\//-} root=tsa
		[ "$path" != by/old ] || root=old
		names+=("\"$name\"")
		server "$name" "$url/$path" "$work/tsa/$root-root.pem"
		echo ,
	done
	for path in 429 busy-once; do
		server "x$path" "$url/$path"
		echo ,
	done
} >"$work/more"
all=$(IFS=,; echo "${names[*]}")
five='"xhang", "x503", "xreset", "xnonce", "xtrailing"'
sed -i "1r $work/more" "$dir/servers.conf"
reconfigure "/^profiles = (/a $(profile worst required "$all") \
    $(profile six required "\"good\", $five") \
    $(profile busy required '"xbusy-once"') \
    $(profile rests required '"x429"')"
for name in worst six busy rests; do
	check "$name is granted" admin "grant ci $name"
done
sample a.exe
request must <"$work/a.exe"
signed "a good one"
request test-signing <"$work/a.exe"
signed "one without a timestamp"
mv "$work/out" "$work/signed.exe"

# --- each of them --------------------------------------------------------------------

# stamp NAME PATH [ROOT]: by htsign, which is noted in $work/NAME.
stamp()
{
	"$htsign" timestamp "$work/signed.exe" --url="$url/$2" \
	    --tsa-ca="$work/tsa/${3:-tsa}-root.pem" -o "$work/$1.exe" \
	    2>"$work/$1.err"
	echo "$? $SECONDS" >"$work/$1.status"
}
asked=$SECONDS
pids=()
for path in hang slow; do
	stamp "$path" "$path" &
	pids+=($!)
done
ssh -F "$dir/ssh_config" sign rests <"$work/a.exe" >"$work/rests" \
    2>"$work/rests.err" &
rests=$!
request worst <"$work/a.exe"
refused "all of them at once" 69
check "in the time that one request has" test $((SECONDS - asked)) -lt 60
admin 'log --json' | grep '"profile":"worst"' >"$work/row"
for word in '"status":"failed"' '"signed":"20' '"code":"timestamp"'; do
	check "the row has $word" grep "$word" "$work/row"
done
check "and no timestamp" not grep '"stamped"' "$work/row"
for fault in "${faults[@]}"; do
	read -r path says <<<"$fault"
	name=${path/\//-} root=tsa
	[ "$path" != by/old ] || root=old
	check "htsign-fetch is told by $path: $says" \
	    grep -E "x$name: .*($says)" "$dir/htsign-fetch.log"
	case $name in
	hang | slow) continue ;;
	esac
	stamp "$name" "$path" "$root"
done

# --- what comes after them -----------------------------------------------------------

for i in 1 2 3; do
	request six <"$work/a.exe"
	signed "five of them cost request $i nothing"
	journal_says "not even a question" '"stamp_server":"good"' \
	    '"stamp_tries":1,'
done
request busy <"$work/a.exe"
signed "one that is busy is waited for"
journal_says "as long as it says" '"stamp_server":"xbusy-once"' \
    '"stamp_tries":2,'
wait "$rests"
check "one that is always busy is none" test "$?" -eq 69

# Nobody knows them after this.
stop_one htsign-fetch
start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
start=$SECONDS
for i in 1 2 3 4; do
	ssh -F "$dir/ssh_config" sign six <"$work/a.exe" >"$work/six.$i" \
	    2>"$work/six.$i.err" &
	pids+=($!)
done
wait "${pids[@]}"
for i in 1 2 3 4; do
	check "one good server among five that nobody knows" \
	    "$htsign" verify "$work/six.$i" --ca "$dir/ca.pem" \
	    --tsa-ca "$work/tsa/tsa-root.pem"
done
check "is enough" test $((SECONDS - start)) -lt 60

# --- htsign timestamp ----------------------------------------------------------------

# failed NAME TEXT: with 69, no file, and one line that says so.
failed()
{
	cat "$work/$1.status" "$work/$1.err"
	[ "$(cut -d ' ' -f 1 "$work/$1.status")" = 69 ] &&
	    [ ! -e "$work/$1.exe" ] && [ "$(wc -l <"$work/$1.err")" -eq 1 ] &&
	    grep -Eq -e "$2" "$work/$1.err"
}
for fault in "${faults[@]}"; do
	read -r path says <<<"$fault"
	check "htsign timestamp is told by $path: $says" \
	    failed "${path/\//-}" "$says"
done
for name in hang slow; do
	check "and waits no longer than a minute" test \
	    "$(cut -d ' ' -f 2 "$work/$name.status")" -lt $((asked + 60))
done
done_testing
