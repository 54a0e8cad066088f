#!/bin/bash
# Packages, bundles and catalogs: what comes back is verified by osslsigncode,
# and of catalogs its bytes are osslsigncode's.  A package is signed by its
# publisher alone; a profile that does not name catalogs signs none.

. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
needs ssh softhsm2-util osslsigncode unzip zip
endpoint 2540

# --- packages ------------------------------------------------------------------

publisher="CN=htsign quickstart (test)"

# make_package NAME WORD ...: $work/NAME
make_package()
{
	local name=$1
	shift
	"$builddir/tests/make-appx" publisher="$publisher" "$@" >"$work/$name"
}

# make_zipped NAME OPTION ...: the same parts as zip(1) packs them.
make_zipped()
{
	local name=$1 parts=$work/parts
	shift
	rm -rf "$parts"
	mkdir "$parts" || return
	unzip -q "$work/plain.msix" -d "$parts" || return
	head -c 100000 /dev/urandom >"$parts/random.bin"
	head -c 300000 /dev/zero >"$parts/zeros.bin"
	(cd "$parts" && zip -q -r -D -X "$@" - .) >"$work/$name"
}

# good_package FILE: signed, whole and as PKCS#7, and verified.
good_package()
{
	request test-signing --name="${1##*/}" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/signed.msix"
	verify_osslsigncode "$work/signed.msix" || return
	"$htsign" verify "$work/signed.msix" --ca "$dir/ca.pem" || return
	unzip -tq "$work/signed.msix" || return
	request test-signing --pkcs7 <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	"$htsign" attach "$1" "$work/out" >"$work/attached.msix" || return
	cmp "$work/attached.msix" "$work/signed.msix" || return
	rm -f "$work/theirs.data"
	osslsigncode extract-data -in "$work/signed.msix" \
	    -out "$work/theirs.data" || return
	same_content "$work/out" "$work/theirs.data"
}

# The content of a PKCS#7 that we made is what osslsigncode would sign.
same_content()
{
	content_of "$1" "$work/ours.content" &&
	    content_of "$2" "$work/theirs.content" || return
	cmp "$work/ours.content" "$work/theirs.content"
}

# The DER of the SpcIndirectDataContent in a PKCS#7.
content_of()
{
	local offset
	offset=$(openssl asn1parse -inform DER -in "$1" | awk -F : '
	    /:1\.3\.6\.1\.4\.1\.311\.2\.1\.4$/ { at = NR }
	    at && NR == at + 2 { print $1 + 0; exit }')
	openssl asn1parse -inform DER -in "$1" -strparse "$offset" -noout \
	    -out "$2"
}

make_package plain.msix
make_package deflated.msix deflated
make_package descriptor.msix descriptor=16 deflated
make_package tool.msix zip64 descriptor=24 deflated files=20 size=150000
make_package zip64.msix zip64
make_package first.msix types-first deflated
make_package integrity.appx code-integrity
make_package overridden.appx overridden
make_package bundle.msixbundle bundle
make_package tool.msixbundle bundle zip64 descriptor=24 files=3 size=90000
check "zip's package" make_zipped zip.msix
check "zip's package, stored" make_zipped stored.appx -0
check "zip's package, ZIP64" make_zipped streamed.msix -fz-
for file in "$work"/*.msix "$work"/*.appx "$work"/*.msixbundle; do
	case $file in
	*/signed.msix | */attached.msix) continue ;;
	esac
	check "${file##*/}" good_package "$file"
done
journal_says "the journal has it" '"status":"delivered"' '"format":"appx'

request test-signing <"$work/plain.msix"
mv "$work/out" "$work/once.msix"
request test-signing <"$work/once.msix"
signed "a signed package again"
check "is the same" cmp "$work/out" "$work/once.msix"
"$builddir/tests/make-appx" publisher="CN=Somebody Else" >"$work/else.msix"
request test-signing <"$work/else.msix"
refused "a package of another publisher" 66
request test-signing --pkcs7 <"$work/else.msix"
refused "nor its PKCS#7" 66
make_package sha512.msix method=sha512
request test-signing <"$work/sha512.msix"
refused "a block map of another digest" 66
{ cat "$work/plain.msix"; printf 'more'; } >"$work/behind.msix"
request test-signing <"$work/behind.msix"
refused "bytes behind the end record" 65
check "nor are they verified" not "$htsign" verify "$work/behind.msix" \
    --ca "$dir/ca.pem"
head -c -30 "$work/plain.msix" >"$work/cut.msix"
request test-signing <"$work/cut.msix"
refused "a cut package" 65
(cd "$work/parts" && zip -q -r - random.bin zeros.bin) >"$work/plain.zip"
request test-signing <"$work/plain.zip"
refused "a ZIP file" 65

# --- catalogs ------------------------------------------------------------------

"$builddir/tests/make-cat" >"$work/one.cat"
reconfigure 's/formats = .*\];/formats = [ "pe" ];/'
request test-signing <"$work/one.cat"
refused "a catalog under a profile that does not name them" 66
reconfigure 's/formats = .*\];/formats = [ "pe", "cat" ];/'

# good_catalog FILE WORD ...: signed, whole and as PKCS#7, and verified.
good_catalog()
{
	local file=$1
	shift
	request test-signing "$@" <"$file"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/signed.cat"
	verify_osslsigncode "$work/signed.cat" || return
	"$htsign" verify "$work/signed.cat" --ca "$dir/ca.pem" || return
	request test-signing --pkcs7 "$@" <"$file"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	"$htsign" attach "$file" "$work/out" >"$work/attached.cat" || return
	cmp "$work/attached.cat" "$work/signed.cat"
}

for members in 0 1 2 3 5 10 50 100 500 1000; do
	"$builddir/tests/make-cat" "$members" >"$work/$members.cat"
	check "a catalog of $members members" good_catalog \
	    "$work/$members.cat" "Catalog $members"
done
journal_says "the journal has it" '"status":"delivered"' '"format":"cat"'
check "a signed catalog again" good_catalog "$work/signed.cat" Again
check "has one signature" describes "$work/signed.cat" Again
check "of its own" not describes "$work/signed.cat" "Catalog 1000"

"$builddir/tests/make-cat" 1500 >"$work/large.cat"
request test-signing <"$work/large.cat"
refused "a list longer than max_ctl" 66
head -c -1 "$work/one.cat" >"$work/cut.cat"
request test-signing <"$work/cut.cat"
refused "a cut catalog" 65
reconfigure 's/formats = \[ "pe", "cat" \];/& max_ctl = "512K";/'
check "under a profile that allows it" good_catalog "$work/large.cat" Large

# The bytes are osslsigncode's, too.
same_catalog()
{
	"$builddir/tests/sign-pe" --key="$work/key.pem" \
	    --chain="$work/cert.pem" --time=1700000000 --description=Name \
	    --url=https://example.org/ <"$1" >"$work/ours.cat" || return
	rm -f "$work/theirs.cat"
	osslsigncode sign -time 1700000000 -h sha256 -n Name \
	    -i https://example.org/ -certs "$work/cert.pem" \
	    -key "$work/key.pem" -in "$1" -out "$work/theirs.cat" || return
	cmp "$work/theirs.cat" "$work/ours.cat"
}
check "a key" openssl req -x509 -newkey rsa:3072 -nodes -days 1 \
    -keyout "$work/key.pem" -out "$work/cert.pem" -subj "/CN=Signer" \
    -addext keyUsage=critical,digitalSignature \
    -addext extendedKeyUsage=codeSigning
for members in 0 1 100 1000; do
	check "osslsigncode's bytes of $members members" same_catalog \
	    "$work/$members.cat"
done
check "and of one that was signed" same_catalog "$work/signed.cat"
done_testing
