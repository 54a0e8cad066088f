#!/bin/bash
# What signing costs beside what it cannot do without: ssh, and the token.
#
#	make bench
#
# As root: an endpoint as it is installed (tests/support/installed.sh), its journal on
# the disk of $TMPDIR; beside Debian's sshd with the shipped fragment another
# one whose only difference is that its forced command is cat and the account's
# shell is /bin/sh.  What is compared is measured in turns, and a ratio is one
# of neighbours: its least, median and greatest value are printed with the
# target that the median has to meet.  PARTS="a c" runs those parts alone.

# shellcheck source=tests/support/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh sshd softhsm2-util osslsigncode setpriv
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
# shellcheck source=tests/bench/table.sh
. "$srcdir/tests/bench/table.sh"

# shellcheck source=tests/support/authority.sh
. "$srcdir/tests/support/authority.sh"

parts=${PARTS:-a b c d e f g h}
sink=
port_sign=2460 port_openssh=2461 port_cat=2462 port_sink=2463
curve=curve25519-sha256
gcm=aes128-gcm@openssh.com

cleanup_more()
{
	# shellcheck disable=SC2154 # of installed.sh
	kill ${sshd_door:+"$sshd_door"} ${sshd_cat:+"$sshd_cat"} \
	    ${sink:+"$sink"} 2>/dev/null
	stop_authority
	# shellcheck disable=SC2154
	umount -l "$fake" 2>/dev/null
}

# --- what is measured ----------------------------------------------------------

fail()
{
	echo "bench: $*" >&2
	tail -n 3 "$work/err" "$dir"/{htsign-keyd,sshd-sign,openssh,cat}.log >&2
	exit 1
}

# timed NAME COMMAND ...: one more line with its seconds in $work/NAME.times.
timed()
{
	local name=$1 from to
	shift
	from=$EPOCHREALTIME
	"$@" || fail "$name fails: $*"
	to=$EPOCHREALTIME
	echo $((${to/./} - ${from/./})) |
	    awk '{ print $1 / 1e6 }' >>"$work/$name.times"
}

# turns N A B: functions of these names, which time themselves, N times each,
# after one of each that does not count.
turns()
{
	local i
	"$2" && "$3" && rm -f "$work/$2.times" "$work/$3.times"
	for i in $(seq "$1"); do
		"$2" && "$3"
	done
}

# ratio TEXT TARGET A B: of each turn of A to that of B.
ratio()
{
	row "$1" "$2" "$(paste "$work/$3.times" "$work/$4.times" |
	    awk '{ print $1 / $2 }')"
}

# milliseconds TEXT NAME [FILES]
milliseconds()
{
	row "$1, ms" "" "$(awk -v n="${3:-1}" '{ print $1 * 1000 / n }' \
	    "$work/$2.times")"
}

# exchange HOST OPTION ...: the key exchange and cipher that ssh agrees on.
exchange()
{
	ssh -v -F "$dir/ssh_config" "$@" true </dev/null 2>&1 | sed -n '
	    s/^debug1: kex: algorithm: /	/p
	    s/^debug1: kex: server->client cipher: \([^ ]*\).*/	\1/p' |
	    tr -d '\n'
	echo
}

# --- the endpoint and what it is compared with -------------------------------------

# sshd with cat: on its second port cat keeps what it reads to itself.
start_cat()
{
	sed "s/^Port .*/Port $port_cat\nPort $port_sink/" \
	    "$fake/sshd_config" >"$fake/sshd_config.cat"
	cat >>"$fake/sshd_config.cat" <<-CONF
	Match LocalPort $port_cat
	    ForceCommand cat
	Match LocalPort $port_sink
	    ForceCommand cat >/dev/null
	CONF
	sed '/^sign:/s,[^:]*$,/bin/sh,' /etc/passwd >"$fake/passwd.cat"
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private sh -c '
	    mount --bind "$1/passwd.cat" /etc/passwd &&
	    exec /usr/sbin/sshd -D -e -f "$1/sshd_config.cat"' \
	    sh "$fake" 2>"$dir/cat.log" &
	sshd_cat=$!
	port=$port_cat within 20 port_answers || fail "cat"
	for port in $port_cat $port_sink; do
		printf '[127.0.0.1]:%s %s\n' "$port" \
		    "$(cat "$dir/host_ed25519.pub")" >>"$dir/known_hosts"
	done
	openssh_port=$port_cat new_door cat sign ci >>"$dir/ssh_config"
	openssh_port=$port_sink new_door sink sign ci >>"$dir/ssh_config"
}

# installed.sh has all of it on a tmpfs, where fsync(2) costs nothing.
journal_to_disk()
{
	stop_programs
	cp -a "$fake/state" "$work/state" || exit 1
	sed -i "s,$fake/state,$work/state," "$dir/htsign.conf"
	start_programs no
}

# ssh_sign FILE HOST WORD ...: the answer is $work/out.
ssh_sign()
{
	local in=$1
	shift
	ssh -F "$dir/ssh_config" "$@" <"$in" >"$work/out" 2>"$work/err"
}

small=$work/small.exe
make_small()
{
	"$builddir/tests/support/make-pe" --payload=$((100 * 1024 - 1024)) >"$small"
}

# --- (a), (b): one small file, one connection ---------------------------------------

door_sign() { timed door_sign ssh_sign "$small" "${kex[@]}" sign test-signing; }
door_openssh() { timed door_openssh ssh_sign "$small" openssh test-signing; }
door_cat() { timed door_cat ssh_sign "$small" "${kex[@]}" cat; }

part_a()
{
	kex=()
	heading "(a) 100 KB over a fresh connection to sshd-sign; key exchange:"
	echo "    sshd-sign$(exchange sign)"
	echo "    sshd     $(exchange cat)"
	turns "${TURNS:-25}" door_sign door_cat
	milliseconds "sshd-sign" door_sign
	milliseconds "sshd, cat" door_cat
	ratio "sshd-sign / cat" "<= 0.45" door_sign door_cat
	kex=(-o "KexAlgorithms=$curve")
	turns "${TURNS:-25}" door_sign door_cat
	milliseconds "sshd-sign, both with $curve" door_sign
	milliseconds "sshd, cat, the same" door_cat
	ratio "sshd-sign / cat" "<= 0.6" door_sign door_cat
}

part_b()
{
	kex=()
	heading "(b) the same through OpenSSH's sshd"
	turns "${TURNS:-25}" door_openssh door_cat
	milliseconds "htsign-shell" door_openssh
	milliseconds "cat" door_cat
	ratio "htsign-shell / cat" "<= 1.15" door_openssh door_cat
}

# --- (c): the token at work ------------------------------------------------------------

# ticks PID ...: CPU that the processes have used, in ms.
own_ticks()
{
	local pid
	for pid in "$@"; do
		cat "/proc/$pid/stat" 2>/dev/null
	done | awk -v tick="$(getconf CLK_TCK)" \
	    '{ sub(/.*\) /, ""); t += $12 + $13 }
	    END { print t * 1000 / tick }'
}

# dead_ticks PID: the same of its children that have ended.
dead_ticks()
{
	awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, "")
	    print ($14 + $15) * 1000 / tick }' "/proc/$1/stat"
}

files=400
# over_channels NAME PROFILE: one more line in $work/NAME.times.
over_channels()
{
	local seconds
	seconds=$("$builddir/tests/bench/channels" 127.0.0.1 "$port_sign" sign \
	    "$dir/ci" "$dir/ci-cert.pub" 16 "$files" "$small" "$2" \
	    2>"$work/err") || fail "$1"
	echo "$seconds" >>"$work/$1.times"
}
channels() { over_channels channels test-signing; }

loop()
{
	"$builddir/tests/bench/pkcs11-loop" "$(find_module)" "$token_label" \
	    "$(cat "$dir/pin")" "$files" >>"$work/loop.times" || fail "loop"
}

find_processes()
{
	parent=$(cat "$dir/htsign-keyd.pid")
	listener=$(cat "$dir/sshd-sign.pid")
	keyd_pid=$(descendants "$parent" htsign-keyd | head -n 1)
	token_pid=$(token_worker)
	forkserver=$(descendants "$listener" htsign-forkserv | head -n 1)
}

# cpu_of COMMAND ...: run it; CPU by process for a file of it.  What the
# network process has used is last seen a moment before its end.
cpu_of()
{
	local network=0 now dead before pid
	before="$(own_ticks "$listener") $(own_ticks "$keyd_pid") \
	    $(own_ticks "$token_pid") $(own_ticks "$parent")"
	dead=$(dead_ticks "$listener")
	"$@" &
	while kill -0 $! 2>/dev/null; do
		pid=$(descendants "$listener" sshd-sign | head -n 1)
		now=$(own_ticks ${pid:+"$pid"})
		[ "${now:-0}" = 0 ] || network=$now
		sleep 0.02
	done
	wait $! || exit 1
	sleep 0.3
	echo "$before" "$(own_ticks "$listener")" "$(own_ticks "$keyd_pid")" \
	    "$(own_ticks "$token_pid")" "$(own_ticks "$parent")" \
	    $(($(dead_ticks "$listener") - dead)) "$network" |
	    awk -v n="$files" '{
	    printf "listener %.2f, network %.2f, shells %.2f, keyd %.2f, " \
	        "its parent %.2f, token worker %.2f", ($5 - $1) / n,
	        $10 / n, ($9 - $10) / n, ($6 - $2) / n, ($8 - $4) / n,
	        ($7 - $3) / n }'
}

part_c()
{
	local cpu
	heading "(c) $files files over 16 channels, and a bare PKCS#11 loop"
	turns 5 loop channels
	milliseconds "16 channels, each file" channels "$files"
	milliseconds "bare loop, each signature" loop "$files"
	ratio "signatures a second, channels / loop" ">= 0.5" loop channels
	find_processes
	cpu=$(cpu_of channels)
	echo "CPU ms a file: $cpu"
}

# --- (d): one large file ---------------------------------------------------------------------

big=$work/big.exe
gcm_to=(-o "Ciphers=$gcm")
big_pkcs7() { timed big_pkcs7 to_null sign test-signing --pkcs7; }
big_full() { timed big_full to_null sign test-signing; }
big_sink() { timed big_sink to_null sink; }
big_echo() { timed big_echo to_null cat; }

to_null()
{
	ssh -F "$dir/ssh_config" "${gcm_to[@]}" "$@" <"$big" >/dev/null \
	    2>"$work/err"
}

# seen FILE PID: keep what /proc says of the process, for as long as it says.
seen()
{
	cat "/proc/$2/status" "/proc/$2/io" >"$1.now" 2>/dev/null &&
	    own_ticks "$2" >>"$1.now" && mv "$1.now" "$1"
}

# watched NAME HOST WORD ...: one more run, in which the shell and its network
# process are looked at; last, at the latest, as long before their end as a
# look takes.
watched()
{
	local name=$1 ssh shell_pid='' network_pid=''
	shift
	to_null "$@" &
	ssh=$!
	while kill -0 $ssh 2>/dev/null; do
		if [ -z "$shell_pid" ]; then
			shell_pid=$(descendants "$listener" htsign-shell)
			network_pid=$(descendants "$listener" sshd-sign)
		else
			seen "$work/$name.shell" "$shell_pid"
			seen "$work/$name.network" "$network_pid"
		fi
		sleep 0.02
	done
	wait $ssh || fail "$*"
}

# passes NAME: what watched has noted.
passes()
{
	local network
	network=$(tail -n 1 "$work/$1.network")
	awk -v size="$(stat -c %s "$big")" -v network="$network" '
	    /^rchar/ { r = $2 } /^wchar/ { w = $2 } NF == 1 { cpu = $1 }
	    END { printf "reads %.2f, writes %.2f of the file, CPU %.2f s; " \
	        "network process: CPU %.2f s\n", r / size, w / size,
	        cpu / 1000, network / 1000 }' "$work/$1.shell"
}

part_d()
{
	local name
	find_processes
	"$builddir/tests/support/make-pe" --payload=$((1 << 30)) >"$big" || exit 1
	heading "(d) 1 GiB, $gcm; sshd's: $(exchange cat "${gcm_to[@]}")"
	turns "${BIG_TURNS:-5}" big_pkcs7 big_sink
	milliseconds "sshd-sign, --pkcs7" big_pkcs7
	milliseconds "sshd, cat >/dev/null" big_sink
	ratio "throughput, sshd-sign --pkcs7 / sshd" ">= 0.75" \
	    big_sink big_pkcs7
	turns "${BIG_TURNS:-5}" big_full big_echo
	milliseconds "sshd-sign, full reply" big_full
	milliseconds "sshd, cat" big_echo
	ratio "time, sshd-sign full / sshd cat" "<= 1.8" big_full big_echo
	watched pkcs7 sign test-signing --pkcs7
	watched full sign test-signing
	for name in pkcs7 full; do
		row "the shell's greatest memory, $name, MiB" "<= 16" \
		    "$(awk '/VmHWM/ { print $2 / 1024 }' "$work/$name.shell")"
	done
	for name in pkcs7 full; do
		echo "shell, $name: $(passes $name)"
	done
	rm -f "$big"
}

# --- (e): at rest ------------------------------------------------------------------------------

pss()
{
	awk '/^Pss:/ { kib += $2 } END { print kib / 1024 }' \
	    "/proc/$1/smaps_rollup"
}

# switches: how often the processes have gone to sleep, and so woken up.
switches()
{
	local pid
	for pid in "$parent" "$keyd_pid" "$token_pid" "$listener" \
	    "$forkserver"; do
		cat "/proc/$pid/status"
	done | awk '/^voluntary/ { n += $2 } END { print n }'
}

part_e()
{
	local before all
	heading "(e) idle after 100 signatures"
	files=100 channels
	find_processes
	sleep 1
	all="$(pss "$parent") $(pss "$keyd_pid") $(pss "$token_pid") \
	    $(pss "$listener") $(pss "$forkserver")"
	before=$(switches)
	sleep 10
	# shellcheck disable=SC2086 # five numbers
	row "PSS of all five, MiB" "<= 24" \
	    "$(printf '%s\n' $all | awk '{ n += $1 } END { print n }')"
	row "wake-ups in 10 s" "<= 0" "$(($(switches) - before))"
	# shellcheck disable=SC2086
	printf 'MiB: %.1f keyd parent, %.1f keyd, %.1f token worker, %.1f %s\n' \
	    ${all% *} "sshd-sign, ${all##* } forkserver"
}

# --- (f): without ssh, and the other signer ------------------------------------------------------

# The shell as sshd starts it, with a ticket for sshd's sixty seconds.
shell_alone()
{
	local cert ticket
	cert=$(cut -d' ' -f2 "$dir/ci-cert.pub")
	ticket=$(setpriv --reuid=64106 --regid=64106 --clear-groups \
	    /usr/libexec/htsign/htsign-principals sign ci/1 1 "$cert" |
	    sed 's/.*--ticket \([^"]*\)".*/\1/')
	echo "publickey $(cut -d' ' -f1,2 "$dir/ci-cert.pub")" >"$work/auth"
	chmod 644 "$work/auth" "$small"
	# shellcheck disable=SC2016 # for the inner shell
	timed shell_alone env -i SSH_USER_AUTH="$work/auth" \
	    SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" \
	    SSH_ORIGINAL_COMMAND=test-signing \
	    setpriv --reuid=64104 --regid=64104 --clear-groups sh -c '
	    i=0; while [ $i -lt 20 ]; do
	    "$1" --ticket "$2" <"$3" >/dev/null || exit; i=$((i + 1)); done' \
	    sh "$shell" "$ticket" "$small" 2>"$work/err"
}

osslsigncode_20()
{
	local i
	for i in $(seq 20); do
		rm -f "$work/out"
		osslsigncode sign -pkcs11engine "$engine" \
		    -pkcs11module "$(find_module)" -pass "$(cat "$dir/pin")" \
		    -key "pkcs11:token=${token_label// /%20};object=codesign" \
		    -certs "$dir/ca.pem" -h sha256 -in "$small" \
		    -out "$work/out" >"$work/err" 2>&1 || return
	done
}
osslsigncode_alone() { timed osslsigncode_alone osslsigncode_20; }

part_f()
{
	engine=$(echo /usr/lib/*/engines-3/pkcs11.so)
	heading "(f) 100 KB without ssh, 20 files one after another"
	if [ -f "$engine" ]; then
		turns 5 shell_alone osslsigncode_alone
		milliseconds "osslsigncode, each file" osslsigncode_alone 20
	else
		echo "no engine for osslsigncode (libengine-pkcs11-openssl)"
		turns 5 shell_alone true
	fi
	milliseconds "htsign-shell, each file" shell_alone 20
	[ ! -f "$engine" ] ||
	    ratio "htsign-shell / osslsigncode" "" shell_alone osslsigncode_alone
}

# --- (g): timestamps ---------------------------------------------------------------------------

stamped() { over_channels stamped stamped; }

# A server that takes 300 ms, and a profile that requires its timestamps.
want_timestamps()
{
	{ authority tsa && start_authority 0; } 2>"$work/err" ||
	    fail "authority"
	install -m 644 "$work/tsa/tsa-root.pem" /etc/htsign/tsa-root.pem
	port=$port_sign reconfigure "1i timestamp_servers = ( { name = \"late\";\
	    operator = \"bench\"; url = \"$url/late\";\
	    roots = \"/etc/htsign/tsa-root.pem\"; } );
	    /^profiles = (/a { name = \"stamped\"; timestamp = \"required\";\
	    certificates = [ \"test\" ]; },"
	admin 'grant ci stamped' || fail "grant"
}

part_g()
{
	local files=500
	heading "(g) $files files over 16 channels, timestamps taking 300 ms"
	want_timestamps
	turns "${STAMPED_TURNS:-3}" stamped channels
	milliseconds "with a timestamp, each file" stamped "$files"
	milliseconds "without, each file" channels "$files"
	row "seconds more, all of them" "<= 15" "$(paste \
	    "$work/stamped.times" "$work/channels.times" |
	    awk '{ print $1 - $2 }')"
}

# --- (h): scanned and kept ---------------------------------------------------------------------

many=16
big_kept() { timed big_kept to_null sign kept; }
big_plain() { timed big_plain to_null sign test-signing; }
kept_pkcs7() { timed kept_pkcs7 to_null sign kept --pkcs7; }
big_dd()
{
	timed big_dd dd if="$big" of="$work/dd" bs=1M conv=fsync status=none
	rm -f "$work/dd"
}

# A profile that has all of a file scanned, by next to nothing, and keeps it.
want_scans()
{
	"$builddir/tests/bench/clamd-sink" "$work/clamd" 2>"$work/err" &
	sink=$!
	within 5 test -S "$work/clamd" || fail "clamd-sink"
	chmod 666 "$work/clamd"
	port=$port_sign reconfigure "1i clamav_socket = \"$work/clamd\";\
	    clamav_max_size = \"1100M\"; clamav_parallel = $((4 * many));\
	    archive_max = \"64G\";
	    /^profiles = (/a { name = \"kept\"; clamav = \"required\";\
	    archive = \"both\"; certificates = [ \"test\" ]; },"
	admin 'grant ci kept' || fail "grant"
}

# most NAME PROGRAM: the most MiB that one of listener's or parent's children of
# that name has had, seen until $work/done is there.
most()
{
	local pid
	until [ -e "$work/done" ]; do
		for pid in $(descendants "$listener" "$2") \
		    $(descendants "$parent" "$2"); do
			awk '/VmHWM/ { print $2 / 1024 }' "/proc/$pid/status"
		done
		sleep 0.05
	done 2>/dev/null | sort -g | tail -n 1 >"$work/$1"
}

# memory TEXT COMMAND ...: while it runs, of the shells and the pump's children.
memory()
{
	local text=$1 watchers
	shift
	rm -f "$work/done"
	most shell.most htsign-shell &
	watchers=$!
	most pump.most htsign-pump &
	watchers+=" $!"
	"$@"
	touch "$work/done"
	# shellcheck disable=SC2086 # two numbers
	wait $watchers
	row "the shell's greatest memory, $text, MiB" "<= 24" \
	    "$(cat "$work/shell.most")"
	row "htsign-pump's, MiB" "<= 24" "$(cat "$work/pump.most")"
}

all_at_once()
{
	local i each=()
	for i in $(seq "$many"); do
		to_null sign kept &
		each+=($!)
	done
	for i in "${each[@]}"; do
		wait "$i" || fail "one of $many"
	done
}

part_h()
{
	heading "(h) 1 GiB, scanned, hashed and kept, and without"
	want_scans
	find_processes
	"$builddir/tests/support/make-pe" --payload=$((1 << 30)) >"$big" || exit 1
	kept_turn() { big_plain && big_dd && big_kept && kept_pkcs7; }
	turns "${BIG_TURNS:-3}" kept_turn true
	sed -i 1d "$work"/{big_plain,big_dd,big_kept,kept_pkcs7}.times
	paste "$work/big_plain.times" "$work/big_dd.times" |
	    awk '{ print ($1 > $2 ? $1 : $2) }' >"$work/longer.times"
	milliseconds "without" big_plain
	milliseconds "dd conv=fsync" big_dd
	milliseconds "scanned and kept" big_kept
	milliseconds "scanned and kept, --pkcs7" kept_pkcs7
	ratio "scanned and kept / the longer" "<= 1.5" big_kept longer
	memory "alone" to_null sign kept
	"$builddir/tests/support/make-pe" --payload=$((64 << 20)) >"$big" ||
	    exit 1
	memory "$many at once" all_at_once
	rm -f "$big"
}

# --- all of it --------------------------------------------------------------------------------------

installed_endpoint "$port_sign" "$port_openssh"
export SOFTHSM2_CONF=$dir/softhsm2.conf
journal_to_disk
start_cat
make_small
printf '%s, %s processors; journal on %s; load before: %s\n' "$(uname -sr)" \
    "$(nproc)" "$(stat -f -c %T "$work")" "$(cut -d' ' -f1 /proc/loadavg)"
echo "Ratios hold for a machine that has nothing else to do: (c) and (d) compare"
echo "what uses both processors with what uses one."
for part in $parts; do
	"part_$part"
done
printf '\n%s\n' "$misses targets missed"
[ "$misses" -eq 0 ]
