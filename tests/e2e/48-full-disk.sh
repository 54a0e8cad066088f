#!/bin/bash
# A disk that is full, and one client that would fill it: keyd stays up, all
# that is refused is refused with 69 or 75 and is on record, others are served,
# and an administrator can do something about it.
#
# HTSIGN_FULL is how many seconds each part lasts, 3 by default.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
[ "$(id -u)" -eq 0 ] || skip "it needs root to mount a small disk"
seconds=${HTSIGN_FULL:-3}
endpoint 2448
sample app.exe
check "a second client" new_client loud test-signing
stop_programs
cleanup_more()
{
	umount -l "$dir/state" "$dir/spool" 2>/dev/null
}
mkdir "$work/state" "$dir/spool" && cp -a "$dir/state/." "$work/state"
mount -t tmpfs -o size=8m,mode=700 tmpfs "$dir/state" || exit 1
mount -t tmpfs -o size=64m,mode=700 tmpfs "$dir/spool" || exit 1
cp -a "$work/state/." "$dir/state"
sed -i "s,^state = .*,&\nspool = \"$dir/spool\";," "$dir/htsign.conf"
start_programs no
request test-signing <"$work/app.exe"
signed "the journal and the spools have a disk each"

first=$(keyd_process)
same_keyd()
{
	[ -n "$first" ] && [ "$(keyd_process)" = "$first" ]
}

# until_end NAME HOST FILE: requests, one after another, until $end, at least one.
# Their statuses and milliseconds go to $work/NAME.log, their messages to .err.
until_end()
{
	local name=$1 host=$2 file=$3 from
	while :; do
		from=$(date +%s%N)
		ssh -F "$dir/ssh_config" "$host" test-signing <"$file" \
		    >/dev/null 2>>"$work/$name.err"
		echo "$? $((($(date +%s%N) - from) / 1000000))" \
		    >>"$work/$name.log"
		[ "$(date +%s)" -lt "$end" ] || break
	done
}

# statuses NAME: how often each status was there.
statuses()
{
	awk '{ n[$1]++; if ($2 > most) most = $2 }
	    END { for (s in n) printf "%d with %s, ", n[s], s
	        printf "the slowest %d ms\n", most }' "$work/$1.log"
}

# only STATUS NAME: no other status was there; only_of STATUSES NAME: none but
# these.
only_of()
{
	statuses "$2"
	! grep -vE "^(${1// /|}) " "$work/$2.log"
}

only()
{
	only_of "$1" "$2" && grep -q "^$1 " "$work/$2.log"
}

# --- one client's uploads -------------------------------------------------------

{ cat "$work/app.exe"; head -c 60M /dev/zero; } >"$work/large.exe"
end=$(($(date +%s) + seconds))
pids=()
for i in 1 2 3 4 5 6; do
	until_end "loud$i" loud "$work/large.exe" & pids+=($!)
done
until_end quiet sign "$work/app.exe" & pids+=($!)
wait "${pids[@]}"
cat "$work"/loud?.log >"$work/loud.log"
ok "six times 60 MB at once, on 64 MB: $(statuses loud)"
check "all are cut by their client's share" only 75 loud
check "with one line" grep -q "loud holds more than its share" \
    "$work/loud1.err"
check "another client's requests all work: $(statuses quiet)" only 0 quiet
spools_are_gone()
{
	[ "$(stat -f -c %f "$dir/spool")" -ge \
	    $(($(stat -f -c %b "$dir/spool") * 99 / 100)) ]
}
check "the spools are gone" within 5 spools_are_gone
check "keyd was not started anew" same_keyd

# --- a full disk ----------------------------------------------------------------

everything='log --json --limit=100000'
before=$(admin "$everything" | wc -l)
end=$(($(date +%s) + seconds))
pids=()
for i in 1 2 3 4; do
	until_end "full$i" sign "$work/app.exe" & pids+=($!)
done
sleep 1
head -c 16M /dev/zero >"$dir/state/filler" 2>/dev/null
wait "${pids[@]}"
# What the log has room for is still signed.
for ((i = 0; i < 400; i++)); do
	request test-signing <"$work/app.exe"
	[ "$status" -eq 0 ] || break
done
refused "a full disk" 69
cat "$work"/full?.log >"$work/full.log"
check "under load: $(statuses full)" only_of "0 69" full
check "an administrator reads" admin 'log --limit=1'
check "disables a client" admin 'client disable loud'
check "and revokes" admin 'revoke loud'
door=loud
request test-signing <"$work/app.exe"
check "which has an effect" test "$status" -eq 255
door=sign
check "keyd was not started anew" same_keyd
rm "$dir/state/filler"
request test-signing <"$work/app.exe"
signed "with room, the first request works"
check "keyd was not started anew" same_keyd
admin "$everything" >"$work/log"
check "requests went on record" test "$(wc -l <"$work/log")" -gt "$before"
numbers_are_on_record()
{
	grep -ohE 'request [0-9]+' "$work"/full?.err | sort -u |
	    while read -r _ number; do
		grep -q "\"request\":$number," "$work/log" || {
			echo "request $number is not on record"
			echo no >"$work/missing"
		}
	done
	[ ! -e "$work/missing" ]
}
check "every number that was given is on record" numbers_are_on_record
check "nothing is open" not grep -qE \
    '"status":"(asked|decided|signed|finished)"' "$work/log"
done_testing
