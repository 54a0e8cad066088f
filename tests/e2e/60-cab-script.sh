#!/bin/bash
# Cabinets and scripts: whole and as PKCS#7, verified by others where they know
# the kind, and the same bytes as theirs where theirs are right.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode gcab cabextract openssl iconv
endpoint 2520
check "a profile with an EC key" p256_profile '"cab", "script"'
mkdir "$work/cab" "$work/script" || exit 1

# --- what is signed --------------------------------------------------------------

seq 1 40000 >"$work/numbers.txt"
head -c 200000 /dev/urandom >"$work/random.bin"
: >"$work/empty.txt"

# of_gcab NAME FILE ...: a cabinet of gcab's; -z compresses it with MSZIP.
of_gcab()
{
	local name=$1
	shift
	(cd "$work" && gcab -c -n "cab/$name.cab" "$@")
}

# ours NAME OPTION ...: a cabinet that gcab does not make.
ours()
{
	local name=$1
	shift
	"$builddir/tests/support/make-cab" "$@" >"$work/cab/$name.cab"
}

# script NAME CODESET <TEXT: in that encoding, with a mark after "mark-".
script()
{
	case $2 in
	mark-UTF-8) printf '\357\273\277' ;;
	mark-UTF-16LE) printf '\377\376' ;;
	esac >"$work/script/$1"
	iconv -f UTF-8 -t "${2#mark-}" >>"$work/script/$1"
}

check "cabinet: one file" of_gcab one numbers.txt
check "several" of_gcab several numbers.txt random.bin empty.txt
check "MSZIP" of_gcab mszip -z numbers.txt
check "MSZIP, several" of_gcab mszip-several -z numbers.txt random.bin
check "of nothing" of_gcab nothing empty.txt
cp "$work/random.bin" "$work/Größe.bin"
"$builddir/tests/support/make-pe" >"$work/program.exe"
(cd "$work" && seq 200 | split -l 1 -a 3 - part.) || exit 1
check "MSZIP of what is compressed" of_gcab mszip-random -z random.bin
check "a name beyond ASCII" of_gcab name Größe.bin
check "a program" of_gcab program -z program.exe empty.txt
mapfile -t parts < <(cd "$work" && printf '%s\n' part.*)
check "200 files" of_gcab many "${parts[@]}"
check "a program and its data" of_gcab bundle program.exe numbers.txt
check "at least 10 of gcab's" test "$(find "$work/cab" -type f | wc -l)" -ge 10
check "folders" ours folders --folders=5 --size=70000
check "large" ours large --size=16000000
check "first of a set" ours next --next --size=5000
check "last of a set" ours previous --previous --number=2 --size=5000
check "in a set" ours both --previous --next --number=1 --size=5000
check "reserved areas" ours areas --cabinet-area=6144 --folder-area=128 \
    --data-area=7 --folders=3 --size=100
check "an area in use" ours in-use --cabinet-area=40 --first=33 --size=100

printf 'Write-Host "Hello"\r\n' | script crlf.ps1 UTF-8
printf 'Write-Host "Hello"\n' | script lf.ps1 UTF-8
printf '@{ ModuleVersion = "1.0" }' | script bare.psd1 UTF-8
printf 'Write-Host "Größe: 1 €"\r\n' | script utf-8.psm1 UTF-8
printf 'Write-Host "Größe: 1 €"\r\n' | script mark.ps1 mark-UTF-8
printf 'Write-Host "Größe: 1 €"\r\n' | script utf-16.ps1 mark-UTF-16LE
printf 'Write-Host "Größe: 1 €"\r\n' | script ansi.ps1 CP1252
printf '# © Us\r\n' | script ansi.psd1 CP1252
printf '<Types>\r\n</Types>\r\n' | script plain.ps1xml UTF-8
printf '<Types>ü</Types>\r\n' | script ansi.ps1xml CP1252
printf '<Console>ü</Console>\r\n' | script mark.psc1 mark-UTF-8
printf '<Cmdlets>ü</Cmdlets>\r\n' | script utf-16.cdxml mark-UTF-16LE
printf 'class A { };\r\n' | script plain.mof UTF-8
printf 'WScript.Echo("Hello");\r\n' | script plain.js UTF-8
printf 'WScript.Echo("Größe");\r\n' | script mark.js mark-UTF-8
printf 'MsgBox "Größe"\r\n' | script ansi.vbs CP1252
printf 'MsgBox "Größe"\r\n' | script utf-16.vbs mark-UTF-16LE
printf '<job>\r\n<script language="JScript"/>\r\n</job>\r\n' |
    script plain.wsf UTF-8
printf '<package>\n<job/>\n<job>ü</job>\n</package>' |
    script mark.wsf mark-UTF-8

yes 'Write-Host "Hello"' | head -c 12000000 | script large.ps1 UTF-8

# --- through the endpoint ------------------------------------------------------------

# What osslsigncode does not verify: reserved areas, PREV, what it reads as
# UTF-8 although Windows does not, and all of the Script Host.
knows()
{
	case ${1##*/} in
	areas.cab | in-use.cab | previous.cab | both.cab | ansi.* | *.js | \
	    *.vbs | *.wsf) return 1 ;;
	esac
}

# cabextract reads all but parts of sets.
extracts()
{
	case ${1##*/} in
	next.cab | previous.cab | both.cab) return 1 ;;
	*.cab) return 0 ;;
	*) return 1 ;;
	esac
}

# Of a set's cabinet it leaves the names out when it signs.
digests()
{
	knows "$1" && [ "${1##*/}" != next.cab ]
}

# good PROFILE FILE
good()
{
	local root
	root=$(root_of "$1")
	sign_both_ways "$1" "$2" "One ${2##*/}" &&
	    "$htsign" verify "$whole" --ca "$root" || return
	! knows "$2" || verify_osslsigncode "$whole" "$root" || return
	! extracts "$2" || cabextract -t "$whole" || return
	! digests "$2" || same_content "$2" "$work/p7"
}

# What another code page makes of a script is said, and it is signed.
request test-signing --name=ansi.ps1 <"$work/script/ansi.ps1"
check "a script in a code page" test "$status" -eq 0
check "is signed with a warning" grep -q "warning: .* byte order mark" "$work/err"
request test-signing --name=plain.wsf <"$work/script/plain.wsf"
signed "ASCII without one"

# Signed again it is what the original is, signed with the same words: the old
# signature is gone without a trace.
again()
{
	local name=${1##*/}
	request test-signing Two --name="$name" <"$1"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/once"
	request test-signing Two --name="$name" <"$work/whole/test-signing/$name"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	cmp "$work/once" "$work/out"
}

for file in "$work"/cab/* "$work"/script/*; do
	check "${file##*/}" good test-signing "$file"
	check "${file##*/} under P-256" good p256 "$file"
	check "${file##*/}, signed again" again "$file"
done
for kind in cab script; do
	check "at least 10 of $kind" test "$(find "$work/$kind" -type f | wc -l)" \
	    -ge 10
done
journal_says "the journal has it" '"status":"delivered"' '"format":"ps1"' '"name":"utf-8.psm1"'

# --- the bytes of osslsigncode -----------------------------------------------------------

for file in "$work"/cab/* "$work"/script/*; do
	! digests "$file" ||
	    check "osslsigncode's bytes of ${file##*/}" same_bytes "$file"
done

# --- what is refused ------------------------------------------------------------------------

# bad_file TEXT [WORD ...] <FILE: 65.
bad_file()
{
	local what=$1
	shift
	request test-signing "$@"
	refused "$what" 65
}

bad_file "a script without a name" <"$work/script/crlf.ps1"
check "which is told that it needs one" grep -q -e --name=a.ps1 "$work/err"
bad_file "a script of another name" --name=a.txt <"$work/script/crlf.ps1"
check "which is not told so" grep -q "nor its name" "$work/err"
bad_file "a program for a script" --name=a.ps1 < <(printf 'a\0b')
bad_file "a second block" --name=a.ps1 \
    < <(cat "$work/whole/test-signing/crlf.ps1" "$work/whole/test-signing/crlf.ps1")
bad_file "text behind the block" --name=a.ps1 \
    < <(cat "$work/whole/test-signing/crlf.ps1"; echo exit)
request test-signing --name=a.ps1 \
    < <(tr -d '\r' <"$work/whole/test-signing/crlf.ps1")
refused "a block with other line ends" 66
request test-signing --name=a.ps1 < <(yes | head -c 13000000)
refused "a script that is too large" 66
bad_file "data before the cabinet" < <(echo; cat "$work/cab/one.cab")
bad_file "data behind the cabinet" < <(cat "$work/cab/one.cab"; echo)
request test-signing < <(cat "$work/whole/test-signing/one.cab"; echo)
refused "data behind a signed cabinet" 66
bad_file "a cut cabinet" < <(head -c -1 "$work/cab/one.cab")
request test-signing < <(head -c -1 "$work/whole/test-signing/one.cab")
refused "a cut signed cabinet" 66

reconfigure 's/formats = .*\];/formats = [ "pe", "cab" ];/'
request test-signing --name=a.ps1 <"$work/script/crlf.ps1"
refused "a script under a profile that does not name them" 66
check "a cabinet is still signed" good test-signing "$work/cab/one.cab"
done_testing
