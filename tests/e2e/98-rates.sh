#!/bin/bash
# An installed endpoint, as root: the rates of clients, profiles and tokens.
# What is within a limit is signed at either door, one request more is 75 and
# says for how long, and after that it is signed; a restart of keyd forgets
# nothing, a reload changes the limits, and nobody else has to wait.
# HTSIGN_SLOW=1 also waits ten minutes, for an upload that is too slow.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode /usr/sbin/sshd setpriv unshare
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2598 2599
sample app.exe
size=$(stat -c %s "$work/app.exe")
chmod 755 "$dir" # keyd reads it again under its own uid
cp "$dir/htsign.conf" "$work/htsign.conf"
conf_line=$(($(wc -l <"$work/htsign.conf") + 1))

# --- the endpoint ------------------------------------------------------------

# configure RATES [PROFILE [TOKEN]]: what the group, profile and token say.
configure()
{
	sed "s/formats = /${2-} &/; s/pin = \"file:[^;]*;/& ${3-}/" \
	    "$work/htsign.conf" >"$work/new.conf"
	printf 'rates: { %s };\n' "$1" >>"$work/new.conf"
	cat "$work/new.conf" >"$dir/htsign.conf"
}

# limits RATES [PROFILE [TOKEN]]: and keyd reads it.
limits()
{
	local before
	before=$(reloads)
	configure "$@"
	kill -HUP "$(cat "$dir/htsign-keyd.pid")"
	check "the limits are: $*" within 10 reloaded "$before"
}

reloads()
{
	grep -c "configuration was read again" "$dir/htsign-keyd.log"
}

reloaded()
{
	[ "$(reloads)" -gt "$1" ]
}

# restart: keyd's own process; its parent starts another one.
restart()
{
	local before
	before=$(keyd_process)
	kill -9 "$before"
	check "keyd starts again" within 20 restarted "$before"
	check "and answers" within 20 admin tokens
}

restarted()
{
	local now
	now=$(keyd_process)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

# client NAME: whose hosts are NAME, at sshd-sign, and NAME-openssh.
client()
{
	admin "client add $1" && admin "grant $1 test-signing" &&
	    ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/$1" &&
	    admin "issue $1 --ttl=1h" <"$dir/$1.pub" >"$dir/$1-cert.pub" ||
	    exit 1
	openssh_port=$port new_door "$1" sign "$1" >>"$dir/ssh_config"
	new_door "$1-openssh" sign "$1" >>"$dir/ssh_config"
}

# --- requests -------------------------------------------------------------------

signs()
{
	door=$1
	shift
	request test-signing "$@" <"$work/app.exe"
	signed "it signs: $door $*"
}

# waits HOST TEXT [WORD ...]: 75, whose limit it is, and $wait seconds to wait.
waits()
{
	local text=$2
	door=$1
	shift 2
	request test-signing "$@" <"$work/app.exe"
	refused "$door waits" 75
	wait=$(sed -n "s/^htsign: request [0-9]*: $text; try again in \
\\([0-9]*\\) seconds\$/\\1/p" "$work/err")
	check "says which limit of whom, and the seconds" test -n "$wait"
	journal_says "on record" '"result":"rate-limited"' '"code":"rate"' \
	    '"exit":75' "\"error\":\"$text\""
	until=$((SECONDS + 1 + wait))
}

# until_then TIME: when a wait is over, to the second that was told; $SECONDS counts
# begun ones as whole.
until_then()
{
	while [ "$SECONDS" -lt "$1" ]; do
		sleep 0.2
	done
}

# hold HOST: an upload that has begun and does not end, until let_go.
hold()
{
	rm -f "$work/fifo.$1"
	mkfifo "$work/fifo.$1"
	ssh -F "$dir/ssh_config" "$1" test-signing <"$work/fifo.$1" \
	    >/dev/null 2>&1 &
	holder=$!
	exec 9>"$work/fifo.$1"
	check "an upload begins: $1" within 20 is_open "$2"
}

is_open()
{
	admin 'log --json' | grep "\"client\":\"$1\"" |
	    grep -q '"status":"asked"'
}

is_not_open()
{
	! is_open "$1"
}

# --- by token --------------------------------------------------------------------

for name in first second third fourth fifth sixth seventh; do
	client "$name"
done
limits '' '' 'requests_minute = 4;'
signs first
signs second-openssh
signs first-openssh
signs second
text="token [a-z0-9-]* is limited to 4 requests a minute"
waits first "$text"
token_until=$until
restart
waits second-openssh "$text"
check "a restart forgets nothing" test "$until" -le $((token_until + 1))

# --- by client ----------------------------------------------------------------------

limits 'each_client = { requests_minute = 3; }'
signs third
signs third-openssh
signs third
text="client third is limited to 3 requests a minute"
waits third "$text"
waits third-openssh "$text"
client_until=$until
signs fourth
signs fourth-openssh
restart
waits third-openssh "$text"
check "a restart forgets nothing" test "$until" -le $((client_until + 1))
signs fourth
limits 'each_client = { requests_minute = 3; };
    clients = ( { name = "third"; requests_minute = 4; } )'
signs third-openssh
waits third "client third is limited to 4 requests a minute"
limits 'each_client = { requests_day = 4; }'
waits third "client third is limited to 4 requests a day"
check "that is a day" test "$wait" -gt 86300 -a "$wait" -le 87840

# --- at once ---------------------------------------------------------------------

limits 'each_client = { requests_at_once = 1; }'
for host in fifth fifth-openssh; do
	hold "$host" fifth
	waits fifth "client fifth is limited to 1 requests at once"
	waits fifth-openssh "client fifth is limited to 1 requests at once"
	signs sixth
	kill "$holder"
	exec 9>&-
	check "it is cut" within 20 is_not_open fifth
	signs fifth
	signs fifth-openssh
done

# --- refused requests, bytes and sizes --------------------------------------------

client tenth
limits 'each_client = { refused_minute = 2; }'
door=tenth
request production <"$work/app.exe"
refused "no such profile" 77
door=tenth-openssh
request test-signing <<<"This is no program."
refused "no program" 65
waits tenth "client tenth is limited to 2 refused requests a minute"
waits tenth-openssh "client tenth is limited to 2 refused requests a minute"
signs sixth
restart
waits tenth "client tenth is limited to 2 refused requests a minute"
refused_until=$until

client eighth
limits "each_client = { bytes_day = $((2 * size + 1)); }"
signs eighth
signs eighth-openssh --size="$size"
text="client eighth is limited to $((2 * size + 1)) bytes a day"
waits eighth-openssh "$text" --size="$size"
waits eighth "$text"
restart
waits eighth "$text" --size="$size"
client ninth
signs ninth

limits "each_client = { max_size = $((size - 1)); }"
for host in ninth ninth-openssh; do
	door=$host
	request test-signing <"$work/app.exe"
	refused "too large for the client: $host" 66
	request test-signing --size="$size" <"$work/app.exe"
	refused "and before any upload" 66
	check "says whose limit it is" grep -q \
	    "client ninth is limited to $((size - 1)) bytes a file" "$work/err"
done

# --- by profile ---------------------------------------------------------------------

used=$(admin 'log --json --limit=1000' | grep -vc '"status":"refused"')
limits '' "requests_day = $((used + 2));"
signs ninth
signs sixth-openssh
text="profile test-signing is limited to $((used + 2)) requests a day"
waits ninth-openssh "$text"
waits sixth "$text"

# --- what the seconds promise ------------------------------------------------------

limits '' '' 'requests_minute = 4;'
until_then "$token_until"
limits 'each_client = { requests_minute = 3; refused_minute = 2; }'
until_then "$client_until"
signs third-openssh
until_then "$refused_until"
signs tenth

# --- mistakes ------------------------------------------------------------------------

configure 'each_client = { requests_minute = 0; }'
check "-t says where a mistake is" grep -q \
    "htsign.conf:$conf_line: requests_minute must be a number from 1 to" \
    <("$keyd" -c "$dir/htsign.conf" -t 2>&1)
configure 'clients = ( { name = "a"; }, { name = "a"; } )'
check "and what is there twice" grep -q \
    "htsign.conf:$conf_line: clients has \"a\" twice" \
    <("$keyd" -c "$dir/htsign.conf" -t 2>&1)

# --- too slow ------------------------------------------------------------------------

if [ "${HTSIGN_SLOW-}" = 1 ]; then
	slow_began=$SECONDS door=seventh
	request test-signing < <(head -c 1000 "$work/app.exe"
	    while sleep 1 && printf x; do :; done)
	refused "a slow upload ends" 75
	check "after ten minutes" test $((SECONDS - slow_began)) -ge 600 -a \
	    $((SECONDS - slow_began)) -le 660
	check "says why" grep -q "the upload is too slow: 2 bytes a second in" \
	    "$work/err"
	journal_says "on record" '"code":"upload"' '"exit":75' \
	    '"result":"rate-limited"'
fi
done_testing
