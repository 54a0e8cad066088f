#!/bin/bash
# Catalogs: what comes back is what osslsigncode makes of them, and it verifies
# them; a profile that does not name them signs none.

. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 2540

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
