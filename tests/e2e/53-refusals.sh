#!/bin/bash
# What goes wrong has the documented status, one line on stderr, an empty
# stdout and a row in the journal; and the next request is served.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
endpoint 2403
reconfigure 's/pin = "file:.*pin";/& timeout = 2;/
    s/formats = .*\]; }/&,\
	{ name = "small"; certificates = [ "test" ]; max_size = "64K"; }/'
check "a second profile is granted" admin 'grant ci small'
check "a client without a grant" new_client other
sample app.exe

# next: the endpoint serves the next request.
next()
{
	request test-signing <"$work/app.exe"
	signed "then the next request"
}

# expect TEXT STATUS [PATTERN ...]: after a request, all that is promised.
expect()
{
	local what=$1
	refused "$what" "$2"
	shift 2
	check "it is a request" test "$(requests)" -eq $((before + 1))
	journal_says "the journal has it" "$@"
	next
}

# refuse TEXT STATUS WORD ... <in
refuse()
{
	local what=$1 expected=$2
	shift 2
	before=$(requests)
	request "$@"
	expect "$what" "$expected" '"status":"(failed|refused|aborted)"' \
	    "\"exit\":$expected"
}

refuse "an empty input" 65 test-signing </dev/null
printf 'This is no program.\n' >"$work/text"
refuse "a text file" 65 test-signing <"$work/text"
head -c 300 "$work/app.exe" >"$work/cut.exe"
refuse "a truncated program" 65 test-signing <"$work/cut.exe"
started=$SECONDS
refuse "5 GB of zeros" 65 test-signing < <(head -c 5G /dev/zero)
check "refused at once" test $((SECONDS - started)) -lt 5
refuse "a program that is too large" 66 small < <(cat "$work/app.exe"
    head -c 5G /dev/zero)
refuse "no such profile" 77 production <"$work/app.exe"
refuse "an option that does not exist" 64 test-signing --none <"$work/app.exe"

door=other
before=$(requests)
request test-signing <"$work/app.exe"
door=sign
expect "a client without a grant" 77 '"client":"other"' '"status":"refused"'

# Certificates that are not valid are ssh's to refuse, and counted.
ssh-keygen -q -s "$dir/user_ca" -I other/77 -z 77 -n client:other -V -2h:-1h \
    "$dir/other.pub"
door=other
request test-signing <"$work/app.exe"
check "an expired certificate is 255" test "$status" -eq 255
check "without output" test ! -s "$work/out"
ssh-keygen -q -t ed25519 -N '' -f "$work/foreign_ca"
ssh-keygen -q -s "$work/foreign_ca" -I other/78 -z 78 -n client:other -V +1h \
    "$dir/other.pub"
request test-signing <"$work/app.exe"
check "a foreign certificate is 255" test "$status" -eq 255
door=sign
next
counted()
{
	admin 'events --json' | grep '"auth-failed"' | grep -q "\"$1\""
}
counted_both()
{
	counted expired && counted foreign-ca
}
check "both are counted" within 70 counted_both

# The token worker dies with a request in its hands.  It is stopped first, so
# that the request is sure to be there.
kill_worker()
{
	local worker
	worker=$(token_worker)
	kill -STOP "$worker" || return
	request test-signing <"$work/app.exe" &
	within 5 has_open_request || return
	sleep 0.3
	kill -KILL "$worker"
	wait $!
}
has_open_request()
{
	last_request | grep -q '"status":"decided"'
}
# request runs in the background there: what it found is in the files.
check "the worker is killed" kill_worker
check "the request is signed all the same" verify_osslsigncode "$work/out"
journal_says "at the second attempt" '"attempts":2' '"status":"delivered"'
next

worker=$(token_worker)
kill -STOP "$worker"
request test-signing <"$work/app.exe"
signed "a worker that hangs is replaced"
check "it is gone" has_ended "$worker"
journal_says "at the second attempt" '"attempts":2' '"status":"delivered"'
next

# A token that nobody has unlocked.
reconfigure 's/pin = "file:.*pin";/pin = "ask";/'
before=$(requests)
request test-signing <"$work/app.exe"
refused "a locked token" 69
journal_says "the journal has it" '"exit":69'
unlock()
{
	admin 'unlock softhsm' <"$dir/pin"
}
check "an administrator unlocks it" unlock
next

# No room for the journal.
if [ "$(id -u)" -ne 0 ]; then
	echo "skip: a full disk needs root to mount one"
	done_testing
fi
stop_programs
cleanup_more()
{
	umount -l "$dir/state" 2>/dev/null
}
mkdir "$work/state" && cp -a "$dir/state/." "$work/state"
mount -t tmpfs -o size=4m,mode=700 tmpfs "$dir/state" || exit 1
cp -a "$work/state/." "$dir/state"
sed -i 's/pin = "ask";/pin = "file:'"${dir//\//\\/}"'\/pin";/' \
    "$dir/htsign.conf"
start_programs no
next
head -c 8m /dev/zero >"$dir/state/filler" 2>/dev/null
request test-signing <"$work/app.exe"
refused "a full disk" 69
rm "$dir/state/filler"
serves()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 0 ]
}
check "the endpoint comes back by itself" within 10 serves
next
check "the journal is whole" test "$(requests)" -gt "$before"
done_testing
