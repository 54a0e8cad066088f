# Helpers of the end-to-end scripts (tests/NN-*.sh), which start with
#
#	. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
#
# and may then say
#
#	endpoint 2400		an endpoint of quickstart's kind on that port
#	request WORD ... <in	to sign: $status, $work/out, $work/err
#	check "text" COMMAND	one line of the result, "ok text" or "FAIL text"
#	done_testing		the last line
#
# Everything is made in $work, and goes at the end with what runs there.
# shellcheck shell=bash disable=SC2034 # variables are for the scripts

srcdir=${srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
builddir=${builddir:-$srcdir/build}
# shellcheck source=quickstart
. "$srcdir/quickstart"
set_build "$builddir"

PATH=$PATH:/usr/sbin:/sbin
script=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/htsign-test.XXXXXX") || exit 1
dir=$work/endpoint
door=sign
failures=0
status=

cleanup()
{
	[ ! -e "$dir/.quickstart" ] || stop_programs
	if declare -F cleanup_more >/dev/null; then
		cleanup_more
	fi
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# --- results -------------------------------------------------------------------

ok()
{
	printf 'ok %s\n' "$*"
}

bad()
{
	printf 'FAIL %s\n' "$*"
	failures=$((failures + 1))
}

# Say why and leave; automake shows it as SKIP.
skip()
{
	printf 'skip %s: %s\n' "$script" "$*"
	exit 77
}

needs()
{
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is missing"
	done
}

check()
{
	local what=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		ok "$what"
	else
		bad "$what"
		tail -n 15 "$work/check.log"
	fi
}

# For check: the command fails.
not()
{
	! "$@"
}

done_testing()
{
	if [ "$failures" -gt 0 ] && [ -s "$dir/htsign-keyd.log" ]; then
		tail -n 20 "$dir/htsign-keyd.log" "$dir/sshd-sign.log"
	fi
	[ "$failures" -eq 0 ]
	exit
}

# --- an endpoint -----------------------------------------------------------------

# endpoint PORT: make and start it.
endpoint()
{
	port=$1
	make_endpoint
}

# Rewrite htsign.conf with a sed expression, and start again with it.
reconfigure()
{
	stop_programs
	sed -i -e "$1" "$dir/htsign.conf" || exit 1
	start_programs no
}

# new_client NAME [PROFILE]: its key and certificate are $dir/NAME*, and a host
# of that name goes into ssh_config.
new_client()
{
	admin "client add $1" || return
	[ $# -lt 2 ] || admin "grant $1 $2" || return
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/$1" || return
	admin "issue $1 --ttl=1h" <"$dir/$1.pub" >"$dir/$1-cert.pub" || return
	new_host "$1"
}

# new_host NAME: connect as that client, to sshd-sign.
new_host()
{
	sed -n '/^Host sign admin/,$p' "$dir/ssh_config" |
	    sed "s/^Host .*/Host $1/" >"$dir/ssh_config.$1"
	cat >>"$dir/ssh_config.$1" <<-CONF
	    User sign
	    IdentityFile "$dir/$1"
	    CertificateFile "$dir/$1-cert.pub"
	CONF
	cat "$dir/ssh_config.$1" >>"$dir/ssh_config"
}

# --- requests ----------------------------------------------------------------------

# request WORD ...: at the host $door.
request()
{
	ssh -F "$dir/ssh_config" "$door" "$@" >"$work/out" 2>"$work/err"
	status=$?
}

# signed TEXT: the request went well, and said nothing.
signed()
{
	if [ "$status" -eq 0 ] && [ -s "$work/out" ] && [ ! -s "$work/err" ]
	then
		ok "$1"
	else
		bad "$1 (status $status: $(head -c 300 "$work/err"))"
	fi
}

# refused TEXT STATUS: it failed as documented, with one line and no output.
refused()
{
	if [ "$status" -eq "$2" ] && [ ! -s "$work/out" ] &&
	    [ "$(wc -l <"$work/err")" -eq 1 ]; then
		ok "$1: $(cat "$work/err")"
	else
		bad "$1 (status $status, not $2; $(wc -c <"$work/out") bytes)"
		head -n 5 "$work/err"
	fi
}

# How many requests the journal has, and the last one as a JSON object.
requests()
{
	admin 'log --json' | wc -l
}

last_request()
{
	admin 'log --json' | tail -n 1
}

# journal_says TEXT PATTERN ...: the last request's row matches all of them.
journal_says()
{
	local what=$1 row pattern
	shift
	row=$(last_request)
	for pattern in "$@"; do
		if ! grep -Eq -- "$pattern" <<<"$row"; then
			bad "$what: no $pattern in $row"
			return
		fi
	done
	ok "$what"
}

# --- verifiers that others wrote ----------------------------------------------------

verify_osslsigncode()
{
	osslsigncode verify -CAfile "$dir/ca.pem" -TSA-CAfile "$dir/ca.pem" \
	    "$1"
}

# describes FILE TEXT: osslsigncode shows TEXT, a description or a URL.
describes()
{
	osslsigncode verify -CAfile "$dir/ca.pem" "$1" | grep -F ": $2"
}

verify_sbverify()
{
	sbverify --cert "$dir/ca.pem" "$1"
}

# --- samples ---------------------------------------------------------------------------

# sample NAME: $work/NAME, a small 64-bit program.
sample()
{
	"$builddir/tests/make-pe" >"$work/$1"
}

# --- processes -------------------------------------------------------------------------

# descendants PID NAME: the ids of all processes called NAME below PID.
descendants()
{
	local child
	while read -r child; do
		[ "$(cat "/proc/$child/comm" 2>/dev/null)" != "$2" ] ||
		    echo "$child"
		descendants "$child" "$2"
	done < <(cat /proc/[0-9]*/status 2>/dev/null | awk -v parent="$1" '
	    $1 == "Pid:" { pid = $2 }
	    $1 == "PPid:" && $2 == parent { print pid }')
}

token_worker()
{
	descendants "$(cat "$dir/htsign-keyd.pid")" htsign-token | head -n 1
}

# has_ended PID: it may still wait to be reaped.
has_ended()
{
	[ ! -e "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"
}

# within SECONDS COMMAND ...: until it succeeds.
within()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}
