#!/bin/sh
# The htsign command, and the bytes that signing makes, against signers and
# verifiers that we did not write: osslsigncode 2.9 and sbverify.
set -eu

# shellcheck source=tests/support/command.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"

# A root, an intermediate, and signers below it.
cat >extensions <<-END
	[ca]
	basicConstraints = critical, CA:true
	keyUsage = critical, keyCertSign
	[signer]
	basicConstraints = CA:false
	keyUsage = critical, digitalSignature
	extendedKeyUsage = codeSigning
END
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout root.key -out root.pem -subj '/CN=Test Root' -days 30 \
	    -addext keyUsage=critical,keyCertSign
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout inter.key -out inter.csr -subj '/CN=Test Intermediate'
	openssl x509 -req -in inter.csr -CA root.pem -CAkey root.key \
	    -days 30 -extfile extensions -extensions ca -out inter.pem
	for kind in rsa ec; do
		case $kind in
		rsa) new=rsa option=rsa_keygen_bits:3072 ;;
		ec) new=ec option=ec_paramgen_curve:P-384 ;;
		esac
		openssl req -newkey "$new" -pkeyopt "$option" -nodes \
		    -keyout $kind.key -out $kind.csr -subj "/CN=Signer $kind"
		openssl x509 -req -in $kind.csr -CA inter.pem \
		    -CAkey inter.key -days 30 -extfile extensions \
		    -extensions signer -out $kind-only.pem
		cat $kind-only.pem inter.pem >$kind.pem
	done
} 2>openssl.log || { cat openssl.log >&2; exit 1; }

oracle=
has_osslsigncode && oracle=yes
[ -n "$oracle" ] || echo "osslsigncode 2.9 is not here: its part is skipped"
# From 2.14 on it does not look at the certificate of what it attaches.
root=
osslsigncode attach-signature --help 2>&1 | grep -q -e -CAfile &&
    root='-CAfile root.pem'

sign()
{
	"$sign_pe" --key=rsa.key --chain=rsa.pem --time=1700000000 "$@"
}

"$make_pe" >x64.exe
"$make_pe" --machine=x86 >x86.exe
"$make_pe" --machine=arm64 --efi >arm64.efi
"$make_pe" --payload=100003 >payload.exe
"$make_pe" --gap=512 --code=5000 >gap.exe
"$make_pe" --machine=x86 --lfanew=128 --payload=1 >odd.exe
"$make_pe" --lfanew=70000 >far.exe
mingw=
for cc in x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc; do
	command -v $cc >/dev/null || continue
	echo 'int main(void) { return 0; }' >hello.c
	$cc -o "$cc.exe" hello.c
	mingw="$mingw $cc.exe"
done
[ -n "$mingw" ] || echo "mingw-w64 is not here: its part is skipped"

# shellcheck disable=SC2086
for file in x64.exe x86.exe arm64.efi payload.exe gap.exe odd.exe far.exe \
    $mingw; do
	sign --description='My App' --url=https://example.org/ \
	    <"$file" >"$file.ours"
	sign --description='My App' --url=https://example.org/ --pkcs7 \
	    <"$file" >"$file.p7"

	status 0 "$htsign" verify "$file.ours" --ca root.pem
	says '^type:        PE$' stdout
	says '^sha256:      [0-9a-f]\{64\}$' stdout
	says '^signer:      CN=Signer rsa$' stdout
	says '^description: My App$' stdout
	says '^URL:         https://example.org/$' stdout

	# Attaching gives the full reply: to stdout, to a file, in place, over
	# an old signature, and from stdin.
	"$htsign" attach "$file" "$file.p7" >attached
	same attached "$file.ours" "$file to stdout"
	status 0 "$htsign" attach "$file" "$file.p7" -o attached2
	same attached2 "$file.ours" "$file with -o"
	cp "$file" in-place
	status 0 "$htsign" attach --output=in-place in-place - <"$file.p7"
	same in-place "$file.ours" "$file in place"
	status 0 "$htsign" attach -oin-place in-place "$file.p7"
	same in-place "$file.ours" "$file attached again"

	[ -n "$oracle" ] || continue
	rm -f theirs attached3
	osslsigncode sign -time 1700000000 -h sha256 -certs rsa.pem \
	    -key rsa.key -n 'My App' -i https://example.org/ \
	    -in "$file" -out theirs >/dev/null
	same theirs "$file.ours" "$file signed by osslsigncode"
	osslsigncode attach-signature -sigin "$file.p7" -in "$file" \
	    $root -out attached3 >/dev/null 2>&1 ||
	    fail "osslsigncode does not attach to $file"
	same attached3 "$file.ours" "$file attached by osslsigncode"
	osslsigncode verify -CAfile root.pem "$file.ours" >log 2>&1 ||
	    fail "osslsigncode does not verify $file: $(cat log)"
done

# What is embedded: the chain, but for its root.
status 0 "$htsign" info x64.exe.ours
says '^signer:      CN=Signer rsa$' stdout
says '^issuer:      CN=Test Intermediate$' stdout
says '^chain:       CN=Test Intermediate$' stdout
! grep -q '^chain: *CN=Test Root' stdout || fail "the root is embedded"
says '^signed at:   2023-11-14T22:13:20Z$' stdout
status 0 "$htsign" info --json x64.exe.ours
says '"chain":\[{"subject":"CN=Test Intermediate","issuer":"CN=Test Root","serial":"[0-9a-f]*","not_before":"20[^"]*Z","not_after":"20[^"]*Z","sha256":"[0-9a-f]\{64\}"}\]' \
    stdout
says '"page_hashes":false' stdout

# Description only, URL only, neither; other digests; signing again.
if [ -n "$oracle" ]; then
	for options in "--description=My_App -n My_App" \
	    "--url=https://e.org/ -i https://e.org/" \
	    "--digest=sha384 -h sha384" "--digest=sha512 -h sha512" \
	    "--commercial -comm"; do
		rm -f theirs
		option=${options%% *}
		# shellcheck disable=SC2086
		osslsigncode sign -time 1700000000 -h sha256 -certs rsa.pem \
		    -key rsa.key ${options#* } -in x64.exe -out theirs \
		    >/dev/null
		sign "$option" <x64.exe >ours
		same theirs ours "$options"
	done
	sign <payload.exe.ours >ours
	sign <payload.exe >fresh
	same ours fresh "a signature replaced"
fi

# EC keys, and text beyond ASCII.
"$sign_pe" --key=ec.key --chain=ec.pem --digest=sha384 \
    --description='Grün 😀' <x64.exe >ec.exe
status 0 "$htsign" verify ec.exe --ca=root.pem
says '^description: Grün 😀$' stdout
if [ -n "$oracle" ]; then
	osslsigncode verify -CAfile root.pem ec.exe >log 2>&1 ||
	    fail "osslsigncode does not verify ec.exe: $(cat log)"
fi
if command -v sbverify >/dev/null; then
	for file in x64.exe arm64.efi payload.exe; do
		sbverify --cert rsa-only.pem $file.ours >log 2>&1 ||
		    fail "sbverify does not verify $file: $(cat log)"
	done
	# It knows no digest but SHA-256.
	"$sign_pe" --key=ec.key --chain=ec.pem <x64.exe >ec.exe
	sbverify --cert ec-only.pem ec.exe >log 2>&1 ||
	    fail "sbverify does not verify ec.exe: $(cat log)"
else
	echo "sbverify is not here: its part is skipped"
fi

# A second signature nested in the first is left alone.
if [ -n "$oracle" ]; then
	osslsigncode sign -nest -h sha384 -certs rsa.pem -key rsa.key \
	    -in x64.exe.ours -out nested.exe >/dev/null
	status 0 "$htsign" verify nested.exe --ca root.pem
	says '^description: My App$' stdout
fi

# What must not verify.
status 65 "$htsign" verify x64.exe --ca root.pem
says 'not signed' stderr
status 65 "$htsign" verify x64.exe.ours --ca rsa-only.pem
says 'chain is not valid' stderr
cp x64.exe.ours changed.exe
printf 'X' | dd of=changed.exe bs=1 seek=600 conv=notrunc 2>/dev/null
status 65 "$htsign" verify changed.exe --ca root.pem
says 'not what was signed' stderr
status 65 "$htsign" attach payload.exe x64.exe.p7 -o out
says 'not what was signed' stderr
[ ! -e out ] || fail "a refused signature left a file"
head -c 700 x64.exe >short.exe
status 65 "$htsign" attach short.exe x64.exe.p7 -o out
says '(at byte 700)' stderr
echo hello >text
status 65 "$htsign" verify text --ca root.pem
: >empty
status 65 "$htsign" verify empty --ca root.pem
status 65 "$htsign" attach x64.exe text -o out
status 65 "$htsign" attach x64.exe empty -o out

# What makes no sense, and places that cannot be.
status 64 "$htsign"
status 64 "$htsign" frobnicate
status 64 "$htsign" verify
status 64 "$htsign" verify x64.exe
# Roots as people have them: in DER, twice, and in a folder.
openssl x509 -in root.pem -outform DER -out root.der
cat root.pem inter.pem root.pem >twice.pem
mkdir roots roots/empty
cp root.pem inter.pem root.der roots
for ca in root.der twice.pem roots; do
	status 0 "$htsign" verify x64.exe.ours --ca "$ca"
done
status 64 "$htsign" verify x64.exe.ours --ca roots/empty
says 'no file in the folder' stderr
head -c 100 root.der >cut.der
status 64 "$htsign" verify x64.exe.ours --ca cut.der
status 64 "$htsign" verify x64.exe --ca
status 64 "$htsign" verify x64.exe --frob root.pem
status 64 "$htsign" verify missing.exe --ca root.pem
status 64 "$htsign" verify . --ca root.pem
status 64 "$htsign" verify x64.exe.ours --ca missing.pem
status 64 "$htsign" verify x64.exe.ours --ca text
status 64 "$htsign" attach x64.exe missing.p7 -o out
status 64 "$htsign" attach x64.exe . -o out
status 64 "$htsign" attach x64.exe x64.exe.p7 -o missing/out
status 64 "$htsign" attach x64.exe x64.exe.p7 -o .
status 0 "$htsign" --help
says 'htsign attach FILE PKCS7' stdout
status 0 "$htsign" --version
says '^htsign [0-9]' stdout
status 0 "$htsign" verify --ca root.pem -- x64.exe.ours

# No room: the status says so, and an existing file stays what it was.
got=0
"$htsign" attach x64.exe x64.exe.p7 >/dev/full 2>stderr || got=$?
[ "$got" -eq 69 ] || fail "status $got with a full stdout"
status 69 "$htsign" attach x64.exe x64.exe.p7 -o /dev/full
cp text keep.exe
got=0
(
	ulimit -f 100
	"$htsign" attach payload.exe payload.exe.p7 -o keep.exe
) >stdout 2>stderr || got=$?
[ "$got" -eq 69 ] || fail "status $got with no room for the file"
same keep.exe text "the old file after a failed attach"
# shellcheck disable=SC2144
[ ! -e keep.exe.?????? ] || fail "an unfinished file was left"

# A link stays a link, and permissions are kept.
cp x64.exe real.exe
chmod 750 real.exe
ln -s real.exe link.exe
status 0 "$htsign" attach link.exe x64.exe.p7 -o link.exe
[ -L link.exe ] || fail "the link was replaced"
same real.exe x64.exe.ours "a file behind a link"
[ "$(stat -c %a real.exe)" = 750 ] || fail "the permissions were lost"

done_testing
