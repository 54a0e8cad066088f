#!/bin/bash
# A token that lies (tests/support/lying_token.c): each of its faults at both
# doors, with the status, the line and the row that come of it, and the time
# until a request is signed again; then all of them by lot.  No file is released
# that is wrong or not on record, no request is lost, no PIN is spent, and the
# endpoint works by itself as soon as the token does.
#
# HTSIGN_FULL (40) is how many requests meet faults by lot; 10000 by hand.
# HTSIGN_SEED (1) is the seed.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
full=${HTSIGN_FULL:-40} seed=${HTSIGN_SEED:-1}
patience=$((10000 * ${HTSIGN_PATIENCE:-1}))
installed_endpoint 2533 2534
control=$fake/control
sample app.exe
mkdir "$work/released" "$control"
own htsign-token 700 "$control"
cp "$builddir/tests/support/lying-token.so" "$fake/libsofthsm2.so"
reconfigure "s|module = \"\(.*\)\";|module = \"$fake/libsofthsm2.so\";|
    s|environment = \[|& \"LYING_MODULE=$(find_module)\",\
        \"LYING_CONTROL=$control\",|
    s|writable = \[|& \"$control\",|
    s|pin = .*;|& timeout = 1;|"

now()
{
	echo $(($(date +%s%N) / 1000000))
}

# ask DOOR NAME: one request; what is released is put aside, and how it ended is
# a line of $work/ends.
ask()
{
	local out=$work/released/$2 err=$work/$2.err
	ssh -F "$dir/ssh_config" "$1" test-signing "$2" <"$work/app.exe" \
	    >"$out" 2>"$err"
	status=$? line=$(tail -n 1 "$err") # after those that say why it waits
	[ "$status" -eq 0 ] || mv "$out" "$out.part"
	rm "$err"
	printf '%s\t%s\t%s\n' "$status" "$2" "$line" >>"$work/ends"
}

# lie FAULT TIMES: from the next call on.
lie()
{
	head -c "$2" /dev/zero >"$control/$1"
	chmod 666 "$control/$1"
}

# recover NAME: until a request is signed, and how long that took from $from on.
recover()
{
	local n=0
	until [ "$status" -eq 0 ] || [ $(($(now) - from)) -gt "$patience" ]; do
		sleep 0.2
		n=$((n + 1))
		ask sign "$1-then-$n"
	done
	took=$(($(now) - from))
	echo "$took $1" >>"$work/recovered"
	[ "$status" -eq 0 ]
}

# meet DOOR FAULT STATUS ROW LINE
meet()
{
	local name=$1-${2//[ :]/-} each what from status line row
	for each in $2; do
		lie "${each%:*}" "${each#*:}"
	done
	from=$(now)
	ask "$1" "$name"
	row=$(last_request)
	what="$2 at $1: $status${line:+, $line}"
	if [ "$status" = "$3" ] && grep -Eqx -- "$5" <<<"$line" &&
	    grep -Eq -- "\"status\":\"${4%/*}\".*\"attempts\":${4#*/}," <<<"$row"
	then
		ok "$what"
	else
		bad "$what (not $3, $4, $5)"
		echo "$row"
	fi
	recover "$name" || bad "$name: away for $took ms"
}

# The faults, so many times; the status; the row's status and how often the
# token had the request; the line.  A fault that shows as the module is loaded
# needs another one before it.
table()
{
	local failed='htsign: request [0-9]+: token softhsm'
	cat <<-TABLE
	sign-crash:1|0|delivered/2|
	sign-crash:2|69|maybe-signed/2|$failed failed twice with this: the worker died
	sign-hang:1|0|delivered/2|
	sign-hang:2|69|maybe-signed/2|$failed failed twice with this: no answer in 1 s
	sign-removed:1|0|delivered/2|
	sign-removed:2|69|maybe-signed/2|$failed failed twice with this: .*
	sign-logged-out:1|0|delivered/2|
	sign-forgets:1|0|delivered/2|
	sign-context:1|0|delivered/2|
	sign-context:2|69|maybe-signed/2|$failed failed twice with this: .*
	sign-refused:1|69|failed/1|$failed did not sign: .*
	sign-unknown:1|69|failed/1|$failed did not sign: .*
	sign-wrong:1|70|failed/1|htsign: request [0-9]+: the signature does not verify .*
	sign-short:1|70|failed/1|htsign: request [0-9]+: the signature does not verify .*
	unplugs:1|69|maybe-signed/1|$failed is away: .*
	reopens:1|69|maybe-signed/1|$failed is away: .*
	open-arguments:1 sign-removed:1|69|maybe-signed/1|$failed is away: .*
	open-removed:1 sign-removed:1|69|maybe-signed/1|$failed is away: .*
	finalize-crash:1 sign-removed:1|0|delivered/2|
	slots-empty:1 sign-removed:1|0|delivered/2|
	keys-empty:1 sign-removed:1|69|maybe-signed/1|$failed, key .*
	login-removed:1 sign-removed:1|69|maybe-signed/1|$failed is away: .*
	login-crash:1 sign-removed:1|69|maybe-signed/1|$failed is away: .*
	login-late-crash:1 sign-removed:1|69|maybe-signed/1|$failed is away: .*
	TABLE
}

calls()
{
	grep -cx "$1" "$control/calls"
}

events()
{
	admin 'events --json --limit=1000000' | grep -c "\"kind\":\"$1\""
}

# --- one by one ---------------------------------------------------------------

for door in sign openssh; do
	while IFS='|' read -r faults wanted row line <&3; do
		meet "$door" "$faults" "$wanted" "$row" "$line"
	done 3< <(table)
done
ok "recovery, in ms: $(sort -n "$work/recovered" | awk '
    { printf "%s%s %s", s, $2, $1; s = ", " }')"

# --- by lot -------------------------------------------------------------------

# several DOOR NAME FIRST LAST
several()
{
	local i
	for ((i = $3; i <= $4; i++)); do
		ask "$1" "$2-$i"
	done
}

# at_once NAME N: 4 N requests, half of them at each door, 4 at a time.
at_once()
{
	local i door pids=()
	for i in 0 1 2 3; do
		door=sign
		[ $((i % 2)) -eq 0 ] || door=openssh
		several "$door" "$1" $((i * $2 + 1)) $(((i + 1) * $2)) &
		pids+=($!)
	done
	wait "${pids[@]}"
}

echo "$seed 5" >"$control/seed"
chmod 666 "$control/seed"
at_once lot $(((full + 3) / 4))
rm "$control/seed"
from=$(now) status=69
recover lot
check "after $full requests by lot, with seed $seed, the endpoint \
works by itself, after $took ms" test "$status" -eq 0
ok "faults by lot: $(sed -n 's/^fault //p' "$control/calls" | sort | uniq -c |
    awk '{ printf "%s%s %s", s, $2, $1; s = ", " }')"

# --- several sessions ---------------------------------------------------------

lie extractable 1
reconfigure 's|pin_counted|sessions = 4; &|'
all_signed()
{
	[ "$(grep -c "^0.$1-" "$work/ends")" -eq 8 ]
}
echo 2 >"$control/session-limit"
at_once limit 2
check "a token that allows 2 sessions of 4 signs" all_signed limit
check "after it has said so" test "$(calls open-session)" -gt \
    "$(calls session-opened)"
rm "$control/session-limit"
: >"$control/one-thread"
for i in 1 2 3 4 5; do # a busy machine may have them one after the other
	at_once "threads-$i" 2
	[ "$(calls two-threads)" -eq 0 ] || break
done
check "two threads were in a module that breaks then" \
    test "$(calls two-threads)" -gt 0
rm "$control/one-thread"
from=$(now) status=69
recover threads
check "and when it does not break any more, it signs, after $took ms" \
    test "$status" -eq 0

# --- what came of it all ------------------------------------------------------

every_one_ended()
{
	admin 'log --json --limit=1000000' >"$work/rows"
	! grep -E '"status":"(asked|decided|signed|finished)"' "$work/rows" &&
	    [ "$(wc -l <"$work/rows")" -eq "$(wc -l <"$work/ends")" ] &&
	    ! cut -f 1 "$work/ends" | grep -vxE '0|69|70|75'
}
each_has_its_row()
{
	cut -f 1,2 "$work/ends" | sort >"$work/told"
	sed -E 's/.*"description":"([^"]*)".*"exit":([0-9]*).*/\2\t\1/' \
	    "$work/rows" | sort | diff - "$work/told"
}
nothing_but_whole_files()
{
	! find "$work/released" -name '*.part' -size +0 | grep .
}
# Each time that the token signed, or may have, there was an event before.
handed_over()
{
	local events
	events=$(events decided)
	echo "$(calls sign) of the token, $events events"
	[ "$(calls sign)" -ge "$(grep -c '^0' "$work/ends")" ] &&
	    [ "$(calls sign)" -le "$events" ]
}
no_pin_spent()
{
	[ "$(calls login-refused)$(calls login-low)" = 00 ] &&
	    [ "$(events pin-refused)$(events token-locked)" = 00 ]
}
check "each request of $(wc -l <"$work/ends") has ended" every_one_ended
check "each with the row of its status" each_has_its_row
check "all that was released is on record" released_is_recorded
check "and verifies" released_is_whole
check "nothing of others was" nothing_but_whole_files
check "the token signed nothing that was not on record before" handed_over
check "and never refused a PIN" no_pin_spent
check "a key that it says can be copied is on record" \
    test "$(events key-extractable)" = 1
check "the journal has the token's model, firmware and serial, once a start" \
    test "$(admin 'events --json --limit=1000000' | grep -cE \
    '"kind":"token-opened".*SoftHSM v2, firmware [0-9.]+, serial [0-9a-f]+')" = 3
done_testing
