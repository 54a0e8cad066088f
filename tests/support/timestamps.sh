# An endpoint of quickstart's kind on $port that asks an authority for timestamps, for
# tests/e2e scripts, after lib.sh.  tests/support/authority.sh has the authority.
# The client ci may use these profiles:
#
#	must	requires a timestamp, of a server that is good
#	mixed	of that or of one of six that are bad
#	late	of one that takes 0.3 s
#	attributes	of one whose tokens are as Microsoft's
#	never	of one of the six
#	try	attempts it, at one that is bad and one whose roots are another's
# shellcheck shell=bash disable=SC2034,SC2154 # variables of lib.sh, and for scripts

needs ssh softhsm2-util osslsigncode
# shellcheck source=tests/support/authority.sh
. "$srcdir/tests/support/authority.sh"
cleanup_more()
{
	stop_authority
}
since=(faketime "-1 day") # for one whose clock is wrong
check "an authority" authority tsa
check "and another" authority other
since=()
check "the first one answers" start_authority 0
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
	server attributes "$url/attributes"
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
    $(profile late required '"late"') $(profile never required "$bad") \
    $(profile attributes required '"attributes"') \
    $(profile try attempt '"503", "stranger"')"
for name in must mixed late never attributes try; do
	check "$name is granted" admin "grant ci $name"
done
