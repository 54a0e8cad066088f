#!/bin/bash
# One client does its worst in turn, first a valid one, then a disabled one.
# Meanwhile ten others sign: none fails, and none waits long.  An administrator
# logs in and disables the one at once.
#
# HTSIGN_FULL is how many seconds each part lasts, 1 by default.  With it the
# bounds are those of a machine that does nothing else: the 95th percentile of
# the others' times is at most twice what it was just before, or 100 ms more.
# HTSIGN_ATTACKS names those to run.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh ssh-keygen softhsm2-util osslsigncode setsid
python=/usr/bin/python3
"$python" -c 'import asyncssh' 2>/dev/null ||
    skip "python3-asyncssh is missing"

seconds=${HTSIGN_FULL:-1}
attacks=${HTSIGN_ATTACKS:-connections half_open unread spools rows refused idle
    slow packets}
if [ -n "${HTSIGN_FULL-}" ]; then
	# Clients have machines of their own: let ours not wait for the endpoint's.
	echo -10 >/proc/self/autogroup
	times=2 more=100 admin_ms=2000
else
	times=5 more=5000 admin_ms=10000
fi

endpoint 2576
sample app.exe
for i in 0 1 2 3 4 5 6 7 8 9; do
	new_client "c$i" test-signing || exit 1
done
worst=
others=()

cleanup_more()
{
	kill ${worst:+"$worst"} "${others[@]}" 2>/dev/null
}

# other NUMBER: signs about once a second until $work/stop is there, at times of its
# own: one delay must not make all ten come at once from then on.  A line of
# $work/cNUMBER.log is when it began, its status, and how long it took, in us.
other()
{
	local from to
	sleep "0.$1"
	while [ ! -e "$work/stop" ]; do
		from=${EPOCHREALTIME/./}
		ssh -F "$dir/ssh_config" "c$1" test-signing <"$work/app.exe" \
		    >"$work/c$1.out" 2>>"$work/c$1.err"
		status=$?
		to=${EPOCHREALTIME/./}
		[ -s "$work/c$1.out" ] || status=$status-empty
		echo "$from $status $((to - from))" >>"$work/c$1.log"
		sleep "$((RANDOM % 2)).$((RANDOM % 10))"
	done
}

# between FROM TO: what went on then, at any time.
between()
{
	cat "$work"/c?.log | awk -v from="$1" -v to="$2" \
	    '$1 + $3 >= from && $1 < to'
}

# p95 FROM TO: of the times of what went on then, in ms.
p95()
{
	between "$1" "$2" | awk '{ print $3 }' | sort -n | awk '{ t[NR] = $1 }
	    END { printf "%d\n", t[int((NR * 95 + 99) / 100)] / 1000 }'
}

# worst ATTACK: begin it.  It has a session of its own, which gets what others
# leave: what is measured is the endpoint, and not the attacker's own work.
worst()
{
	rm -f "$work/say"
	mkfifo "$work/say"
	# shellcheck disable=SC2016 # for the inner shell
	setsid sh -c 'echo 19 >/proc/self/autogroup; exec nice -n 19 "$@"' - \
	    "$python" "$srcdir/tests/support/worst_client.py" "$port" \
	    "$dir/ci" 127.1.0.1 "$work/app.exe" "$1" <"$work/say" \
	    >"$work/worst" 2>"$work/worst.err" &
	worst=$!
	exec {say}>"$work/say"
}

# did: what it has done since this was asked last.
did()
{
	local before
	before=$(wc -l <"$work/worst")
	echo >&"$say"
	within 30 more_lines "$before" && tail -n 1 "$work/worst"
}

more_lines()
{
	[ "$(wc -l <"$work/worst")" -gt "$1" ]
}

# attack NAME: the times at which its parts began and ended go to $parts.
attack()
{
	local before from half to took valid
	before=${EPOCHREALTIME/./}
	sleep "$seconds"
	worst "$1"
	did >/dev/null
	from=${EPOCHREALTIME/./}
	sleep "$seconds"
	half=${EPOCHREALTIME/./}
	# shellcheck disable=SC2033 # the host, not the function
	check "$1: an administrator is let in and disables it" \
	    ssh -F "$dir/ssh_config" admin client disable ci
	took=$(((${EPOCHREALTIME/./} - half) / 1000))
	check "$1: in $took ms" test "$took" -le "$admin_ms"
	valid=$(did)
	half=${EPOCHREALTIME/./}
	sleep "$seconds"
	echo "$1: valid: $valid; disabled: $(did)"
	to=${EPOCHREALTIME/./}
	exec {say}>&-
	kill "$worst"
	wait "$worst" 2>/dev/null
	worst=
	admin 'client enable ci' >/dev/null
	parts+=("$1 $before $from $half $to")
	sleep 1
}

# others_do_not_notice NAME BEFORE FROM HALF TO
others_do_not_notice()
{
	local number without with disabled most
	number=$(between "$3" "$5" | wc -l)
	without=$(p95 "$2" "$3") with=$(p95 "$3" "$4") disabled=$(p95 "$4" "$5")
	most=$((without * times > without + more ? without * times
	    : without + more))
	check "$1: of $number requests of others none fails" test \
	    "$number" -ge 10 -a -z "$(between "$3" "$5" | awk '$2 != "0"')"
	check "$1: their 95th percentile is $without ms without it, $with ms \
with it, $disabled ms when it is disabled" \
	    test "$with" -le "$most" -a "$disabled" -le "$most"
}

parts=()
for i in 0 1 2 3 4 5 6 7 8 9; do
	other "$i" & others+=($!)
done
sleep 2
for name in $attacks; do
	attack "$name"
done
touch "$work/stop"
wait "${others[@]}"
others=()
for part in "${parts[@]}"; do
	# shellcheck disable=SC2086 # a name, and times
	others_do_not_notice $part
done
for i in 0 1 2 3 4 5 6 7 8 9; do
	check "what c$i got verifies" verify_osslsigncode "$work/c$i.out"
done
done_testing
