#!/bin/bash
# A connection that is cut, a keyd that is killed: nothing is signed as if it
# were whole, the journal says what happened, nothing is left behind, and the
# next request is served.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 2449
sample app.exe

# SoftHSM behind a module that counts the sessions; single_user goes by names.
# A worker that is stopped for a while is to be the same afterwards.
mkdir "$work/control"
cp "$builddir/tests/support/lying-token.so" "$work/libsofthsm2.so"
reconfigure "s|module = \"\(.*\)\";|module = \"$work/libsofthsm2.so\";|
    s|environment = \[|& \"LYING_MODULE=$(find_module)\",\
        \"LYING_CONTROL=$work/control\",|
    s|writable = \[|& \"$work/control\",|
    s|pin = .*;|& timeout = 300;|"
{
	cat "$work/app.exe"
	head -c 40M /dev/urandom
} >"$work/big.exe"

# status_is WORD: how the last request stands in the journal.
status_is()
{
	last_request | grep -q "\"status\":\"$1\""
}

events_hold()
{
	admin "show $1 --json" | grep -q "\"$2\""
}

last_number()
{
	last_request | sed 's/.*"request":\([0-9]*\).*/\1/'
}

shells()
{
	descendants "$(cat "$dir/sshd-sign.pid")" htsign-shell
	descendants "$(cat "$dir/sshd-sign.pid")" sshd-sign
}

keyd_process()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd
}

# Spools have no name: who has one open keeps it.
no_spools()
{
	[ -z "$(find "/proc/$(keyd_process)/fd" \
	    "/proc/$(cat "$dir/sshd-sign.pid")/fd" -lname "$dir/state/spool/*")" ]
}

nothing_left()
{
	[ -z "$(shells)" ] && [ -z "$(ls "$dir/state/spool")" ] && no_spools
}

# How many sessions of the token the worker that runs now has open.
sessions()
{
	awk '$1 == "initialize" || $1 == "all-sessions-closed" { n = 0 }
	    $1 == "session-opened" { n++ }
	    $1 == "session-closed" { n-- }
	    END { print n + 0 }' "$work/control/calls"
}

one_session()
{
	[ "$(sessions)" -eq 1 ]
}

descriptors()
{
	find "/proc/$1/fd" -type l | wc -l
}

# remember_worker; same_worker: as it was then.
remember_worker()
{
	worker=$(token_worker)
	worker_files=$(descriptors "$worker")
}

same_worker()
{
	[ "$(token_worker)" = "$worker" ] &&
	    [ "$(descriptors "$worker")" -eq "$worker_files" ]
}

next()
{
	check "no process and no file is left" within 30 nothing_left
	check "nor a session but the worker's own" within 30 one_session
	request test-signing <"$work/app.exe"
	signed "the next request is served"
}

# start WORD ... <in: a request in the background, $client is its ssh.
start()
{
	ssh -F "$dir/ssh_config" sign "$@" >"$work/out" 2>"$work/err" <&0 \
	    9>&- &
	client=$!
}

next
remember_worker

# All of the file has come, but not its end.
mkfifo "$work/pipe"
exec 9<>"$work/pipe"
start test-signing <"$work/pipe"
cat "$work/app.exe" >&9
check "an upload is under way" within 30 status_is asked
kill -KILL "$client"
check "cut before its end, it is aborted" within 30 status_is aborted
exec 9>&-
check "and never decided" not events_hold "$(last_number)" decided
next
check "by the same worker" same_worker

# The client ends while a token has its request.
kill -STOP "$worker"
start test-signing <"$work/app.exe"
check "a token has a request" within 30 status_is decided
kill -KILL "$client"
check "its shell ends with the connection" within 30 nothing_left
kill -CONT "$worker"
check "what was signed without a client is on record" within 30 \
    status_is aborted
check "as signed" events_hold "$(last_number)" signed
next
check "by the same worker" same_worker

# The client takes a part of the reply.
mkfifo "$work/slow"
(head -c 1000 >/dev/null && exec sleep 60) <"$work/slow" &
reader=$!
ssh -F "$dir/ssh_config" sign test-signing <"$work/big.exe" >"$work/slow" \
    2>"$work/err" &
client=$!
check "a reply is under way" within 30 status_is finished
kill -KILL "$client"
kill "$reader"
check "cut within it, it is undelivered" within 30 status_is undelivered
next
check "by the same worker" same_worker

# keyd is killed while a token has a request.
kill -STOP "$worker"
start test-signing <"$work/app.exe"
check "a shell waits for its signature" within 30 status_is decided
number=$(last_number)
kill -KILL "$(keyd_process)"
wait "$client"
status=$?
refused "without keyd" 69
check "keyd is back" within 30 admin tokens
check "the outcome is unknown, and says so" within 30 status_is maybe-signed
check "it is the same request" test "$(last_number)" = "$number"
next

# keyd is killed while a file comes.
mkfifo "$work/upload"
exec 9<>"$work/upload"
start test-signing <"$work/upload"
head -c 1000 "$work/app.exe" >&9
check "an upload is under way" within 30 status_is asked
kill -KILL "$(keyd_process)"
wait "$client"
status=$?
exec 9>&-
refused "without keyd during an upload" 69
check "keyd is back" within 30 admin tokens
check "it is aborted" within 30 status_is aborted
next

# An upload that says what it is, and is not.
request test-signing --size=1 <"$work/app.exe"
refused "more than was announced" 65
request test-signing "--sha256=$(printf '%064d' 0)" <"$work/app.exe"
refused "other bytes than were announced" 65
size=$(wc -c <"$work/app.exe")
hash=$(sha256sum "$work/app.exe" | cut -d ' ' -f 1)
request test-signing "--size=$size" "--sha256=$hash" <"$work/app.exe"
signed "what was announced"

done_testing
