# A second SoftHSM token for an endpoint of tests/support/lib.sh.
# shellcheck shell=bash

: "${work:?}" "${dir:?}"

# second_token ETC PLACE: ETC has softhsm2.conf, and gets second.conf and
# second.crt; PLACE has the folder tokens, and gets the folder second.
second_token()
{
	make_second "$1" "$2" >"$work/second.log" 2>&1 && return
	cat "$work/second.log" >&2
	exit 1
}
make_second()
{
	local etc=$1 place=$2 pin
	pin=$(cat "$dir/pin")
	mkdir "$place/second" &&
	    sed "s,$place/tokens,$place/second," "$etc/softhsm2.conf" \
	        >"$etc/second.conf" &&
	    SOFTHSM2_CONF=$etc/second.conf softhsm2-util --init-token --free \
	        --label second --pin "$pin" --so-pin 1234 &&
	    openssl req -x509 -newkey rsa:3072 -nodes -keyout "$work/2.pem" \
	        -out "$etc/second.crt" -subj /CN=second -config /dev/null \
	        -days 365 -addext extendedKeyUsage=codeSigning &&
	    SOFTHSM2_CONF=$etc/second.conf softhsm2-util --import "$work/2.pem" \
	        --token second --pin "$pin" --label codesign --id 01 &&
	    chmod 644 "$etc/second.crt" "$etc/second.conf" || return
	[ "$(id -u)" -ne 0 ] || [ "$etc" != /etc/htsign ] ||
	    chown -R htsign-token:htsign-token "$place/second"
}

# use_both_tokens ETC PLACE: the profile test-signing uses both.  The second is
# first in the configuration.
use_both_tokens()
{
	awk -v etc="$1" -v place="$2" -v module="$(find_module)" '
	{ sub(/certificates = \[ "test" \]/,
	    "certificates = [ \"test\", \"second\" ]") }
	{ print }
	/^tokens = \(/ { printf "{ name = \"second\"; module = \"%s\"; " \
	    "label = \"second\"; pin = \"file:%s/pin\"; pin_counted = true; " \
	    "environment = [ \"SOFTHSM2_CONF=%s/second.conf\" ]; " \
	    "writable = [ \"%s/second\" ]; },\n", module, etc, etc, place }
	/^certificates = \(/ { printf "{ name = \"second\"; token = " \
	    "\"second\"; key = \"pkcs11:object=codesign\"; " \
	    "chain = \"%s/second.crt\"; },\n", etc }' \
	    "$dir/htsign.conf" >"$work/two.conf"
	cat "$work/two.conf" >"$dir/htsign.conf"
}
