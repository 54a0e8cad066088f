#!/bin/bash
# Digests beside those of tests/support/reference.py, for what no other signer here
# knows; every kind of script in every encoding; and that the content says what
# a file is, whatever its name.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode openssl python3 gcab iconv
endpoint 3030
mkdir "$work/cab" "$work/msi" "$work/script" || exit 1

# --- samples -------------------------------------------------------------------

seq 1 40000 >"$work/numbers.txt"

ours()
{
	local name=$1
	shift
	"$builddir/tests/support/make-cab" "$@" >"$work/cab/$name.cab"
}

package()
{
	local name=$1
	shift
	"$builddir/tests/bench/make-msi" "$@" >"$work/msi/$name.msi"
}

check "a cabinet of gcab's" gcab -c -z -n "$work/cab/mszip.cab" \
    "$work/numbers.txt"
ours folders --folders=5 --size=70000
ours numbered --number=7 --size=500
ours next --next --size=5000
ours previous --previous --number=2 --size=5000
ours both --previous --next --number=1 --size=5000
ours no-area --folder-area=1 --size=100
ours data-area --data-area=3 --size=100
ours small --cabinet-area=2 --size=100
ours twenty --cabinet-area=20 --size=100
ours areas --cabinet-area=6144 --folder-area=128 --data-area=7 --folders=3 \
    --size=100
ours in-use --cabinet-area=40 --first=33 --next --size=100
ours full --cabinet-area=60000 --first=255
package mini -v 3 20 3000
package mini-4 -v 4 20 3000
package storages -v 3 -d 4 7 4097
package storages-4 -v 4 -d 3 5 70000
package difat -v 3 1 8000000

# Each extension in each encoding.
encodings="ASCII UTF-8 mark-UTF-8 mark-UTF-16LE CP1252"
for extension in ps1 psd1 psm1 ps1xml psc1 cdxml mof js vbs wsf; do
	for encoding in $encodings; do
		text='Line \r\n'
		[ "$encoding" = ASCII ] || text='Größe: 1 € \r\nÀ À\n'
		[ "$extension" != wsf ] ||
		    text="<package>\r\n<job>$text</job>\r\n<job/>\n<job>x</job>"
		file=$work/script/$encoding.$extension
		case $encoding in
		mark-UTF-8) printf '\357\273\277' ;;
		mark-UTF-16LE) printf '\377\376' ;;
		esac >"$file"
		# shellcheck disable=SC2059 # with its escapes
		printf "$text" | iconv -f UTF-8 -t "${encoding#mark-}" >>"$file"
	done
done

signers()
{
	local name
	openssl req -x509 -newkey rsa:3072 -nodes -days 200 -subj /CN=Signer \
	    -config /dev/null -keyout "$work/rsa.key" -out "$work/rsa.pem" \
	    -addext keyUsage=critical,digitalSignature \
	    -addext extendedKeyUsage=codeSigning &&
	    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
	        -nodes -days 200 -subj /CN=Signer -config /dev/null \
	        -keyout "$work/p256.key" -out "$work/p256.pem" \
	        -addext keyUsage=critical,digitalSignature \
	        -addext extendedKeyUsage=codeSigning
}
check "signers" signers

# --- digests, and all that htsign does -------------------------------------------

# digests FOLDER [OPTION]: of all files in it.
digests()
{
	local file folder=$work/$1
	shift
	for file in "$folder"/*; do
		"$htsign" digest "$file" "$@" || return
	done >"$work/ours"
	python3 "$srcdir/tests/support/reference.py" "$folder"/* >"$work/theirs" &&
	    cmp "$work/ours" "$work/theirs"
}

# sign_with KEY FILE [WORD ...]
sign_with()
{
	local key=$1 file=$2
	shift 2
	"$builddir/tests/support/sign-pe" --key="$work/$key.key" \
	    --chain="$work/$key.pem" --name="$file" "$@" <"$file"
}

# What osslsigncode reads as Windows does; cabinets are in 60-cab-script.sh.
knows()
{
	case ${1##*/} in
	*.js | *.vbs | *.wsf | CP1252.* | UTF-8.ps1xml | UTF-8.psc1 | \
	    UTF-8.cdxml | *.cab) return 1 ;;
	esac
}

# attached KEY FILE OUT: what --pkcs7 gives, attached and verified.
attached()
{
	sign_with "$1" "$2" --pkcs7 >"$work/p7" &&
	    "$htsign" attach "$2" "$work/p7" >"$3" &&
	    "$htsign" verify "$3" --ca "$work/$1.pem"
}

# good FILE: attached or whole, it is the same; and it can be stripped again.
good()
{
	local file=$1 whole=$work/signed/${1##*/}
	attached rsa "$file" "$whole" &&
	    sign_with rsa "$file" >"$work/again" &&
	    cmp "$work/again" "$whole" || return
	! knows "$file" || verify_osslsigncode "$whole" "$work/rsa.pem" ||
	    return
	"$htsign" strip "$whole" >"$work/stripped" || return
	# An empty area of 20 bytes goes; one that had to grow stays so.
	case ${file##*/} in
	small.cab | twenty.cab | in-use.cab | full.cab) return 0 ;;
	esac
	cmp "$file" "$work/stripped"
}

mkdir "$work/signed" "$work/extended" || exit 1
for kind in cab msi script; do
	check "the digests of $kind" digests "$kind"
	for file in "$work/$kind"/*; do
		check "${file##*/}" good "$file"
		check "${file##*/} under P-256" attached p256 "$file" \
		    "$work/p256.${file##*.}"
	done
done
check "the digests of signed files" digests signed

# With the digest of the metadata in front.  osslsigncode 2.9 damages packages
# with storages.
for file in "$work"/msi/*.msi; do
	case ${file##*/} in
	mini*) check "MsiDigitalSignatureEx in ${file##*/}" osslsigncode sign \
	    -add-msi-dse -certs "$work/rsa.pem" -key "$work/rsa.key" \
	    -in "$file" -out "$work/extended/theirs-${file##*/}" ;;
	esac
	sign_with rsa "$file" --msi-ex >"$work/extended/${file##*/}"
done
check "the digests over metadata" digests extended --msi-ex
for file in "$work"/extended/*; do
	check "${file##*/}, extended" "$htsign" verify "$file" \
	    --ca "$work/rsa.pem"
done

# --- UTF-16 that is none ------------------------------------------------------------

no_script()
{
	! "$htsign" digest "$1" 2>"$work/err" && grep -e "$2" "$work/err"
}
printf 'x\r\n' | iconv -t UTF-16LE >"$work/bare.ps1"
check "UTF-16 without its mark" no_script "$work/bare.ps1" "a NUL"
{ printf '\376\377'; printf 'x\r\n' | iconv -t UTF-16BE; } >"$work/big.vbs"
check "UTF-16 in the other order" no_script "$work/big.vbs" "big-endian"

# --- the content says what it is -----------------------------------------------------

sample a.exe
"$builddir/tests/support/make-cab" >"$work/a.cab"
"$builddir/tests/support/make-cat" 2 >"$work/a.cat"
"$builddir/tests/support/make-appx" publisher="CN=htsign quickstart (test)" \
    >"$work/a.msix"
cp "$work/msi/mini-4.msi" "$work/a.msi"

type_is()
{
	"$htsign" info "$1" --json | grep "^{\"type\":\"$2\""
}

# named FILE NAME FORMAT: signed under that name it is still of that format,
# and so it is in a file of that name.
named()
{
	request test-signing --name="$2" <"$work/$1"
	signed "$1 as $2"
	journal_says "$1 as $2 in the journal" "\"format\":\"$3\"" \
	    "\"name\":\"$2\""
	cp "$work/out" "$work/$2"
	check "$1 as $2 to htsign" "$htsign" verify "$work/$2" \
	    --ca "$dir/ca.pem"
	check "which says so" type_is "$work/$2" "$3"
	rm "$work/$2"
}
named a.exe setup.msi pe
named a.exe script.ps1 pe
named a.cab program.exe cab
named a.msi package.js msi
named a.msix archive.cab appx
named a.cat catalog.vbs cat
request test-signing --name=a.exe <"$work/script/ASCII.ps1"
refused "a script as a.exe" 65

reconfigure 's/formats = .*\];/formats = [ "script" ];/'
request test-signing --name=script.ps1 <"$work/a.exe"
refused "a program as script.ps1 under a profile for scripts" 66
journal_says "of which no token heard" '"attempts":0' '"exit":66'
request test-signing --name=a.ps1 <"$work/script/ASCII.ps1"
signed "a script under it"
done_testing
