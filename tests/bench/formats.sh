#!/bin/bash
# What signing a file costs beside osslsigncode, format by format.
#
#	make bench-formats
#
# Both have the same RSA-3072 key in a file.  Ours is htsign-shell, run by
# itself without ssh, with stdin from a file and stdout to one; theirs writes
# its output itself.  CPU time is user and system, in milliseconds a file: ours
# is the shell's, keyd's (with its parent) and the token worker's together.
# Memory is what a process had resident at once at most, in MiB, with the pages
# of libraries and of mapped files among it (VmHWM in /proc/PID/status); ours is
# the shell's, the only process whose memory a file could move.  Ratios are of
# neighbours: in each round ours and theirs take turns.
#
# PARTS="pe msi" runs those parts alone, ROUNDS=9 makes so many rounds.  TINY=1
# goes through all of it with small files, to see that it works.

# shellcheck source=tests/support/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs osslsigncode openssl ssh-keygen
# shellcheck source=tests/bench/table.sh
. "$srcdir/tests/bench/table.sh"

parts=${PARTS:-small msi pe many memory}
rounds=${ROUNDS:-5}
tiny=${TINY:-}
keep=0 # measure -w
[ -z "$tiny" ] || rounds=1

# keep_memory N: so many MiB are at hand for all commands to come.  It costs the
# commands some of the processor's cache, and is for those that write hundreds.
keep_memory()
{
	[ -n "$tiny" ] || keep=$1
}

# many N: so many, or a few.
many()
{
	if [ -n "$tiny" ]; then
		echo 50
	else
		echo "$1"
	fi
}

# --- an endpoint with a key file ---------------------------------------------------

subject='htsign bench'

# In place of quickstart's.
make_token()
{
	[ ! -e "$dir/ca.pem" ] || return 0
	quietly "$dir/token.log" openssl req -x509 -newkey rsa:3072 -nodes \
	    -sha256 -keyout "$dir/key.pem" -out "$dir/ca.pem" -days 365 \
	    -subj "/CN=$subject" -config /dev/null \
	    -addext basicConstraints=critical,CA:FALSE \
	    -addext keyUsage=critical,digitalSignature \
	    -addext extendedKeyUsage=critical,codeSigning
}

write_server_conf()
{
	install_file htsign.conf <<-CONF
	single_user = true;
	state = "$dir/state";
	run = "$dir/run";
	ssh: {
	    listen = [ "127.0.0.1:$port" ];
	    host_keys = [ "$dir/host_ed25519" ];
	    user_ca = "$dir/user_ca";
	    admin_ca = "$dir/admin_ca.pub";
	};
	tokens = ( { name = "file"; file = "$dir/key.pem"; } );
	certificates = (
	    { name = "bench"; token = "file"; chain = "$dir/ca.pem"; }
	);
	profiles = (
	    { name = "bench"; certificates = [ "bench" ];
	      max_size = "3G"; max_ctl = "900K";
	      formats = [ "pe", "cab", "msi", "appx", "cat", "script" ]; }
	);
	CONF
}

# No network here, so no sshd-sign.
start_programs()
{
	start_one htsign-keyd "$keyd" -c "$dir/htsign.conf"
	wait_for htsign-keyd admin 'client list'
}

make_client()
{
	admin 'client add ci --default=bench' && admin 'grant ci bench' &&
	    admin 'issue ci --ttl=1h' <"$dir/ci.pub" >"$dir/ci-cert.pub" ||
	    exit 1
	echo "publickey $(cut -d' ' -f1,2 "$dir/ci-cert.pub")" >"$work/auth"
}

servers()
{
	local parent
	parent=$(cat "$dir/htsign-keyd.pid")
	for pid in "$parent" $(descendants "$parent" htsign-keyd) \
	    $(token_worker); do
		printf '%s ' -p "$pid"
	done
}

# --- measuring ---------------------------------------------------------------------

fail()
{
	echo "bench-formats: $*" >&2
	tail -n 3 "$work/err" "$dir/htsign-keyd.log" >&2
	exit 1
}

# ours NAME RUNS FILE [WORD ...]: a line of $work/NAME, milliseconds and KiB.
ours()
{
	local name=$1 runs=$2 file=$3 ticket
	shift 3
	ticket=$("$principals" -r "$dir/run" sign ci/1 1 \
	    "$(cut -d' ' -f2 "$dir/ci-cert.pub")" |
	    sed 's/.*--ticket \([^"]*\)".*/\1/')
	# shellcheck disable=SC2046,SC2086 # options and their values
	SSH_USER_AUTH=$work/auth SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" \
	    SSH_ORIGINAL_COMMAND="bench --name=${file##*/} $*" \
	    "$measure" -w "$keep" -n "$runs" -i "$file" -o "$work/out" $servers \
	    "$shell" -r "$dir/run" --ticket "$ticket" \
	    >>"$work/$name" 2>"$work/err" || fail "htsign-shell: $file"
}

# theirs NAME RUNS FILE: the same.
theirs()
{
	"$measure" -w "$keep" -n "$2" -u "$work/out.${3##*.}" \
	    osslsigncode sign -certs "$dir/ca.pem" -key "$dir/key.pem" \
	    -h sha256 -in "$3" -out "$work/out.${3##*.}" \
	    >"$work/log" 2>"$work/err" ||
	    fail "osslsigncode: $3"
	tail -n 1 "$work/log" >>"$work/$1"
}

# column N NAME: milliseconds, or MiB.
column()
{
	awk -v n="$1" '{ print n == 1 ? $1 : $2 / 1024 }' "$work/$2"
}

# ratio TEXT TARGET COLUMN OURS
ratio()
{
	row "$1" "$2" "$(paste <(column "$3" "$4") <(column "$3" theirs) |
	    awk '{ print $1 / $2 }')"
}

# take_turns RUNS FILE: full, pkcs7 and theirs, after one that does not count.
take_turns()
{
	local i
	for i in $(seq 0 "$rounds"); do
		ours full "$1" "$2"
		ours pkcs7 "$1" "$2" --pkcs7
		theirs theirs "$1" "$2"
		[ "$i" -gt 0 ] || rm -f "$work"/{full,pkcs7,theirs}
	done
}

# compare TITLE RUNS FILE FULL [PKCS7]: targets of the CPU time's ratios.
compare()
{
	take_turns "$2" "$3"
	row "$1: osslsigncode, ms" "" "$(column 1 theirs)"
	row "$1: htsign, ms" "" "$(column 1 full)"
	ratio "$1: CPU, htsign / osslsigncode" "$4" 1 full
	ratio "$1: CPU, --pkcs7 / osslsigncode" "${5-}" 1 pkcs7
	ratio "$1: memory, htsign / osslsigncode" "" 2 full
	rm -f "$work"/{full,pkcs7,theirs}
}

# --- files -------------------------------------------------------------------------

# make_pe N [WORD ...]: a program with N bytes behind its section.
make_pe()
{
	local payload=$1
	shift
	"$builddir/tests/support/make-pe" --payload="$payload" "$@"
}

make_cab() { "$builddir/tests/support/make-cab" "$@"; }
make_msi() { "$builddir/tests/bench/make-msi" "$@"; }
make_cat() { "$builddir/tests/support/make-cat" "$@"; }

make_msix()
{
	"$builddir/tests/support/make-appx" publisher="CN=$subject" "$@"
}

# make_script N: a PowerShell script of about N bytes.
make_script()
{
	yes "Write-Output 'one line of a script that does not do much'" |
	    sed 's/$/\r/' | head -c "$1"
	printf '\r\n'
}

# --- parts -------------------------------------------------------------------------

part_small()
{
	local kind
	heading "small files, 20 a round"
	make_pe 100000 >"$work/small.exe"
	make_cab >"$work/small.cab"
	make_msi 20 2000 >"$work/small.msi"
	make_msix >"$work/small.msix"
	make_cat 4 >"$work/small.cat"
	make_script 4000 >"$work/small.ps1"
	for kind in exe cab msi msix cat ps1; do
		compare "$kind, $(stat -c %s "$work/small.$kind") bytes" \
		    "${tiny:-20}" "$work/small.$kind" "<= 1.0"
	done
}

part_msi()
{
	heading "Windows Installer packages"
	make_msi 10 "$(many 10000000)" >"$work/large.msi"
	compare "MSI of 100 MB" 1 "$work/large.msi" "<= 1.6"
	make_msi "$(many 2000)" 3000 >"$work/streams.msi"
	compare "MSI of 2,000 streams of 3,000 B" 1 "$work/streams.msi" \
	    "<= 0.02"
	rm "$work"/*.msi
}

part_pe()
{
	local size
	heading "programs"
	for size in 100 500; do
		[ "$size" -eq 100 ] || keep_memory 1200
		make_pe "$(many ${size}000000)" >"$work/$size.exe"
		compare "PE of $size MB" 1 "$work/$size.exe" "<= 1.5" "<= 0.75"
		rm "$work/$size.exe"
	done
}

# alone TITLE TARGET FILE [WORD ...]: the shell's memory, and CPU for all.
alone()
{
	local title=$1 target=$2 file=$3
	shift 3
	ours alone 1 "$file" "$@"
	row "$title: memory, MiB" "$target" "$(column 2 alone)"
	row "$title: CPU, ms" "" "$(column 1 alone)"
	rm -f "$work/alone" "$file"
}

part_many()
{
	heading "files of very many parts"
	make_cab --folders="$(many 8000)" --size=100 >"$work/many.cab"
	alone "CAB of 8,000 folders" "<= 24" "$work/many.cab"
	make_msi "$(many 60000)" 500 >"$work/many.msi"
	alone "MSI of 60,000 short streams" "" "$work/many.msi"
	make_msi "$(many 15000)" 5000 >"$work/long.msi"
	alone "MSI of 15,000 long streams" "" "$work/long.msi"
	make_msi -d "$(many 5000)" 1 5000 >"$work/deep.msi"
	alone "MSI of storages 5,000 deep" "" "$work/deep.msi"
	make_msix files="$(many 60000)" size=100 >"$work/many.msix"
	alone "MSIX of 60,000 entries" "<= 24" "$work/many.msix"
	make_msix zip64 types-first files="$(many 100000)" size=100 \
	    >"$work/many64.msix"
	alone "MSIX of 100,000 entries, ZIP64, all moved" "<= 24" \
	    "$work/many64.msix"
	make_script "$(many 11900000)" >"$work/long.ps1"
	alone "script of 11.9 MB" "" "$work/long.ps1"
	make_cat "$(many 3000)" >"$work/many.cat"
	alone "catalog of 3,000 members" "" "$work/many.cat"
}

part_memory()
{
	heading "large files"
	make_pe "$(many 2000000000)" >"$work/large.exe"
	alone "PE of 2 GB" "<= 24" "$work/large.exe"
	make_pe 0 --code="$(many $(((1 << 30) - 4096)))" >"$work/paged.exe"
	alone "page hashes of a PE of 1 GiB" "<= 48" "$work/paged.exe" \
	    --page-hashes
	make_cab --folders="$(many 64)" --size="$(many 16000000)" \
	    >"$work/large.cab"
	alone "CAB of 1 GB" "<= 24" "$work/large.cab"
	make_msix files="$(many 1000)" size="$(many 1050000)" \
	    >"$work/large.msix"
	alone "MSIX of 1.05 GB" "<= 24" "$work/large.msix"
	make_msi 10 "$(many 10000000)" >"$work/large.msi"
	alone "MSI of 100 MB" "" "$work/large.msi"
}

endpoint 3100
principals=$build/keys/principals/htsign-principals
measure=$builddir/tests/bench/measure
servers=$(servers)
printf '%s, %s processors; files on %s; load before: %s; %s\n' \
    "$(uname -sr)" "$(nproc)" "$(stat -f -c %T "$work")" \
    "$(cut -d' ' -f1 /proc/loadavg)" \
    "$(osslsigncode --version | sed 's/,.*//; q')"
echo "CPU time in ms and ratios of it, memory in MiB: tests/bench/formats.sh"
for part in $parts; do
	keep_memory 0
	"part_$part"
done
printf '\n%s\n' "$misses targets missed"
[ "$misses" -eq 0 ] || [ -n "$tiny" ]
