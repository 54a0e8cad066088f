#!/bin/bash
# A certificate that its issuer revokes while the endpoint runs, as a real OCSP
# responder and a real CRL say, and one that soon expires.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh openssl python3 osslsigncode
answering=()
cleanup_more()
{
	[ ${#answering[@]} -eq 0 ] || kill "${answering[@]}" 2>/dev/null
}

# --- an authority ------------------------------------------------------------------

ocsp=2811 crl=2812 nobody=2813
mkdir "$work/ca" "$work/ca/public"
cd "$work/ca" || exit 1
: >index
echo 1000 >serial
{
	cat <<-CONF
		[ca]
		default_ca = this
		[this]
		database = index
		serial = serial
		new_certs_dir = .
		default_md = sha256
		default_crl_days = 2
		certificate = ca.pem
		private_key = ca.key
		policy = any
		unique_subject = no
		[any]
		commonName = supplied
	CONF
	# section NAME LINE: the extensions of certificates that name servers so.
	section()
	{
		printf '[%s]\nbasicConstraints = critical, CA:FALSE\n' "$1"
		echo 'keyUsage = critical, digitalSignature'
		printf 'extendedKeyUsage = codeSigning\n%s\n' "$2"
	}
	section plain ""
	section listed "crlDistributionPoints = URI:http://127.0.0.1:$crl/crl"
	section asked "authorityInfoAccess = OCSP;URI:http://127.0.0.1:$ocsp/"
	section lost "authorityInfoAccess = OCSP;URI:http://127.0.0.1:$nobody/"
} >ca.conf
# issue NAME SECTION DAYS: its chain is NAME.pem, its key NAME.key.
issue()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -config /dev/null -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" &&
	    openssl ca -batch -notext -config ca.conf -extensions "$2" \
	        -days "$3" -in "$1.csr" -out "$1.pem" || return
	cat ca.pem >>"$1.pem"
	chmod 600 "$1.key"
}
# list: the CRL of now, all at once.
list()
{
	openssl ca -config ca.conf -gencrl -out crl.pem &&
	    openssl crl -in crl.pem -outform DER -out public/new &&
	    mv public/new public/crl
}
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 400 -subj "/CN=authority" -config /dev/null \
	    -keyout ca.key -out ca.pem \
	    -addext basicConstraints=critical,CA:TRUE \
	    -addext keyUsage=critical,keyCertSign,cRLSign &&
	    issue plain plain 300 && issue listed listed 300 &&
	    issue asked asked 300 && issue lost lost 300 && issue soon plain 6 &&
	    list
}
check "an authority" authority
# serve: what the authority knows now; the responder reads that when it starts.
serve()
{
	cd "$work/ca" || return
	openssl ocsp -port "$ocsp" -index index -CA ca.pem -rsigner ca.pem \
	    -rkey ca.key -ndays 1 >"$work/ocsp.log" 2>&1 &
	answering=($!)
	python3 -u -m http.server -b 127.0.0.1 -d public "$crl" \
	    >"$work/crl.log" 2>&1 &
	answering+=($!)
	cd "$work" && within 10 grep -q waiting "$work/ocsp.log" &&
	    within 10 grep -q Serving "$work/crl.log"
}
serve_no_more()
{
	kill "${answering[@]}"
	wait "${answering[@]}" 2>/dev/null
	answering=()
}
check "its servers" serve
cd "$work" || exit 1

# --- an endpoint -------------------------------------------------------------------

names="plain listed asked lost soon"
endpoint 2810
tokens='' certificates='' profiles=''
for name in $names; do
	tokens+=" { name = \"$name\"; file = \"$work/ca/$name.key\"; },"
	certificates+=" { name = \"$name\"; token = \"$name\";\
 chain = \"$work/ca/$name.pem\"; },"
	profiles+=" { name = \"$name\"; certificates = [ \"$name\" ]; },"
done
profiles+=' { name = "both"; certificates = [ "plain", "asked" ]; },'
reconfigure "/^tokens = (/a $tokens
/^certificates = (/a $certificates
/^profiles = (/a $profiles"
for name in $names both; do
	check "$name is granted" admin "grant ci $name"
done
sample a.exe
request plain <"$work/a.exe"
signed "htsign-fetch is away: nothing is refused"

# event KIND TEXT: how many events there are of that kind with that text.
event()
{
	admin 'events --json --limit=1000' |
	    grep -F "\"kind\":\"$1\"" | grep -cF -- "$2"
}
has_event()
{
	[ "$(event "$1" "$2")" -eq "${3:-1}" ]
}
start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
for name in asked listed; do
	check "$name: its issuer says that it is good" \
	    within 20 has_event signer-good "\"certificate\":\"$name\""
done
check "lost: nobody answers" within 20 has_event signer-unknown \
    '"certificate":"lost"'
check "plain: nobody to ask" within 20 has_event signer-unknown \
    '"certificate":"plain"'
check "why is said" has_event signer-unknown 'it names no CRL' 3
for name in asked listed lost plain; do
	request $name <"$work/a.exe"
	signed "all of them sign: $name"
done

# --- revoked -----------------------------------------------------------------------

revoke()
{
	serve_no_more
	cd "$work/ca" && openssl ca -config ca.conf -revoke asked.pem &&
	    openssl ca -config ca.conf -revoke listed.pem && list && serve
}
check "two are revoked" revoke
request asked <"$work/a.exe"
signed "nobody has looked yet"
kill -HUP "$(cat "$dir/htsign-keyd.pid")"
for name in asked listed; do
	check "a reload looks: $name is revoked" \
	    within 20 has_event signer-revoked "\"certificate\":\"$name\""
	print=$(openssl x509 -in "$work/ca/$name.pem" -outform DER | sha256sum)
	check "by its fingerprint" has_event signer-revoked \
	    "\"fingerprint\":\"${print%% *}\""
	request $name <"$work/a.exe"
	refused "it signs no more" 66
	check "which the line says" grep -q \
	    "certificate $name: has been revoked\$" "$work/err"
	journal_says "on record" '"status":"refused"' '"code":"certificate"' \
	    '"exit":66' "certificate $name: has been revoked"
done
check "with the time" has_event signer-revoked '"revoked_at":"20' 2
check "the log has it" grep -q 'certificate listed has been revoked: http' \
    "$dir/htsign-keyd.log"
check "an administrator sees it first" grep -q \
    'certificate asked: has been revoked' <(admin help)
check "who lists profiles sees it" grep -q \
    'asked .*cannot sign now: certificate asked: has been revoked' \
    <(ssh -F "$dir/ssh_config" sign profiles 2>&1)
for _ in 1 2 3 4 5 6; do
	request both <"$work/a.exe"
	signed "the other certificate of a profile signs"
	journal_says "it alone" '"certificate":"plain"'
done

# --- for good ------------------------------------------------------------------------

serve_no_more
stop_programs
start_programs no
request listed <"$work/a.exe"
refused "a new keyd knows it, with nobody to ask" 66
check "and says so once" has_event signer-revoked '"certificate":"listed"'
start_one htsign-fetch "$fetch" -c "$dir/htsign.conf"
sleep 2
request asked <"$work/a.exe"
refused "no answer is no pardon" 66
request plain <"$work/a.exe"
signed "all others sign"

# --- soon over -----------------------------------------------------------------------

request soon <"$work/a.exe"
check "a certificate of six days signs" \
    test "$status" -eq 0 -a -s "$work/out"
check "with a warning" grep -Eq \
    ': warning: certificate soon expires in 5 days$' "$work/err"
check "of one line" test "$(wc -l <"$work/err")" -eq 1
check "an administrator is greeted with it" grep -q \
    '^certificate soon expires in 5 days$' <(admin help)
check "profiles says it" grep -q \
    'soon .*(certificate soon expires in 5 days)' \
    <(ssh -F "$dir/ssh_config" sign profiles 2>&1)
check "the journal has it, after two starts as well" has_event signer-expires \
    '"certificate":"soon"'
check "as within a week" has_event signer-expires '"days":7'
check "no other ends soon" test "$(event signer-expires "")" -eq 1
done_testing
