#!/bin/bash
# The rules of a profile on what it signs, through both doors: names, what must be
# said, and what a program or package says of itself; and the first time that a
# client uses a profile.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util /usr/sbin/sshd setpriv unshare wixl msiinfo \
    x86_64-w64-mingw32-gcc x86_64-w64-mingw32-windres python3 /usr/bin/python3
/usr/bin/python3 -c 'import pefile' || skip "python3-pefile is missing"
. "$srcdir/tests/support/installed.sh"
port=2583
installed_endpoint "$port" 2584
test_certificate='certificates = [ "test" ]; existing = "replace";'
reconfigure "/^profiles = (/a\
	{ name = \"named\"; names = [ \"setup-*.exe\", \"*.MSI\" ]; $test_certificate },\
	{ name = \"asking\"; require = [ \"description\", \"url\", \"size\", \"sha256\" ]; $test_certificate },\
	{ name = \"ours\"; version_info = { ProductName = \"Sample App\";\
	    CompanyName = \"Us é\"; version = \"1.2.*\"; }; $test_certificate },\
	{ name = \"packages\"; version_info = { ProductName = \"Sample App\";\
	    version = \"1.2.3\"; }; $test_certificate },"
for profile in named asking ours packages; do
	admin "grant ci $profile" || exit 1
done

# --- what is signed ----------------------------------------------------------------

# program NAME PRODUCT COMPANY VERSION: with that version resource.
program()
{
	local commas=${4//./,}
	cat >"$work/v.rc" <<-RC
	1 VERSIONINFO
	FILEVERSION $commas
	BEGIN
	  BLOCK "StringFileInfo"
	  BEGIN
	    BLOCK "040904b0"
	    BEGIN
	      VALUE "CompanyName", "$3\\0"
	      VALUE "ProductName", "$2\\0"
	    END
	  END
	END
	RC
	echo 'int start(void) { return 0; }' >"$work/v.c"
	x86_64-w64-mingw32-windres -c 65001 "$work/v.rc" -O coff "$work/v.o" &&
	    x86_64-w64-mingw32-gcc -nostdlib -s -Wl,-e,start \
	        -o "$work/$1" "$work/v.c" "$work/v.o"
}

package()
{
	cat >"$work/p.wxs" <<-WXS
	<?xml version="1.0" encoding="utf-8"?>
	<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
	<Product Id="*" Name="$2" Language="1033" Version="$3"
	  Manufacturer="Us" UpgradeCode="B3ED67C2-5A2A-4D62-9B0B-3B0A4B0B4A11">
	<Package Description="x" InstallerVersion="200" Compressed="yes"/>
	<Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
	<Directory Id="TARGETDIR" Name="SourceDir">
	<Directory Id="ProgramFilesFolder"><Directory Id="D" Name="Sample">
	<Component Id="C" Guid="B3ED67C2-5A2A-4D62-9B0B-3B0A4B0B4A12">
	<File Id="F" Name="p.wxs" Source="p.wxs" KeyPath="yes"/>
	</Component></Directory></Directory></Directory>
	<Feature Id="M" Level="1"><ComponentRef Id="C"/></Feature>
	</Product></Wix>
	WXS
	(cd "$work" && wixl -o "$work/$1" p.wxs)
}

check "a program" program good.exe "Sample App" "Us é" 1.2.3.4
check "another product" program product.exe "Other App" "Us é" 1.2.3.4
check "another company" program company.exe "Sample App" "Them" 1.2.3.4
check "another version" program version.exe "Sample App" "Us é" 1.3.0.0
check "one that says nothing" sample none.exe
check "a package" package good.msi "Sample App" 1.2.3
check "another product" package product.msi "Other App" 1.2.3
check "another version" package version.msi "Sample App" 1.2.4
"$builddir/tests/support/make-cab" >"$work/some.cab" || exit 1

# What others read, in the form of three members of a row.
others_of_program()
{
	/usr/bin/python3 -c '
import pefile, sys
pe = pefile.PE(sys.argv[1])
fixed = pe.VS_FIXEDFILEINFO[0]
strings = [f for f in pe.FileInfo[0] if f.Key == b"StringFileInfo"][0]
texts = strings.StringTable[0].entries
print("%s, %s, %d.%d.%d.%d" % (texts[b"ProductName"].decode(),
    texts[b"CompanyName"].decode(), fixed.FileVersionMS >> 16,
    fixed.FileVersionMS & 65535, fixed.FileVersionLS >> 16,
    fixed.FileVersionLS & 65535))' "$1"
}
others_of_package()
{
	msiinfo export "$1" Property | tr -d '\r' | awk -F'\t' '
		{ value[$1] = $2 }
		END { print value["ProductName"] ", " value["Manufacturer"] ", " \
		    value["ProductVersion"] }'
}

# said STATUS TEXT FILE HOST WORD …: what signing the file comes to.
said()
{
	local want=$1 text=$2 file=$3 host=$4
	shift 4
	ssh -F "$dir/ssh_config" "$host" "$*" <"$work/$file" >"$work/out" \
	    2>"$work/err"
	status=$?
	if [ "$status" -eq "$want" ] &&
	    { [ -z "$text" ] || grep -q -- "$text" "$work/err"; }; then
		return
	fi
	echo "status $status, not $want:"
	cat "$work/err"
	return 1
}

# last NAME: that member of the last request's row.
last()
{
	admin 'log --json --limit=1' | python3 -c '
import json, sys
print(json.loads(sys.stdin.readline()).get(sys.argv[1], ""))' "$1"
}

sum=$(sha256sum <"$work/good.exe" | cut -d' ' -f1)
size=$(stat -c %s "$work/good.exe")
for host in sign openssh; do
	# --- names
	check "$host: a name that fits" said 0 '' good.exe "$host" named --name=SETUP-1.exe
	check "another pattern" said 0 '' good.msi "$host" named --name=a.msi
	check "one that does not fit" said 77 'it signs setup-\*.exe, \*.MSI' \
	    good.exe "$host" named --name=app.exe
	check "is on record" test "$(last result) $(last code)" = \
	    "not-allowed name"
	check "no name" said 64 'wants --name=FILE' good.exe "$host" named
	# --- what is said
	check "$host: all is said" said 0 '' good.exe "$host" asking My App \
	    --url=https://example.org/ --size="$size" --sha256="$sum"
	check "no description" said 64 'wants a description' good.exe "$host" \
	    asking --url=https://example.org/ --size="$size" --sha256="$sum"
	check "no URL" said 64 'wants --url=URL' good.exe "$host" asking \
	    My App --size="$size" --sha256="$sum"
	check "no size" said 64 'wants --size=BYTES' good.exe "$host" asking \
	    My App --url=https://example.org/ --sha256="$sum"
	check "no SHA-256" said 64 'wants --sha256=HEX' good.exe "$host" \
	    asking My App --url=https://example.org/ --size="$size"
	check "is on record" test "$(last result) $(last code)" = \
	    "not-allowed require"
	# --- what the file says
	for reply in '' --pkcs7; do
		check "$host: ours $reply" said 0 '' good.exe "$host" ours $reply
		check "its row has all three" test \
		    "$(last product), $(last company), $(last file_version)" = \
		    "$(others_of_program "$work/good.exe")"
		for what in product company version none; do
			check "another $what $reply" said 77 \
			    'profile ours signs files whose' "$what.exe" \
			    "$host" ours $reply
			check "gets nothing" test ! -s "$work/out"
		done
	done
	check "what a refused one says is on record" test \
	    "$(said 77 '' version.exe "$host" ours; last file_version)" = 1.3.0.0
	check "a package" said 0 '' good.msi "$host" packages
	check "its row has what msiinfo has" test \
	    "$(last product), $(last company), $(last file_version)" = \
	    "$(others_of_package "$work/good.msi")"
	check "a format that says nothing" said 77 'this one has none' some.cab \
	    "$host" packages
	check "another product" said 77 'has "Other App"' product.msi "$host" \
	    packages
	check "another version" said 77 'has "1.2.4"' version.msi "$host" \
	    packages
done
check "without a rule a row has it as well" test \
    "$(said 0 '' good.exe sign test-signing; last product)" = "Sample App"

# --- the first use -------------------------------------------------------------------

uses()
{
	admin 'events --json --limit=10000' | grep -c '"kind":"first-use"'
}
check "each profile was used a first time, once" test "$(uses)" -eq 5
new_client other test-signing || exit 1
openssh_port=2584 new_door another sign other >>"$dir/ssh_config"
check "another client's first use" said 0 '' good.exe another test-signing
check "is an event of its own" test "$(uses)" -eq 6
check "its row says so" test "$(last first_use)" = True
check "its second use" said 0 '' good.exe another test-signing
check "is none" test "$(uses)" -eq 6

# --- mistakes ------------------------------------------------------------------------

wrong()
{
	sed "s|names = \[ \"setup-\*.exe\", \"\*.MSI\" \]|$1|" "$dir/htsign.conf" \
	    >"$work/wrong.conf"
	chmod 644 "$work/wrong.conf"
	"$keyd" -t -c "$work/wrong.conf" 2>"$work/err"
	status=$?
	cat "$work/err"
	[ "$status" -eq 64 ] && grep -q "wrong.conf:[0-9]*: $2" "$work/err"
}
check "no name at all" wrong 'names = [ ]' 'names must have one or more'
check "a folder" wrong 'names = [ "a/b" ]' 'names are of files, without folders'
check "an unknown word" wrong 'require = [ "luck" ]' 'require'
check "a set without an end" wrong 'names = [ "a[b" ]' 'a set of the pattern'
check "no fact at all" wrong 'version_info = { }' 'version_info must have one'
check "an unknown key" wrong 'version_info = { Author = "x"; }' '.*Author'
done_testing
