#!/bin/bash
# Real programs, libraries, EFI applications and .NET assemblies, from mingw
# and out of Debian's packages: each is signed whole and as PKCS#7, through one door
# each where both are open, and verified by others.
#
# By hand: with HTSIGN_CORPUS=all each file, otherwise every second one.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode sbverify apt-get \
    x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc makensis
. "$srcdir/tests/support/programs.sh"
corpus=$builddir/corpus
check "the corpus" "$srcdir/tests/support/corpus.sh" "$corpus"
if [ "$(id -u)" -eq 0 ]; then
	. "$srcdir/tests/support/installed.sh"
	installed_endpoint 2404 2405
	other_door=openssh
else
	endpoint 2404
	other_door=sign
fi
replace_signatures

check "programs of ours" make_programs "$corpus"

# good FILE: by every verifier that knows such files.
good()
{
	door=sign request test-signing "${1##*/}" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/signed"
	verify_osslsigncode "$work/signed" || return
	case $1 in
	*.efi*) verify_sbverify "$work/signed" || return ;;
	esac
	"$htsign" verify "$work/signed" --ca "$dir/ca.pem" || return
	door=$other_door request test-signing "${1##*/}" --pkcs7 <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	"$htsign" attach "$1" "$work/out" >"$work/attached" || return
	cmp "$work/attached" "$work/signed" && same_content "$1" "$work/out"
}

# shown FILE: the signature of another, of pesign's SPC type or not, is shown and
# is of the file.
shown()
{
	"$htsign" info --json "$1" >"$work/shown" || return
	cat "$work/shown"
	grep -q '"signed":true' "$work/shown" &&
	    grep -q '"digest_is_signed":true' "$work/shown" &&
	    ! grep -q '"problems"' "$work/shown"
}

for file in "$corpus"/*,fwupdx64.efi.signed "$corpus"/*,grubx64.efi.signed; do
	check "who signed ${file##*/}" shown "$file"
done

count=0 turn=0
for file in "$corpus"/*,*; do
	turn=$((1 - turn))
	[ "${HTSIGN_CORPUS-}" = all ] || [ "$turn" -eq 1 ] || continue
	check "${file##*/}" good "$file"
	count=$((count + 1))
done
check "at least 30 files ($count)" test "$count" -ge 30
done_testing
