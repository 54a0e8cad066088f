#!/bin/bash
# What becomes of real files, signed or not, beside what others say of them, as a
# table.
#
#	tests/signed-files.sh [FILE ...]
#
# By hand, in a build folder of `make check TESTS=`, with pesign besides.  The
# files are those of tests/support/corpus.sh and programs.sh, or FILEs.  A number
# is an exit status of htsign's, or how many signatures are seen.  The columns:
# what `htsign info` shows; what signing gives for each word of `existing`, and
# how many signatures the result has; how many signatures others see in the
# file, and in what `nest` makes of it.  Last come words: those of `refuse`,
# osslsigncode's of what `replace` makes, and sbverify's of what `nest` makes of
# an EFI application.

srcdir=$(cd "$(dirname "$0")/.." && pwd)
. "$srcdir/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode sbverify pesign
. "$srcdir/tests/support/programs.sh"
endpoint 2490
words="replace own keep nest refuse"
for word in $words; do
	reconfigure "/^profiles = (/a { name = \"on-$word\";\
	    certificates = [ \"test\" ]; existing = \"$word\";\
	    formats = [ \"pe\", \"cab\", \"msi\", \"appx\", \"cat\", \"script\" ]; },"
	admin "grant ci on-$word"
done
if [ $# -eq 0 ]; then
	"$srcdir/tests/support/corpus.sh" "$builddir/corpus" &&
	    make_programs "$builddir/corpus" || exit 1
	set -- "$builddir"/corpus/*,*
fi

# shown FILE: the signatures that `htsign info` shows; or its status.
shown()
{
	"$htsign" info "$1" >"$work/info" 2>/dev/null || {
		echo "status $?"
		return
	}
	grep -c '^ *signer:' "$work/info"
}

by_sbverify()
{
	sbverify --list "$1" 2>/dev/null | grep -c '^signature [0-9]'
}

by_pesign()
{
	pesign -S -i "$1" 2>/dev/null | grep -c '^The signer.s common name'
}

by_osslsigncode()
{
	osslsigncode verify "$1" 2>/dev/null |
	    sed -n 's/^Number of [a-z ]*signatures: //p' | head -n 1
}

# last_words COMMAND ...: its last line that says something.
last_words()
{
	"$@" 2>&1 | grep . | tail -n 1 | tr '|' '/' | cut -c 1-60
}

echo "| file | info | replace | own | keep | nest | refuse | osslsigncode |" \
    "sbverify | pesign | words |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for file; do
	row="| ${file##*/} | $(shown "$file")"
	for word in $words; do
		request "on-$word" --name="${file##*/}" <"$file"
		mv "$work/out" "$work/on-$word"
		mv "$work/err" "$work/err-$word"
		[ "$status" -ne 0 ] || status="0: $(shown "$work/on-$word")"
		row+=" | $status"
	done
	for by in by_osslsigncode by_sbverify by_pesign; do
		row+=" | $($by "$file"), $($by "$work/on-nest")"
	done
	row+=" | $(last_words cat "$work/err-refuse");"
	row+=" $(last_words verify_osslsigncode "$work/on-replace")"
	case $file in
	*.efi*) row+="; $(last_words verify_sbverify "$work/on-nest")" ;;
	esac
	echo "$row |"
done
