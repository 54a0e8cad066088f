# An authority of `openssl ts` behind HTTP, for scripts, after lib.sh.
#
# It is the certificate tsa of the root tsa-root, in the folder $work/tsa, which
# start_authority starts and stop_authority stops.  tests/support/tsa_server.py says
# how bad it is at which paths.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of lib.sh, and for scripts

needs openssl python3 faketime
tsa=
mkdir "$work/tsa" || exit 1
cat >"$work/tsa/tsa.conf" <<-CONF
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
CONF
echo 01 >"$work/tsa/tsa.serial"

# certificate NAME OPTION ...: one that signs itself, or is of -CA.  $since is faketime
# and a time for one that is from then on.
since=()
certificate()
{
	(cd "$work/tsa" && "${since[@]}" openssl req -x509 -newkey ec \
	    -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 -subj "/CN=$1" \
	    -config /dev/null -keyout "$1.key" -out "$1.pem" "${@:2}")
}
root()
{
	certificate "$1-root" -addext basicConstraints=critical,CA:TRUE
}
# stamper NAME ROOT PURPOSE: a certificate for that, of ROOT.
stamper()
{
	certificate "$1" -CA "$2-root.pem" -CAkey "$2-root.key" \
	    -addext basicConstraints=critical,CA:FALSE \
	    -addext keyUsage=critical,digitalSignature \
	    -addext "extendedKeyUsage=critical,$3"
}
# authority NAME: a root and one that may stamp.
authority()
{
	root "$1" && stamper "$1" "$1" timeStamping
}

# start_authority PORT [COMMAND ...]: on that port, or any if it is 0, by way of
# the command.  $url is where it answers.
start_authority()
{
	rm -f "$work/tsa/port"
	(cd "$work/tsa" && exec "${@:2}" python3 \
	    "$srcdir/tests/support/tsa_server.py" "$1" tsa.conf \
	    >port 2>server.log) &
	tsa=$!
	within 20 test -s "$work/tsa/port" || return
	url=http://127.0.0.1:$(cat "$work/tsa/port")
}
stop_authority()
{
	[ -z "$tsa" ] || kill "$tsa" 2>/dev/null
}
