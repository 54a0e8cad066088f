#!/bin/bash
# Real programs, libraries, EFI applications and .NET assemblies, from mingw
# and out of Debian's packages: each is signed through every door that is open
# here, whole and as PKCS#7, and verified by others.

. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
needs ssh softhsm2-util osslsigncode sbverify apt-get \
    x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc
corpus=$builddir/corpus
check "the corpus" "$srcdir/tests/corpus.sh" "$corpus"
if [ "$(id -u)" -eq 0 ]; then
	. "$srcdir/tests/installed.sh"
	installed_endpoint 2404 2405
	doors="sign openssh"
else
	endpoint 2404
	doors=sign
fi

# What mingw makes of a few lines, for both machines.
build_programs_of_ours()
{
	local cc=$1-w64-mingw32-gcc name=$corpus/mingw,$1
	[ ! -e "$name.gui.exe" ] || return 0
	printf 'int main(void) { return 0; }\n' >"$work/program.c"
	printf '__declspec(dllexport) int f(void) { return 1; }\n' \
	    >"$work/library.c"
	"$cc" -o "$name.exe" "$work/program.c" &&
	    "$cc" -s -o "$name.stripped.exe" "$work/program.c" &&
	    "$cc" -shared -o "$name.dll" "$work/library.c" &&
	    { cat "$name.stripped.exe"; printf 'payload'; } \
	        >"$name.payload.exe" &&
	    "$cc" -mwindows -o "$name.gui.exe" "$work/program.c"
}
check "64-bit programs" build_programs_of_ours x86_64
check "32-bit programs" build_programs_of_ours i686

# good FILE: through $door, by every verifier that knows such files.
good()
{
	request test-signing "${1##*/}" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/signed"
	verify_osslsigncode "$work/signed" || return
	case $1 in
	*.efi*) verify_sbverify "$work/signed" || return ;;
	esac
	"$htsign" verify "$work/signed" --ca "$dir/ca.pem" || return
	request test-signing --pkcs7 "${1##*/}" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	"$htsign" attach "$1" "$work/out" >"$work/attached" || return
	cmp "$work/attached" "$work/signed"
}

for door in $doors; do
	count=0
	for file in "$corpus"/*,*; do
		check "$door ${file##*/}" good "$file"
		count=$((count + 1))
	done
	check "$door: at least 30 files ($count)" test "$count" -ge 30
done
done_testing
