# An authority of `openssl ts` behind HTTP, and an endpoint of quickstart's kind on
# $port that asks it for timestamps, for tests/e2e scripts, after lib.sh.
#
# $url is the authority, $work/tsa its folder; tests/support/tsa_server.py says how
# bad it is at other paths.  The client ci may use these profiles:
#
#	must	requires a timestamp, of a server that is good
#	mixed	of that or of one of six that are bad
#	late	of one that takes 0.3 s
#	never	of one of the six
#	try	attempts it, at one that is bad and one whose roots are another's
# shellcheck shell=bash disable=SC2034,SC2154 # variables of lib.sh, and for scripts

needs ssh softhsm2-util osslsigncode openssl python3 faketime
tsa=
cleanup_more()
{
	[ -z "$tsa" ] || kill "$tsa" 2>/dev/null
}

mkdir "$work/tsa"
cd "$work/tsa" || exit 1
cat >tsa.conf <<-CONF
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
echo 01 >tsa.serial
# authority NAME: a root and one that may stamp.
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 9000 -subj "/CN=$1 root" -config /dev/null \
	    -keyout "$1-root.key" -out "$1-root.pem" \
	    -addext basicConstraints=critical,CA:TRUE &&
	    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
	        -nodes -days 9000 -subj "/CN=$1" -config /dev/null \
	        -CA "$1-root.pem" -CAkey "$1-root.key" -keyout "$1.key" \
	        -out "$1.pem" -addext basicConstraints=critical,CA:FALSE \
	        -addext keyUsage=critical,digitalSignature \
	        -addext extendedKeyUsage=critical,timeStamping
}
check "an authority" authority tsa
check "and another" authority other
python3 "$srcdir/tests/support/tsa_server.py" 0 tsa.conf >port 2>server.log &
tsa=$!
check "answers" within 10 test -s port
url=http://127.0.0.1:$(cat port)
cd "$work" || exit 1

# --- an endpoint -----------------------------------------------------------------

make_endpoint
server()
{
	printf '{ name = "%s"; operator = "%s"; url = "%s"; roots = "%s"; }' \
	    "$1" "$1" "$2" "${3:-$work/tsa/tsa-root.pem}"
}
{
	echo "timestamp_servers = ("
	for path in 503 reset empty redirect status2 hour; do
		server "$path" "$url/$path"
		echo ,
	done
	server good "$url/"
	echo ,
	server late "$url/late"
	echo ,
	server stranger "$url/" "$work/tsa/other-root.pem"
	echo ,
	server unknown "$url/" "$work/tsa/no-such.pem"
	echo ");"
} >"$dir/servers.conf"
# profile NAME WORD SERVERS
profile()
{
	printf '{ name = "%s"; certificates = [ "test" ]; existing = "nest";\
 formats = [ "pe", "cab", "msi", "appx", "cat", "script" ]; timestamp = "%s";\
 timestamp_servers = [ %s ]; },' "$@"
}
bad='"503", "reset", "empty", "redirect", "status2", "hour"'
reconfigure "1i @include \"$dir/servers.conf\"
/^profiles = (/a $(profile must required '"good"') \
    $(profile mixed required "\"good\", $bad") \
    $(profile late required '"late"') $(profile never required "$bad") $(profile try attempt '"503", "stranger"')"
for name in must mixed late never try; do
	check "$name is granted" admin "grant ci $name"
done
