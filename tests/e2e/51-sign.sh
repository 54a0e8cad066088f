#!/bin/bash
# What a signed file is: to osslsigncode, to sbverify and to htsign; whole or
# as PKCS#7 alone; with its description however that was given.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode sbverify python3
endpoint 2402
sample app.exe

request test-signing My App --url=https://example.org/ <"$work/app.exe"
signed "a program"
cp "$work/out" "$work/full.exe"
check "osslsigncode verifies it" verify_osslsigncode "$work/full.exe"
check "sbverify does" verify_sbverify "$work/full.exe"
check "htsign does" "$htsign" verify "$work/full.exe" --ca "$dir/ca.pem"
check "it carries its description" describes "$work/full.exe" "My App"
check "and its URL" describes "$work/full.exe" https://example.org/
journal_says "the journal has it" '"status":"delivered"' \
    '"description":"My App"' '"client":"ci"' '"profile":"test-signing"'

request test-signing My App --pkcs7 --url=https://example.org/ <"$work/app.exe"
signed "its PKCS#7 alone"
cp "$work/out" "$work/app.p7"
htsign_attach()
{
	"$htsign" attach "$work/app.exe" "$work/app.p7" >"$work/ours.exe"
}
check "is SignedData" openssl pkcs7 -inform DER -in "$work/app.p7" -noout
# From 2.14 on it does not look at the certificate.
root=()
! osslsigncode attach-signature --help 2>&1 | grep -q -e -CAfile ||
    root=(-CAfile "$dir/ca.pem")
check "attached by osslsigncode" osslsigncode attach-signature \
    -sigin "$work/app.p7" "${root[@]}" \
    -in "$work/app.exe" -out "$work/theirs.exe"
check "attached by htsign" htsign_attach
check "both are the same bytes" cmp "$work/theirs.exe" "$work/ours.exe"
check "and those of the whole reply" cmp "$work/full.exe" "$work/ours.exe"

# --- what the journal has of them ------------------------------------------------

# fetch WORD ...: the administrator's command; $status, $work/out, $work/err.
fetch()
{
	admin "fetch $*" >"$work/out" 2>"$work/err"
	status=$?
}

number=$(last_request | sed 's/^{"request":\([0-9]*\),.*/\1/')
fetch "$number" pkcs7
signed "fetched, request $number"
check "the bytes that the client got" cmp "$work/out" "$work/app.p7"
# One that keyd sends in pieces.
mib16=$((16 << 20))
"$builddir/tests/support/make-pe" --zeros=$((mib16 - 1024)) >"$work/large.exe"
truncate -s "$mib16" "$work/large.exe"
request test-signing --pkcs7 --page-hashes <"$work/large.exe"
signed "PKCS#7 with page hashes"
cp "$work/out" "$work/large.p7"
check "is long" test "$(stat -c %s "$work/large.p7")" -gt 131072
fetch "$((number + 1))" pkcs7
signed "fetched, too"
check "is what the client got" cmp "$work/out" "$work/large.p7"
fetch "$((number + 2))" pkcs7
refused "fetched, no such request" 64
fetch "$number" exe
refused "fetched, of another kind" 64
fetch app.exe pkcs7
refused "fetched, no number" 64
request nothing-like-it <"$work/app.exe"
fetch "$((number + 2))" pkcs7
refused "fetched, of a request that was refused" 64

# log_is FILE
log_is()
{
	admin 'log --json' | cmp - "$1"
}
admin 'log --json' >"$work/log"
stop_programs
python3 - "$dir/state/journal.db" "$number" <<-END || bad "python3"
	import sqlite3, sys
	with sqlite3.connect(sys.argv[1]) as store:
	    store.execute("DELETE FROM signing WHERE request = ?", sys.argv[2:])
	    store.execute("UPDATE signing SET description = 'Other', size = 7")
END
start_programs no
check "a table that was damaged" not log_is "$work/log"
fetch "$number" pkcs7
refused "and has not that request any more" 64
admin rebuild 2>"$work/err"
check "is made anew" test "$?" -eq 0
check "from the events" grep -Eq 'made anew from [1-9][0-9]* events$' \
    "$work/err"
check "as it was" log_is "$work/log"
check "which is on record" grep -q '"kind":"rebuilt","actor":"' \
    <(admin 'events --json --limit=1')
fetch "$number" pkcs7
signed "fetched again"
check "the same bytes" cmp "$work/out" "$work/app.p7"

# --- the description ---------------------------------------------------------------

request test-signing Again <"$work/full.exe"
signed "a signed program again"
check "has one signature" describes "$work/out" "Again"
check "of its own" not describes "$work/out" "My App"
check "sbverify" verify_sbverify "$work/out"

# described TEXT EXPECTED WORD ...: the words make that description.
described()
{
	local what=$1 expected=$2
	shift 2
	request "$@" <"$work/app.exe"
	signed "$what"
	check "$what: $expected" describes "$work/out" "$expected"
}
described "words" "One Two" test-signing One Two
described "quotes" "two  spaces" test-signing "'two  spaces'"
described "a backslash" "two  more" test-signing 'two\ \ more'
described "double quotes" 'say "so"' test-signing "'say \"so\"'"
described "beyond ASCII" "Größe" test-signing "Größe"
described "default" "My App" default My App
described "the variable" "From SetEnv" \
    -o SetEnv='HTSIGN_DESCRIPTION="From SetEnv"' test-signing
described "options behind it" "Some App" test-signing Some App --name=a.exe
described "--" "Some App" -- test-signing Some App

size=$(stat -c %s "$work/app.exe")
sum=$(sha256sum <"$work/app.exe" | cut -d ' ' -f 1)
request test-signing --size="$size" --sha256="$sum" <"$work/app.exe"
signed "announced truly"
request test-signing --size="$((size + 1))" <"$work/app.exe"
refused "announced too long" 65
request test-signing --sha256="${sum//[0-9]/0}" <"$work/app.exe"
refused "announced otherwise" 65

request profiles </dev/null
signed "profiles"
check "are those granted" grep -q test-signing "$work/out"
request help </dev/null
signed "help"
request </dev/null
check "no command and no input is usage" test "$status" -eq 64
check "with a greeting" grep -q test-signing "$work/err"
check "and no output" test ! -s "$work/out"
request nothing-like-it <"$work/app.exe"
refused "no such profile" 77
request test-signing --no-such-option <"$work/app.exe"
refused "no such option" 64
done_testing
