#!/bin/bash
# Nothing with a virus is signed: by the real clamd, with a database of our own,
# by way of htsign-pump; and what happens without clamd, or with one that fails.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs msibuild
port=2901
# shellcheck source=tests/support/clamav.sh
. "$srcdir/tests/support/clamav.sh"

# --- what is clean, and what is not ------------------------------------------------

sample clean.exe
request must --name=clean.exe <"$work/clean.exe"
signed "a clean program is signed"
check "and is good" verify_osslsigncode "$work/out"
journal_says "the row has the verdict and the database" '"scan":"clean"' \
    '"scan_database":"ClamAV .*/27000/' '"status":"delivered"' \
    "\"sha256\":\"$(sha256sum <"$work/clean.exe" | cut -d ' ' -f 1)\"" \
    "\"size\":$(wc -c <"$work/clean.exe")"

cp "$work/clean.exe" "$work/virus.exe"
virus "$work/virus.exe"
: >"$work/text"
virus "$work/text"
empty_msi "$work/virus.msi" &&
    msibuild "$work/virus.msi" -a Extra "$work/text" || exit 1
for profile in must try; do
	for file in virus.exe virus.msi; do
		request "$profile" --name="$file" <"$work/$file"
		refused "$file by $profile" 66
		check "says which" grep -q 'HT.Eicar.Test' "$work/err"
		journal_says "the row as well" '"code":"virus"' \
		    '"scan":"virus"' '"scan_text":"HT.Eicar.Test' '"exit":66' \
		    '"status":"refused"' \
		    "\"sha256\":\"$(sha256sum <"$work/$file" | cut -d ' ' -f 1)\""
		check "nothing was signed" not grep -q '"signed"' \
		    <(last_request)
	done
done
request test-signing <"$work/virus.exe"
signed "a profile that does not scan signs it"
check "and starts nothing" not grep -q '"scan"' <(last_request)

request must --sha256="$(sha256sum <"$work/clean.exe" | cut -d ' ' -f 1)" \
    --size="$(wc -c <"$work/clean.exe")" <"$work/clean.exe"
signed "with its SHA-256"
request must --sha256="$(sha256sum <"$work/virus.exe" | cut -d ' ' -f 1)" \
    <"$work/clean.exe"
refused "with another one" 65
request must --pkcs7 <"$work/clean.exe"
signed "as a PKCS#7"

# --- what is not scanned -----------------------------------------------------------

# unscanned TEXT FILE PATTERN: "must" refuses, "try" signs, both on record.
unscanned()
{
	request must <"$2"
	refused "$1, required" 69
	check "says why" grep -q "$3" "$work/err"
	journal_says "on record" '"code":"scan"' '"exit":69'
	check "nothing was signed" not grep -q '"signed"' <(last_request)
	request try <"$2"
	if [ "$status" -eq 0 ] && grep -q 'warning: not scanned: ' "$work/err"
	then
		ok "$1, attempted: $(cat "$work/err")"
	else
		bad "$1, attempted: status $status, $(cat "$work/err")"
	fi
	journal_says "on record" '"scan":"unscanned"' '"scan_text":".*'"$3" \
	    '"status":"delivered"'
}
cp "$work/clean.exe" "$work/large.exe"
head -c 3000000 /dev/zero >>"$work/large.exe"
unscanned "larger than clamav_max_size" "$work/large.exe" clamav_max_size

# said PATTERN: of clamd, since the configuration was read.
said()
{
	grep -q "$1" <(tail -n +"$mark" "$dir/htsign-keyd.log")
}
# again PATTERN: read the configuration, and have clamd tested; it must say so.
again()
{
	mark=$(($(wc -l <"$dir/htsign-keyd.log") + 1))
	reload && within 20 said "$1"
}
reload()
{
	kill -HUP "$(cat "$dir/htsign-keyd.pid")"
}

stop_clamd
unscanned "clamd is absent" "$work/clean.exe" clamd
check "the test says so" again 'clamd cannot be used: '
request must <"$work/clean.exe"
refused "then nothing is uploaded" 69
check "who lists profiles sees it" grep -q 'must .*clamd cannot be used' \
    <(ssh -F "$dir/ssh_config" sign profiles 2>&1)
check "an old database" database 30
check "clamd starts" start_clamd
check "is seen" again 'clamd cannot be used: its database is older'
unscanned "the database is too old" "$work/clean.exe" 'is older'
request try <"$work/virus.exe"
refused "what it finds is refused all the same" 66
stop_clamd
check "a database without a date" database 9999
check "clamd starts" start_clamd
check "is seen" again 'clamd cannot be used: its database has no date'
stop_clamd
check "a database" database 1
check "clamd scans less than it should" start_clamd 'MaxFileSize 1M' \
    'MaxScanSize 1M'
check "is seen" again 'clamd cannot be used: it does not find a virus at the end'
unscanned "what it says is worth nothing" "$work/clean.exe" 'does not find'
stop_clamd
check "and one that says so" start_clamd 'StreamMaxLength 1M'
check "is seen" again 'clamd cannot be used: it does not find a virus at the end'
stop_clamd
check "clamd starts" start_clamd 'MaxScanSize 6M' 'AlertExceedsMax yes'
check "is well" again 'clamd finds what it should'
# The package fits; what is in it does not.
"$builddir/tests/support/make-appx" deflated files=5 size=1900000 \
    publisher="CN=htsign quickstart (test)" >"$work/large.msix" || exit 1
unscanned "a limit of clamd's is exceeded" "$work/large.msix" \
    Heuristics.Limits.Exceeded

# --- in the middle -----------------------------------------------------------------

# slowly PROFILE COMMAND ...: sends half a file, runs the command, sends the rest.
slowly()
{
	local profile=$1 n
	shift
	n=$(wc -c <"$work/clean.exe")
	request "$profile" < <(
		head -c $((n / 2)) "$work/clean.exe"
		sleep 1
		"$@" >&2
		tail -c +$((n / 2 + 1)) "$work/clean.exe"
	)
}
slowly must stop_clamd
refused "clamd is killed in the middle of a stream" 69
check "clamd starts" start_clamd
check "is well" again 'clamd finds what it should'
slowly try stop_clamd
check "attempted, it is signed" test "$status" -eq 0
journal_says "without a scan" '"scan":"unscanned"' '"status":"delivered"'
check "clamd starts" start_clamd
check "is well" again 'clamd finds what it should'

kill_pump()
{
	kill -KILL "$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-pump |
	    head -n 1)"
}
for profile in must try; do
	slowly "$profile" kill_pump
	refused "htsign-pump is killed in the middle, $profile" 69
	check "nothing was signed" not grep -q '"signed"' <(last_request)
done
request must <"$work/clean.exe"
signed "it is started again, and waited for"

kill -STOP "$clamd"
sed -i 's/clamav = "required";/& deadline = 3;/' "$dir/htsign.conf"
check "a short deadline" reload
sleep 1
request must <"$work/clean.exe"
refused "a clamd that hangs is not waited for any longer" 69
kill -CONT "$clamd"

# --- shares ------------------------------------------------------------------------

sed -i 's/deadline = 3;//; s/^clamav_socket/clamav_parallel = 2; &/' \
    "$dir/htsign.conf"
check "two at a time" again 'clamd finds what it should'
mkfifo "$work/fifo"
ssh -F "$dir/ssh_config" sign must <"$work/fifo" >"$work/first" 2>/dev/null &
first=$!
exec 5>"$work/fifo"
head -c 100 "$work/clean.exe" >&5
sleep 1
ssh -F "$dir/ssh_config" sign must <"$work/clean.exe" >"$work/second" \
    2>"$work/second.err" &
second=$!
check "one client has one: the second file waits, and its client is told" \
    within 10 grep -q 'waiting for a place at the virus scanner' \
    "$work/second.err"
new_client other must
door=other
request must <"$work/clean.exe"
signed "another client does not wait"
door=sign
tail -c +101 "$work/clean.exe" >&5
exec 5>&-
wait "$first" && wait "$second"
check "then both are signed" test "$?-$(wc -c <"$work/first")" = \
    "0-$(wc -c <"$work/second")"
done_testing
