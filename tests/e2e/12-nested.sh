#!/bin/sh
# Nested signatures, timestamps and other unsigned attributes, made by signers
# that we did not write: osslsigncode 2.9, and the authority of openssl-ts(1)
# behind HTTP.  What is nested by us, osslsigncode would have nested alike.
set -eu

# shellcheck source=tests/support/command.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"

if ! has_osslsigncode || ! command -v python3 >/dev/null; then
	echo "skip 12-nested: osslsigncode 2.9 or python3 is missing"
	exit 77
fi

verify()
{
	wanted=$1
	shift
	status "$wanted" "$htsign" verify "$@"
}

# osslsign OUT IN OPTION...
osslsign()
{
	out=$1
	in=$2
	shift 2
	rm -f "$out"
	osslsigncode sign "$@" -in "$in" -out "$out" >osslsigncode.log 2>&1 ||
	    fail "osslsigncode sign $*: $(cat osslsigncode.log)"
}

# --- certificates ------------------------------------------------------------
#
# A root for signers and one for authorities, valid for a century: what is below
# them is not.

cat >ca.conf <<-END
	[ca]
	default_ca = this
	[this]
	new_certs_dir = .
	database = ca.index
	serial = ca.serial
	default_md = sha256
	policy = any
	unique_subject = no
	[any]
	commonName = supplied
	[root]
	basicConstraints = critical, CA:true
	keyUsage = critical, keyCertSign
	[signer]
	basicConstraints = CA:false
	keyUsage = critical, digitalSignature
	extendedKeyUsage = codeSigning
	[lifetime]
	basicConstraints = CA:false
	keyUsage = critical, digitalSignature
	extendedKeyUsage = codeSigning, 1.3.6.1.4.1.311.10.3.13
	[authority]
	basicConstraints = CA:false
	keyUsage = critical, digitalSignature
	extendedKeyUsage = critical, timeStamping
	END
cat >tsa.conf <<-END
	[tsa]
	default_tsa = this
	[this]
	serial = tsa.serial
	signer_cert = tsa.pem
	signer_key = tsa.key
	signer_digest = sha256
	default_policy = 1.2.3.4.1
	digests = sha256, sha384, sha512
	ess_cert_id_alg = sha256
	END
: >ca.index
echo 1000 >ca.serial
echo 01 >tsa.serial

new_key()
{
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

# certify NAME SECTION FROM TO OPTION...: with the key NAME.key.
certify()
{
	name=$1
	section=$2
	from=$3
	to=$4
	shift 4
	openssl req -new -key "$name.key" -out "$name.csr" -subj "/CN=$name"
	openssl ca -batch -notext -config ca.conf -in "$name.csr" \
	    -out "$name.pem" -extensions "$section" -startdate "${from}Z" \
	    -enddate "${to}Z" "$@"
}

century='20000101000000 21000101000000'
in_2020='20200101000000 20210101000000'
{
	for root in root tsa-root; do
		new_key $root.key
		# shellcheck disable=SC2086
		certify $root root $century -selfsign -keyfile $root.key
	done
	openssl genrsa -out signer.key 3072
	new_key expired.key
	new_key lifetime.key
	new_key tsa.key
	# shellcheck disable=SC2086
	{
		certify signer signer $century -cert root.pem -keyfile root.key
		certify expired signer $in_2020 -cert root.pem \
		    -keyfile root.key
		certify lifetime lifetime $in_2020 -cert root.pem \
		    -keyfile root.key
		certify tsa authority $century -cert tsa-root.pem \
		    -keyfile tsa-root.key
	}
	cat signer.pem root.pem >chain.pem
} >openssl.log 2>&1 || { cat openssl.log >&2; exit 1; }

"$make_pe" >a.exe
"$make_pe" --code=5000 >b.exe

sign()
{
	"$sign_pe" --key=signer.key --chain=chain.pem --time=1700000000 "$@"
}

# --- nested signatures ---------------------------------------------------------

sign --description=First <a.exe >once.exe
sign --description=Second --digest=sha384 --nest <once.exe >twice.exe
sign --description=Third --digest=sha512 --nest <twice.exe >thrice.exe
sign --description=Fourth --nest <thrice.exe >four.exe
verify 0 four.exe --ca root.pem
[ "$(grep -c '^nested:$' stdout)" -eq 3 ] || fail "not three: $(cat stdout)"
for line in '^sha256:  ' '^    sha384:  ' '^    sha512:  ' '^    sha256:  ' \
    '^description: First$' '^    description: Second$' \
    '^    description: Third$' '^    description: Fourth$'; do
	says "$line" stdout
done

# osslsigncode nests alike.  Its nested signatures are not ours: they have a
# sequence number, so each is taken out of what it made.
nested_of()
{
	"$htsign" extract "$1" -o all.p7
	openssl asn1parse -inform DER -in all.p7 >all.txt
	sed '1,/:1\.3\.6\.1\.4\.1\.311\.2\.4\.1$/d' all.txt |
	    sed -n 's/^ *\([0-9]*\):d=8 .*SEQUENCE.*/\1/p' >offsets
	while read -r offset; do
		openssl asn1parse -inform DER -in all.p7 -strparse "$offset" \
		    -out inner.p7 >inner.txt
		! grep -q ":$2$" inner.txt || return 0
	done <offsets
	fail "$1 nests no $2 signature"
}

by_signer="-time 1700000000 -certs signer.pem -key signer.key"
cp once.exe outer.exe
cp once.exe outer.theirs
for digest in sha384 sha512 sha256; do
	# shellcheck disable=SC2086
	osslsign more.theirs outer.theirs -nest $by_signer -h $digest
	mv more.theirs outer.theirs
	nested_of outer.theirs $digest
	sign --nest=inner.p7 <outer.exe >more.exe
	mv more.exe outer.exe
	same outer.exe outer.theirs "a nested $digest signature"
done
verify 0 outer.exe --ca root.pem
[ "$(grep -c '^nested:$' stdout)" -eq 3 ] || fail "not three: $(cat stdout)"
osslsigncode verify -CAfile root.pem four.exe >log 2>&1 ||
    fail "osslsigncode does not verify four.exe: $(cat log)"

# With page hashes, outside and inside.
sign --page-hashes <a.exe >pages.exe
sign --page-hashes --nest <pages.exe >pages2.exe
sign --digest=sha384 --nest <pages2.exe >pages3.exe
verify 0 pages3.exe --ca root.pem
sign --digest=sha384 <a.exe >other.exe
sign --page-hashes --nest <other.exe >pages.exe
verify 0 pages.exe --ca root.pem

# Another format.
printf 'Write-Host 1\r\n' >a.ps1
sign --name=a.ps1 <a.ps1 >once.ps1
sign --name=a.ps1 --nest --digest=sha512 <once.ps1 >twice.ps1
verify 0 twice.ps1 --ca root.pem
says '^    sha512:  ' stdout

# The nested signature counts as much as the first: one by somebody whose time
# is over, one of another file, and SHA-1, nested and not.
cp twice.exe changed.exe
printf X | dd of=changed.exe bs=1 seek=600 conv=notrunc 2>/dev/null
verify 65 changed.exe --ca root.pem
says 'not what was signed' stderr
for digest in sha256 sha384; do
	sign --digest=$digest --pkcs7 <b.exe >b.p7
	sign --nest=b.p7 --pkcs7 <once.exe >nests-b.p7
	status 65 "$htsign" attach a.exe nests-b.p7
	says 'nested signature 1: the file is not what was signed' stderr
done
sign --page-hashes --pkcs7 <b.exe >b.p7
sign --nest=b.p7 --pkcs7 <once.exe >nests-b.p7
status 65 "$htsign" attach a.exe nests-b.p7
says 'nested signature 1: ' stderr
osslsign nests-expired.exe once.exe -nest -h sha384 -certs expired.pem \
    -key expired.key
verify 65 nests-expired.exe --ca root.pem
says 'nested signature 1: .*expired$' stderr
# shellcheck disable=SC2086
{
	osslsign nests-sha1.exe once.exe -nest $by_signer -h sha1
	osslsign sha1.exe a.exe $by_signer -h sha1
	osslsign in-sha1.exe sha1.exe -nest $by_signer -h sha256
}
verify 65 nests-sha1.exe --ca root.pem
says 'nested signature 1: .*digest: SHA-1, not accepted' stderr
verify 65 in-sha1.exe --ca root.pem
says '^htsign: PKCS#7: digest: SHA-1, not accepted' stderr

# What is not accepted is shown.
for file in sha1.exe nests-sha1.exe; do
	status 0 "$htsign" info $file
	says '^ *problem:     digest: SHA-1, not accepted$' stdout
	says "^digest:      $("$htsign" digest $file | sed 's/ .*//')$" stdout
	says '^ *signed:      [0-9a-f]\{40\}$' stdout
	says '^ *signer:      CN=signer$' stdout
	status 0 "$htsign" info --json $file
	says '"problems":\["digest: SHA-1, not accepted"\]' stdout
done

# --- timestamps ------------------------------------------------------------------

no_proxy=127.0.0.1
export no_proxy
python3 "$srcdir/tests/support/tsa_server.py" 0 tsa.conf >port 2>server.log &
server=$!
tries=0
until [ -s port ]; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { cat server.log >&2; exit 1; }
	sleep 0.1
done
authority=http://127.0.0.1:$(cat port)
by_signer="-h sha256 -certs signer.pem -key signer.key"

# shellcheck disable=SC2086
osslsign stamped.exe a.exe $by_signer -ts "$authority/"
verify 0 stamped.exe --ca root.pem
says '^timestamp:   20.*Z by CN=tsa, not verified (no --tsa-ca)$' stdout
verify 0 stamped.exe --ca root.pem --tsa-ca tsa-root.pem
says '^timestamp:   20[0-9-]*T[0-9:]*Z by CN=tsa$' stdout
status 0 "$htsign" info stamped.exe
says '^timestamp:   20[0-9-]*T[0-9:]*Z$' stdout
says '^authority:   CN=tsa$' stdout
status 0 "$htsign" info --json stamped.exe
says '"timestamps":\[{"time":"20[0-9T:-]*Z","authority":"CN=tsa"}\]' stdout
verify 65 stamped.exe --ca root.pem --tsa-ca root.pem
says 'timestamp: the certificate chain is not valid' stderr
verify 64 stamped.exe --ca root.pem --tsa-ca a.exe
says '^htsign: --tsa-ca: ' stderr
verify 64 stamped.exe --ca root.pem --tsa-ca missing.pem

# A signature that nests another keeps its timestamp.
sign --digest=sha384 --nest <stamped.exe >both.exe
verify 0 both.exe --ca root.pem --tsa-ca tsa-root.pem
[ "$(grep -c timestamp: stdout)" -eq 1 ] || fail "not one: $(cat stdout)"
# shellcheck disable=SC2086
osslsign both.exe stamped.exe -nest $by_signer -ts "$authority/"
verify 0 both.exe --ca root.pem --tsa-ca tsa-root.pem
[ "$(grep -c timestamp: stdout)" -eq 2 ] || fail "not two: $(cat stdout)"
says '^    timestamp: ' stdout
verify 65 both.exe --ca root.pem --tsa-ca root.pem

# An authority that gives the token of another file, which osslsigncode takes.
# shellcheck disable=SC2086
osslsign replay.exe b.exe $by_signer -ts "$authority/replay"
verify 0 replay.exe --ca root.pem
verify 65 replay.exe --ca root.pem --tsa-ca tsa-root.pem
says 'timestamp: it is for another signature' stderr

# Signers whose time is over: it counts when they signed, and that an authority
# says so.
while_valid=1590000000
too_late=1650000000
for when in $while_valid $too_late; do
	osslsign "expired-$when.exe" a.exe -h sha256 -certs expired.pem \
	    -key expired.key -TSA-certs tsa.pem -TSA-key tsa.key \
	    -TSA-time "$when"
done
verify 0 expired-$while_valid.exe --ca root.pem --tsa-ca tsa-root.pem
says '^timestamp:   2020-05-20T18:40:00Z by CN=tsa$' stdout
verify 65 expired-$while_valid.exe --ca root.pem
says 'expired (timestamps count with --tsa-ca only)$' stderr
verify 65 expired-$too_late.exe --ca root.pem --tsa-ca tsa-root.pem
says 'expired$' stderr
osslsign expired.exe a.exe -h sha256 -certs expired.pem -key expired.key
verify 65 expired.exe --ca root.pem --tsa-ca tsa-root.pem
says 'expired$' stderr
osslsign lifetime.exe a.exe -h sha256 -certs lifetime.pem -key lifetime.key \
    -TSA-certs tsa.pem -TSA-key tsa.key -TSA-time $while_valid
verify 65 lifetime.exe --ca root.pem --tsa-ca tsa-root.pem
says 'expired$' stderr

# --- what nothing vouches for ------------------------------------------------------

osslsigncode add -addUnauthenticatedBlob -in stamped.exe -out blob.exe \
    >log 2>&1 || fail "osslsigncode add: $(cat log)"
verify 0 blob.exe --ca root.pem --tsa-ca tsa-root.pem
says '^unsigned:    attribute 1\.3\.6\.1\.4\.1\.42921\.1\.2\.1: [0-9]* bytes, not verified$' \
    stdout
verify 0 stamped.exe --ca root.pem --tsa-ca tsa-root.pem
says_not unsigned stdout

done_testing
