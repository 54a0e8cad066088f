#!/bin/bash
# The processes of htsign-keyd: the parent starts keyd and a token worker, and
# nothing of them stays.  Runs as any user (single_user).

# shellcheck source=tests/support/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"

needs softhsm2-util openssl pgrep ssh-keygen

keyd=$builddir/keys/keyd/htsign-keyd
conf=$work/htsign.conf
parent=

cleanup_more()
{
	[ -z "$parent" ] || kill -KILL "$parent" 2>/dev/null
}

# start: the parent in the background, until keyd says that it is ready.
start()
{
	"$keyd" -c "$conf" >"$work/log" 2>&1 &
	parent=$!
	wait_for grep -q 'token unit: ready' "$work/log"
}

wait_for()
{
	local i
	for i in $(seq 100); do
		"$@" && return 0
		[ "$i" = 100 ] || sleep 0.1
	done
	cat "$work/log" >&2
	return 1
}

# ready TIMES: so often has the token become ready, since start.
ready()
{
	[ "$(grep -c 'token unit: ready' "$work/log")" -ge "$1" ]
}

keyd_pid()
{
	pgrep -P "$parent" -x htsign-keyd
}

worker_pid()
{
	pgrep -P "$parent" -x htsign-token
}


is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# has_new OLD COMMAND: what the command prints is there, and not OLD.
has_new()
{
	local new
	new=$("$2") && [ -n "$new" ] && [ "$new" != "$1" ]
}

is_confined()
{
	grep -q '^Seccomp:[[:space:]]*2$' "/proc/$1/status" &&
	    grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$1/status"
}

# An ordinary process's folder in /proc is its user's; an undumpable one's is
# root's, and root sees it by what may not be looked at without more rights.
is_undumpable()
{
	[ "$(id -u)" = 0 ] || [ "$(stat -c %u "/proc/$1/mem")" = 0 ]
}

pin_is_nowhere()
{
	local pid
	for pid in "$parent" "$(keyd_pid)" "$(worker_pid)"; do
		! grep -qa "$pin" "/proc/$pid/cmdline" || return 1
		[ ! -r "/proc/$pid/environ" ] ||
		    ! grep -qa "$pin" "/proc/$pid/environ" || return 1
	done
	! grep -qa "$pin" "$work/log" &&
	    ! grep -rqa "$pin" "$work/state" "$work/run"
}

pin=73519842
make_endpoint()
{
	mkdir "$work/tokens" "$work/state" "$work/run" || return 1
	cat >"$work/softhsm2.conf" <<-CONF
	directories.tokendir = $work/tokens
	objectstore.backend = file
	log.level = ERROR
	CONF
	export SOFTHSM2_CONF=$work/softhsm2.conf
	install -m 600 /dev/null "$work/pin" && echo "$pin" >"$work/pin"
	softhsm2-util --init-token --free --label unit --pin "$pin" \
	    --so-pin "$pin" &&
	    openssl req -x509 -newkey rsa:3072 -nodes -keyout "$work/key.pem" \
	    -out "$work/cert.pem" -subj /CN=test -config /dev/null \
	    -addext extendedKeyUsage=codeSigning &&
	    softhsm2-util --import "$work/key.pem" --token unit --pin "$pin" \
	    --label codesign --id 01 &&
	    ssh-keygen -q -t ed25519 -N '' -f "$work/user_ca" || return 1
	cat >"$conf" <<-CONF
	single_user = true;
	state = "$work/state";
	run = "$work/run";
	ssh: { user_ca = "$work/user_ca"; };
	tokens = ( { name = "unit"; module = "$(find_module)";
	    label = "unit"; pin = "file:$work/pin";
	    environment = [ "SOFTHSM2_CONF=$work/softhsm2.conf" ];
	    writable = [ "$work/tokens" ]; } );
	certificates = ( { name = "test"; token = "unit";
	    key = "pkcs11:object=codesign"; chain = "$work/cert.pem"; } );
	profiles = ( { name = "test-signing"; certificates = [ "test" ]; } );
	CONF
}
make_endpoint >"$work/make.log" 2>&1 || {
	cat "$work/make.log" >&2
	exit 1
}
unset SOFTHSM2_CONF

# --- what the module has ---------------------------------------------------------

# probe OPTION ...: $status, and what it says is in $work/probe.
probe()
{
	SOFTHSM2_CONF=$work/softhsm2.conf "$builddir/keys/token/htsign-token" \
	    --probe "$@" >"$work/probe" 2>"$work/err"
	status=$?
}

# The configuration with what the probe prints for tokens and certificates.
probed_conf()
{
	sed '/^tokens/,/^certificates/d; /^    key =/d' "$conf"
	sed "s|/etc/htsign/signing-1.pem|$work/cert.pem|
	    s|signing-1|test|" "$work/probe"
}

probe "$(find_module)" --pin-file="$work/pin"
check "a module is probed" test "$status" -eq 0
check "its token has model, firmware and serial" grep -qE \
    '^# slot .*"unit", SoftHSM project, SoftHSM v2, firmware [0-9.]+, serial [0-9a-f]+$' \
    "$work/probe"
check "and a key that signs" \
    grep -q '"codesign", id 01: RSA 3072, signs$' "$work/probe"
check "which is not said to be one that can be copied" \
    not grep -q CKA_EXTRACTABLE "$work/probe"
probed_conf >"$work/probed.conf"
check "what it prints is a configuration" "$keyd" -t -c "$work/probed.conf"
probe "$(find_module)"
check "without its PIN no private key shows" \
    grep -q 'private keys do not show' "$work/probe"
echo 00000000 >"$work/wrong"
probe "$(find_module)" --pin-file="$work/wrong"
check "a wrong PIN is not accepted" grep -q 'does not accept' "$work/probe"
probe "$(find_module)" --pin-file="$work/pin"
check "and after that none is tried" grep -q 'none is tried' "$work/probe"
probe "$work/none.so"
check "a module that is not there is 69" test "$status" -eq 69
check "and one line" test "$(wc -l <"$work/err")" -eq 1
probe /bin/true
check "so is what is no module: $(cat "$work/err")" \
    test "$status,$(wc -l <"$work/err")" = 69,1

# --- a configuration that is wrong -----------------------------------------------

check "-t accepts the configuration" "$keyd" -t -c "$conf"
echo 'nonsense = 1;' | cat "$conf" - >"$work/bad.conf"
"$keyd" -t -c "$work/bad.conf" 2>"$work/err"
check "-t refuses a wrong one with 64" test $? = 64
check "and says the line" grep -q "bad.conf:[0-9]*: .*nonsense" "$work/err"
timeout 10 "$keyd" -c "$work/bad.conf" 2>"$work/err"
check "it is not started again and again with it" test $? = 64
check "and says why" grep -q "bad.conf:[0-9]*: .*nonsense" "$work/err"
timeout 10 "$keyd" -c "$work/none.conf" 2>"$work/err"
check "a configuration that is not there is 64" test $? = 64

# --- processes --------------------------------------------------------------------

check "keyd and its token come up" start
for pid in "$parent" "$(keyd_pid)" "$(worker_pid)"; do
	name=$(tr '\0' ' ' <"/proc/$pid/cmdline")
	check "confined: $name" is_confined "$pid"
	check "undumpable: $name" is_undumpable "$pid"
done
check "the PIN is in no argument, environment, log or file of keyd's" \
    pin_is_nowhere

old=$(worker_pid)
kill -KILL "$old"
check "a killed worker is noticed" \
    wait_for grep -q 'token unit: the worker died' "$work/log"

old=$(keyd_pid)
kill -KILL "$old"
check "a killed keyd is started again" wait_for has_new "$old" keyd_pid
check "and its token with it" wait_for ready 2
worker=$(worker_pid)
keyd_now=$(keyd_pid)
kill -TERM "$parent"
wait "$parent"
check "SIGTERM ends it with 0" test $? = 0
check "no keyd stays" is_gone "$keyd_now"
check "no worker stays" wait_for is_gone "$worker"

# A login that is under way is waited for: otherwise the PIN guard would keep
# the token locked at the next start.
for delay in 0.01 0.05 0.1 0.2 0.3; do
	"$keyd" -c "$conf" >"$work/log" 2>&1 &
	parent=$!
	sleep "$delay"
	kill -TERM "$parent"
	wait "$parent"
done
check "it starts again" start
worker=$(worker_pid)
keyd_now=$(keyd_pid)
kill -KILL "$parent"
wait "$parent" 2>/dev/null
check "keyd dies with its parent" wait_for is_gone "$keyd_now"
check "the worker dies with its parent" wait_for is_gone "$worker"
parent=

done_testing
