#!/bin/bash
# Files that are signed already, by us and by somebody else, under each word
# that a profile has for them: programs, cabinets, packages and scripts.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode msibuild openssl
endpoint 2600
mkdir "$work/plain" "$work/ours" "$work/theirs" "$work/old" || exit 1

# --- who signs what ------------------------------------------------------------

# A profile for each word, named after it.
profiles_for_words()
{
	local word
	for word in refuse own replace nest keep; do
		reconfigure "/^profiles = (/a { name = \"on-$word\";\
		    certificates = [ \"test\" ]; existing = \"$word\";\
		    formats = [ \"pe\", \"cab\", \"msi\", \"cat\", \"appx\",\
		    \"script\" ]; }," && admin "grant ci on-$word" || return
	done
}

cabinet()
{
	"$builddir/tests/support/make-cab" --size=70000 >"$work/plain/a.cab"
}

package()
{
	head -c 9000 /dev/urandom >"$work/stream"
	empty_msi "$work/plain/a.msi" &&
	    msibuild "$work/plain/a.msi" -a One "$work/stream"
}

other_signer()
{
	openssl req -x509 -newkey rsa:3072 -nodes -days 200 \
	    -subj "/CN=Somebody else" -keyout "$work/other.key" \
	    -out "$work/other.pem" \
	    -addext keyUsage=critical,digitalSignature \
	    -addext extendedKeyUsage=codeSigning
}

# their_signature FILE: theirs/FILE, which osslsigncode has signed.
their_signature()
{
	osslsigncode sign -h sha256 -certs "$work/other.pem" \
	    -key "$work/other.key" -in "$work/plain/$1" \
	    -out "$work/theirs/$1"
}

our_signature()
{
	request test-signing First --name="$1" <"$work/plain/$1"
	[ "$status" -eq 0 ] && mv "$work/out" "$work/ours/$1"
}

# Signed with a certificate that no profile will use any longer.
old_signature()
{
	request p256 Old --name="$1" <"$work/plain/$1"
	[ "$status" -eq 0 ] && mv "$work/out" "$work/old/$1"
}

check "profiles" profiles_for_words
check "another certificate of ours" p256_profile \
    '"pe", "cab", "msi", "script"'
check "another signer" other_signer
check "a program" sample plain/a.exe
check "a cabinet" cabinet
check "a package" package
printf 'Write-Host "Hello"\r\n' >"$work/plain/a.ps1"
for file in a.exe a.cab a.msi a.ps1; do
	check "$file of ours" our_signature "$file"
	check "$file, long ago" old_signature "$file"
	check "$file of theirs" their_signature "$file"
done
check "the old profile goes" reconfigure \
    '/{ name = "p256"; certificates/d'
request p256 <"$work/plain/a.exe"
refused "and signs nothing any more" 77
cat "$dir/ca.pem" "$work/other.pem" >"$work/both.pem"

# --- what the journal says -------------------------------------------------------

untouched()
{
	journal_says "$1: no token, and on record" '"code":"existing"' \
	    '"attempts":0' '"exit":6[56]'
	case $(last_request) in
	*'"token"'*) bad "$1: a token was asked" ;;
	esac
}

# --- the words ---------------------------------------------------------------------

signatures()
{
	osslsigncode verify -CAfile "$work/both.pem" "$1" |
	    grep -c '^Signature Index: '
}

# One signature, and that is ours.
only_ours()
{
	"$htsign" verify "$1" --ca "$dir/ca.pem" && verify_osslsigncode "$1" &&
	    [ "$(signatures "$1")" -eq 1 ]
}

# replaced FOLDER FILE: as if that had never been signed before.
replaced()
{
	request "$word" Again --name="$2" <"$work/plain/$2"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/once.${2##*.}"
	request "$word" Again --name="$2" <"$work/$1/$2"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/again.${2##*.}"
	only_ours "$work/again.${2##*.}" || return
	# A second round changes nothing but what time does.
	request "$word" Again --name="$2" <"$work/again.${2##*.}"
	[ "$status" -eq 0 ] && cmp "$work/out" "$work/again.${2##*.}" || return
	[ "${2##*.}" = msi ] || cmp "$work/once.${2##*.}" "$work/out"
}

# Theirs is the first signature still, and ours is in it.
nested()
{
	sign_both_ways "$word" "$1" Second || return
	"$htsign" verify "$whole" --ca "$work/both.pem" || return
	"$htsign" info "$whole" >"$work/info" || return
	grep -q "Somebody else" "$work/info" || return
	grep -q "^nested:" "$work/info" || return
	osslsigncode verify -CAfile "$work/both.pem" "$whole" \
	    >"$work/verified" || { cat "$work/verified"; return 1; }
	[ "$(signatures "$whole")" -eq 2 ]
}

# kept FILE: it came back, and nobody signed anything.
kept()
{
	request "$word" --name="${1##*/}" <"$1"
	[ "$status" -eq 0 ] && cmp "$work/out" "$1" &&
	    [ "$(wc -l <"$work/err")" -eq 1 ] &&
	    grep -q 'nothing was signed: .* CN=Somebody else' "$work/err" &&
	    within 5 is_kept || return
	request "$word" --pkcs7 --name="${1##*/}" <"$1"
	[ "$status" -eq 0 ] || return
	"$htsign" extract "$1" >"$work/extracted" &&
	    cmp "$work/out" "$work/extracted"
}

is_kept()
{
	last_request | grep -q '"status":"kept"' &&
	    last_request | grep -q '"delivered_bytes"' &&
	    ! last_request | grep -q '"token"'
}

for file in a.exe a.cab a.msi a.ps1; do
	for word in on-refuse on-own on-replace on-nest on-keep; do
		request "$word" --name="$file" <"$work/plain/$file"
		signed "$file under $word, never signed"
	done

	for from in ours theirs; do
		request on-refuse --name="$file" <"$work/$from/$file"
		refused "$file of $from under refuse" 66
		untouched "$file of $from under refuse"
	done

	word=on-own
	check "$file of ours under own" replaced ours "$file"
	check "$file of long ago under own" replaced old "$file"
	request on-own --name="$file" <"$work/theirs/$file"
	refused "$file of theirs under own" 66
	check "who that is" grep -q 'CN=Somebody else' "$work/err"
	untouched "$file of theirs under own"

	word=on-replace
	for from in ours old theirs; do
		check "$file of $from under replace" replaced "$from" "$file"
	done

	word=on-nest
	check "$file of theirs under nest" nested "$work/theirs/$file"
	journal_says "it had one" '"old_signature":true' \
	    '"status":"delivered"'

	word=on-keep
	check "$file of theirs under keep" kept "$work/theirs/$file"
done
check "log shows what was kept" \
    sh -c 'grep -q " kept "' <<<"$(admin log)"
check "and can look for it" test "$(admin 'log --status=kept' | wc -l)" -eq 8

# --- what is lost ------------------------------------------------------------------------

# A file that somebody signed with a timestamp, which we cannot replace.
stamped_signature()
{
	openssl req -x509 -newkey rsa:3072 -nodes -days 200 -subj "/CN=Times" \
	    -keyout "$work/tsa.key" -out "$work/tsa.pem" \
	    -addext extendedKeyUsage=critical,timeStamping \
	    -addext keyUsage=critical,digitalSignature &&
	    osslsigncode sign -h sha256 -certs "$work/other.pem" \
	        -key "$work/other.key" -TSA-certs "$work/tsa.pem" \
	        -TSA-key "$work/tsa.key" -in "$work/plain/a.exe" \
	        -out "$work/stamped.exe"
}
check "a signature with a timestamp" stamped_signature
request on-replace <"$work/stamped.exe"
check "is replaced" verify_osslsigncode "$work/out"
check "with a warning" grep -q "warning: .* had a timestamp" "$work/err"
request on-nest <"$work/stamped.exe"
signed "nothing is lost by nesting"

# A bundle of WiX with a section as Burn reads it, and two containers behind.
bundle()
{
	"$builddir/tests/support/make-pe" --payload=136 >"$work/bundle.exe" &&
	    python3 - "$work/bundle.exe" <<-'PYTHON'
	import struct, sys
	with open(sys.argv[1], "r+b") as file:
	    pe = file.read()
	    file.seek(pe.index(b".text"))
	    file.write(b".wixburn")
	    file.seek(512)
	    file.write(struct.pack("<14I", 0xf14300, 2, 0, 0, 0, 0,
	        len(pe) - 136, 0, 0, 0, 1, 2, 100, 36))
	PYTHON
}
check "a bundle" bundle
request test-signing <"$work/bundle.exe"
check "is signed" verify_osslsigncode "$work/out"
check "with a warning" grep -q "warning: .* WiX bundle .* engine" "$work/err"
truncate -s -36 "$work/bundle.exe"
request test-signing <"$work/bundle.exe"
signed "its engine alone"

# --- what cannot be done ---------------------------------------------------------------

"$builddir/tests/support/make-cat" >"$work/plain/a.cat"
"$builddir/tests/support/make-appx" "publisher=CN=htsign quickstart (test)" \
    >"$work/plain/a.msix"
for file in a.cat a.msix; do
	request on-nest <"$work/plain/$file"
	signed "$file under nest, never signed"
	mv "$work/out" "$work/ours/$file"
	request on-nest <"$work/ours/$file"
	refused "$file under nest" 66
	untouched "$file under nest"
	request on-refuse <"$work/ours/$file"
	refused "$file under refuse" 66
	request on-keep <"$work/ours/$file"
	check "$file under keep" cmp "$work/out" "$work/ours/$file"
	for word in on-own on-replace; do
		request "$word" <"$work/ours/$file"
		signed "$file under $word"
		check "is what it was" cmp "$work/out" "$work/ours/$file"
	done
done

# two_entries FOLDER: the program there with our signature beside the one that
# it has, as signtool never makes it.
two_entries()
{
	local size
	cp "$work/$1/a.exe" "$work/two.exe" || return
	size=$(stat -c %s "$work/plain/a.exe")
	tail -c +"$((size + 1))" "$work/ours/a.exe" >>"$work/two.exe"
	# The entry in the directory has the size of both.
	at=$(($(od -An -tu4 -j60 -N4 "$work/two.exe") + 172))
	printf "%08x" "$(($(stat -c %s "$work/two.exe") - size))" |
	    sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' \
	        >"$work/size"
	printf '%b' "$(cat "$work/size")" |
	    dd of="$work/two.exe" bs=1 seek="$at" conv=notrunc status=none
}
check "a program with two signatures" two_entries theirs
for word in refuse own nest; do
	request "on-$word" <"$work/two.exe"
	refused "side by side, under $word" 66
	untouched "side by side, under $word"
done
request on-keep <"$work/two.exe"
check "side by side, under keep" cmp "$work/out" "$work/two.exe"
check "of whom" grep 'CN=Somebody else and 1 more' "$work/err"
request on-replace <"$work/two.exe"
signed "side by side, under replace"
check "one is left" only_ours "$work/out"
check "htsign blesses two" \
    "$htsign" verify "$work/two.exe" --ca "$work/both.pem"
check "if it blesses each" \
    not "$htsign" verify "$work/two.exe" --ca "$dir/ca.pem"

check "a program with two of ours" two_entries old
request on-refuse <"$work/two.exe"
refused "two of ours, under refuse" 66
request on-own <"$work/two.exe"
signed "two of ours, under own"
check "one is left of ours" only_ours "$work/out"

# What is behind the DER is nobody's: only one word takes it out.
check "a signature with padding" padded_signature "$work/plain/a.exe" \
    "$work/slack.exe"
printf '\1' | dd of="$work/slack.exe" bs=1 conv=notrunc status=none \
    seek="$(($(stat -c %s "$work/slack.exe") - 1))"
for word in refuse own nest; do
	request "on-$word" <"$work/slack.exe"
	refused "a byte behind the DER, under $word" 66
	check "which is said" grep CVE-2013-3900 "$work/err"
done
request on-replace <"$work/slack.exe"
check "it is taken out" only_ours "$work/out"
check "which is said" grep 'taken out: .*CVE-2013-3900' "$work/err"

# A file that was changed under its signature.
cp "$work/theirs/a.exe" "$work/stale.exe"
printf '\377' | dd of="$work/stale.exe" bs=1 seek=700 conv=notrunc status=none
request on-nest <"$work/stale.exe"
refused "nothing is nested in a stale signature" 65
untouched "stale"
done_testing
