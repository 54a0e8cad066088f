#!/bin/sh
# What htsign does with files: info, digest, extract, strip, and attach and
# strip in place; that an output is the whole one or none, and that strange
# files are refused.
set -eu

# shellcheck source=tests/support/command.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout key -out cert.pem -subj '/CN=Us/O=A "b"' -days 30 -set_serial 255 \
    -addext extendedKeyUsage=codeSigning \
    -addext keyUsage=critical,digitalSignature 2>/dev/null

sign()
{
	"$sign_pe" --key=key --chain=cert.pem "$@"
}

# --- every format: signed, shown, taken apart, stripped -----------------------

"$make_pe" >a.exe
"$make_pe" --payload=3 >odd.exe
"$builddir/tests/support/make-cab" >a.cab
"$builddir/tests/support/make-cat" 3 >a.cat
printf 'Write-Host 1\r\n' >a.ps1
printf 'x = 1;' >a.js
printf '<job>\r\n</job>\r\n' >a.wsf
formats='a.exe odd.exe a.cab a.cat a.ps1 a.js a.wsf'
if command -v msibuild >/dev/null; then
	msibuild a.msi -s Sample Us ';1033' \
	    '{11111111-1111-1111-1111-111111111111}'
	formats="$formats a.msi"
fi
if command -v gcab >/dev/null; then
	gcab -c gcab.cab a.js a.ps1
	formats="$formats gcab.cab"
fi
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
	echo 'int main(void) { return 0; }' >hello.c
	x86_64-w64-mingw32-gcc -o mingw.exe hello.c
	formats="$formats mingw.exe"
fi

# differs BYTES A B: they are of one length, and differ in no more bytes.
differs()
{
	[ "$(wc -c <"$2")" -eq "$(wc -c <"$3")" ] || fail "$2 and $3: lengths"
	n=$(cmp -l "$2" "$3" | wc -l)
	[ "$n" -le "$1" ] || fail "$2 and $3 differ in $n bytes"
}

for file in $formats; do
	name=signed-$file
	sign --name="$file" --time=1700000000 --description='My "App"' \
	    <"$file" >"$name"

	# Both have the same digest.
	status 0 "$htsign" digest "$file"
	sed 's/ .*//' stdout >before
	status 0 "$htsign" digest "$name"
	says "^[0-9a-f]\{64\}  $name\$" stdout
	sed 's/ .*//' stdout >after
	same before after "digests of $file"

	status 0 "$htsign" info "$file"
	says '^signature:   not signed$' stdout
	says "^digest:      $(cat before)\$" stdout
	status 0 "$htsign" info "$name"
	says "^digest:      $(cat before)\$" stdout
	says "^signed:      $(cat before)\$" stdout
	says '^same digest: yes$' stdout
	says '^signer:      O=A .*,CN=Us$' stdout
	says '^serial:      ff$' stdout
	says '^description: My "App"$' stdout
	says '^signed at:   2023-11-14T22:13:20Z$' stdout

	# Out and in again.
	status 0 "$htsign" strip "$name" -o "$file.stripped"
	status 0 "$htsign" extract "$name" -o "$file.p7"
	"$htsign" extract "$name" >p7
	same p7 "$file.p7" "$file to stdout"
	openssl pkcs7 -inform DER -in p7 -noout || fail "$file: no PKCS#7"
	cp "$file" "again-$file"
	status 0 "$htsign" attach "again-$file" "$file.p7" -i
	same "again-$file" "$name" "$file attached"
	status 0 "$htsign" strip --in-place "again-$file"
	same "again-$file" "$file.stripped" "$file stripped in place"
	status 65 "$htsign" strip "again-$file" -i
	says 'not signed' stderr
	same "again-$file" "$file.stripped" "$file after a failure"
	status 65 "$htsign" extract "again-$file"
	says 'not signed' stderr

	case $file in
	*.exe)
		# CheckSum was wrong, or 0, before it was signed; and zeros have
		# filled it up to a multiple of 8.
		size=$(wc -c <"$file")
		[ "$(wc -c <"$file.stripped")" -eq $(((size + 7) / 8 * 8)) ] ||
		    fail "the size of $file"
		head -c "$size" "$file.stripped" >head.exe
		differs 4 "$file" head.exe
		;;
	a.msi)
		# msitools leave zeros in an unused directory entry, where other
		# entries' numbers are none.
		differs 12 "$file" "$file.stripped"
		;;
	*)
		same "$file" "$file.stripped" "$file stripped"
		;;
	esac
done

# A package, whose digest is longer, and tagged; its content types are stored
# from then on.
"$builddir/tests/support/make-appx" >a.appx
status 0 "$htsign" digest a.appx
says '^41505058415850' stdout
sign <a.appx >signed.appx
status 0 "$htsign" strip signed.appx -o stripped.appx
"$htsign" digest a.appx | sed 's/ .*//' >before
"$htsign" digest stripped.appx | sed 's/ .*//' >after
same before after "digests of a package"

# --- JSON --------------------------------------------------------------------------

status 0 "$htsign" info signed-a.exe --json
[ "$(wc -l <stdout)" -eq 1 ] || fail "JSON on several lines"
says '^{"type":"pe","size":' stdout
says '"description":"My \\"App\\""' stdout
says '"chain":\[\]' stdout
if command -v python3 >/dev/null; then
	python3 -c '
import json, sys
o = json.load(open(sys.argv[1]))
s = o["signature"]
assert o["signed"] and s["digest_is_signed"] and s["signer"]["serial"] == "ff"
assert s["description"] == "My \"App\"", s["description"]
' stdout || fail "JSON: $(cat stdout)"
fi
status 0 "$htsign" info a.exe --json
says '"signed":false' stdout
if command -v osslsigncode >/dev/null; then
	# A text that would forge lines and colours.
	osslsigncode sign -h sha256 -certs cert.pem -key key -in a.exe \
	    -n "$(printf 'l\nine \033[31mx')" -out evil.exe >/dev/null
	status 0 "$htsign" info evil.exe --json
	says '"description":"l\\u000aine \\u001b\[31mx"' stdout
	status 0 "$htsign" info evil.exe
	says '^description: l\\x0aine \\x1b\[31mx' stdout
	osslsigncode sign -nest -h sha384 -certs cert.pem -key key \
	    -in signed-a.exe -out nested.exe >/dev/null
	status 0 "$htsign" info nested.exe
	says '^nested:$' stdout
	says '^    algorithm:   sha384$' stdout
	status 0 "$htsign" info nested.exe --json
	says '"nested":\[{"algorithm":"sha384"' stdout
fi
cp signed-a.exe changed.exe
printf 'X' | dd of=changed.exe bs=1 seek=600 conv=notrunc 2>/dev/null
status 0 "$htsign" info changed.exe
says '^same digest: NO$' stdout
status 0 "$htsign" info changed.exe --json
says '"digest_is_signed":false' stdout

# --- digests ---------------------------------------------------------------------

status 0 "$htsign" digest a.exe --digest=sha384
says '^[0-9a-f]\{96\}  a.exe$' stdout
status 0 "$htsign" digest --digest SHA512 a.exe
says '^[0-9a-f]\{128\}  a.exe$' stdout
status 64 "$htsign" digest a.exe --digest=sha1
status 66 "$htsign" digest a.exe --msi-ex
says 'MsiDigitalSignatureEx is for MSI files' stderr
if [ -e a.msi ]; then
	sign --msi-ex <a.msi >extended.msi
	"$htsign" digest --msi-ex a.msi | sed 's/ .*//' >before
	status 0 "$htsign" digest --msi-ex extended.msi
	says "^$(cat before)  extended.msi\$" stdout
	"$htsign" digest a.msi >plain
	! grep -q "$(cat before)" plain || fail "--msi-ex changes no digest"
	status 0 "$htsign" info extended.msi
	says "^digest:      $(cat before)\$" stdout
	says '^same digest: yes$' stdout
	says '^with msi-ex: yes$' stdout
	status 0 "$htsign" info --json signed-a.msi
	says '"msi_ex":false' stdout
	status 0 "$htsign" extract extended.msi -o extended.p7
	status 0 "$htsign" attach a.msi extended.p7 -o attached.msi
	same attached.msi extended.msi "a package with metadata attached"
	status 0 "$htsign" attach signed-a.msi extended.p7 -o attached.msi
	same attached.msi extended.msi "metadata in place of none"
	status 0 "$htsign" attach extended.msi a.msi.p7 -o attached.msi
	differs 12 attached.msi signed-a.msi
	status 0 "$htsign" strip extended.msi -o attached.msi
	differs 12 attached.msi a.msi.stripped
fi
status 66 "$htsign" digest a.appx --digest=sha512

# --- in place --------------------------------------------------------------------

cp signed-a.exe place.exe
chmod 640 place.exe
touch -a -d '2020-01-02 03:04:05.678901234Z' place.exe
touch -m -d '2021-01-02 03:04:05.678901234Z' place.exe
ln -s place.exe link.exe
stat -c '%a %u %g %X %Y %y' place.exe >before
status 0 "$htsign" strip -i link.exe
stat -c '%a %u %g %X %Y %y' place.exe >after
same before after "mode, owner and times"
[ -L link.exe ] || fail "a link was replaced"
same place.exe a.exe.stripped "a file behind a link"
if [ "$(id -u)" -eq 0 ]; then
	cp signed-a.exe owned.exe
	chown 12345:23456 owned.exe
	chmod 4755 owned.exe
	status 0 "$htsign" strip -i owned.exe
	[ "$(stat -c '%u %g %a' owned.exe)" = '12345 23456 4755' ] ||
	    fail "the owner was lost"
fi
status 64 "$htsign" strip -i a.exe -o b.exe
status 64 "$htsign" strip --in-place=yes a.exe
status 64 "$htsign" info --json=1 a.exe
status 64 "$htsign" extract -i a.exe

# --- no room, and an interruption -----------------------------------------------------

head -c 300000 /dev/zero | tr '\0' x >big.tail
cat a.exe big.tail >big.exe
sign <big.exe >big-signed.exe
cp big-signed.exe keep.exe
got=0
(ulimit -f 100 && exec "$htsign" strip -i keep.exe) 2>stderr || got=$?
[ "$got" -eq 69 ] || fail "status $got without room"
same keep.exe big-signed.exe "the file after a failed strip"
if [ "$(id -u)" -eq 0 ] && mkdir full &&
    mount -t tmpfs -o size=400k none full 2>/dev/null; then
	cp big-signed.exe full/keep.exe
	status 69 "$htsign" strip -i full/keep.exe
	same full/keep.exe big-signed.exe "the file on a full disk"
	[ "$(find full -type f | wc -l)" -eq 1 ] || fail "a left-over file"
	umount full
fi
status 69 "$htsign" strip big-signed.exe -o /dev/full

no_rest()
{
	for rest in keep.exe.??????; do
		[ ! -e "$rest" ] || fail "an unfinished file was left: $*"
		rm -f "$rest"
	done
}

# until_writing PID: until htsign has opened what it writes, behind what it
# reads; only root can look.
until_writing()
{
	while [ "$(id -u)" -eq 0 ] && kill -0 "$1" 2>/dev/null &&
	    [ ! -e "/proc/$1/fd/4" ]; do
		sleep 0.002
	done
}

# interrupted SIGNAL COMMAND...: at several times while it writes keep.exe.
interrupted()
{
	signal=$1
	shift
	for delay in 0 0.005 0.01 0.02 0.05; do
		"$@" 2>/dev/null &
		until_writing $!
		sleep $delay
		kill "-$signal" $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		case $(wc -c <keep.exe) in
		"$(wc -c <huge.exe)" | "$(wc -c <huge)") ;;
		*) fail "half a file" ;;
		esac
		no_rest "$signal"
	done
}

# Stopped while it writes, it takes along what it has written; killed, too,
# where a file can do without a name.
head -c 50000000 /dev/zero >huge.tail
cat a.exe huge.tail >huge
sign <huge >huge.exe
cp huge.exe keep.exe
interrupted TERM "$htsign" strip huge.exe -o keep.exe
if command -v python3 >/dev/null && [ -d /proc/self/fd ] && python3 -c \
    'import os; os.open(".", os.O_TMPFILE | os.O_WRONLY)' 2>/dev/null; then
	cp huge.exe keep.exe
	interrupted KILL "$htsign" strip huge.exe -o keep.exe
fi

# Without /proc no file gets a name later: it has one from the start.  (Nor can
# AddressSanitizer do without.)
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null &&
    ! grep -q __asan_init "$htsign"; then
	cat >without-proc <<-'SH'
	#!/bin/sh
	exec unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$@"
	SH
	chmod +x without-proc
	cp big-signed.exe keep.exe
	status 0 ./without-proc "$htsign" strip -i keep.exe
	"$htsign" strip big-signed.exe >big-stripped.exe
	same keep.exe big-stripped.exe "stripped without /proc"
	no_rest "no /proc"
	cp big-signed.exe keep.exe
	got=0
	(ulimit -f 100 && ./without-proc "$htsign" strip -i keep.exe) \
	    2>stderr || got=$?
	[ "$got" -eq 69 ] || fail "status $got without room"
	same keep.exe big-signed.exe "the file after a failed strip"
	no_rest "no room, no /proc"
	cp huge.exe keep.exe
	interrupted TERM ./without-proc "$htsign" strip huge.exe -o keep.exe
fi
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	mkdir theirs
	cp signed-a.exe theirs/
	chown -R 12345:23456 theirs
	chmod 755 .
	cp "$htsign" theirs/htsign
	status 0 setpriv --reuid=12345 --regid=23456 --clear-groups \
	    theirs/htsign strip -i theirs/signed-a.exe
	same theirs/signed-a.exe a.exe.stripped "a user's file"
	[ "$(stat -c %u theirs/signed-a.exe)" -eq 12345 ] ||
	    fail "the user's file is not his any more"
fi

# --- strange files -----------------------------------------------------------------

mkfifo fifo
: >empty
head -c 700 signed-a.exe >short.exe
printf 'MZ' >mz.exe
cp a.exe unreadable.exe
chmod 0 unreadable.exe
for command in info digest extract strip; do
	for file in missing . fifo /dev/null; do
		status 64 "$htsign" "$command" "$file"
	done
	for file in empty mz.exe key; do
		status 65 "$htsign" "$command" "$file"
	done
	[ $command = info ] || status 65 "$htsign" $command short.exe
	[ "$(id -u)" -eq 0 ] ||
	    status 64 "$htsign" "$command" unreadable.exe
	status 64 "$htsign" "$command"
	[ $command = info ] || status 64 "$htsign" $command a.exe a.exe
done
got=0
"$htsign" info short.exe >stdout 2>stderr || got=$?
[ $got -eq 65 ] || fail "status $got of a file that is cut off"
says '^size:        700$' stdout
says '^problem:     the file ends before its last section does' stdout
says '^htsign: the file ends before its last section does' stderr
status 64 "$htsign" strip signed-a.exe -o missing/out
status 64 "$htsign" strip signed-a.exe -o .

# A signature is bytes, and those do not go to a terminal.
if command -v script >/dev/null; then
	for command in "strip signed-a.exe" "extract signed-a.exe" \
	    "attach a.exe a.exe.p7"; do
		script -qec "$htsign $command" /dev/null >typescript \
		    </dev/null || true
		says 'does not go to a terminal' typescript
	done
fi

done_testing
