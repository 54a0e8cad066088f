# The real clamd with a database of our own, and an endpoint of quickstart's kind
# on $port that has it scan what it signs, for tests/e2e scripts, after lib.sh.
#
#	start_clamd [LINE ...]	with these lines in clamd.conf as well
#	stop_clamd
#	database DAYS		so old; a number that is too large, for none
#
# The client ci may use "must", which requires a scan, and "try", which attempts
# one.  At most 2 MB of a file are scanned.  After installed.sh the endpoint is one
# of that.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of lib.sh, and for scripts

needs ssh softhsm2-util clamd python3 openssl osslsigncode
clamd=
clamav=$work/clamav

stop_clamd()
{
	[ -z "$clamd" ] || kill -KILL "$clamd"
	[ -z "$clamd" ] || within 10 has_ended "$clamd" 2>/dev/null
	clamd=
	rm -f "$clamav/sock"
}

cleanup_more()
{
	stop_clamd
	! declare -F cleanup_installed >/dev/null || cleanup_installed
}

# What finds EICAR's test file, packed as clamd's own updates are: only those have
# a date.
database()
{
	rm -rf "$clamav/db"
	mkdir -p "$clamav/db" && python3 - "$clamav/db" "$1" <<-'PY'
	import hashlib, io, sys, tarfile, time
	when = int(time.time()) - 86400 * int(sys.argv[2])
	text = b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!"
	ndb = b"HT.Eicar.Test:0:*:" + text.hex().encode() + b"\n"
	if int(sys.argv[2]) > 9000:
	    open(sys.argv[1] + "/own.ndb", "wb").write(ndb)
	    sys.exit()
	def head(md5):
	    day = time.strftime("%d %b %Y %H-%M +0000", time.gmtime(when))
	    return "ClamAV-VDB:%s:27000:1:90:%s:X:htsign:%d" % (day, md5, when)
	info = "%s\ndaily.ndb:%d:%s\n" % (head("X"), len(ndb),
	    hashlib.sha256(ndb).hexdigest())
	body = io.BytesIO()
	with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as t:
	    for name, data in (("daily.info", info.encode()), ("daily.ndb", ndb)):
	        member = tarfile.TarInfo(name)
	        member.size = len(data)
	        t.addfile(member, io.BytesIO(data))
	body = body.getvalue()
	with open(sys.argv[1] + "/daily.cud", "wb") as f:
	    f.write(head(hashlib.md5(body).hexdigest()).encode().ljust(512) + body)
	PY
}

start_clamd()
{
	{
		printf 'LocalSocket %s/sock\nDatabaseDirectory %s/db\n' \
		    "$clamav" "$clamav"
		printf 'Foreground yes\nLogFile %s/log\nLogTime yes\n' "$clamav"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$clamav/conf"
	clamd -c "$clamav/conf" >"$clamav/out" 2>&1 &
	clamd=$!
	disown "$clamd"
	within 20 test -S "$clamav/sock"
}

# virus FILE: appends EICAR's test file.
# shellcheck disable=SC2016 # it has signs of the shell in it
virus()
{
	printf '%s%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-' \
	    'ANTIVIRUS-TEST-FILE!$H+H*' >>"$1"
}

check "a database" database 1
check "clamd starts" start_clamd
if declare -F installed_endpoint >/dev/null; then
	installed_endpoint "$port" $((port + 1))
else
	make_endpoint
fi
reconfigure "/^certificates = (/i clamav_socket = \"$clamav/sock\";\
	clamav_max_size = \"2M\";
	/^profiles = (/a { name = \"must\"; clamav = \"required\";\
	certificates = [ \"test\" ]; existing = \"replace\"; },\
	{ name = \"try\"; clamav = \"attempt\"; certificates = [ \"test\" ];\
	existing = \"replace\"; },"
admin "grant ci must"
admin "grant ci try"
