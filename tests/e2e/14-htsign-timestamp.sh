#!/bin/sh
# htsign timestamp: each format but packages (80-timestamps.sh), signatures nested
# and side by side, from the authority of openssl-ts(1) behind HTTP; what
# osslsigncode says of the result; and who is refused, after which the file is as it
# was.  83-bad-authorities.sh has those that are bad.
set -eu

# shellcheck source=tests/support/command.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"

for tool in osslsigncode python3 openssl faketime gcab msibuild; do
	if ! command -v $tool >/dev/null; then
		echo "skip 14-htsign-timestamp: $tool is missing"
		exit 77
	fi
done

# --- who signs, who stamps -------------------------------------------------------

# certificate NAME USE OPTION...: one that signs itself, or is of -CA.
certificate()
{
	name=$1
	use=$2
	shift 2
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 3650 -subj "/CN=$name" -config /dev/null -keyout "$name.key" \
	    -out "$name.pem" -addext "$use" "$@" 2>openssl.log ||
	    fail "$name: $(cat openssl.log)"
}
for name in root tsa-root other; do
	certificate $name basicConstraints=critical,CA:TRUE
done
certificate signer extendedKeyUsage=codeSigning -CA root.pem -CAkey root.key
cat signer.pem root.pem >chain.pem
certificate tsa extendedKeyUsage=critical,timeStamping -CA tsa-root.pem \
    -CAkey tsa-root.key
cat >tsa.conf <<-END
	[tsa]
	default_tsa = this
	[this]
	serial = tsa.serial
	signer_cert = tsa.pem
	signer_key = tsa.key
	signer_digest = sha256
	default_policy = 1.2.3.4.1
	digests = sha256, sha384, sha512
	ess_cert_id_alg = sha256
END
echo 01 >tsa.serial
python3 "$srcdir/tests/support/tsa_server.py" 0 tsa.conf >port 2>server.log &
server=$!
tries=0
while [ ! -s port ] && [ $tries -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
url=http://127.0.0.1:$(cat port)
unset http_proxy HTTP_PROXY

stamp()
{
	wanted=$1
	shift
	status "$wanted" "$htsign" timestamp "$@"
}

# stamped FILE N: verified by us, with N timestamps, also after the signer's time.
stamped()
{
	status 0 faketime '20 years' "$htsign" verify "$1" --ca root.pem \
	    --tsa-ca tsa-root.pem
	[ "$(grep -c 'timestamp: *20.*Z by CN=tsa$' stdout)" -eq "$2" ] ||
	    fail "$1 has not $2 timestamps: $(cat stdout)"
}

# Also after the signer's time.
theirs()
{
	faketime '20 years' osslsigncode verify -CAfile root.pem \
	    -TSA-CAfile tsa-root.pem "$1" >osslsigncode.log 2>&1 ||
	    fail "osslsigncode: $(cat osslsigncode.log)"
	says 'Timestamp verified using:' osslsigncode.log
}

# --- each format -----------------------------------------------------------------

"$make_pe" >a.exe
seq 1 4000 >numbers.txt
gcab -c a.cab numbers.txt
msibuild a.msi -s Sample Us ";1033" "{11111111-1111-1111-1111-111111111111}"
"$builddir/tests/support/make-cat" >a.cat
printf 'Write-Host 1\r\n' >a.ps1
for file in a.exe a.cab a.msi a.cat a.ps1; do
	osslsigncode sign -certs signer.pem -key signer.key -h sha256 \
	    -in "$file" -out "signed-$file" >osslsigncode.log 2>&1 ||
	    fail "$file: $(cat osslsigncode.log)"
	stamp 0 "signed-$file" --url="$url/" --tsa-ca=tsa-root.pem
	mv stdout "stamped-$file"
	stamped "stamped-$file" 1
	theirs "stamped-$file"
	stamp 0 "signed-$file" --url="$url/" --tsa-ca=tsa-root.pem -i
	stamped "signed-$file" 1
done

# --- several signatures ------------------------------------------------------------

sign()
{
	"$sign_pe" --key=signer.key --chain=chain.pem "$@"
}
sign <a.exe >once.exe
sign --digest=sha384 --nest <once.exe >twice.exe
sign --digest=sha512 --nest <twice.exe >thrice.exe
stamp 0 thrice.exe --url="$url" --tsa-ca=tsa-root.pem -o several.exe
stamped several.exe 3
theirs several.exe
stamp 0 several.exe --url="$url" --tsa-ca=tsa-root.pem -i
status 0 "$htsign" verify several.exe --ca root.pem --tsa-ca tsa-root.pem
status 0 "$htsign" extract once.exe -o once.p7
status 0 "$htsign" attach once.exe once.p7 --index=2 -o beside.exe
stamp 0 beside.exe --url="$url" --tsa-ca=tsa-root.pem -i
stamped beside.exe 2

# --- what is refused ---------------------------------------------------------------

cp once.exe kept.exe
stamp 69 once.exe --url="$url/" --tsa-ca=other.pem -i
stamp 69 once.exe --url="$url/" -i # the system's roots do not have it
for nowhere in http://127.0.0.1:1/ http://no-such-host.invalid/; do
	status 69 timeout 20 "$htsign" timestamp once.exe --url="$nowhere" -i
	says "$nowhere: \(Connection refused\|.*name resolution\|.*not known\)$" \
	    stderr
done
same once.exe kept.exe "after all of them"
stamp 65 a.exe --url="$url/" --tsa-ca=tsa-root.pem
says 'not signed' stderr
stamp 64 once.exe --tsa-ca=tsa-root.pem
says '--url' stderr
for bad in https://127.0.0.1/ ftp://127.0.0.1/ ''; do
	stamp 64 once.exe --url="$bad" --tsa-ca=tsa-root.pem
done
done_testing
