# Helpers of the end-to-end scripts (tests/e2e/NN-*.sh), which start with
#
#	. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
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

srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir/build}
# shellcheck source=quickstart
. "$srcdir/quickstart"
set_build "$builddir"

PATH=$PATH:/usr/sbin:/sbin
umask 022
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

# replace_signatures: also those of others, in files of the test's making.
replace_signatures()
{
	reconfigure '/name = "test-signing"/,/}/s/formats = /existing = "replace"; &/'
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

# request WORD ...: at the host $door.  That it has waited for two seconds is not
# kept: on a busy machine any does.
request()
{
	ssh -F "$dir/ssh_config" "$door" "$@" >"$work/out" 2>"$work/err"
	status=$?
	sed -i '/^htsign: request [0-9]*: waiting: /d' "$work/err"
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

# --- what was released ----------------------------------------------------------------

# A test that cuts requests short puts the files that came of those that worked
# into $work/released, and what came of others as NAME.part.

released()
{
	find "$work/released" -type f ! -name '*.part'
}

# Something was released, and all of it is on record; prints what is not.
released_is_recorded()
{
	admin 'log --json --limit=1000000' |
	    sed -n 's/.*"output_sha256":"\([0-9a-f]*\)".*/\1/p' |
	    sort -u >"$work/recorded"
	released | xargs -r -d '\n' sha256sum | cut -d ' ' -f 1 | sort -u \
	    >"$work/sums"
	comm -23 "$work/sums" "$work/recorded" >"$work/missing"
	cat "$work/missing"
	[ -s "$work/sums" ] && [ ! -s "$work/missing" ]
}

# And nobody got half a file.
released_is_whole()
{
	local f
	while IFS= read -r f; do
		"$htsign" verify "$f" --ca "$dir/ca.pem" >/dev/null ||
		    { echo "$f"; return 1; }
	done < <(released)
}

# --- both kinds of keys ---------------------------------------------------------------

# p256_profile FORMATS: a profile "p256" with a certificate of its own,
# $dir/p256.pem, whose key is a file; its subject is that of the first one.
p256_profile()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 200 -subj "/CN=htsign quickstart (test)" -config /dev/null \
	    -keyout "$dir/p256.key" -out "$dir/p256.pem" \
	    -addext basicConstraints=critical,CA:FALSE \
	    -addext keyUsage=critical,digitalSignature \
	    -addext extendedKeyUsage=critical,codeSigning || return
	reconfigure "/^tokens = (/a { name = \"p256\";\
	    file = \"$dir/p256.key\"; },
	    /^certificates = (/a { name = \"p256\"; token = \"p256\";\
	    chain = \"$dir/p256.pem\"; },
	    /^profiles = (/a { name = \"p256\"; certificates = [ \"p256\" ];\
	    formats = [ $1 ]; existing = \"replace\"; }," &&
	    admin "grant ci p256"
}

# root_of PROFILE: the root to verify with.
root_of()
{
	case $1 in
	p256) echo "$dir/p256.pem" ;;
	*) echo "$dir/ca.pem" ;;
	esac
}

# sign_both_ways PROFILE FILE [WORD ...]: as $whole, which has the file's name,
# and as PKCS#7, $work/p7.  Attached to the file, that makes the same bytes.
sign_both_ways()
{
	local profile=$1 file=$2 attached
	shift 2
	mkdir -p "$work/whole/$profile" || return
	whole=$work/whole/$profile/${file##*/}
	request "$profile" "$@" --name="${file##*/}" <"$file"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$whole"
	request "$profile" "$@" --name="${file##*/}" --pkcs7 <"$file"
	[ "$status" -eq 0 ] || { cat "$work/err"; return 1; }
	mv "$work/out" "$work/p7"
	# The name tells htsign what a script is.
	attached=$work/attached.${file##*.}
	"$htsign" attach "$file" "$work/p7" >"$attached" || return
	if [ "$profile" = p256 ]; then
		# No two ECDSA signatures are the same: put this one into both.
		"$htsign" verify "$attached" --ca "$dir/p256.pem" &&
		    "$htsign" attach "$whole" "$work/p7" \
		        >"$work/replaced.${file##*.}" &&
		    cmp "$attached" "$work/replaced.${file##*.}"
		return
	fi
	cmp "$attached" "$whole"
}

# content_of PKCS7 FILE: the DER of what is signed, an SpcIndirectDataContent
# or a CTL.
content_of()
{
	local offset
	offset=$(openssl asn1parse -inform DER -in "$1" | awk -F : '
	    /:1\.3\.6\.1\.4\.1\.311\.(2\.1\.4|10\.1)$/ { at = NR }
	    at && NR == at + 2 { print $1 + 0; exit }')
	openssl asn1parse -inform DER -in "$1" -strparse "$offset" -noout \
	    -out "$2" && [ -s "$2" ]
}

# same_content FILE PKCS7 [OPTION ...]: what osslsigncode would sign of FILE is
# what the PKCS#7 signs.
same_content()
{
	local file=$1 p7=$2
	shift 2
	rm -f "$work/theirs.data"
	osslsigncode extract-data -h sha256 "$@" -in "$file" \
	    -out "$work/theirs.data" &&
	    content_of "$work/theirs.data" "$work/theirs.content" &&
	    content_of "$p7" "$work/ours.content" &&
	    cmp "$work/theirs.content" "$work/ours.content"
}

# same_bytes FILE [-ph]: signed with the same key, time and words, FILE becomes
# what osslsigncode makes of it, with page hashes if that is said.
same_bytes()
{
	local pages
	pages=${2:+--page-hashes}
	[ -s "$work/rsa.pem" ] || openssl req -x509 -newkey rsa:3072 -nodes \
	    -days 200 -subj "/CN=Signer" -config /dev/null \
	    -keyout "$work/rsa.key" -out "$work/rsa.pem" \
	    -addext keyUsage=critical,digitalSignature \
	    -addext extendedKeyUsage=codeSigning || return
	"$builddir/tests/support/sign-pe" --key="$work/rsa.key" \
	    --chain="$work/rsa.pem" --time=1700000000 --description=Name \
	    --url=https://example.org/ --name="$1" ${pages:+"$pages"} <"$1" \
	    >"$work/ours" || return
	rm -f "$work/theirs"
	osslsigncode sign -time 1700000000 -h sha256 -n Name \
	    -i https://example.org/ ${2:+"$2"} -certs "$work/rsa.pem" \
	    -key "$work/rsa.key" -in "$1" -out "$work/theirs" &&
	    cmp "$work/theirs" "$work/ours"
}

# --- verifiers that others wrote ----------------------------------------------------

# verify_osslsigncode FILE [ROOT]
verify_osslsigncode()
{
	osslsigncode verify -CAfile "${2:-$dir/ca.pem}" \
	    -TSA-CAfile "${2:-$dir/ca.pem}" "$1"
}

# describes FILE TEXT: osslsigncode shows TEXT, a description or a URL.
describes()
{
	osslsigncode verify -CAfile "$dir/ca.pem" "$1" | grep -F ": $2"
}

# verify_sbverify FILE [CERTIFICATE]
verify_sbverify()
{
	sbverify --cert "${2:-$dir/ca.pem}" "$1"
}

# --- samples ---------------------------------------------------------------------------

# sample NAME: $work/NAME, a small 64-bit program.
sample()
{
	"$builddir/tests/support/make-pe" >"$work/$1"
}

# empty_msi FILE: an installer database without streams of its own.
empty_msi()
{
	msibuild "$1" -s Sample Us ';1033' \
	    '{11111111-1111-1111-1111-111111111111}'
}

# padded_signature IN OUT: signed, with a DER that needs padding, which one of
# two descriptions makes.
padded_signature()
{
	local words
	for words in a aa; do
		request test-signing "$words" <"$1"
		cp "$work/out" "$2"
		[ $(("$("$htsign" extract "$2" | wc -c)" % 8)) -eq 0 ] ||
			return 0
	done
	return 1
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

# keyd's own process, which is its parent's child.
keyd_process()
{
	local pid
	for pid in $(descendants "$(cat "$dir/htsign-keyd.pid")" htsign-keyd)
	do
		has_ended "$pid" || echo "$pid"
	done
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
