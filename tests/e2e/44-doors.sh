#!/bin/bash
# An installed endpoint, as root: many files through both of its doors.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
. "$srcdir/tests/support/uploads.sh"
installed_endpoint 2516 2517

first_upload
for host in sign openssh; do
	all_uploads "$host, 50 connections at a time" 50 "$host"
	over_one "$host" "$host, one channel after another" 1
done
check "nothing of it is in the log" not grep -v \
    -e "connected to htsign-keyd" -e "listening on" "$dir/sshd-sign.log"
done_testing
