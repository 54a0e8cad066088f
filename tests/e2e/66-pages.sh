#!/bin/bash
# Page hashes of programs: what osslsigncode signs with -ph, byte for byte; what
# verifying makes of a changed page; and how much memory a program of 1 GiB
# takes.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode openssl apt-get \
    x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc makensis
. "$srcdir/tests/support/programs.sh"
endpoint 2700
check "a profile with an EC key" p256_profile '"pe"'
reconfigure "/^profiles = (/a { name = \"replace\"; existing = \"replace\";\
    certificates = [ \"test\" ]; },\
    { name = \"nest\"; certificates = [ \"test\" ]; existing = \"nest\"; },\
    { name = \"sha384\"; certificates = [ \"test\" ]; digest = \"sha384\"; },"
for profile in replace nest sha384; do
	check "and $profile" admin "grant ci $profile"
done
cat "$dir/ca.pem" "$dir/p256.pem" >"$work/both.pem"

# --- real programs -----------------------------------------------------------------

corpus=$builddir/corpus
check "the corpus" "$srcdir/tests/support/corpus.sh" "$corpus"
check "programs of ours" make_programs "$corpus"

# osslsigncode's pages are as long as sections are aligned in memory, ours have
# the 4096 bytes of a processor's.  Where that is less than the headers have, it
# crashes.
pages_like_ours()
{
	local pe
	pe=$(od -An -tu4 -j60 -N4 "$1" | tr -d ' ')
	[ "$(od -An -tu4 -j$((pe + 56)) -N4 "$1" | tr -d ' ')" = 4096 ]
}

has_pages()
{
	"$htsign" info "$1" | grep -x 'page hashes: yes'
}

good_program()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$1" "$2" "${2##*/}" --page-hashes &&
	    "$htsign" verify "$whole" --ca "$root" && has_pages "$whole" ||
	    return
	! pages_like_ours "$2" || verify_osslsigncode "$whole" "$root"
}

strips()
{
	"$htsign" strip "$whole" >"$work/stripped.exe" &&
	    cmp "$1" "$work/stripped.exe"
}

for name in mingw,x86_64.exe mingw,x86_64.stripped.exe mingw,i686.dll \
    nsis,lzma.exe python3-distlib,t64-arm.exe efitools,HelloWorld.efi \
    libwine,mountmgr.sys libmono-system4.0-cil,System.dll; do
	file=$corpus/$name
	# What corpus.sh did not find in this Debian.
	if [ ! -e "$file" ] && [[ $name != mingw,* && $name != nsis,* ]]; then
		echo "skip $name: not in this Debian"
		continue
	fi
	case $name in
	mingw,x86_64.exe | mingw,i686.dll | nsis,lzma.exe | efitools,*)
		check "$name under P-256" good_program p256 "$file" ;;
	esac
	check "$name under RSA" good_program replace "$file"
	if pages_like_ours "$file"; then
		check "$name: osslsigncode's content" \
		    same_content "$file" "$work/p7" -ph
		check "$name: its bytes" same_bytes "$file" -ph
	fi
	# Others are of odd sizes, or their checksum is wrong.
	case $name in
	*.stripped.exe) check "$name: stripped" strips "$file" ;;
	esac
done

# --- a page that is another -----------------------------------------------------------

# The digest of the whole file differs, too, but a page says where.
page_differs()
{
	local got=0
	cp "$whole" "$work/changed.exe"
	printf '\125' | dd of="$work/changed.exe" bs=1 seek="$1" \
	    conv=notrunc status=none || return
	"$htsign" verify "$work/changed.exe" --ca "$dir/ca.pem" \
	    >"$work/stdout" 2>"$work/stderr" || got=$?
	cat "$work/stderr"
	[ "$got" -eq 65 ] && [ ! -s "$work/stdout" ] &&
	    grep -F "the hash of the page here differs (at byte $2)" \
	        "$work/stderr"
}

file=$work/sections.exe
"$builddir/tests/support/make-pe" --code=20000 >"$file"
check "a program of five pages" good_program replace "$file"
check "the headers" page_differs 200 0
check "the first byte of a section" page_differs 512 512
check "the last byte of its first page" page_differs 4607 512
check "the first byte of its second" page_differs 4608 4608
check "the last page" page_differs 20500 16896

# --- signed already ----------------------------------------------------------------------

cp "$whole" "$work/once.exe"
request replace "${file##*/}" --page-hashes <"$work/once.exe"
signed "replaced"
check "by the same" cmp "$work/out" "$work/once.exe"
request replace "${file##*/}" <"$work/once.exe"
signed "replaced by one without"
check "has none" not has_pages "$work/out"
mv "$work/out" "$work/plain.exe"

# nested OUTER N [--page-hashes]: under P-256, with one by RSA in it; so many of
# the two have page hashes.
nested()
{
	local inner=${3-}
	request nest "$inner" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/nested.exe"
	"$htsign" verify "$work/nested.exe" --ca "$work/both.pem" &&
	    osslsigncode verify -CAfile "$work/both.pem" \
	        -TSA-CAfile "$work/both.pem" "$work/nested.exe" &&
	    "$htsign" info "$work/nested.exe" >"$work/info" &&
	    grep '^nested:' "$work/info" &&
	    [ "$(grep -c 'page hashes: yes' "$work/info")" -eq "$2" ]
}

request p256 Outer <"$file"
mv "$work/out" "$work/outer.exe"
request p256 Outer --page-hashes <"$file"
mv "$work/out" "$work/outer-pages.exe"
check "nested in one without" nested "$work/outer.exe" 1 --page-hashes
check "nested in one with" nested "$work/outer-pages.exe" 2 --page-hashes
check "none nested in one with" nested "$work/outer-pages.exe" 1

# --- what has no page hashes --------------------------------------------------------------

journal_says_options()
{
	last_request | grep -F '"options":"page-hashes"'
}

request test-signing --page-hashes <"$file"
signed "a program"
check "the journal has the option" journal_says_options
request sha384 --page-hashes <"$file"
refused "SHA-384" 66
"$builddir/tests/support/make-cab" >"$work/a.cab"
request test-signing --page-hashes <"$work/a.cab"
refused "a cabinet" 66
check "the journal has the option" journal_says_options
journal_says "and the reason" '"code":"format"'
request test-signing --page-hashes <"$srcdir/NEWS"
refused "a text" 65

# --- 1 GiB -----------------------------------------------------------------------------------

# hole FILE SIZE: a program of that size, all but 1 KiB of it one section.
hole()
{
	"$builddir/tests/support/make-pe" --zeros=$(($2 - 1024)) >"$1" &&
	    truncate -s "$2" "$1"
}

# shell_alone WORD ...: as request, without ssh; the array before runs it.
shell_alone()
{
	local ticket
	echo "publickey $(cut -d' ' -f1,2 "$dir/ci-cert.pub")" >"$work/auth"
	ticket=$("$build/keys/principals/htsign-principals" -r "$dir/run" sign ci/1 1 \
	    "$(cut -d' ' -f2 "$dir/ci-cert.pub")" |
	    sed 's/.*--ticket \([^"]*\)".*/\1/')
	SSH_USER_AUTH=$work/auth SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" \
	    SSH_ORIGINAL_COMMAND="replace --page-hashes $*" \
	    "${before[@]}" "$shell" -r "$dir/run" --ticket "$ticket"
}

# peak OUT WORD ...: sign $large in 48 MiB, or under sanitizers in what it takes.
peak()
{
	local out=$1 kib
	local before=("$builddir/tests/bench/measure" -i "$large" -o "$out")
	shift
	kib=$(shell_alone "$@" | awk '{ print $2 }')
	echo "$kib KiB"
	[ -n "$kib" ] || return
	grep -q '^#define HT_NO_SANDBOX' "$builddir/config.h" ||
	    [ "$kib" -le $((48 * 1024)) ]
}

# A PKCS#7 as long as that is not in the journal, but its size and digest are.
is_on_record()
{
	last_request >"$work/row"
	cat "$work/row"
	grep -q '"status":"delivered"' "$work/row" &&
	    grep -q "\"pkcs7_size\":$(stat -c %s "$work/large.p7")," \
	        "$work/row" &&
	    grep -q "$(sha256sum "$work/large.p7" | cut -d' ' -f1)" \
	        "$work/row" &&
	    grep -q '"pkcs7_stored":false' "$work/row"
}

gib=1073741824
large=$work/large.exe
check "a program of 1 GiB" hole "$large" "$gib"
check "is signed in 48 MiB" peak "$work/signed.exe"
check "verifies" "$htsign" verify "$work/signed.exe" --ca "$dir/ca.pem"
large=$work/signed.exe
check "is signed again in 48 MiB" peak /dev/null --pkcs7
rm "$large"
large=$work/large.exe
check "its PKCS#7 alone is made in 48 MiB" peak "$work/large.p7" --pkcs7
check "which has 9 MB" test "$(stat -c %s "$work/large.p7")" -gt 9437184
check "and is on record" within 5 is_on_record
request replace --page-hashes --pkcs7 <"$large"
signed "the same through sshd-sign"
check "has the same bytes" cmp "$work/out" "$work/large.p7"

truncate -s $((gib + 1)) "$large"
before=()
status=0
shell_alone --pkcs7 <"$large" >"$work/out" 2>"$work/err" || status=$?
refused "a byte more" 66
hole "$large" $((gib + 512))
request replace --page-hashes --pkcs7 <"$large"
refused "sections that end behind 1 GiB" 66
rm "$large"

done_testing
