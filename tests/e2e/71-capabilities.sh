#!/bin/bash
# An installed endpoint whose root has only the capabilities that the units leave
# it: both doors sign, and a keyd that was killed comes back.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"

# within_unit NAME PROGRAM: a program that runs PROGRAM as the unit would.
within_unit()
{
	local set
	set=$(sed -n 's/^CapabilityBoundingSet=//p' \
	    "$builddir/deploy/systemd/$1.service" |
	    tr 'A-Z ' 'a-z\n' | sed 's/^cap_/,+/' | tr -d '\n')
	printf '#!/bin/sh\nexec setpriv --bounding-set=-all%s %s "$@"\n' \
	    "$set" "$2" >"$fake/$1"
	chmod 755 "$fake/$1"
	echo "$fake/$1"
}

start_within_units()
{
	stop_programs
	keyd=$(within_unit htsign-keyd /usr/sbin/htsign-keyd)
	sshd=$(within_unit sshd-sign /usr/sbin/sshd-sign)
	start_programs no
}

other_worker()
{
	[ -n "$(token_worker)" ] && [ "$(token_worker)" != "$1" ]
}

installed_endpoint 2422 2423
sample app.exe
start_within_units
for name in htsign-keyd sshd-sign; do
	check "$name may not read what is another's" test $((0x$(awk \
	    '/^CapEff/ { print $2 }' "/proc/$(cat "$dir/$name.pid")/status") &
	    0x6)) -eq 0
done
for door in sign openssh; do
	request test-signing <"$work/app.exe"
	signed "$door signs"
done
rm -rf "$fake/state/spool"
worker=$(token_worker)
kill -KILL "$(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)"
check "a keyd that was killed comes back, with its worker" \
    within 20 other_worker "$worker"
request test-signing <"$work/app.exe"
signed "and makes the folder of its spools again"
done_testing
