#!/bin/bash
# What is left of an earlier signature: a table that was cut off, bytes behind
# it or in it, a block with other line ends, free sectors with old data.  It is
# taken out where the profile replaces signatures, and by htsign strip, and that
# is said; nobody takes out what was there before.  And several signatures side
# by side, as UEFI has them.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode openssl msibuild python3
endpoint 2680
mkdir "$work/plain" "$work/ours" "$work/in" || exit 1

# --- what is there ----------------------------------------------------------------

profiles_for_words()
{
	local word
	for word in refuse own replace nest keep; do
		reconfigure "/^profiles = (/a { name = \"on-$word\";\
		    certificates = [ \"test\" ]; existing = \"$word\";\
		    formats = [ \"pe\", \"cab\", \"msi\", \"script\" ]; }," &&
		    admin "grant ci on-$word" || return
	done
}

package()
{
	seq 1 2000 >"$work/numbers.txt"
	empty_msi "$work/plain/a.msi" &&
	    msibuild "$work/plain/a.msi" -a Numbers "$work/numbers.txt"
}

our_signature()
{
	request test-signing --name="$1" <"$work/plain/$1"
	[ "$status" -eq 0 ] && mv "$work/out" "$work/ours/$1"
}

check "profiles" profiles_for_words
"$builddir/tests/support/make-pe" >"$work/plain/a.exe"
"$builddir/tests/support/make-pe" --efi >"$work/plain/a.efi"
"$builddir/tests/support/make-cab" --size=70000 >"$work/plain/a.cab"
printf 'Write-Host "Hello"\r\n' >"$work/plain/a.ps1"
printf 'var a = 1;\r\n' >"$work/plain/a.js"
printf '<job><script/>\r\n</job>\r\n' >"$work/plain/a.wsf"
check "a package" package
for file in "$work"/plain/*; do
	check "${file##*/} is signed" our_signature "${file##*/}"
done

# --- checks -----------------------------------------------------------------------

# says TEXT CLAUSE: signed, and the one line on stderr says what was taken out.
says()
{
	if [ "$status" -eq 0 ] && [ "$(wc -l <"$work/err")" -eq 1 ] &&
	    grep -q -E -e "taken out: .*$2" "$work/err"; then
		ok "$1: $(cat "$work/err")"
	else
		bad "$1 (status $status: $(head -c 300 "$work/err"))"
	fi
}

verified()
{
	"$htsign" verify "$1" --ca "$dir/ca.pem"
}

# like_attached FILE: what came is what attach makes of the PKCS#7 alone.
like_attached()
{
	cp "$work/out" "$work/whole.${1##*.}"
	request on-replace --pkcs7 --name="${1##*/}" <"$1"
	[ "$status" -eq 0 ] || return
	"$htsign" attach "$1" "$work/out" -o "$work/attached.${1##*.}" &&
	    cmp "$work/whole.${1##*.}" "$work/attached.${1##*.}"
}

# strips FILE PLAIN CLAUSE: strip leaves the file that was signed, and says why.
strips()
{
	"$htsign" strip "$1" >"$work/stripped" 2>"$work/stderr" || return
	cat "$work/stderr"
	grep -q -E -e "taken out: .*$3" "$work/stderr" &&
	    cmp "$work/stripped" "$2"
}

not_blessed()
{
	local got=0
	"$htsign" verify "$1" --ca "$dir/ca.pem" >"$work/stdout" || got=$?
	[ "$got" -eq 65 ] && [ ! -s "$work/stdout" ]
}

# uncovered FILE BYTES: all but so many bytes verify, if one asks for that.
uncovered()
{
	"$htsign" verify "$1" --ca "$dir/ca.pem" --allow-uncovered \
	    >"$work/stdout" && cat "$work/stdout" &&
	    grep -q "^uncovered:   $2 bytes: " "$work/stdout"
}

# remains FILE PLAIN CLAUSE [BYTES]: what each word makes of the file.  It has a
# whole signature if BYTES are given, which that does not cover.
remains()
{
	local file=$1 name=${1##*/} word
	request on-replace --name="$name" <"$file"
	says "$name under replace" "$3"
	cp "$work/out" "$work/signed.${1##*.}"
	check "verifies" verified "$work/signed.${1##*.}"
	check "--pkcs7 is the same" like_attached "$file"
	check "strip" strips "$file" "$2" "$3"
	for word in refuse own nest; do
		request "on-$word" --name="$name" <"$file"
		refused "$name under $word" 66
		check "which says what to do" grep -q 'htsign strip' "$work/err"
	done
	request on-keep --name="$name" <"$file"
	if [ -n "${4-}" ]; then
		check "$name under keep" cmp "$work/out" "$file"
		check "verify --allow-uncovered" uncovered "$file" "$4"
	else
		refused "$name under keep" 66
	fi
	check "$name is not verified" not_blessed "$file"
}

# --- programs ---------------------------------------------------------------------

# change HOW < A signed program > what is left
cat >"$work/change.py" <<-'PYTHON'
	import struct, sys
	how, data = sys.argv[1], bytearray(sys.stdin.buffer.read())
	def number(at):
	    return struct.unpack_from("<I", data, at)[0]
	entry = number(0x3c) + 24 + 112 + 32
	table, size = number(entry), number(entry + 4)
	def announce(at, n):
	    struct.pack_into("<II", data, entry, at, n)
	if how == "cut-off":
	    del data[table:]
	elif how == "half-cut":
	    del data[-100:]
	elif how == "appended":
	    data += b"appended payload " * 4
	elif how == "much-appended":
	    data += bytes(65537)
	elif how == "tagged":
	    data += b"TAG{a=1}" + bytes(56)
	    announce(table, size + 64)
	    struct.pack_into("<I", data, table, size + 64)
	elif how == "zeros":
	    data += bytes(8)
	    announce(table, size + 8)
	elif how == "type":
	    data[table + 6] = 1
	elif how == "within":
	    announce(table - 512, size)
	    del data[table:]
	elif how == "no-size":
	    announce(table, 0)
	    del data[table:]
	elif how == "copied":
	    # The headers of a signed program, and a payload across the place of
	    # its table.
	    data[table:] = bytes(range(256)) * 40
	sys.stdout.buffer.write(data)
	PYTHON

# change HOW: $work/in/HOW.exe
change()
{
	python3 "$work/change.py" "$1" <"$work/ours/a.exe" >"$work/in/$1.exe"
}

# The checksum is right in it.
"$htsign" strip "$work/ours/a.exe" >"$work/bare.exe"
for how in cut-off:'where there is none' half-cut:'cut off' \
    within:'within the sections' no-size:'half an entry' type:'not a PKCS#7'; do
	check "${how%%:*}" change "${how%%:*}"
	remains "$work/in/${how%%:*}.exe" "$work/bare.exe" "${how#*:}"
done
check "appended" change appended
remains "$work/in/appended.exe" "$work/bare.exe" '68 bytes behind' 68
check "osslsigncode agrees" verify_osslsigncode "$work/signed.exe"
{ cat "$work/ours/a.exe"; printf '\r\n'; } >"$work/in/piped.exe"
remains "$work/in/piped.exe" "$work/bare.exe" 'if PowerShell wrote' 2
check "tagged" change tagged
remains "$work/in/tagged.exe" "$work/bare.exe" 'CVE-2013-3900' '6[4-9]\|7[01]'
check "zeros" change zeros
remains "$work/in/zeros.exe" "$work/bare.exe" \
    'CVE-2013-3900|does not fit into' '[0-9]*'

# Too much to be thrown away.
check "much behind it" change much-appended
request on-replace <"$work/in/much-appended.exe"
refused "over 64 KiB behind the table" 65
check "which says what to do" grep 'before they are appended' "$work/err"

# A payload is content, if no table stands where one was announced.
same_payload()
{
	local from
	from=$(stat -c %s "$work/plain/a.exe")
	"$htsign" strip "$work/in/copied.exe" >"$work/stripped" &&
	    cmp -i "$from" "$work/stripped" "$work/in/copied.exe" &&
	    cmp -n 10240 -i "$from" "$work/out" "$work/in/copied.exe"
}
check "copied headers" change copied
request on-replace <"$work/in/copied.exe"
says "copied headers under replace" 'where there is none'
check "verify" verified "$work/out"
check "the payload is there" same_payload
"$builddir/tests/support/make-pe" --payload=5000 >"$work/payload.exe"
request on-replace <"$work/payload.exe"
signed "a payload that was always there"
check "is still there" cmp -n 5000 -i \
    "$(stat -c %s "$work/plain/a.exe")" "$work/out" "$work/payload.exe"

# --- cabinets ---------------------------------------------------------------------

head -c -100 "$work/ours/a.cab" >"$work/in/cut.cab"
remains "$work/in/cut.cab" "$work/plain/a.cab" 'cut off'
(cat "$work/ours/a.cab"; echo more) >"$work/in/more.cab"
remains "$work/in/more.cab" "$work/plain/a.cab" '5 bytes behind' 5

# --- scripts ----------------------------------------------------------------------

for file in a.ps1 a.js a.wsf; do
	kind=${file##*.}
	plain=$work/plain/$file
	tr -d '\r' <"$plain" >"$work/plain/lf.$kind"
	tr -d '\r' <"$work/ours/$file" >"$work/in/lf.$kind"
	# The line end before the block is the block's.
	"$htsign" strip "$work/in/lf.$kind" >"$work/lf" 2>/dev/null
	check "$file with LF: the text" cmp "$work/lf" "$work/plain/lf.$kind"
	request on-replace --name="$file" <"$work/in/lf.$kind"
	says "$file with LF" 'signature block'
	mv "$work/out" "$work/signed.$kind"
	check "verifies" verified "$work/signed.$kind"
	for word in refuse own nest; do
		request "on-$word" --name="$file" <"$work/in/lf.$kind"
		refused "$file with LF under $word" 66
	done
	request on-keep --name="$file" <"$work/in/lf.$kind"
	check "$file with LF under keep" cmp "$work/out" "$work/in/lf.$kind"
done
head -c -2 "$work/ours/a.ps1" >"$work/in/no-end.ps1"
remains "$work/in/no-end.ps1" "$work/plain/a.ps1" 'no CRLF at its end' 0
(cat "$work/ours/a.ps1"; printf '\r\n') >"$work/in/line.ps1"
remains "$work/in/line.ps1" "$work/plain/a.ps1" 'text behind it' 2
head -c 700 "$work/ours/a.ps1" >"$work/in/cut.ps1"
remains "$work/in/cut.ps1" "$work/plain/a.ps1" 'a line is damaged'
(cat "$work/ours/a.ps1"; echo exit) >"$work/in/code.ps1"
request on-replace --name=a.ps1 <"$work/in/code.ps1"
refused "a command behind the block" 65

# --- packages ---------------------------------------------------------------------

# free_data FILE: whatever word, the output has zeros where old data were.
free_data()
{
	local file=$1 word place bytes
	read -r place bytes < <(python3 \
	    "$srcdir/tests/support/free_sector.py" "$file")
	check "$bytes bytes in a free sector" test "$bytes" -gt 0
	for word in refuse own replace nest; do
		request "on-$word" <"$file"
		says "old data under $word" "$bytes bytes of data in free"
		check "is verified" verified "$work/out"
		check "is zero" not grep -q "$(dd if="$file" bs=1 \
		    skip="$place" count=40 status=none | head -n 2 |
		    tail -n 1)" <(tail -c +"$((place + 1))" "$work/out" |
		    head -c 512)
	done
	request on-replace <"$file"
	check "--pkcs7 is the same" like_attached "$file"
	request on-keep <"$file"
	says "an unsigned package under keep" "bytes of data in free"
}
cp "$work/plain/a.msi" "$work/in/free.msi"
free_data "$work/in/free.msi"

# The same under a signature, which covers no free sector.
(cat "$work/ours/a.msi"; head -c 512 /dev/urandom) >"$work/in/behind.msi"
check "a sector behind a signature" not_blessed "$work/in/behind.msi"
check "verify --allow-uncovered" uncovered "$work/in/behind.msi" 512
for word in own replace nest; do
	request "on-$word" <"$work/in/behind.msi"
	says "a sector behind a signature under $word" '512 bytes behind'
	check "verify" verified "$work/out"
done
request on-refuse <"$work/in/behind.msi"
refused "a sector behind a signature under refuse" 66
request on-keep <"$work/in/behind.msi"
check "and under keep" cmp "$work/out" "$work/in/behind.msi"
(cat "$work/plain/a.msi"; printf x) >"$work/in/byte.msi"
request on-own <"$work/in/byte.msi"
says "a byte behind a package" '1 bytes behind the last allocated'
check "verify" verified "$work/out"
(cat "$work/plain/a.msi"; head -c 512 /dev/zero) >"$work/in/sector.msi"
request on-own <"$work/in/sector.msi"
says "a free sector behind a package" '512 bytes behind the last allocated'
check "verify" verified "$work/out"

# --- side by side -----------------------------------------------------------------

if command -v sbsign >/dev/null && command -v sbverify >/dev/null; then
	vendor()
	{
		openssl req -x509 -newkey rsa:3072 -nodes -days 200 \
		    -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem" \
		    -addext extendedKeyUsage=codeSigning
	}
	# vendor_signs NAME IN OUT
	vendor_signs()
	{
		sbsign --key "$work/$1.key" --cert "$work/$1.pem" \
		    --output "$3" "$2"
	}
	# all_good FILE NAME...: each of these and we have signed it.
	all_good()
	{
		local file=$1 name
		shift
		cat "$dir/ca.pem" >"$work/all.pem"
		for name in "$@"; do
			cat "$work/$name.pem" >>"$work/all.pem"
			sbverify --cert "$work/$name.pem" "$file" || return
		done
		sbverify --cert "$dir/ca.pem" "$file" &&
		    "$htsign" verify "$file" --ca "$work/all.pem" &&
		    [ "$(sbverify --list "$file" | grep -c '^signature')" \
		        -eq $(($# + 1)) ] &&
		    [ "$("$htsign" info "$file" | grep -c '^beside:')" \
		        -eq $# ]
	}
	for name in vendor1 vendor2; do
		check "$name" vendor "$name"
	done
	check "one vendor" vendor_signs vendor1 "$work/plain/a.efi" \
	    "$work/in/one.efi"
	check "two vendors" vendor_signs vendor2 "$work/in/one.efi" \
	    "$work/in/two.efi"
	for word in nest own; do
		for number in one two; do
			file=$work/in/$number.efi
			request "on-$word" <"$file"
			signed "$number vendors under $word"
			cp "$work/out" "$work/more.efi"
			if [ "$number" = one ]; then
				check "one more" all_good "$work/more.efi" \
				    vendor1
			else
				check "one more" all_good "$work/more.efi" \
				    vendor1 vendor2
			fi
			request "on-$word" --pkcs7 <"$file"
			check "--pkcs7 is all" cmp \
			    <("$htsign" attach "$file" "$work/out") \
			    "$work/more.efi"
		done
		# A second round takes our own out, or adds another.
		request "on-$word" <"$work/more.efi"
		signed "again under $word"
		[ "$word" = nest ] ||
			check "no more than before" cmp "$work/out" \
			    "$work/more.efi"
	done
	request on-refuse <"$work/in/two.efi"
	refused "two vendors under refuse" 66
	request on-keep <"$work/in/two.efi"
	check "two vendors under keep" cmp "$work/out" "$work/in/two.efi"
	check "whose they are" grep 'CN=vendor1 and 1 more' "$work/err"
	request on-replace <"$work/in/two.efi"
	signed "two vendors under replace"
	check "no one but us" all_good "$work/out"
	check "strip" cmp <("$htsign" strip "$work/in/two.efi") \
	    <("$htsign" strip "$work/ours/a.efi")

	# One of several, out and in.
	for number in 1 2; do
		check "signature $number" "$htsign" extract \
		    "$work/in/two.efi" --index=$number -o "$work/$number.p7"
	done
	check "both" cmp <("$htsign" extract "$work/in/two.efi") \
	    <(cat "$work/1.p7" "$work/2.p7")
	check "the first alone" cmp <("$htsign" attach "$work/plain/a.efi" \
	    "$work/1.p7") "$work/in/one.efi"
	check "the second behind it" cmp <("$htsign" attach \
	    "$work/in/one.efi" "$work/2.p7" --index=2) "$work/in/two.efi"
	check "in place of the first" "$htsign" attach "$work/in/two.efi" \
	    "$work/2.p7" --index=1 -o "$work/twice.efi"
	check "which is the second now" cmp \
	    <("$htsign" extract "$work/twice.efi" --index=1) "$work/2.p7"
	for arguments in "attach $work/in/one.efi $work/2.p7 --index=3" \
	    "extract $work/in/two.efi --index=3" \
	    "extract $work/in/two.efi --index=0"; do
		# shellcheck disable=SC2086
		"$htsign" $arguments >"$work/stdout" 2>"$work/stderr"
		check "${arguments%% *} --index out of range" test $? -eq 64
	done

	# The one that fails is named.
	cat "$dir/ca.pem" "$work/vendor1.pem" >"$work/two.pem"
	"$htsign" verify "$work/in/two.efi" --ca "$work/two.pem" \
	    2>"$work/stderr"
	check "an unknown second one" test $? -eq 65
	check "is named" grep 'signature 2: ' "$work/stderr"
else
	echo "sbsign is not here: its part is skipped"
fi
done_testing
