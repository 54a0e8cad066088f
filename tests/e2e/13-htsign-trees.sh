#!/bin/sh
# info and verify of several files, of whole trees and of stdin: a line for each
# file that no name can forge, JSON, the summary, and the status.
set -eu

# shellcheck source=tests/support/command.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout key -out ca.pem -subj '/CN=Us' -days 30 \
    -addext extendedKeyUsage=codeSigning \
    -addext keyUsage=critical,digitalSignature 2>/dev/null

sign()
{
	"$sign_pe" --key=key --chain=ca.pem "$@"
}

# each STATUS COMMAND...: several files, so stdout has lines whatever the status
# is, and stderr the summary.
each()
{
	wanted=$1
	shift
	got=0
	"$htsign" "$@" >stdout 2>stderr || got=$?
	[ "$got" -eq "$wanted" ] ||
	    fail "status $got, not $wanted: $*: $(cat stdout stderr)"
	[ "$(wc -l <stderr)" -eq 1 ] || fail "stderr of $*: $(cat stderr)"
}

# lines N: stdout has that many.
lines()
{
	[ "$(wc -l <stdout)" -eq "$1" ] || fail "not $1 lines: $(cat stdout)"
}

"$make_pe" >a.exe
"$make_pe" --payload=3 >b.exe
sign <a.exe >good.exe
cp good.exe changed.exe
printf X | dd of=changed.exe bs=1 seek=600 conv=notrunc 2>/dev/null
printf 'MZ' >mz.exe
echo text >text

# --- several files -----------------------------------------------------------------

each 0 verify --ca ca.pem good.exe good.exe
lines 2
says '^good      good\.exe: PE, CN=Us$' stdout
says '^htsign: 2 good, 0 unsigned, 0 bad, 0 error$' stderr
each 65 verify good.exe a.exe changed.exe --ca ca.pem
lines 3
says '^unsigned  a\.exe: the file is not signed$' stdout
says '^bad       changed\.exe: the file is not what was signed' stdout
says '^htsign: 1 good, 1 unsigned, 1 bad, 0 error$' stderr
# The first error counts, and none ends it.
each 64 verify missing.exe a.exe text mz.exe good.exe --ca ca.pem
lines 5
says '^error     missing\.exe: No such file or directory$' stdout
says '^error     text: not a signable file' stdout
says '^error     mz\.exe: the file ends inside the DOS header' stdout
says '^good      good\.exe' stdout
each 65 verify a.exe missing.exe --ca ca.pem

each 0 info good.exe a.exe changed.exe
lines 3
says '^signed    good\.exe: PE, [0-9]* bytes, CN=Us$' stdout
says '^unsigned  a\.exe: PE, [0-9]* bytes$' stdout
says '^signed    changed\.exe: ' stdout
says '^htsign: 2 signed, 1 unsigned, 0 problem, 0 error$' stderr
each 65 info good.exe text
if has_osslsigncode; then
	osslsigncode sign -h sha1 -certs ca.pem -key key -in a.exe \
	    -out sha1.exe >/dev/null
	each 0 info sha1.exe good.exe
	says '^problem   sha1\.exe: .*, CN=Us: digest: SHA-1, not accepted$' \
	    stdout
	each 65 verify --ca ca.pem sha1.exe good.exe
	says '^bad       sha1\.exe: PKCS#7: digest: SHA-1, not accepted$' stdout
fi

# --- a tree ------------------------------------------------------------------------

mkdir -p tree/.hidden tree/b tree/empty
cp good.exe tree/.hidden/good.exe
cp good.exe tree/b/2.exe
cp good.exe tree/a.exe
cp text tree/
: >tree/empty.exe
mkfifo tree/fifo
ln -s .. tree/b/up
ln -s ../../a.exe tree/b/link.exe
each 0 verify -r tree --ca ca.pem
lines 3
says '^htsign: 3 good, 0 unsigned, 0 bad, 0 error; 5 other files and links$' \
    stderr
sed 's/^good *//; s/:.*//' stdout >names
printf 'tree/%s\n' .hidden/good.exe a.exe b/2.exe >wanted
same wanted names "the order of names"
ln -s tree link
each 0 verify --recursive link --ca ca.pem
lines 3
each 0 info -r tree good.exe
lines 4
# Nothing was verified, so it must not look so.
each 65 verify -r tree/empty tree/text --ca ca.pem
lines 0
says '^htsign: nothing to verify: 0 good' stderr
each 0 info -r tree/empty
status 64 "$htsign" verify tree --ca ca.pem
each 64 verify -r tree missing --ca ca.pem
says '^error     missing: No such file or directory$' stdout
cp a.exe tree/c.exe
each 65 verify -r tree --ca ca.pem
says '^unsigned  tree/c\.exe: ' stdout
if [ "$(id -u)" -ne 0 ]; then
	chmod 0 tree/b
	each 65 verify -r tree --ca ca.pem
	says '^error     tree/b: Permission denied$' stdout
	chmod 755 tree/b
fi

# --- names that would forge a line -------------------------------------------------

mkdir evil
evil=$(printf 'evil/x.exe: PE\ngood      y.exe: PE, CN=\033[31mUs\r\\.exe')
cp a.exe "$evil"
cp good.exe "$(printf 'evil/\377.exe')"
each 65 verify -r evil --ca ca.pem
lines 2
says '^unsigned  evil/x\.exe: PE\\x0agood      y\.exe: PE, CN=\\x1b\[31mUs\\x0d\\\\\.exe: ' \
    stdout
says '^good      evil/\\xff\.exe: ' stdout
each 65 verify -r evil --ca ca.pem --json
lines 2
says '^{"file":"evil/x\.exe: PE\\u000agood ' stdout

# --- JSON --------------------------------------------------------------------------

status 0 "$htsign" verify --json good.exe --ca ca.pem
says '^{"type":"pe","size":[0-9]*,"verified":true,"signature":{"algorithm":"sha256","digest":"[0-9a-f]*","signer":"CN=Us","timestamps":\[\],"unsigned":\[\],"nested":\[\]}}$' \
    stdout
got=0
"$htsign" verify --json a.exe --ca ca.pem >stdout 2>stderr || got=$?
[ $got -eq 65 ] || fail "status $got of an unsigned file"
says '^{"type":"pe","size":[0-9]*,"verified":false,"problems":\["the file is not signed"\]}$' \
    stdout
says '^htsign: the file is not signed$' stderr
each 64 info --json good.exe missing.exe text
lines 3
says '^{"file":"good\.exe","type":"pe",' stdout
says '^{"file":"missing\.exe","problems":\["missing\.exe: No such file' stdout
if command -v python3 >/dev/null; then
	each 65 verify -r . --json --ca ca.pem
	each 65 info -r . --json
	python3 -c '
import json, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    assert o["file"].startswith("./"), o
' stdout || fail "JSON: $(cat stdout)"
fi

# --- stdin -------------------------------------------------------------------------

printf 'Write-Host 1\r\n' >a.ps1
sign --name=a.ps1 <a.ps1 >signed.ps1
for how in file pipe; do
	# Standard input is a file in the first case, and has to be kept in the
	# other.
	from()
	{
		if [ $how = file ]; then
			file=$1
			shift
			status "$@" <"$file"
		else
			cat "$1" >fifo &
			shift
			status "$@" <fifo
			wait
		fi
	}
	[ -p fifo ] || mkfifo fifo
	from good.exe 0 "$htsign" verify - --ca ca.pem
	says '^signer:      CN=Us$' stdout
	from good.exe 0 "$htsign" info -
	says "^size:        $(wc -c <good.exe)$" stdout
	from signed.ps1 65 "$htsign" verify - --ca ca.pem
	says 'not a signable file' stderr
	from signed.ps1 0 "$htsign" verify - --ca ca.pem --name=a.ps1
	says '^type:        PowerShell$' stdout
done
each 0 verify -r - tree/b --ca ca.pem <good.exe
says '^good      -: PE, CN=Us$' stdout

done_testing
