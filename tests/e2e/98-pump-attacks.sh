#!/bin/bash
# Attacks on the way through htsign-pump: a clamd that was taken over, clients that
# leave at every point, a pump that hangs, and keyd and htsign-pump killed under
# load.  Others sign meanwhile, nothing is left behind, and nothing is signed that
# is not kept.
#
# HTSIGN_SEED (1), HTSIGN_REQUESTS (150) and HTSIGN_KILLS (6) are for long runs by
# hand.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util sqlite3
/usr/bin/python3 -c 'import asyncssh' 2>/dev/null || skip "asyncssh is missing"
seed=${HTSIGN_SEED:-1}
RANDOM=$seed
clamav=$work/clamav
mkdir "$clamav"
/usr/bin/python3 "$srcdir/tests/support/false_clamd.py" "$clamav" &
clamd=$!
disown "$clamd"
cleanup_more()
{
	kill "$clamd" 2>/dev/null
}
check "a clamd" within 10 test -S "$clamav/sock"
endpoint 2981
reconfigure "/^certificates = (/i clamav_socket = \"$clamav/sock\";\
	clamav_max_size = \"2M\";
	/^profiles = (/a\
	{ name = \"must\"; certificates = [ \"test\" ]; clamav = \"required\"; },\
	{ name = \"try\"; certificates = [ \"test\" ]; clamav = \"attempt\"; },\
	{ name = \"all\"; certificates = [ \"test\" ]; clamav = \"required\";\
	  archive = \"both\"; },"
for profile in must try all; do
	admin "grant ci $profile"
done
new_client other all
admin "grant other test-signing"
archive=$dir/state/archive
sample app.exe

pumps()
{
	local pid
	for pid in $(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-pump); do
		has_ended "$pid" || echo "$pid"
	done
}
# files PROCESS ...: how many descriptors they have.
files()
{
	local pid
	for pid in "$@"; do
		find "/proc/$pid/fd" -mindepth 1 | wc -l
	done
}
# leave SEED REQUESTS: a client that seldom stays.
leave()
{
	/usr/bin/python3 "$srcdir/tests/support/leaving_client.py" "$port" \
	    "$dir/ci" "$work/app.exe" all "$1" "$2" 6 >"$work/left"
}
query()
{
	sqlite3 "$dir/state/journal.db" "$1"
}
nothing_is_left()
{
	[ "$(pumps | wc -l)" -eq 1 ] &&
	    diff <(query "SELECT sha256 FROM archive ORDER BY 1") \
	        <(find "$archive" -type f -printf '%f\n' | sort)
}
# others_sign PROFILE: within ten seconds, however busy the machine is.
others_sign()
{
	timeout 10 ssh -F "$dir/ssh_config" other "$1" <"$work/app.exe" \
	    >"$work/other" && [ -s "$work/other" ]
}

# --- a clamd that was taken over --------------------------------------------------

for way in nothing nuls huge lines half newline space other escapes octets breaks \
    long no-name early reset; do
	echo "$way" >"$clamav/mode"
	head -c 300000 /dev/zero | cat "$work/app.exe" - >"$work/large.exe"
	request must <"$work/large.exe"
	refused "$way, required" 69
	check "printable" not grep -q '[^ -~]' "$work/err"
	request try <"$work/large.exe"
	check "$way, attempted" test "$status-$(grep -c 'not scanned: ' \
	    "$work/err")" = 0-1
done
echo formats >"$clamav/mode"
request try <"$work/app.exe"
refused "a name is a name" 66
: >"$clamav/mode"
check "all of that is no verdict" test "$(query "SELECT count(*) FROM signing
    WHERE scan NOT IN ('unscanned', 'virus')")" -eq 0

# --- clients that leave --------------------------------------------------------------

check "another client" others_sign all
mapfile -t first < <(files "$(keyd_process)" "$(pumps)" \
    "$(cat "$dir/sshd-sign.pid")")
leave "$seed" "${HTSIGN_REQUESTS:-150}" &
leaving=$!
check "signs meanwhile" others_sign all
check "and again" others_sign all
wait "$leaving"
ok "$(cat "$work/left")"
check "no process and no file is left" within 10 nothing_is_left
as_before()
{
	mapfile -t now < <(files "$(keyd_process)" "$(pumps)" \
	    "$(cat "$dir/sshd-sign.pid")")
	for i in 0 1 2; do
		[ "${now[i]}" -le $((first[i] + 2)) ] ||
		    { echo "${first[*]}: ${now[*]}"; return 1; }
	done
}
check "nor a descriptor" within 10 as_before
check "nor a line in the log" not grep 'htsign-pump: ' "$dir/htsign-keyd.log"

# --- a pump that hangs ------------------------------------------------------------------

pump=$(pumps)
kill -STOP "$pump"
leave "$((seed + 1))" 30 &
leaving=$!
check "others sign without it" others_sign test-signing
kill -CONT "$pump"
wait "$leaving"
check "others sign with it" others_sign all
check "no process and no file is left" within 10 nothing_is_left
check "nor a descriptor" within 10 as_before

# --- killing ----------------------------------------------------------------------------

leave "$((seed + 2))" 400 &
leaving=$!
for ((i = 0; i < ${HTSIGN_KILLS:-6}; i++)); do
	sleep "0.$((RANDOM % 10))"
	if [ $((RANDOM % 3)) -eq 0 ]; then
		victim=$(keyd_process)
	else
		victim=$(pumps | shuf -n 1 --random-source=<(yes "$RANDOM"))
	fi
	[ -z "$victim" ] || kill -KILL "$victim"
done 2>/dev/null
kill "$leaving" 2>/dev/null
wait "$leaving" 2>/dev/null
check "then others sign" within 30 others_sign all
check "no process and no file is left" within 10 nothing_is_left
check "nothing is signed that is not kept" test "$(query "SELECT count(*) FROM
    event d WHERE kind = 'decided' AND request IN (SELECT request
    FROM signing WHERE profile = 'all') AND NOT EXISTS (SELECT 1 FROM event a
    WHERE a.request = d.request AND a.kind = 'archived' AND a.seq < d.seq)")" -eq 0
whole()
{
	(cd "$archive" && sha256sum -- * | awk '$1 != $2 { exit 1 }')
}
check "what is kept is what was sent" whole
done_testing
