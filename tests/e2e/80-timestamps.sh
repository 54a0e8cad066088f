#!/bin/bash
# Signatures with timestamps: from `openssl ts` by way of htsign-fetch, and what
# others' verifiers say of them, also when the signer's certificate is over.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs gcab msibuild
port=2801
# shellcheck source=tests/support/timestamps.sh
. "$srcdir/tests/support/timestamps.sh"
"$keyd" -t -c "$dir/htsign.conf" 2>"$work/said"
check "a server without its roots is no mistake" test "$?" -eq 0
check "and is left out" grep -q 'server unknown is left out: .*servers.conf:' \
    "$work/said"

# --- every kind of file ------------------------------------------------------------

# A certificate of a minute, which $root is, signs them; as the last thing that is
# done here, they are verified when it is over.
since=(faketime "-9000 days +60 seconds")
check "a certificate of a minute" certificate "$dir/brief" \
    -subj "/CN=htsign quickstart (test)" \
    -addext basicConstraints=critical,CA:FALSE \
    -addext keyUsage=critical,digitalSignature \
    -addext extendedKeyUsage=critical,codeSigning
since=()
reconfigure "/^tokens = (/a { name = \"brief\"; file = \"$dir/brief.key\"; },
    /^certificates = (/a { name = \"brief\"; token = \"brief\";\
    chain = \"$dir/brief.pem\"; },
    /^profiles = (/a $(profile brief required '"good"' |
        sed 's/"test"/"brief"/')"
check "brief is granted" admin "grant ci brief"

sample a.exe
seq 1 4000 >"$work/numbers.txt"
(cd "$work" && gcab -c a.cab numbers.txt) || exit 1
empty_msi "$work/a.msi" || exit 1
"$builddir/tests/support/make-appx" \
    publisher="CN=htsign quickstart (test)" >"$work/a.msix" || exit 1
"$builddir/tests/support/make-cat" >"$work/a.cat" || exit 1
printf 'Write-Host 1\r\n' >"$work/a.ps1"
files="a.exe a.cab a.msi a.msix a.cat a.ps1"
# signed_briefly NAME OPTION ...: as $work/NAME, by the certificate of a minute.
signed_briefly()
{
	request brief --name="$1" "${@:2}"
	# That it is soon over may be said.
	check "$1 is signed" test "$status" -eq 0
	mv "$work/out" "$work/$1"
}
for file in $files; do
	signed_briefly "brief-$file" <"$work/$file"
done
signed_briefly nested.exe <"$work/brief-a.exe"
signed_briefly pages.exe --page-hashes <"$work/a.exe"
briefly="nested.exe pages.exe ${files//a./brief-a.}"

root=$dir/brief.pem
verify_theirs()
{
	"${then[@]}" osslsigncode verify -CAfile "$root" \
	    -TSA-CAfile "$work/tsa/tsa-root.pem" "$1" >"$work/osslsigncode" &&
	    grep -q 'Timestamp verified using:' "$work/osslsigncode"
}
verify_ours()
{
	"${then[@]}" "$htsign" verify "$1" --ca "$root" \
	    --tsa-ca "$work/tsa/tsa-root.pem" >"$work/verified" &&
	    grep -q '^timestamp:   20.*Z by CN=' "$work/verified"
}
# $then is faketime and a time for verifiers that are to believe it.
then=()
verify_stamped()
{
	verify_theirs "$1" && verify_ours "$1"
}
# not_without FILE: its timestamp is what makes it good.
not_without()
{
	verify_stamped "$1" &&
	    not "${then[@]}" "$htsign" verify "$1" --ca "$root"
}
in_twenty_years()
{
	local then=(faketime "20 years")
	not_without "$1"
}
# token FILE: $work/token, the DER of its timestamp, and $work/octets, those that
# it is for.
token()
{
	local at
	"$htsign" extract "$1" >"$work/p7" &&
	    openssl asn1parse -inform DER -in "$work/p7" >"$work/asn1" ||
	    return
	at=$(awk -F : '/:1\.3\.6\.1\.4\.1\.311\.3\.3\.1$/ { at = NR }
	    at && NR == at + 2 { print $1 + 0; exit }' "$work/asn1")
	openssl asn1parse -inform DER -in "$work/p7" -strparse "$at" -noout \
	    -out "$work/token" || return
	awk '/:1\.3\.6\.1\.4\.1\.311\.3\.3\.1$/ { print last; exit }
	    /prim: OCTET STRING/ { sub(/.*\[HEX DUMP\]:/, ""); last = $0 }' \
	    "$work/asn1" | xxd -r -p >"$work/octets"
}
verify_token()
{
	token "$1" && openssl ts -verify -token_in -in "$work/token" \
	    -data "$work/octets" -CAfile "$work/tsa/tsa-root.pem"
}

for file in $briefly; do
	check "osslsigncode and htsign see the timestamp of $file" \
	    verify_stamped "$work/$file"
	check "openssl ts accepts it" verify_token "$work/$file"
done
check "nested, each has one" test "$("$htsign" verify "$work/nested.exe" \
    --ca "$root" --tsa-ca "$work/tsa/tsa-root.pem" |
    grep -c 'timestamp: ')" -eq 2

root=$dir/ca.pem
request must --name=a.ps1 <"$work/a.ps1"
signed "a certificate that lives longer"
mv "$work/out" "$work/stamped-a.ps1"
journal_says "the journal has it" '"stamp_server":"good"' '"stamp_tries":1' \
    '"stamp_time":"20' '"stamped":"20' '"status":"delivered"'
number=$(last_request | sed 's/.*"request":\([0-9]*\).*/\1/')
check "show has the event" grep -q '"kind":"stamped".*"server":"good"' \
    <(admin "show $number --json")
admin "fetch $number pkcs7" >"$work/fetched"
check "what was given out can be fetched, with the timestamp" \
    cmp "$work/fetched" <("$htsign" extract "$work/stamped-a.ps1")

request must --pkcs7 <"$work/a.exe"
signed "as a PKCS#7"
"$htsign" attach "$work/a.exe" "$work/out" >"$work/attached.exe"
check "attached, it has the timestamp" verify_stamped "$work/attached.exe"

# later FILE [PATH]: with a timestamp that htsign has asked for.
later()
{
	request test-signing --name="$1" <"$work/$1"
	signed "$1 without a timestamp"
	mv "$work/out" "$work/later-$1"
	"$htsign" timestamp -i "$work/later-$1" --url="$url/${2-}" \
	    --tsa-ca="$work/tsa/tsa-root.pem"
	check "htsign timestamp adds one, which counts in twenty years" \
	    in_twenty_years "$work/later-$1"
}
for file in $files; do
	later "$file"
	check "openssl ts accepts it" verify_token "$work/later-$file"
done

# openssl-ts(1) does not read what Microsoft's tokens have in them.
verify_as_cms()
{
	token "$1" && grep -q 'UTF8STRING *:abc' "$work/asn1" &&
	    openssl cms -verify -inform DER -in "$work/token" -out /dev/null \
	        -purpose timestampsign -CAfile "$work/tsa/tsa-root.pem"
}
request attributes <"$work/a.exe"
signed "a token with an attribute certificate"
mv "$work/out" "$work/attributes.exe"
check "counts in twenty years" in_twenty_years "$work/attributes.exe"
check "openssl cms accepts it" verify_as_cms "$work/attributes.exe"
later a.exe attributes
check "openssl cms accepts that, too" verify_as_cms "$work/later-a.exe"

# --- servers that are bad ----------------------------------------------------------

request mixed <"$work/a.exe"
signed "one good server among six bad ones"
check "has stamped" verify_stamped "$work/out"
request never <"$work/a.exe"
refused "only bad ones" 69
journal_says "what was signed is on record" '"status":"failed"' \
    '"signed":"20' '"code":"timestamp"'
request try <"$work/a.exe"
if [ "$status" -eq 0 ] && grep -q 'warning: no timestamp: ' "$work/err"; then
	ok "attempted, it leaves without: $(cat "$work/err")"
else
	bad "attempted: status $status, $(cat "$work/err")"
fi
check "and is good" verify_osslsigncode "$work/out"
journal_says "which the row says" '"status":"delivered"' \
    '"stamp_error":"' '"stamp_tries":'
check "so does log" grep -q 'no timestamp: ' <(admin 'log --limit=1')

# --- without htsign-fetch ------------------------------------------------------------

stop_one htsign-fetch
request must <"$work/a.exe"
check "without htsign-fetch nothing comes back" \
    test "$status-$(wc -c <"$work/out")" = 69-0
check "and why is said" grep -q 'no timestamp: htsign-fetch is away' "$work/err"
journal_says "it is waited for" '"signed":"20'
request must <"$work/a.exe"
refused "then nothing is signed" 69
journal_says "before any upload" '"code":"timestamp"'
check "nothing" not grep -q '"signed"' <(last_request)
check "who lists profiles sees it" grep -q 'must .*no timestamp' \
    <(ssh -F "$dir/ssh_config" sign profiles 2>&1)
request test-signing <"$work/a.exe"
signed "other profiles do not need it"
start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
again()
{
	request must <"$work/a.exe"
	[ "$status" -eq 0 ]
}
check "it comes back" within 20 again

# --- when the certificate of a minute is over -------------------------------------

root=$dir/brief.pem
# Its last second still counts (RFC 5280 4.1.2.5), but not for openssl.
is_over()
{
	not openssl x509 -in "$root" -noout -checkend 0 && sleep 1
}
check "the certificate is over" within 60 is_over
for file in $briefly; do
	check "$file counts by its timestamp alone" not_without "$work/$file"
	check "openssl ts accepts it" verify_token "$work/$file"
done
request brief <"$work/a.exe"
if [ "$status" -ne 0 ] && [ ! -s "$work/out" ] &&
    grep -q 'has expired' "$work/err"; then
	ok "nothing more is signed: status $status, $(cat "$work/err")"
else
	bad "status $status, $(cat "$work/err")"
fi
done_testing
