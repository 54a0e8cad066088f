#!/bin/bash
# A key that wants its PIN for each signature (CKA_ALWAYS_AUTHENTICATE): it signs,
# beside one that does not; a PIN that is refused meanwhile costs one try, and an
# administrator's word mends it; a worker that dies when the token has taken the
# PIN costs none.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode openssl pkcs11-tool
endpoint 2431
sample app.exe
export SOFTHSM2_CONF=$dir/softhsm2.conf
pin=$(cat "$dir/pin")

tool()
{
	pkcs11-tool --module "$(find_module)" --token-label "htsign quickstart" \
	    "$@" >"$work/tool.log" 2>&1 || {
		cat "$work/tool.log" >&2
		return 1
	}
}

each_key()
{
	openssl req -x509 -newkey rsa:3072 -nodes -keyout "$work/each.pem" \
	    -out "$dir/each.crt" -subj /CN=each -config /dev/null -days 365 \
	    -addext extendedKeyUsage=codeSigning 2>/dev/null &&
	    openssl rsa -in "$work/each.pem" -outform DER \
	        -out "$work/each.der" 2>/dev/null &&
	    tool -l --pin "$pin" --write-object "$work/each.der" \
	        --type privkey --label each --id 09 --usage-sign --always-auth
}
check "a key that wants its PIN each time" each_key
mkdir "$work/control"
cp "$builddir/tests/support/lying-token.so" "$work/libsofthsm2.so"
sed "s|$(find_module)|$work/libsofthsm2.so|
    s|environment = \[|& \"LYING_MODULE=$(find_module)\",\
        \"LYING_CONTROL=$work/control\",|
    s|writable = \[|& \"$work/control\",|" "$dir/htsign.conf" \
    >"$work/before.conf"
# add_each KEY: the certificate with this URI, and a profile.
add_each()
{
	awk -v uri="$1" -v chain="$dir/each.crt" '{ print }
	    /^certificates = \(/ { printf "{ name = \"each\"; token = " \
	        "\"softhsm\"; key = \"%s\"; chain = \"%s\"; },\n", uri, chain }
	    /^profiles = \(/ { print "{ name = \"each\"; " \
	        "certificates = [ \"each\" ]; }," }' "$work/before.conf" \
	    >"$dir/htsign.conf"
	chmod 600 "$dir/htsign.conf"
	reconfigure ''
}
add_each pkcs11:object=each
admin 'grant ci each' >/dev/null

# state WORD: the token is in this state.
state()
{
	admin tokens | grep -q "^softhsm  *$1 "
}
# calls WORD: how often the module was called so.
calls()
{
	grep -cx "$1" "$work/control/calls"
}

for i in 1 2 3; do
	request each <"$work/app.exe"
	signed "signature $i with the PIN"
done
cp "$work/out" "$work/each.exe"
check "osslsigncode verifies it" osslsigncode verify -CAfile "$dir/each.crt" \
    "$work/each.exe"
pids=()
for i in 1 2 3 4 5 6; do
	profile=each
	[ $((i % 2)) = 0 ] || profile="test-signing"
	ssh -F "$dir/ssh_config" "$door" "$profile" <"$work/app.exe" \
	    >"$work/out.$i" 2>"$work/err.$i" &
	pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do
	wait "$pid" || failed=$((failed + 1))
done
check "six at once, three of them by a key without: none fails" \
    test "$failed" = 0

# --- the ways to find it ---------------------------------------------------------

for uri in pkcs11:id=%09 pkcs11:; do
	add_each "$uri"
	request each <"$work/app.exe"
	signed "found by $uri"
done

# --- workers that die --------------------------------------------------------------

printf '!' >"$work/control/sign-crash"
request each <"$work/app.exe"
signed "a worker that dies when the token has taken the PIN"
journal_says "is on record" '"attempts":2'
printf '!' >"$work/control/sign-removed"
request each <"$work/app.exe"
signed "a token that goes away before it has the PIN"

# --- a PIN that is refused ---------------------------------------------------------

printf '!' >"$work/control/login-wrong"
before=$(calls login)
request each <"$work/app.exe"
refused "a PIN that is refused for a signature" 69
request each <"$work/app.exe"
refused "is not tried again" 69
request test-signing <"$work/app.exe"
refused "by any key" 69
check "the token is locked" within 10 state locked
check "that cost one try" test $(($(calls login) - before)) = 1
reconfigure ''
check "nor is it after a restart" within 20 state locked
check "which cost none" test $(($(calls login) - before)) = 1
admin 'unlock softhsm' <"$dir/pin"
check "an administrator unlocks it" within 10 state ready
request each <"$work/app.exe"
signed "and it signs again"

# --- an attempt of which nobody knows ---------------------------------------------

printf '!' >"$work/control/login-late-crash"
request each <"$work/app.exe"
signed "a worker that dies while the token has the PIN: the token counts"
reconfigure 's/pin_counted = true/pin_counted = false/'
check "another token does not" within 20 state ready
printf '!' >"$work/control/login-late-crash"
before=$(calls login)
request each <"$work/app.exe"
refused "there a worker dies, too" 69
check "which locks the token" within 10 state locked
check "and cost one try" test $(($(calls login) - before)) = 1
done_testing
