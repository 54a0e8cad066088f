#!/bin/bash
# What sessions = 4 and a second token are worth: files a second over 16 channels
# of one connection, beside one session of one SoftHSM token.  What is compared is
# measured in turns.
#
#	make bench-tokens

# shellcheck source=tests/support/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util openssl
endpoint 2464
# shellcheck source=tests/support/second-token.sh
. "$srcdir/tests/support/second-token.sh"
# shellcheck source=tests/bench/table.sh
. "$srcdir/tests/bench/table.sh"
sample app.exe
files=${FILES:-400} rounds=${ROUNDS:-5}

cp "$dir/htsign.conf" "$work/one"
sed 's/pin_counted = true;/& sessions = 4;/' "$work/one" >"$work/four"
second_token "$dir" "$dir"
use_both_tokens "$dir" "$dir"
cp "$dir/htsign.conf" "$work/two"

ready()
{
	! admin tokens | grep -vq ' ready '
}

# measure NAME: the endpoint of that configuration; NAME.rates gets a line.
measure()
{
	local seconds
	cat "$work/$1" >"$dir/htsign.conf"
	reconfigure ''
	within 20 ready || exit 1
	seconds=$("$builddir/tests/bench/channels" 127.0.0.1 "$port" sign \
	    "$dir/ci" "$dir/ci-cert.pub" 16 "$files" "$work/app.exe" \
	    test-signing) || exit 1
	awk -v n="$files" -v s="$seconds" 'BEGIN { print n / s }' \
	    >>"$work/$1.rates"
}

for round in $(seq "$rounds"); do
	echo "# round $round"
	for name in one four two; do
		measure "$name"
	done
done
heading "$files files over 16 channels: files a second, $(nproc) processors"
row "one token, sessions = 1" "" "$(cat "$work/one.rates")"
row "one token, sessions = 4" "" "$(cat "$work/four.rates")"
row "two tokens, sessions = 1" "" "$(cat "$work/two.rates")"
row "sessions = 4 / sessions = 1" "" \
    "$(paste "$work/four.rates" "$work/one.rates" | awk '{ print $1 / $2 }')"
row "two tokens / one" "" \
    "$(paste "$work/two.rates" "$work/one.rates" | awk '{ print $1 / $2 }')"
exit "$misses"
