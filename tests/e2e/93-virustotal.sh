#!/bin/bash
# What VirusTotal calls bad is not signed, and what it does not know is uploaded
# if the profile says so; a server of our own speaks as its API is documented.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util python3
vt=$work/vt
vt_port=2933
mkdir -p "$vt/known" "$vt/uploads"
python3 "$srcdir/tests/support/virustotal.py" "$vt" "$vt_port" &
server=$!
disown "$server"
cleanup_more()
{
	kill "$server" 2>/dev/null
}
endpoint 2931
printf 'good\n' >"$dir/vt.key"
chmod 600 "$dir/vt.key"
reconfigure "/^certificates = (/i virustotal_key = \"$dir/vt.key\";\
	virustotal_url = \"http://127.0.0.1:$vt_port/api/v3\";\
	virustotal_minute = 10000; virustotal_day = 10000;
	/^profiles = (/a\
	{ name = \"must\"; certificates = [ \"test\" ]; virustotal = \"required\";\
	  vt_max_bad_percent = 10; vt_fatal_engines = [ \"Alpha\" ];\
	  deadline = 24; },\
	{ name = \"try\"; certificates = [ \"test\" ]; virustotal = \"attempt\";\
	  vt_max_bad_percent = 20; deadline = 24; },\
	{ name = \"up\"; certificates = [ \"test\" ]; virustotal = \"required\";\
	  archive = \"input\"; vt_upload = \"private\"; deadline = 20; },\
	{ name = \"pub\"; certificates = [ \"test\" ]; virustotal = \"required\";\
	  archive = \"input\"; vt_upload = \"public\"; deadline = 20; },"
for profile in must try up pub; do
	admin "grant ci $profile"
done
there()
{
	grep -q 'htsign-fetch is there' "$dir/htsign-keyd.log"
}
within 20 there
sample app.exe
sum=$(sha256sum <"$work/app.exe" | cut -d ' ' -f 1)

# known BAD DAYS: VirusTotal knows it.
known()
{
	echo "$1 $2" >"$vt/known/$sum"
}
# asked PATTERN: what VirusTotal was asked since the last time.
asked()
{
	tail -n "+$((${seen:-0} + 1))" "$vt/log" >"$work/asked"
	seen=$(wc -l <"$vt/log")
	grep -Eq "$1" "$work/asked"
}
# anew: what comes next is another file.
anew()
{
	sample app.exe
	head -c 64 /dev/urandom >>"$work/app.exe"
	sum=$(sha256sum <"$work/app.exe" | cut -d ' ' -f 1)
}

# --- what it knows ------------------------------------------------------------------

known 0 1
request must <"$work/app.exe"
signed "a file that ten engines have looked at"
journal_says "is on record" '"virustotal":"clean"' \
    '"virustotal_text":"0 of 10 engines call it bad"' '"status":"delivered"'
check "by its SHA-256" asked "^GET /api/v3/files/$sum\$"
n=$(requests)
check "show has each engine" grep -q \
    '"engine":"Kappa","category":"undetected"' <(admin "show $n --json")
known 1 1
request must <"$work/app.exe"
refused "the engine that is fatal" 66
check "says which" grep -q 'VirusTotal: 1 of 10 .*: Alpha$' "$work/err"
journal_says "on record" '"virustotal":"bad"' '"code":"virus"' '"exit":66' \
    '"status":"refused"'
check "nothing was signed" not grep -q '"signed"' <(last_request)
known 2 1
request try <"$work/app.exe"
signed "as many as the profile allows"
known 3 1
request try <"$work/app.exe"
refused "more of them" 66

# --- what it does not know ------------------------------------------------------------

# unknown TEXT PATTERN: "must" refuses, "try" signs, both on record.
unknown()
{
	request must <"$work/app.exe"
	refused "$1, required" 69
	check "says why" grep -Eq "VirusTotal has no answer: .*$2" "$work/err"
	journal_says "on record" '"code":"virustotal"' '"exit":69' \
	    '"virustotal":"unknown"'
	sleep "${pause:-0}"
	request try <"$work/app.exe"
	if [ "$status" -eq 0 ] && grep -q 'warning: VirusTotal: ' "$work/err"
	then
		ok "$1, attempted: $(cat "$work/err")"
	else
		bad "$1, attempted: $status, $(cat "$work/err")"
	fi
	journal_says "on record" '"virustotal":"unknown"' '"status":"delivered"'
}
known 0 11
unknown "an analysis of eleven days" 'too old'
rm "$vt/known/$sum"
unknown "a file that it does not know" 'does not know'
check "nothing is uploaded" not asked POST

# restart: without a pause after what has gone wrong.
restart()
{
	rm -f "$vt/mode"
	reconfigure ''
	within 20 there
}
known 0 1
for mode in 401 500 broken huge redirect twice another no-engines slow; do
	echo "$mode" >"$vt/mode"
	unknown "$mode" .
	asked . || true
	request must <"$work/app.exe"
	refused "and once more" 69
	case $mode in
	401 | 500 | redirect | slow)
		check "nobody is asked for a while" not asked . ;;
	*)
		check "it is asked again" asked "^GET /api/v3/files/$sum" ;;
	esac
	restart
	request must <"$work/app.exe"
	signed "it answers again"
done
echo 429 >"$vt/mode"
unknown "it has no request left for us" 'free in time|time is over'
rm "$vt/mode"
sleep 2
echo 429-once >"$vt/mode"
request must <"$work/app.exe"
signed "it has one a second later"
kill "$server"
unknown "it is away" .
restart
python3 "$srcdir/tests/support/virustotal.py" "$vt" "$vt_port" &
server=$!
disown "$server"
within 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$vt_port" 2>/dev/null
request must <"$work/app.exe"
signed "it is there again"

# --- uploads -----------------------------------------------------------------------------

# upload TEXT PATTERN [PROFILE]: a new file is signed after it.
upload()
{
	asked . || true
	request "${3:-up}" <"$work/app.exe"
	signed "$1"
	check "is asked for so" asked "$2"
	check "and it has the file" cmp "$work/app.exe" "$vt/uploads/$sum"
}
anew
upload "a file that it does not know is uploaded" \
    '^POST /api/v3/private/files$'
check "its analysis is waited for" grep -q 'GET /api/v3/private/analyses/u-0==' \
    "$work/asked"
check "and its report is read" grep -q "^GET /api/v3/private/files/$sum\$" \
    "$work/asked"
n=$(requests)
check "show has what the sandboxes say" grep -q \
    '"engine":"Zenbox","category":"harmless"' <(admin "show $n --json")
anew
echo 3 >"$vt/polls"
upload "an analysis that takes its time" '^GET /api/v3/private/analyses/'
rm "$vt/polls"
anew
upload "one that others can get" '^POST /api/v3/files$' pub
n=$(requests)
check "show has what the engines say" grep -q \
    '"engine":"Kappa","category":"undetected"' <(admin "show $n --json")
known 0 11
upload "one that is too old" '^POST'
anew
echo 10 >"$vt/bad"
request up <"$work/app.exe"
refused "what is bad then" 66
rm "$vt/bad"
anew
echo 409 >"$vt/upload"
(sleep 1; known 0 0) &
request up <"$work/app.exe"
signed "somebody else has uploaded it"
anew
echo 413 >"$vt/upload"
request up <"$work/app.exe"
refused "one that it does not take" 69
known 0 1
request must <"$work/app.exe"
signed "others do not wait for that"
anew
head -c 34000000 /dev/zero >>"$work/app.exe"
sum=$(sha256sum <"$work/app.exe" | cut -d ' ' -f 1)
echo "https://127.0.0.1:$vt_port" >"$vt/elsewhere"
upload "a large one" '^GET /api/v3/private/files/upload_url$'
check "to the URL that it names" grep -q '^POST /api/v3/upload/once$' \
    "$work/asked"
head -c 1 /dev/zero >>"$work/app.exe"
echo http://127.0.0.2:2999 >"$vt/elsewhere"
request up <"$work/app.exe"
refused "the key goes to no other host" 69
rm "$vt/elsewhere"
anew
echo 1000 >"$vt/polls"
request up <"$work/app.exe"
refused "an analysis that never ends" 69
rm "$vt/polls"

# --- budgets -------------------------------------------------------------------------------

anew
known 0 1
reconfigure 's/virustotal_day = [0-9]*/virustotal_day = 4/'
within 20 there
new_client other must
for i in 1 2; do
	request must <"$work/app.exe"
	signed "request $i of the two of a client"
done
request must <"$work/app.exe"
refused "a third one of that day" 69
check "says so" grep -q "today's requests" "$work/err"
door=other request must <"$work/app.exe"
signed "another client has one"
door=sign
reconfigure 's/virustotal_day = [0-9]*/virustotal_day = 20/'
within 20 there
echo 1 >"$vt/polls"
uploads=0
for i in 1 2 3 4; do
	anew
	request up <"$work/app.exe"
	[ "$status" -ne 0 ] || uploads=$((uploads + 1))
done
check "an upload takes several of them: $uploads of 4 were for one client" \
    test "$uploads" -gt 0 -a "$uploads" -lt 4
anew
known 0 1
door=other request must <"$work/app.exe"
signed "which leaves another client his"
door=sign
public()
{
	"$keyd" -t -c "$dir/htsign.conf" 2>&1 |
	    grep 'profile pub uploads files .* everybody can get them'
}
check "-t warns of uploads that are public" public
check "the key is in no log" not grep -r good "$dir" --include='*.log'
done_testing
