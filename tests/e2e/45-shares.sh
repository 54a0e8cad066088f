#!/bin/bash
# What one client can take from the others at sshd-sign, and what is left to
# them: connections, sessions and processor time.  The figures are in
# SECURITY.md.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh ssh-keygen softhsm2-util osslsigncode
python=/usr/bin/python3
"$python" -c 'import asyncssh' 2>/dev/null ||
    skip "python3-asyncssh is missing"

endpoint 2561
sample app.exe
reconfigure 's/host_keys = /max_connections = 32; &/;
    s/name = "test-signing";/& max_queue = 1000;/'
new_client other test-signing || exit 1
listener=$(cat "$dir/sshd-sign.pid")
greedy=

cleanup_more()
{
	[ -z "$greedy" ] || kill "$greedy" 2>/dev/null
}

# greedy CONNECTIONS SESSIONS REFUSED: a client that holds all it gets, until release.
# $took is what that was, and $told what the last refused session was told.
greedy()
{
	mkfifo "$work/hold"
	"$python" "$srcdir/tests/support/greedy_client.py" "$port" "$dir/ci" \
	    "$@" test-signing <"$work/hold" >"$work/greedy" 2>&1 &
	greedy=$!
	exec {hold}>"$work/hold"
	within 300 grep -qE '^[0-9]+ connections' "$work/greedy"
	sleep 0.3
	took=$(head -n 1 "$work/greedy")
	told=$(sed -n 2p "$work/greedy")
}

release()
{
	exec {hold}>&-
	wait "$greedy"
	greedy=
	rm "$work/hold"
}

connections()
{
	descendants "$listener" sshd-sign | wc -l
}

# others_notice_nothing: neither a client nor an administrator.
others_notice_nothing()
{
	local i
	door=other
	for i in 1 2 3; do
		request test-signing <"$work/app.exe"
		signed "another client signs, $i"
	done
	door=sign
	check "an administrator is let in" ssh -F "$dir/ssh_config" admin log
}

# --- connections ----------------------------------------------------------------

greedy 24 1 8
check "of 32 connections one client has half: $took" \
    test "$took" = "24 connections, 16 sessions, 8 refused"
check "more are told what to do: $told" test "$told" = "75: sshd-sign: ci has 16 \
connections open, which is its share: close some, or use one for many \
sessions; try again in 5 s"
request test-signing <"$work/app.exe"
refused "so is ssh" 75
others_notice_nothing
check "the log has one line for all of them" test \
    "$(grep -c 'session refused: ci has 16 conn' "$dir/sshd-sign.log")" -eq 1
refused_end()
{
	[ "$(connections)" -le 16 ]
}
check "connections without a place end" within 8 refused_end
release
request test-signing <"$work/app.exe"
signed "then it can sign again"

# --- sessions -------------------------------------------------------------------

greedy 9 64 64
check "of 1024 sessions one client has half: $took" \
    test "$took" = "9 connections, 512 sessions, 64 refused"
check "more are told what to do: $told" test "$told" = "75: sshd-sign: ci has 512 \
sessions open, which is its share: let some end first; try again in 5 s"
request test-signing <"$work/app.exe"
refused "so is ssh" 75
others_notice_nothing

# --- who is disabled is gone at once ----------------------------------------------

mkfifo "$work/fifo"
ssh -F "$dir/ssh_config" other test-signing <"$work/fifo" >"$work/kept" \
    2>"$work/kept.err" &
kept=$!
exec {fifo}>"$work/fifo"
no_shells()
{
	[ "$(descendants "$listener" htsign-shell | wc -l)" -le 1 ]
}
started=$(date +%s%N)
# shellcheck disable=SC2033 # the host, not the function
ssh -F "$dir/ssh_config" admin client disable ci
took=$((($(date +%s%N) - started) / 1000000))
check "an administrator disables it in $took ms" test "$took" -lt 2000
check "its shells end" within 20 no_shells
check "its connections end" within 20 grep -q '^closed' "$work/greedy"
told=$(grep -c '77: htsign: request [0-9]*: client ci is disabled$' \
    "$work/greedy")
check "of 512 sessions $told were told in time" test "$told" -ge 1
release
cat "$work/app.exe" >&"$fifo"
exec {fifo}>&-
wait "$kept"
check "another client's session went on" test $? -eq 0
check "and was signed" verify_osslsigncode "$work/kept"
admin 'client enable ci'
request test-signing <"$work/app.exe"
signed "a client that is enabled again"
done_testing
