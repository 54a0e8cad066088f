#!/bin/bash
# A fault at each system call by which keyd writes, syncs or sends, while it
# serves a request and while it starts: EIO, ENOSPC, and SIGKILL in its place.
# Nothing is released that is not on record, nobody takes half a file for a
# whole one, and soon after the fault a request is signed, with no human.
#
# The suite has the last write before each sync, which is the end of a commit,
# and some others by lot; with HTSIGN_FAULTS=all, by hand, it is every one.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util strace
[ "$(id -u)" -eq 0 ] || skip "it needs root to trace keyd"
endpoint 2474
sample app.exe
mkdir "$work/released"
calls='fdatasync fsync pwrite64 ftruncate fallocate sendmsg sendto'
read -r parent <"$dir/htsign-keyd.pid"
met=0 missed=0
seed=${HTSIGN_FAULTS_SEED:-$RANDOM}
patience=$((5000 * ${HTSIGN_PATIENCE:-1}))

now()
{
	echo $(($(date +%s%N) / 1000000))
}

# trace PID OPTION ...: what the process calls goes to $work/trace.
trace()
{
	local pid=$1
	shift
	rm -f "$work/trace"
	strace -qq -o "$work/trace" -e trace="${calls// /,}" "$@" -p "$pid" \
	    2>>"$work/strace.log" &
	tracer=$!
	until grep -q "^TracerPid:.$tracer\$" "/proc/$pid/status"; do
		kill -0 "$tracer" || return
	done 2>/dev/null
}

untrace()
{
	kill "$tracer" 2>/dev/null
	wait "$tracer" 2>/dev/null
}

# The call that took the fault's place must be one that keyd may make.
injection()
{
	case $2 in
	SIGKILL) echo "inject=$1:signal=SIGKILL:when=$3" ;;
	*) echo "inject=$1:error=$2:syscall=getpid:when=$3" ;;
	esac
}

was_hit()
{
	grep -qE 'INJECTED|killed by SIGKILL' "$work/trace"
}

# The trace's end.  Was the fault met within so many seconds?
meet()
{
	if within "$1" was_hit; then
		met=$((met + 1))
	else
		missed=$((missed + 1))
	fi
	untrace
}

# ask NAME: a request.  A whole file is put aside; else there must be nothing.
ask()
{
	request test-signing "$1" <"$work/app.exe"
	if [ "$status" -eq 0 ]; then
		mv "$work/out" "$work/released/$1"
	elif [ -s "$work/out" ]; then
		echo "$1: status $status and $(wc -c <"$work/out") bytes" \
		    >>"$work/halves"
	fi
}

# recover NAME: until a request is signed, from $from on.
recover()
{
	local took tries=
	ask "$1-then"
	while [ "$status" -ne 0 ] && [ $(($(now) - from)) -lt $((2 * patience)) ]; do
		tries="$tries $status: $(cat "$work/err")"
		sleep 0.05
		ask "$1-then"
	done
	took=$(($(now) - from))
	echo "$took $1" >>"$work/recovered-$phase"
	[ "$status" -eq 0 ] && [ "$took" -lt "$patience" ] ||
	    echo "$1: status $status after $took ms$tries" \
	        >>"$work/stayed-away"
}

# in_request CALL FAULT N: at the Nth such call of a request.
in_request()
{
	local name=$1-$2-$3 before from phase=in_request
	before=$(keyd_process)
	trace "$before" -e "$(injection "$@")"
	ask "$name"
	meet 1
	echo "$2 $status" >>"$work/statuses"
	from=$(now)
	recover "$name"
	case $1,$2,$status in
	*sync,E*)
		[ "$(keyd_process)" != "$before" ] ||
		    echo "$name" >>"$work/survived"
		;;
	pwrite64,ENOSPC,*)
		[ "$(keyd_process)" = "$before" ] ||
		    echo "$name" >>"$work/ended"
		;;
	esac
}

# in_start CALL FAULT N: at the Nth such call of a keyd that starts.
in_start()
{
	local name=start-$1-$2-$3 from phase=in_start
	trace "$parent" -f -e "$(injection "$@")"
	kill -KILL "$(keyd_process)"
	meet 3
	from=$(now)
	recover "$name"
}

# draw WORDS: one of them, into $drawn.
draw()
{
	local words
	read -ra words <<<"${1//$'\n'/ }"
	drawn=${words[RANDOM % ${#words[@]}]}
}

# last_writes WHERE: which writes come just before a sync.
last_writes()
{
	awk '/pwrite64\(/ { n++; open = 1 }
	    /fdatasync\(/ { if (open) print n; open = 0 }' "$work/$1.trace"
}

# each_fault WHERE CALL ...: at these calls.
each_fault()
{
	local where=$1 call n fault of numbers faults
	shift
	for call; do
		of=$(grep -c "\<$call(" "$work/$where.trace")
		ok "$where has $of times $call"
		numbers=$(seq "$of") faults='EIO ENOSPC SIGKILL'
		if [ "${HTSIGN_FAULTS-}" = all ] || [ "$of" -eq 0 ]; then
			:
		elif [ "$call" = pwrite64 ]; then
			numbers=$(last_writes "$where")
		else
			draw "$numbers"
			numbers=$drawn
			[ "$call" = fdatasync ] || { draw "$faults"; faults=$drawn; }
		fi
		for n in $numbers; do
			for fault in $faults; do
				"$where" "$call" "$fault" "$n"
			done
		done
	done
}

# recovered WHERE: a line about how long that took.
recovered()
{
	sort -n "$work/recovered-$1" | awk -v where="$1" '
	    { ms[NR] = $1; name = $2 }
	    END { printf "%d faults %s: recovery took %d ms in the median, " \
	        "%d ms at most (%s)\n", NR, where, ms[int((NR + 1) / 2)],
	        ms[NR], name }'
}

none_of()
{
	! cat "$work/$1" 2>/dev/null
}

# --- what there is --------------------------------------------------------------

calls="$calls recvmsg" check "keyd can be traced" trace "$(keyd_process)"
ask counted
sleep 0.5
untrace
cp "$work/trace" "$work/in_request.trace"
synced_first()
{
	awk '/pwrite64\(/ { open = $0 } /sync\(/ { open = "" }
	    /send(msg|to)\(/ { sent++; if (open != "") { print open; print; bad = 1 } }
	    END { exit bad || sent == 0 }' "$work/in_request.trace"
}
check "what was written is synced before anything is sent" synced_first
# Writing behind an answer, without another message, is the answer's own commit.
committed_first()
{
	awk '/recvmsg\(/ { sent = "" } /send(msg|to)\(/ { sent = $0 }
	    /pwrite64\(/ { writes++; if (sent != "") { print sent; print; bad = 1 } }
	    END { exit bad || writes == 0 }' "$work/in_request.trace"
}
check "and an answer leaves when it is committed" committed_first

starts()
{
	grep -c 'token softhsm: ready' "$dir/htsign-keyd.log"
}
before=$(starts)
trace "$parent" -f
kill -KILL "$(keyd_process)"
has_started()
{
	[ "$(starts)" -gt "$before" ]
}
check "keyd starts while it is traced" within 20 has_started
untrace
grep "^$(keyd_process) " "$work/trace" >"$work/in_start.trace"

# --- the faults -----------------------------------------------------------------

RANDOM=$seed
ok "HTSIGN_FAULTS_SEED=$seed"

# The parent calls sendmsg, too, and nobody would start it again.
# shellcheck disable=SC2086 # a list
each_fault in_start ${calls/sendmsg/}
# shellcheck disable=SC2086 # a list
each_fault in_request $calls

ok "$(recovered in_start)"
ok "$(recovered in_request)"
ok "requests ended with: $(sort "$work/statuses" | uniq -c |
    awk '{ printf "%s%s %s %d times", s, $2, $3, $1; s = ", " }')"
check "$met of these faults were met, $missed were not" test "$met" -gt "$missed"
check "soon after each one a request is signed" none_of stayed-away
check "whoever got no whole file got none" none_of halves
check "all that was released is on record" released_is_recorded
check "and whole" released_is_whole
check "keyd ends after a failed sync" none_of survived
check "it does not end for want of room" none_of ended
check "the journal is sound" admin rebuild
nothing_is_open()
{
	! admin 'log --json --limit=100000' | grep -E \
	    '"status":"(asked|decided|signed|finished)"'
}
check "nothing is open" nothing_is_open
done_testing
