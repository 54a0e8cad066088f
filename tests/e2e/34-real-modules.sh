#!/bin/bash
# PKCS#11 modules of others sign: OpenSC and ykcs11 on an emulated PIV card, with
# slot 9A and with 9C, which wants its PIN each time; tpm2-pkcs11 on an emulated
# TPM; and p11-kit's client, whose token is on another machine: the socket of
# "p11-kit server" comes over ssh.  SoftHSM signs in all the other tests.  What is
# not installed is said and left out.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
[ "$(id -u)" -eq 0 ] || skip "it needs root to start pcscd"
# A /run of its own, where no other pcscd is.
if [ -z "${HT_TEST_NAMESPACE-}" ]; then
	unshare --mount true 2>/dev/null || skip "needs a mount namespace"
	rm -rf --one-file-system "$work"
	HT_TEST_NAMESPACE=yes exec unshare --mount --propagation private \
	    "$BASH" "$0"
fi
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
libraries=/usr/lib/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
pids=()
cards=35964 tpm_port=2538

cleanup_more()
{
	[ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null
}

# left_out WHAT: said, and no failure.
left_out()
{
	printf 'skip %s\n' "$*"
}

# have WHAT PROGRAM-OR-FILE ...
have()
{
	local what=$1 each
	shift
	for each; do
		command -v "$each" >/dev/null || [ -e "$each" ] || {
			left_out "$what: no $each"
			return 1
		}
	done
}

# background COMMAND ...: ends with the test.
background()
{
	"$@" &
	pids+=($!)
}

endpoint 2536
sample app.exe
cp "$dir/htsign.conf" "$work/plain.conf"
signing=0

# more_token NAME MODULE TOKEN PIN ENVIRONMENT: single_user goes by the module's
# name.
more_token()
{
	mkdir "$work/$1" && cp "$2" "$work/$1/libsofthsm2.so" || exit 1
	install -m 600 /dev/null "$dir/$1.pin"
	echo "$4" >"$dir/$1.pin"
	sed -i "/^tokens = (/a { name = \"$1\"; $3 pin = \"file:$dir/$1.pin\";\
	    module = \"$work/$1/libsofthsm2.so\";\
	    environment = [ $5 ]; writable = [ \"$work/$1\" ]; }," \
	    "$dir/htsign.conf"
}

# more_profile NAME TOKEN KEY CHAIN
more_profile()
{
	sed -i "/^certificates = (/a { name = \"$1\"; token = \"$2\";\
	    key = \"$3\"; chain = \"$4\"; },
	    /^profiles = (/a { name = \"$1\"; certificates = [ \"$1\" ];\
	    formats = [ \"pe\" ]; allow_weak = true; }," "$dir/htsign.conf"
}

# signs NAME ROOT: three times, and then there is no such profile any more.
signs()
{
	signing=$((signing + 1))
	admin "grant ci $1" >"$work/grant.log" 2>&1
	for _ in 1 2 3; do
		request "$1" <"$work/app.exe"
		signed "$1 signs"
	done
	check "and that verifies" verify_osslsigncode "$work/out" "$2"
}

is_ready()
{
	admin tokens | grep -q "^$1 *ready"
}

# start_with TOKEN; stop_without: one more than the plain configuration has.
start_with()
{
	stop_programs
	start_programs no
	check "the token $1 is ready" within 60 is_ready "$1"
}

stop_without()
{
	stop_programs
	cp "$work/plain.conf" "$dir/htsign.conf"
}

# probe_says TOKEN PATTERN ...: what --probe prints of its module.
probe_says()
{
	local name=$1 pattern
	shift
	"$builddir/keys/token/htsign-token" --probe \
	    "$work/$name/libsofthsm2.so" --pin-file="$dir/$name.pin" \
	    >"$work/probe" 2>&1 || return
	cat "$work/probe"
	for pattern; do
		grep -qE "$pattern" "$work/probe" || return
	done
}

# --- PIV -------------------------------------------------------------------------

# The card has to be in a reader of this name, or ykcs11 does not look.
start_reader()
{
	local driver
	driver=$(find /usr/lib/pcsc -name libifdvpcd.so | head -n 1)
	mkdir "$work/readers" /run/pcscd || return
	cat >"$work/readers/vpcd" <<-CONF
	FRIENDLYNAME "Yubico YubiKey OTP+FIDO+CCID"
	DEVICENAME /dev/null:$cards
	LIBPATH $driver
	CHANNELID $cards
	CONF
	background pcscd --foreground --config "$work/readers" \
	    >"$work/pcscd.log" 2>&1
	background python3 "$srcdir/tests/support/piv_card.py" "$cards" \
	    "$dir/9c.pem" "$dir/9a.pem" >>"$work/card" 2>&1
	within 30 grep -q ready "$work/card"
}

# In PKCS#11 9A is the key 01, and 9C 02.
piv()
{
	more_token "$1" "$2" "$3" 123456 ''
	more_profile "$1-9a" "$1" "pkcs11:id=%01" "$dir/9a.pem"
	more_profile "$1-9c" "$1" "pkcs11:id=%02" "$dir/9c.pem"
	start_with "$1"
	signs "$1-9a" "$dir/9a.pem"
	: >"$work/card"
	signs "$1-9c" "$dir/9c.pem"
	check "the PIN came before each of these signatures" \
	    test "$(grep -A 1 'pin right' "$work/card" |
	    grep -c '9c signed')" -eq 3
	check "no wrong PIN came, and no signature without one" \
	    not grep -E 'wrong|refused' "$work/card"
	stop_without
	# A card that was just in use may have to be asked again.
	check "$1: --probe shows what the keys want" within 20 probe_says "$1" \
	    'id 01: EC prime256v1, signs$' \
	    'id 02: EC prime256v1, signs, with its PIN each time'
}

opensc=$libraries/opensc-pkcs11.so
ykcs11=$libraries/libykcs11.so.2
if have "PIV cards" pcscd /usr/lib/pcsc/drivers/serial/libifdvpcd.so python3; then
	check "a reader has a card" start_reader
	have OpenSC "$opensc" && piv opensc "$opensc" 'label = "PIV 9A (test)";'
	have ykcs11 "$ykcs11" && piv ykcs11 "$ykcs11" 'label = "YubiKey PIV #0";'
fi

# --- TPM -------------------------------------------------------------------------

start_tpm()
{
	mkdir "$work/tpm-state" "$work/tpm-store" || return
	background swtpm socket --tpm2 --tpmstate dir="$work/tpm-state" \
	    --server "type=tcp,port=$tpm_port,bindaddr=127.0.0.1" \
	    --ctrl "type=tcp,port=$((tpm_port + 1)),bindaddr=127.0.0.1" \
	    --flags not-need-init,startup-clear >"$work/swtpm.log" 2>&1
	# Its resource manager, at a bus of its own.
	background dbus-daemon --session --nofork --nopidfile \
	    --address="unix:path=$work/bus" 2>"$work/bus.log"
	within 10 test -S "$work/bus" || return
	export DBUS_SESSION_BUS_ADDRESS=unix:path=$work/bus
	background tpm2-abrmd --allow-root --session \
	    --tcti="swtpm:host=127.0.0.1,port=$tpm_port" >"$work/abrmd.log" 2>&1
	export TPM2_PKCS11_STORE=$work/tpm-store
	export TPM2TOOLS_TCTI=tabrmd:bus_type=session
	within 10 tpm2_ptool init
}

# A certificate of the key, by a CA of this test's making.
tpm_key()
{
	tpm2_ptool addtoken --pid=1 --label=tpm --sopin=1234 --userpin=1234 &&
	    tpm2_ptool addkey --label=tpm --userpin=1234 --algorithm=rsa2048 \
	    --key-label=codesign --id=01 &&
	    TPM2_PKCS11_TCTI=$TPM2TOOLS_TCTI pkcs11-tool --module "$tpm2" \
	    --token-label tpm --read-object --type pubkey --label codesign \
	    -o "$work/tpm.der" &&
	    openssl rsa -pubin -inform DER -in "$work/tpm.der" -pubout \
	    -out "$work/tpm.pub" &&
	    openssl req -x509 -days 365 -newkey rsa:3072 -nodes \
	    -keyout "$work/ca.key" \
	    -out "$work/ca.pem" -subj "/CN=CA (test)" -config /dev/null \
	    -addext basicConstraints=critical,CA:TRUE \
	    -addext keyUsage=critical,keyCertSign &&
	    printf '%s\n' basicConstraints=critical,CA:FALSE \
	    keyUsage=critical,digitalSignature extendedKeyUsage=codeSigning \
	    >"$work/extensions" &&
	    openssl req -new -key "$work/ca.key" -subj "/CN=TPM (test)" \
	    -config /dev/null -out "$work/tpm.csr" &&
	    openssl x509 -req -in "$work/tpm.csr" -force_pubkey "$work/tpm.pub" \
	    -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 365 \
	    -extfile "$work/extensions" -out "$work/tpm.pem" &&
	    cat "$work/tpm.pem" "$work/ca.pem" >"$dir/tpm.pem"
}

tpm2=$libraries/libtpm2_pkcs11.so.1
if have "a TPM" "$tpm2" "$libraries/libtss2-tcti-tabrmd.so.0" swtpm tpm2-abrmd \
    tpm2_ptool dbus-daemon pkcs11-tool; then
	check "a TPM starts" start_tpm
	check "and has a key" tpm_key
	more_token tpm "$tpm2" 'label = "tpm";' 1234 \
	    "\"TPM2_PKCS11_STORE=$work/tpm-store\",\
	    \"TPM2_PKCS11_TCTI=tabrmd:bus_type=session\",\
	    \"DBUS_SESSION_BUS_ADDRESS=unix:path=$work/bus\""
	sed -i "s|writable = \[ \"$work/tpm\"|&, \"$work/tpm-store\"|" \
	    "$dir/htsign.conf"
	more_profile tpm tpm "pkcs11:object=codesign" "$dir/tpm.pem"
	start_with tpm
	signs tpm "$work/ca.pem"
	stop_without
fi

# --- a token on another machine ----------------------------------------------------

# There: a token, and p11-kit's server of it.
start_remote()
{
	mkdir "$work/there" "$work/there/tokens" || return
	token_folder=$work/there/tokens softhsm_conf >"$work/there/softhsm2.conf"
	export SOFTHSM2_CONF=$work/there/softhsm2.conf
	make_softhsm there 1234 &&
	    make_test_key there 1234 codesign 01 "remote (test)" 365 \
	        "$dir/remote.pem" || return
	background p11-kit server --foreground --name "$work/there/p11.sock" \
	    --provider "$(find_module)" pkcs11: >"$work/there/log" 2>&1
	unset SOFTHSM2_CONF
	within 10 test -S "$work/there/p11.sock"
}

# An sshd there, and here its socket.
forward()
{
	ssh-keygen -q -t ed25519 -N '' -f "$work/there/key" &&
	    cp "$work/there/key.pub" "$work/there/authorized" || return
	mkdir -p /run/sshd
	cat >"$work/there/sshd_config" <<-CONF
	ListenAddress 127.0.0.1
	Port 2537
	HostKey $dir/host_ed25519
	AuthorizedKeysFile $work/there/authorized
	StrictModes no
	UsePAM no
	PidFile none
	CONF
	background /usr/sbin/sshd -D -e -f "$work/there/sshd_config" \
	    2>"$work/there/sshd.log"
	port=2537 within 10 port_answers || return
	background ssh -F /dev/null -N -p 2537 -i "$work/there/key" \
	    -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no \
	    -L "$work/here.sock:$work/there/p11.sock" root@127.0.0.1
	within 10 test -S "$work/here.sock"
}

loose_key()
{
	pkcs11-tool --module "$client" --token-label there --login --pin 1234 \
	    --keypairgen --key-type EC:prime256v1 --label loose --id 02 \
	    --extractable
}

client=$libraries/pkcs11/p11-kit-client.so
if have "a token on another machine" "$client" p11-kit pkcs11-tool \
    /usr/sbin/sshd; then
	check "a token on another machine" start_remote
	check "its socket comes over ssh" forward
	more_token remote "$client" 'label = "there";' 1234 \
	    "\"P11_KIT_SERVER_ADDRESS=unix:path=$work/here.sock\""
	more_profile remote remote "pkcs11:object=codesign" "$dir/remote.pem"
	start_with remote
	signs remote "$dir/remote.pem"
	stop_without
	export P11_KIT_SERVER_ADDRESS=unix:path=$work/here.sock
	check "a key there that can be copied" loose_key
	check "--probe says so" probe_says remote \
	    '"codesign", id 01: RSA 3072, signs$' \
	    '"loose", id 02: EC prime256v1, signs$' CKA_EXTRACTABLE
fi

[ "$signing" -gt 0 ] || skip "none of the modules is here"
done_testing
