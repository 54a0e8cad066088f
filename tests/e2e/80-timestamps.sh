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

verify_stamped()
{
	osslsigncode verify -CAfile "$dir/ca.pem" \
	    -TSA-CAfile "$work/tsa/tsa-root.pem" "$1" >"$work/osslsigncode" &&
	    grep -q 'Timestamp verified using:' "$work/osslsigncode"
}
# in_twenty_years FILE: when the certificate of the signer is long over.
in_twenty_years()
{
	faketime '20 years' "$htsign" verify "$1" --ca "$dir/ca.pem" \
	    --tsa-ca "$work/tsa/tsa-root.pem" &&
	    faketime '20 years' osslsigncode verify -CAfile "$dir/ca.pem" \
	        -TSA-CAfile "$work/tsa/tsa-root.pem" "$1" &&
	    not faketime '20 years' "$htsign" verify "$1" --ca "$dir/ca.pem"
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

sample a.exe
seq 1 4000 >"$work/numbers.txt"
(cd "$work" && gcab -c a.cab numbers.txt) || exit 1
empty_msi "$work/a.msi" || exit 1
"$builddir/tests/support/make-appx" \
    publisher="CN=htsign quickstart (test)" >"$work/a.msix" || exit 1
"$builddir/tests/support/make-cat" >"$work/a.cat" || exit 1
printf 'Write-Host 1\r\n' >"$work/a.ps1"
for file in a.exe a.cab a.msi a.msix a.cat a.ps1; do
	request must --name="$file" <"$work/$file"
	signed "$file is signed"
	mv "$work/out" "$work/stamped-$file"
	case $file in
	*.cat) ;; # osslsigncode wants the files that it lists
	*) check "osslsigncode sees its timestamp" \
	    verify_stamped "$work/stamped-$file" ;;
	esac
	"$htsign" verify "$work/stamped-$file" --ca "$dir/ca.pem" \
	    --tsa-ca "$work/tsa/tsa-root.pem" >"$work/verified"
	check "htsign does" test "$?" -eq 0
	check "by name" grep -q '^timestamp:   20.*Z by CN=tsa$' \
	    "$work/verified"
	check "openssl ts accepts the token" verify_token "$work/stamped-$file"
done
check "in twenty years it still counts" in_twenty_years \
    "$work/stamped-a.exe"
journal_says "the journal has it" '"stamp_server":"good"' '"stamp_tries":1' \
    '"stamp_time":"20' '"stamped":"20' '"status":"delivered"'
number=$(last_request | sed 's/.*"request":\([0-9]*\).*/\1/')
check "show has the event" grep -q ' stamped .*"server":"good"' \
    <(admin "show $number")
admin "fetch $number pkcs7" >"$work/fetched"
check "what was given out can be fetched, with the timestamp" \
    cmp "$work/fetched" <("$htsign" extract "$work/stamped-a.ps1")

request must --pkcs7 <"$work/a.exe"
signed "as a PKCS#7"
"$htsign" attach "$work/a.exe" "$work/out" >"$work/attached.exe"
check "attached, it has the timestamp" verify_stamped "$work/attached.exe"
request must --page-hashes <"$work/a.exe"
signed "with page hashes"
check "and a timestamp" verify_stamped "$work/out"
request must <"$work/stamped-a.exe"
signed "nested in one that is stamped"
mv "$work/out" "$work/nested.exe"
"$htsign" verify "$work/nested.exe" --ca "$dir/ca.pem" \
    --tsa-ca "$work/tsa/tsa-root.pem" >"$work/verified"
check "both verify" test "$?" -eq 0
check "with a timestamp each" \
    test "$(grep -c 'timestamp: ' "$work/verified")" -eq 2

for file in a.exe a.msix; do
	request test-signing <"$work/$file"
	signed "$file without a timestamp"
	mv "$work/out" "$work/later-$file"
	"$htsign" timestamp -i "$work/later-$file" --url="$url/" \
	    --tsa-ca="$work/tsa/tsa-root.pem"
	check "htsign timestamp adds one" verify_stamped "$work/later-$file"
done
check "which counts in twenty years" in_twenty_years "$work/later-a.exe"

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
done_testing
