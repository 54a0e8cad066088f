#!/bin/bash
# A profile with certificates on two tokens: work goes to both; one that is taken
# away in the middle, or is slow, costs no request, and comes back by itself;
# without both a request ends with 69.  At both doors.
#
# By hand: HTSIGN_FULL=1 for 500 files.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util openssl pgrep xargs
files=60
[ -z "${HTSIGN_FULL-}" ] || files=500
if [ "$(id -u)" -eq 0 ]; then
	. "$srcdir/tests/support/installed.sh"
	installed_endpoint 2432 2433
	doors=(sign openssh) etc=/etc/htsign place=$fake
else
	endpoint 2432
	doors=(sign sign) etc=$dir place=$dir
fi
sample app.exe

. "$srcdir/tests/support/second-token.sh"
second_token "$etc" "$place"
use_both_tokens "$etc" "$place"
reconfigure ''

# state TOKEN WORD: it is in this state.
state()
{
	admin tokens | grep -q "^$1  *$2 "
}

# sign_many N: so many files, eight at a time, at the doors in turn; prints the
# number of each that fails, and why.
sign_one()
{
	ssh -F "$dir/ssh_config" "$1" test-signing <"$work/app.exe" \
	    >"$work/out.$2" 2>"$work/err.$2" && [ -s "$work/out.$2" ] ||
	    echo "$2 at $1: $? $(cat "$work/err.$2")"
	rm -f "$work/out.$2"
}
sign_many()
{
	local i
	export -f sign_one
	export dir work
	for i in $(seq "$1"); do
		echo "${doors[i % 2]} $i"
	done | xargs -P 8 -L 1 bash -c 'sign_one "$@"' sign_one
}

# signed_by TOKEN: how many files.
signed_by()
{
	admin 'log --json --limit=1000' | grep -c "\"token\":\"$1\".*delivered"
}

check "both tokens are there" within 20 state second ready
check "both" within 20 state softhsm ready
sign_many 16 >"$work/failed"
check "16 files: none fails" test ! -s "$work/failed"
first=$(signed_by softhsm) second=$(signed_by second)
check "both tokens sign: $first and $second" \
    test "$first" -gt 0 -a "$second" -gt 0

# --- one is taken away ------------------------------------------------------------------

# The workers have no names: the second token is first in the configuration.
worker_of_second()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-token | sort -n |
	    head -n 1
}
begun()
{
	[ "$(admin 'log --json --limit=1000' | wc -l)" -ge "$1" ]
}
sign_many "$files" >"$work/failed" &
many=$!
check "a third is under way" within 120 begun $((16 + files / 3))
worker=$(worker_of_second)
# Stopped for a moment, so that it has something to lose.
kill -STOP "$worker"
sleep 2
mv "$place/second" "$place/away"
kill -KILL "$worker"
wait "$many"
check "$files files, one token taken away: none fails" \
    test ! -s "$work/failed"
cat "$work/failed"
check "each has one row that is delivered" test "$(admin \
    'log --json --limit=1000' | grep -c '"status":"delivered"')" = \
    $((16 + files))
check "it is away" within 10 state second away
admin tokens | sed 's/^/# /'
check "and why" grep -q '^second .*signed: .' <(admin tokens)

# --- both are away -----------------------------------------------------------------------

worker=$(token_worker)
mv "$place/tokens" "$place/away.first"
kill -KILL "$worker"
check "both are away" within 10 state softhsm away
for door in "${doors[@]}"; do
	start=$SECONDS
	request test-signing <"$work/app.exe"
	refused "without both, at $door, in $((SECONDS - start)) s" 69
done
door=sign
mv "$place/away" "$place/second"
mv "$place/away.first" "$place/tokens"
start=$SECONDS
check "one is back by itself" within 20 state second ready
check "and the other" within 20 state softhsm ready
echo "# both were back after $((SECONDS - start)) s"

# --- one is slow ------------------------------------------------------------------------

kill -STOP "$(token_worker)"
sign_many 8 >"$work/failed" &
many=$!
slow()
{
	admin tokens | grep -Eq '^(second|softhsm)  *slow .*takes long'
}
check "one that does not answer is slow" within 15 slow
request test-signing <"$work/app.exe"
signed "the other one signs meanwhile"
kill -CONT "$(token_worker)"
wait "$many"
check "none fails" test ! -s "$work/failed"
cat "$work/failed"
not_slow()
{
	state second ready && state softhsm ready
}
check "and it is taken back" within 10 not_slow
done_testing
