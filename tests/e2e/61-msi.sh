#!/bin/bash
# Windows Installer packages that msitools make, of many kinds and sizes: each
# comes back signed, whole or as PKCS#7, with MsiDigitalSignatureEx and without,
# and is what osslsigncode takes and what msitools still read.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode wixl msibuild msiinfo
endpoint 2530
check "a profile with an EC key" p256_profile '"msi"'
replace_signatures
packages=$work/packages
mkdir "$packages"

# --- packages ------------------------------------------------------------------

# product NAME SIZE ARCHITECTURE: an installer of one file.
product()
{
	head -c "$2" /dev/urandom >"$work/payload.bin"
	cat >"$work/product.wxs" <<-WXS
	<?xml version="1.0" encoding="utf-8"?>
	<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
	<Product Id="*" Name="Sample $1" Language="1033" Version="1.0"
	  Manufacturer="Us" UpgradeCode="B3ED67C2-5A2A-4D62-9B0B-3B0A4B0B4A11">
	<Package Description="$1" InstallerVersion="200" Compressed="yes"/>
	<Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
	<Directory Id="TARGETDIR" Name="SourceDir">
	<Directory Id="ProgramFilesFolder"><Directory Id="D" Name="Sample">
	<Component Id="C" Guid="B3ED67C2-5A2A-4D62-9B0B-3B0A4B0B4A12">
	<File Id="F" Name="payload.bin" Source="payload.bin" KeyPath="yes"/>
	</Component></Directory></Directory></Directory>
	<Feature Id="M" Level="1"><ComponentRef Id="C"/></Feature>
	</Product></Wix>
	WXS
	(cd "$work" && wixl -a "$3" -o "$packages/$1.msi" product.wxs)
}

# database NAME SIZE ...: an empty database and streams of these sizes.
database()
{
	local file=$packages/$1.msi size streams=()
	shift
	empty_msi "$file" || return
	[ $# -gt 0 ] || return 0
	for size in "$@"; do
		[ -e "$work/stream.$size" ] ||
		    head -c "$size" /dev/urandom >"$work/stream.$size"
		streams+=(-a "Stream${#streams[@]}" "$work/stream.$size")
	done
	msibuild "$file" "${streams[@]}"
}

# of_class FILE BYTE: what FILE is by the first byte of its root's CLSID.
of_class()
{
	local at
	at=$(grep -obUaP '\x84\x10\x0c\x00{5}\xc0\x00{6}\x46' "$1" |
	    head -n 1 | cut -d : -f 1)
	[ -n "$at" ] && printf '%b' "$2" |
	    dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

many_streams()
{
	local i sizes=()
	for ((i = 0; i < 500; i++)); do
		sizes+=(3000)
	done
	database many "${sizes[@]}"
}

# theirs NAME [OPTION]: a package that osslsigncode has signed.
theirs()
{
	local name=$1
	shift
	osslsigncode sign "$@" -certs "$work/other.pem" \
	    -key "$work/other.key" -in "$packages/x64.msi" \
	    -out "$packages/$name.msi"
}

check "an installer" product x86 1000 x86
check "a 64-bit installer" product x64 70000 x64
check "a larger one" product large 3000000 x64
check "an empty database" database empty
check "short streams" database short 1 63 64 65 4095
check "long streams" database long 4096 4097 511000 1
check "a FAT that is just full" database full 57856
check "a DIFAT" database difat 8000000
check "500 streams" many_streams
check "20 MB" database huge 20000000
for kind in p:'\x86' t:'\x82' m:'\x84'; do
	cp "$packages/long.msi" "$packages/as.ms${kind%%:*}"
	check "a file of type ms${kind%%:*}" \
	    of_class "$packages/as.ms${kind%%:*}" "${kind#*:}"
done
check "another signer" openssl req -x509 -newkey rsa:2048 -nodes -days 200 \
    -subj /CN=Other -addext extendedKeyUsage=codeSigning \
    -keyout "$work/other.key" -out "$work/other.pem"
check "signed by osslsigncode" theirs theirs
check "signed by it with metadata" theirs metadata -add-msi-dse

# --- signing ---------------------------------------------------------------------

# has_ex FILE: it has MsiDigitalSignatureEx, and so say others.
has_ex()
{
	"$htsign" info "$1" | grep -q '^with msi-ex: *yes$' &&
	    msiinfo streams "$1" | grep -q MsiDigitalSignatureEx &&
	    osslsigncode verify -CAfile "$dir/ca.pem" "$1" |
	    grep -q '^Current MsiDigitalSignatureEx '
}

has_no_ex()
{
	! "$htsign" info "$1" | grep msi-ex &&
	    ! msiinfo streams "$1" | grep MsiDigitalSignatureEx
}

# digest_of FILE [OPTION]
digest_of()
{
	"$htsign" digest "$@" | cut -d ' ' -f 1
}

# good PROFILE FILE
good()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$1" "$2" My Package &&
	    verify_osslsigncode "$whole" "$root" &&
	    "$htsign" verify "$whole" --ca "$root" &&
	    osslsigncode verify -CAfile "$root" "$whole" |
	    grep -F ": My Package" &&
	    has_no_ex "$whole" &&
	    same_content "$2" "$work/p7"
}

# good_ex PROFILE FILE: the same with the metadata.
good_ex()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$1" "$2" My Package --msi-ex &&
	    verify_osslsigncode "$whole" "$root" &&
	    "$htsign" verify "$whole" --ca "$root" &&
	    has_ex "$whole" &&
	    same_content "$2" "$work/p7" -add-msi-dse &&
	    [ "$(digest_of "$2" --msi-ex)" = \
	        "$(digest_of "$whole" --msi-ex)" ] &&
	    "$htsign" info "$whole" | grep "^signed: *$(digest_of "$2" --msi-ex)"
}

# As msitools see them, the streams of a signed package are those it had.
same_streams()
{
	msiinfo streams "$1" | sort >"$work/before" &&
	    msiinfo streams "$2" | sort >"$work/after" &&
	    comm -3 "$work/before" "$work/after" |
	    grep -v DigitalSignature >"$work/difference"
	[ -s "$work/after" ] && [ ! -s "$work/difference" ]
}

# stripped WHOLE FILE: without its signature WHOLE is FILE again.  msitools
# leave zeros in directory entries that are not used.
stripped()
{
	local alone=$work/stripped.msi
	"$htsign" strip "$1" -o "$alone" &&
	    same_streams "$2" "$alone" &&
	    [ "$(digest_of "$alone" --msi-ex)" = \
	        "$(digest_of "$2" --msi-ex)" ] || return
	! "$htsign" info "$2" | grep -q '^signature: *not signed$' ||
	    { [ "$(stat -c %s "$alone")" -eq "$(stat -c %s "$2")" ] &&
	        [ "$(cmp -l "$alone" "$2" | wc -l)" -le 24 ]; }
}

count=0
for file in "$packages"/*; do
	name=${file##*/}
	check "$name" good test-signing "$file"
	check "$name: msiinfo" same_streams "$file" "$whole"
	check "$name under P-256" good p256 "$file"
	check "$name with metadata" good_ex test-signing "$file"
	check "$name with it: msiinfo" same_streams "$file" "$whole"
	check "$name with it: stripped" stripped "$whole" "$file"
	count=$((count + 1))
done
check "metadata under P-256" good_ex p256 "$packages/x64.msi"
check "at least 10 files ($count)" test "$count" -ge 10

request test-signing Once <"$packages/x86.msi"
cp "$work/out" "$work/once.msi"
request test-signing Again <"$work/once.msi"
signed "a signed package again"
check "has one signature" describes "$work/out" Again
check "of its own" not describes "$work/out" Once
check "and its size" test "$(stat -c %s "$work/out")" -eq \
    "$(stat -c %s "$work/once.msi")"

# --- with metadata and without, in turn ------------------------------------------

# profile_for WORD: on-WORD, for what is signed already.
profile_for()
{
	reconfigure "/^profiles = (/a { name = \"on-$1\";\
	    certificates = [ \"test\" ]; existing = \"$1\"; }," &&
	    admin "grant ci on-$1"
}

# has EX FILE: that is yes or no.
has()
{
	if [ "$1" = yes ]; then
		has_ex "$2"
	else
		has_no_ex "$2"
	fi
}

# again WORD FIRST SECOND EXPECTED: each yes or no for --msi-ex, the last for
# what comes out.
again()
{
	local options=() first=$work/first-$2.msi
	if [ ! -e "$first" ]; then
		[ "$2" = no ] || options=(--msi-ex)
		request test-signing "${options[@]}" <"$packages/x64.msi"
		[ "$status" -eq 0 ] && cp "$work/out" "$first" || return
	fi
	has "$2" "$first" || return
	[ "$3" = no ] && options=() || options=(--msi-ex)
	sign_both_ways "on-$1" "$first" Again "${options[@]}" &&
	    has "$4" "$whole" &&
	    "$htsign" verify "$whole" --ca "$dir/ca.pem" &&
	    verify_osslsigncode "$whole" && same_streams "$first" "$whole" &&
	    stripped "$whole" "$packages/x64.msi" || return
	"$htsign" info "$whole" >"$work/info"
	if [ "$1" = nest ]; then
		grep '^nested:' "$work/info"
	else
		describes "$whole" Again && ! grep '^nested:' "$work/info"
	fi
}

for word in replace own nest; do
	check "a profile for $word" profile_for "$word"
	for first in no yes; do
		for second in no yes; do
			expected=$second
			[ "$word" != nest ] || expected=$first
			check "$word: metadata $first, then $second" \
			    again "$word" "$first" "$second" "$expected"
		done
	done
done
request test-signing --msi-ex <"$packages/x86.msi"
signed "one more with metadata"
journal_says "the journal has the option" '"options":"msi-ex"'

# later FILE: another time in the directory entry of its summary.
later()
{
	local at
	at=$(grep -obUaP '\x05\x00S\x00u\x00m\x00m\x00a\x00r\x00y' "$1" |
	    head -n 1 | cut -d : -f 1)
	[ -n "$at" ] && printf x |
	    dd of="$1" bs=1 seek=$((at + 100)) conv=notrunc status=none
}

cp "$work/out" "$work/later.msi"
check "another time" later "$work/later.msi"
check "which the metadata has" not "$htsign" verify "$work/later.msi" \
    --ca "$dir/ca.pem"
check "as osslsigncode says" not verify_osslsigncode "$work/later.msi"
cp "$work/once.msi" "$work/later.msi"
check "another time without" later "$work/later.msi"
check "which is nowhere" "$htsign" verify "$work/later.msi" --ca "$dir/ca.pem"
check "as osslsigncode says" verify_osslsigncode "$work/later.msi"

# --- what is refused ----------------------------------------------------------------

sample app.exe
request test-signing --msi-ex <"$work/app.exe"
refused "metadata of a program" 66
check "htsign says so, too" not "$htsign" digest --msi-ex "$work/app.exe"

{ cat "$work/once.msi"; printf x; } >"$work/longer.msi"
request test-signing <"$work/longer.msi"
check "a byte behind the end is taken out" verify_osslsigncode "$work/out"
check "which is said" grep -q "taken out: .*behind the last" "$work/err"
check "htsign refuses it, too" not "$htsign" verify "$work/longer.msi" \
    --ca "$dir/ca.pem"
{ cat "$work/once.msi"; head -c 512 /dev/zero; } >"$work/longer.msi"
request test-signing <"$work/longer.msi"
check "a sector behind the end is taken out" verify_osslsigncode "$work/out"
check "which is said, too" grep -q "taken out: 512 bytes behind" "$work/err"
head -c 5000 "$packages/x86.msi" >"$work/cut.msi"
request test-signing <"$work/cut.msi"
refused "a cut package" 65
cp "$packages/x86.msi" "$work/document.msi"
of_class "$work/document.msi" '\x06'
request test-signing <"$work/document.msi"
refused "a compound file of another kind" 65
done_testing
