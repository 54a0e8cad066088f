#!/bin/bash
# Files that mean more than one thing, or carry what no signature covers: they
# are not signed (65, and the clause), and what somebody has made of a signed
# file in this way does not verify.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util gcab msibuild zip unzip python3
endpoint 3020
mkdir "$work/plain" "$work/signed" || exit 1

# --- good files ------------------------------------------------------------------

# sign_sample NAME: $work/plain/NAME becomes $work/signed/NAME.
sign_sample()
{
	request test-signing --name="$1" <"$work/plain/$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/signed/$1"
	"$htsign" verify "$work/signed/$1" --ca "$dir/ca.pem"
}

seq 1 2000 >"$work/numbers.txt"
(cd "$work" && zip -q evil.jar numbers.txt) || exit 1
"$builddir/tests/support/make-pe" >"$work/plain/a.exe"
"$builddir/tests/support/make-cat" 2 >"$work/plain/a.cat"
"$builddir/tests/support/make-appx" publisher="CN=htsign quickstart (test)" \
    >"$work/plain/a.msix"
printf 'Write-Host "Hello"\r\n' >"$work/plain/a.ps1"
check "a cabinet" gcab -c -n "$work/plain/a.cab" "$work/numbers.txt"
check "a package" empty_msi "$work/plain/a.msi"
check "with a stream" msibuild "$work/plain/a.msi" -a Numbers \
    "$work/numbers.txt"
cp "$work/plain/a.msi" "$work/plain/b.msi"
check "and one with a JAR in it" msibuild "$work/plain/b.msi" -a Jar \
    "$work/evil.jar"
for file in "$work"/plain/*; do
	check "${file##*/} is signed" sign_sample "${file##*/}"
done

# --- changes -----------------------------------------------------------------------

# not_blessed FILE CLAUSE: htsign verify says 65, one line with the clause.
not_blessed()
{
	local got=0
	"$htsign" verify "$1" --ca "$dir/ca.pem" >"$work/stdout" \
	    2>"$work/stderr" || got=$?
	[ "$got" -eq 65 ] && [ ! -s "$work/stdout" ] &&
	    [ "$(wc -l <"$work/stderr")" -eq 1 ] &&
	    grep -E -e "$2" "$work/stderr" && return
	echo "status $got: $(cat "$work/stderr")"
	return 1
}

# refuse TEXT NAME CLAUSE COMMAND ...: the command changes the file that it
# gets as its last argument; plain and signed, nobody takes it after that.
kinds="plain signed"
wanted=65
refuse()
{
	local what=$1 name=$2 clause=$3 kind file
	shift 3
	for kind in $kinds; do
		file=$work/$name
		cp "$work/$kind/$name" "$file"
		check "$what, $kind: the change" "$@" "$file"
		request test-signing --name="$name" <"$file"
		refused "$what, $kind: not signed" "$wanted"
		check "$what, $kind: $clause" grep -E -e "$clause" "$work/err"
	done
	check "$what, signed: not verified" not_blessed "$file" "$clause"
}

# put_in_front FILE TARGET, put_behind FILE TARGET
put_in_front()
{
	cat "$1" "$2" >"$work/whole" && mv "$work/whole" "$2"
}

put_behind()
{
	cat "$1" >>"$2"
}

printf 'x' >"$work/byte"
printf '\0' >"$work/nul"
head -c 512 /dev/zero >"$work/sector"

# A JAR that fills whole sectors: its comment is as long as that takes.
fill_sectors()
{
	python3 - "$work/evil.jar" <<-'PYTHON'
	import struct, sys
	with open(sys.argv[1], "r+b") as jar:
	    data = bytearray(jar.read())
	    comment = -len(data) % 512
	    struct.pack_into("<H", data, len(data) - 2, comment)
	    jar.seek(0)
	    jar.write(data + bytes(comment))
	PYTHON
}
check "a JAR" fill_sectors

# The JAR in a package says that the rest of the file is its comment.
end_like_a_jar()
{
	python3 - "$1" <<-'PYTHON'
	import struct, sys
	with open(sys.argv[1], "r+b") as package:
	    data = bytearray(package.read())
	    at = data.index(b"PK\5\6")
	    struct.pack_into("<H", data, at + 20, len(data) - at - 22)
	    package.seek(0)
	    package.write(data)
	PYTHON
	unzip -l "$1" | grep numbers.txt
}

# The last sector of the longest stream, free, with its data still there.
free_a_sector()
{
	python3 "$srcdir/tests/support/free_sector.py" "$1"
}

# The name of the first part that is not the manifest, in both its headers.
rename_part()
{
	python3 - "$1" "$2" <<-'PYTHON'
	import sys
	old, new = b"file0.bin", sys.argv[1].encode()
	with open(sys.argv[2], "r+b") as package:
	    data = package.read()
	    assert data.count(old) >= 2 and len(new) == len(old)
	    package.seek(0)
	    package.write(data.replace(old, new))
	PYTHON
}

# The flag of an encrypted entry, in both its headers.
encrypt_part()
{
	python3 - "$1" <<-'PYTHON'
	import sys
	name = b"file0.bin"
	with open(sys.argv[1], "r+b") as package:
	    data = bytearray(package.read())
	    for magic, flags, size in (b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46):
	        at = data.index(magic)
	        while data[at + size:at + size + len(name)] != name:
	            at = data.index(magic, at + 1)
	        data[at + flags] |= 1
	    package.seek(0)
	    package.write(data)
	PYTHON
}

# The first half is what arrives.
cut_in_two()
{
	truncate -s $(($(stat -c %s "$1") / 2)) "$1"
}

# --- what is not there, or damaged -----------------------------------------------------

kinds=plain
refuse "half a program" a.exe "\(PE.*\)|not signed" cut_in_two
kinds="plain signed"
refuse "half a cabinet" a.cab "\(MS-CAB 2.1\)|cut off" cut_in_two
refuse "half a package" a.msi "\[MS-CFB\] 2" cut_in_two
refuse "half an MSIX" a.msix "APPNOTE 4.3.16" cut_in_two
refuse "half a catalog" a.cat "RFC 2315" cut_in_two
kinds=signed
wanted=66
refuse "half a script's signature" a.ps1 "signature block: " cut_in_two
kinds="plain signed"
wanted=65

# 16 bytes in the middle, whatever they were.
wreck()
{
	dd if=/dev/zero of="$2" bs=1 seek="$1" count=16 conv=notrunc status=none
}
refuse "a damaged program" a.exe "\(PE, Signature\)" wreck 64
refuse "a damaged cabinet" a.cab "MS-CAB 2.1" wreck 16
refuse "a damaged package" a.msi "MS-CFB" wreck 48
refuse "a damaged MSIX" a.msix "APPNOTE|not a signable file" wreck 0
refuse "a damaged catalog" a.cat "not a signable file|RFC 2315" wreck 8
refuse "a text file" a.exe "not a signable file" cp "$work/numbers.txt"

# as_text HOW TARGET: what PowerShell makes of it.
as_text()
{
	python3 - "$@" <<-'PYTHON'
	import sys
	how, name = sys.argv[1:]
	with open(name, "rb") as file:
	    text = file.read().decode("cp437")
	with open(name, "wb") as file:
	    file.write(text.encode(how, "replace"))
	PYTHON
}
refuse "UTF-16" a.exe "made it text.*cmd /c .*htsign-windows\(7\)" as_text utf-16
refuse "UTF-16" a.msi "made it text.*cmd /c .*htsign-windows\(7\)" as_text utf-16
refuse "UTF-8" a.msi "made it text.*cmd /c .*htsign-windows\(7\)" as_text utf-8
refuse "ASCII" a.msi "made it text.*cmd /c .*htsign-windows\(7\)" as_text ascii

# --- programs ----------------------------------------------------------------------------

# In a signed program: change_table HOW FILE.
change_table()
{
	python3 - "$1" "$2" <<-'PYTHON'
	import struct, sys
	how, path = sys.argv[1:]
	with open(path, "r+b") as program:
	    data = bytearray(program.read())
	    def number(at):
	        return struct.unpack_from("<I", data, at)[0]
	    entry = number(0x3c) + 24 + 112 + 32
	    table, size = number(entry), number(entry + 4)
	    def grow(more):
	        data.extend(more)
	        struct.pack_into("<I", data, entry + 4, size + len(more))
	    if how == "padding":
	        der = 4 + struct.unpack_from(">H", data, table + 10)[0]
	        assert der % 8 != 0
	        data[table + 8 + der] = 1
	    elif how in ("zeros", "bytes"):
	        grow(bytes([how == "bytes"] + 7 * [0]))
	        struct.pack_into("<I", data, table, size + 8)
	    elif how == "short":
	        struct.pack_into("<I", data, entry + 4, size - 8)
	    elif how == "inside":
	        struct.pack_into("<I", data, entry, table - 512)
	        struct.pack_into("<I", data, entry + 4, 512)
	    elif how == "half":
	        struct.pack_into("<I", data, entry + 4, 0)
	    elif how == "type":
	        data[table + 6] = 1
	    elif how == "foreign":
	        grow(struct.pack("<IHH", 16, 0x200, 2) + b"0\3\2\1*" + bytes(3))
	    program.seek(0)
	    program.write(data)
	PYTHON
}

check "a signature with padding" padded_signature "$work/plain/a.exe" \
    "$work/signed/a.exe"
# These are remains of a signature, which the profile does not take out.
kinds=signed
wanted=66
behind="bytes behind the signature"
refuse "a byte behind the certificate table" a.exe "$behind" \
    put_behind "$work/byte"
refuse "zeros behind it" a.exe "$behind" put_behind "$work/sector"
refuse "another program behind it" a.exe "$behind" \
    put_behind "$work/plain/a.exe"
refuse "a table that is too short" a.exe "$behind|does not fit into" \
    change_table short
refuse "a table in the middle" a.exe "within the sections" \
    change_table inside
refuse "a table of no size" a.exe "an offset and no size" change_table half
refuse "8 zeros behind the DER" a.exe "CVE-2013-3900" change_table zeros
refuse "8 bytes behind the DER" a.exe "CVE-2013-3900" change_table bytes
refuse "padding that is not zeros" a.exe "CVE-2013-3900" \
    change_table padding
refuse "a certificate of another type" a.exe "not a PKCS#7" \
    change_table type
wanted=65

# A second WIN_CERTIFICATE, which nobody of ours has made.
cp "$work/signed/a.exe" "$work/two.exe"
check "a second certificate" change_table foreign "$work/two.exe"
request test-signing <"$work/two.exe"
refused "is not replaced with the first" 66
check "not verified either" not_blessed "$work/two.exe" \
    "signature 2: PKCS#7"
wanted=66
refuse "a signed program cut by its end" a.exe "\(PE.*\)" truncate -s -1
kinds=plain
wanted=65
refuse "a program cut by its end" a.exe "\(PE.*\)|not signed" \
    truncate -s -1
kinds="plain signed"

# --- Windows Installer ---------------------------------------------------------------

refuse "a JAR behind a package (CVE-2020-1464)" a.msi \
    "CVE-2020-1464|behind the last allocated sector" \
    put_behind "$work/evil.jar"
refuse "a package that is a JAR, too" b.msi "CVE-2020-1464" end_like_a_jar

# no_sign_of TEXT NAME CLAUSE COMMAND ...: what is signed has nothing of what
# the command puts where no signature covers it.
no_sign_of()
{
	local what=$1 name=$2 clause=$3 file=$work/$2
	shift 3
	cp "$work/signed/$name" "$file"
	check "$what, signed: the change" "$@" "$file"
	check "$what, signed: not verified" not_blessed "$file" "$clause"
	cp "$work/plain/$name" "$file"
	check "$what, plain: the change" "$@" "$file"
	request test-signing <"$file"
	check "$what, plain: taken out" grep -E -e "taken out: .*$clause" \
	    "$work/err"
	check "$what, plain: verifies" "$htsign" verify "$work/out" \
	    --ca "$dir/ca.pem"
}
no_sign_of "a byte behind a package" a.msi "MS-CFB. 2" \
    put_behind "$work/byte"
no_sign_of "a sector behind it" a.msi "behind the last allocated sector" \
    put_behind "$work/sector"
no_sign_of "data in a free sector" a.msi "data in free sectors" free_a_sector

# --- cabinets --------------------------------------------------------------------------

refuse "data in front of a cabinet" a.cab "not a signable file" \
    put_in_front "$work/byte"
behind="behind the end of the cabinet|bytes behind the signature"
for kinds in plain signed; do
	refuse "data behind it" a.cab "$behind" put_behind "$work/byte"
	refuse "another cabinet behind it" a.cab "$behind" \
	    put_behind "$work/plain/a.cab"
	wanted=66
done
kinds="plain signed"
wanted=65

# --- packages ---------------------------------------------------------------------------

refuse "an encrypted part" a.msix "encrypted" encrypt_part
refuse "a part twice" a.msix "two entries of the same name" \
    rename_part file1.bin
refuse "but for its case" a.msix "two entries of the same name" \
    rename_part FILE1.bin
refuse "data in front of a package" a.msix "not a signable file" \
    put_in_front "$work/byte"
refuse "a JAR in front of it" a.msix "APPNOTE" put_in_front "$work/evil.jar"
refuse "a JAR behind it" a.msix "APPNOTE" put_behind "$work/evil.jar"
refuse "a byte behind it" a.msix "end record" put_behind "$work/byte"

# encrypted_zip NAME: with all parts encrypted, by zip.
encrypted_zip()
{
	mkdir "$work/parts" &&
	    unzip -q "$work/plain/a.msix" -d "$work/parts" &&
	    (cd "$work/parts" && zip -q -r -P secret "$work/$1" .)
}
check "zip encrypts a package" encrypted_zip secret.msix
request test-signing <"$work/secret.msix"
refused "which is not signed" 65
check "and says why" grep "encrypted" "$work/err"

# --- other kinds --------------------------------------------------------------------------

refuse "data behind a catalog" a.cat "left over" put_behind "$work/byte"
refuse "a NUL in a script" a.ps1 "NUL" put_in_front "$work/nul"
done_testing
