# Helpers of the scripts that try the htsign command by itself, with no endpoint
# (tests/e2e/1?-*.sh), which start with
#
#	set -eu
#	. "${srcdir:-$(dirname "$0")/../..}/tests/support/command.sh"
#
# and may then say
#
#	status N COMMAND...	its exit status; what it says is in stdout, stderr
#	says PATTERN FILE	and says_not
#	same FILE FILE TEXT	they are equal
#	done_testing		the last line
#
# The working folder is one of their own, and goes at the end.
# shellcheck shell=sh disable=SC2034 # variables are for the scripts

srcdir=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
htsign=$builddir/htsign/htsign
make_pe=$builddir/tests/support/make-pe
sign_pe=$builddir/tests/support/sign-pe

failures=0
server=
work=$(mktemp -d)

# What a script has started as $server ends, too.
cleanup()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1
exec </dev/null

fail()
{
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}

# A failure has one line on stderr and nothing on stdout.
status()
{
	wanted=$1
	shift
	got=0
	"$@" >stdout 2>stderr || got=$?
	[ "$got" -eq "$wanted" ] ||
	    fail "status $got, not $wanted: $*: $(cat stderr)"
	if [ "$wanted" -ne 0 ]; then
		[ "$(wc -l <stderr)" -eq 1 ] || fail "stderr of $*: $(cat stderr)"
		grep -q '^htsign: ' stderr || fail "stderr of $*: $(cat stderr)"
		[ ! -s stdout ] || fail "stdout is not empty: $*"
	else
		[ ! -s stderr ] || fail "stderr of $*: $(cat stderr)"
	fi
}

says()
{
	grep -q -e "$1" "$2" || fail "$2 does not say '$1': $(cat "$2")"
}

says_not()
{
	! grep -q -e "$1" "$2" || fail "$2 says '$1': $(cat "$2")"
}

same()
{
	cmp -s "$1" "$2" || fail "$1 and $2 differ: $3"
}

# What bookworm itself has is too old to be compared with.
has_osslsigncode()
{
	command -v osslsigncode >/dev/null || return
	version=$(osslsigncode --version |
	    sed -n 's/^osslsigncode \([0-9.]*\).*/\1/p')
	printf '2.9\n%s\n' "$version" | sort -VC
}

done_testing()
{
	[ "$failures" -eq 0 ]
	exit
}
