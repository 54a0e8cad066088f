#!/bin/bash
# SIGKILL of any process, two a second, while eight clients sign.  Nothing is
# released that is not on record, nobody takes half a file for a whole one, and
# 5 seconds after the last kill a request is signed, with no human.
#
# HTSIGN_KILL_SECONDS (20) and HTSIGN_KILL_SEEDS ("1") are for long runs by hand.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 2472
sample app.exe
clients=8
mkdir "$work/released"

# add_processes PID: the kind of it and of all below it goes into kinds, the pid
# into pids.  The machine is busy, so this and what follows start no programs.
add_processes()
{
	local child top=''
	local words=() children=()
	mapfile -d '' words <"/proc/$1/cmdline"
	[ "${#words[@]}" -gt 0 ] || return
	[ "$1" != "$keyd_pid" ] && [ "$1" != "$sshd_pid" ] || top=-top
	kinds+=("${words[0]##*/}$top")
	pids+=("$1")
	read -r -a children <"/proc/$1/task/$1/children"
	for child in "${children[@]}"; do
		add_processes "$child"
	done
}

# A tenth of a second, from a pipe that nobody writes to.
mkfifo "$work/nothing"
exec 9<>"$work/nothing"
pause()
{
	read -r -t 0.1 -u 9
}

# kill_one: of a kind by lot, one by lot.  It prints the kind.
kill_one()
{
	local kinds=() pids=() chosen=() kind i
	local -A seen=()
	add_processes "$keyd_pid"
	add_processes "$sshd_pid"
	for i in "${!kinds[@]}"; do
		seen[${kinds[i]}]=1
	done
	set -- "${!seen[@]}"
	[ $# -gt 0 ] || return
	shift $((RANDOM % $#))
	kind=$1
	for i in "${!kinds[@]}"; do
		[ "${kinds[i]}" != "$kind" ] || chosen+=("${pids[i]}")
	done
	kill -KILL "${chosen[RANDOM % ${#chosen[@]}]}" && echo "$kind"
}

# What the service manager does for the two that nobody else starts again.
supervise()
{
	kill -0 "$keyd_pid" ||
	    start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
	kill -0 "$sshd_pid" ||
	    start_one sshd-sign "$sshd" -c "$dir/htsign.conf"
	read -r keyd_pid <"$dir/htsign-keyd.pid"
	read -r sshd_pid <"$dir/sshd-sign.pid"
}

# At each login SoftHSM empties its token's file before it writes it anew, so a
# kill in between destroys the token.  No hardware does that: put it back.
mend_softhsm()
{
	if [ -s "$token_file" ]; then
		empty=0
		return
	fi
	empty=$((empty + 1))
	[ "$empty" -ge 3 ] || return
	cp "$work/token.object" "$token_file"
	mended=$((mended + 1))
}

# One client: sign until it is told to stop.  Whole files are put aside; what
# came of a request that failed stays for a look.
client()
{
	local i=0 out
	while [ ! -e "$work/stop" ]; do
		i=$((i + 1))
		out=$work/released/$1-$2-$i
		if timeout 60 ssh -F "$dir/ssh_config" -o ConnectTimeout=20 \
		    sign test-signing "request $1-$2-$i" <"$work/app.exe" \
		    >"$out.part" 2>/dev/null; then
			mv "$out.part" "$out"
			echo 0
		else
			echo 1
		fi
	done >"$work/statuses-$1-$2" 2>/dev/null
}

# storm SECONDS SEED
storm()
{
	local i pids=() end=$((SECONDS + $1)) tick=0 keyd_pid sshd_pid
	RANDOM=$2
	rm -f "$work/stop" "$work/kills"
	read -r keyd_pid <"$dir/htsign-keyd.pid"
	read -r sshd_pid <"$dir/sshd-sign.pid"
	for i in $(seq "$clients"); do
		client "$2" "$i" &
		pids+=($!)
	done
	while [ "$SECONDS" -lt "$end" ]; do
		pause
		supervise
		mend_softhsm
		tick=$((tick + 1))
		[ $((tick % 5)) -ne 0 ] || kill_one >>"$work/kills"
	done 2>"$work/storm.log"
	: >"$work/stop"
	for i in $(seq 50); do
		supervise
		mend_softhsm
		pause
	done 2>>"$work/storm.log"
	request test-signing "after $2" <"$work/app.exe"
	wait "${pids[@]}"
}

kills()
{
	sort "$work/kills" | uniq -c | awk '{ printf "%s%s %s", s, $1, $2; s = ", " }'
}

has_another_keyd()
{
	local now
	now=$(keyd_process)
	[ -n "$now" ] && [ "$now" != "$1" ] && admin 'client list'
}

# again_and_again: keyd's own process, seven times; each time it is back soon.
again_and_again()
{
	local i pid
	for i in 1 2 3 4 5 6 7; do
		pid=$(keyd_process)
		kill -KILL "$pid" || return
		within 5 has_another_keyd "$pid" || { echo "kill $i"; return 1; }
	done
}

check "keyd killed seven times is back each time within 5 seconds" \
    again_and_again
kill -KILL "$(keyd_process)"
sleep 0.3
request test-signing <"$work/app.exe"
signed "a client that comes meanwhile waits"

# ask_and_kill OPTION ...: keyd is killed while ssh with these options asks it.
ask_and_kill()
{
	local pid asked
	pid=$(keyd_process)
	kill -STOP "$pid"
	ssh -F "$dir/ssh_config" "$@" sign test-signing <"$work/app.exe" \
	    >"$work/out" &
	asked=$!
	sleep 1
	kill -KILL "$pid"
	wait "$asked"
}

check "so does one whose login was being asked for" ask_and_kill
ssh -F "$dir/ssh_config" -M -S "$work/master" -N sign &
master=$!
within 5 test -S "$work/master"
check "and one whose session was" ask_and_kill -S "$work/master"
kill "$master"

set -- "$dir/tokens/"*/token.object
token_file=$1
cp "$token_file" "$work/token.object"
empty=0 mended=0

for seed in ${HTSIGN_KILL_SEEDS:-1}; do
	storm "${HTSIGN_KILL_SECONDS:-20}" "$seed"
	signed "seed $seed: a request 5 seconds after the last kill"
	good=$(cat "$work/statuses-$seed-"* | grep -c 0)
	asked=$(cat "$work/statuses-$seed-"* | wc -l)
	ok "seed $seed: killed $(kills)"
	ok "seed $seed: of $asked requests $good were signed"
	check "seed $seed: some were" test "$good" -gt 0
	check "seed $seed: all that was released is on record" released_is_recorded
	check "seed $seed: and whole" released_is_whole
	check "seed $seed: the journal is sound" admin rebuild
	rm -f "$work/released/"*
done
ok "SoftHSM destroyed its token $mended times"
done_testing
