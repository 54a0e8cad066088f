#!/bin/bash
# What a profile chooses: an EC key, with which programs of all kinds are
# signed; SHA-384 and SHA-512, for each format; and the formats themselves.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode sbverify openssl gcab msibuild apt-get \
    x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc makensis
. "$srcdir/tests/support/programs.sh"
endpoint 3010
all='"pe", "cab", "msi", "appx", "cat", "script"'
check "a profile with an EC key" p256_profile "$all"
reconfigure "/^profiles = (/a { name = \"sha384\"; digest = \"sha384\";\
    certificates = [ \"test\" ]; formats = [ $all ]; },\
    { name = \"sha512\"; digest = \"sha512\";\
    certificates = [ \"test\" ]; formats = [ $all ]; },\
    { name = \"p256-sha384\"; digest = \"sha384\";\
    certificates = [ \"p256\" ]; formats = [ $all ]; },\
    { name = \"p256-sha512\"; digest = \"sha512\";\
    certificates = [ \"p256\" ]; formats = [ $all ]; },\
    { name = \"unnamed\"; certificates = [ \"test\" ]; },"
for profile in sha384 sha512 p256-sha384 p256-sha512 unnamed; do
	check "and $profile" admin "grant ci $profile"
done

# --- programs under P-256 ----------------------------------------------------------

# The certificate's key is one, too, so the last one is the signature's.
is_ec()
{
	openssl pkcs7 -inform DER -in "$1" -print -noout |
	    grep -A 1 digest_enc_alg: | grep "algorithm: id-ecPublicKey"
}

good_program()
{
	sign_both_ways p256 "$1" "${1##*/}" &&
	    verify_osslsigncode "$whole" "$dir/p256.pem" &&
	    "$htsign" verify "$whole" --ca "$dir/p256.pem" &&
	    is_ec "$work/p7" && same_content "$1" "$work/p7" || return
	case $1 in
	*.efi*) verify_sbverify "$whole" "$dir/p256.pem" ;;
	esac
}

corpus=$builddir/corpus
check "the corpus" "$srcdir/tests/support/corpus.sh" "$corpus"
check "programs of ours" make_programs "$corpus"
count=0
while read -r file; do
	check "${file##*/} under P-256" good_program "$file"
	count=$((count + 1))
done < <(find "$corpus" -maxdepth 1 -name '*,*' -size -400k | sort)
check "at least 10 programs ($count)" test "$count" -ge 10

while read -r file; do
	check "osslsigncode's bytes of ${file##*/}" same_bytes "$file"
done < <(find "$corpus" -maxdepth 1 -name '*,*' | sort)

# --- digests -------------------------------------------------------------------------

seq 1 10000 >"$work/numbers.txt"
"$builddir/tests/support/make-pe" >"$work/a.exe"
"$builddir/tests/support/make-cat" 3 >"$work/a.cat"
printf 'Write-Host "Hello, world: this is a script"\r\n' >"$work/a.ps1"
printf 'WScript.Echo("Hello");\r\n' >"$work/a.js"
check "a cabinet" gcab -c -n "$work/a.cab" "$work/numbers.txt"
check "a package" empty_msi "$work/a.msi"
for digest in sha256 sha384 sha512; do
	"$builddir/tests/support/make-appx" publisher="CN=htsign quickstart (test)" \
	    method="$digest" >"$work/$digest.msix"
done

# good_digest PROFILE DIGEST FILE: it is the digest of the file, of the
# attributes and of what is signed.
good_digest()
{
	local root=$dir/ca.pem
	[ "${1#p256}" = "$1" ] || root=$dir/p256.pem
	request "$1" --name="${3##*/}" --pkcs7 <"$3"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/p7"
	whole=$work/whole.${3##*.}
	"$htsign" attach "$3" "$work/p7" >"$whole" &&
	    "$htsign" verify "$whole" --ca "$root" | grep "^$2: " &&
	    openssl pkcs7 -inform DER -in "$work/p7" -print -noout |
	    awk -v wanted="$2" '
		/digest_alg:|md_algs:/ { getline; found = found $2 " " }
		END { exit found != wanted " " wanted " " }' || return
	case $3 in
	*.js) return 0 ;;
	esac
	osslsigncode verify -CAfile "$root" "$whole" >"$work/verify.log" || {
		cat "$work/verify.log"
		return 1
	}
	grep -i "Message digest algorithm *: $2" "$work/verify.log"
}

for digest in sha384 sha512; do
	for file in a.exe a.cab a.msi a.cat "$digest.msix" a.ps1 a.js; do
		check "$digest: $file" good_digest "$digest" "$digest" \
		    "$work/$file"
		check "$digest under P-256: $file" good_digest "p256-$digest" \
		    "$digest" "$work/$file"
	done
	request "$digest" <"$work/sha256.msix"
	refused "$digest for a block map of SHA-256" 66
done

# --- formats ---------------------------------------------------------------------------

# A profile that names none signs programs, cabinets and packages.
for file in a.exe a.cab a.msi sha256.msix; do
	request unnamed <"$work/$file"
	signed "$file"
done
request unnamed <"$work/a.cat"
refused "not a catalog" 66
for file in a.ps1 a.js; do
	request unnamed --name="$file" <"$work/$file"
	refused "not $file" 66
done
done_testing
