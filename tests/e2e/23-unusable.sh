#!/bin/bash
# A certificate that cannot be used costs its own profiles, and no more: at the
# start, after a reload, and in -t, which opens what the configuration names.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util openssl
endpoint 2353
sample app.exe
conf=$dir/htsign.conf

# certificate NAME USAGE OPTION ...: with a key of its own, $dir/NAME.key.
certificate()
{
	openssl req -x509 -nodes -subj "/CN=$1" -config /dev/null \
	    -keyout "$dir/$1.key" -out "$dir/$1.pem" \
	    -addext "extendedKeyUsage=$2" "${@:3}" >/dev/null 2>&1
}
p256=(-newkey ec -pkeyopt "ec_paramgen_curve:P-256")
certificate no-usage clientAuth "${p256[@]}" -days 200
certificate ed25519 codeSigning -newkey ed25519 -days 200
certificate foreign codeSigning "${p256[@]}" -days 200
certificate malformed codeSigning "${p256[@]}" -days 200
certificate expired codeSigning "${p256[@]}" -days 200
openssl x509 -req -in <(openssl x509 -x509toreq -in "$dir/expired.pem" \
    -signkey "$dir/expired.key" 2>/dev/null) -signkey "$dir/expired.key" \
    -days -1 -extfile <(echo extendedKeyUsage=codeSigning) \
    -out "$work/expired.pem" 2>/dev/null
mv "$work/expired.pem" "$dir/expired.pem"
certificate no-token codeSigning "${p256[@]}" -days 200
certificate no-chain codeSigning "${p256[@]}" -days 200
certificate open-chain codeSigning "${p256[@]}" -days 200
cp "$dir/no-usage.key" "$dir/foreign.key"
echo "no key" >"$dir/malformed.key"
rm "$dir/no-token.key" "$dir/no-chain.pem"
chmod 600 "$dir"/*.key
chmod 666 "$dir/open-chain.pem"

# What is wrong with each, as -t says it; the words at the start are others if
# only the token's worker sees it.
declare -A faults=(
	[no-usage]="the certificate is not for code signing"
	[ed25519]="neither RSA, P-256 nor P-384"
	[foreign]="the key in $dir/foreign.key does not fit it"
	[malformed]="$dir/malformed.key: must be a PEM private key"
	[expired]="certificate expired: has expired"
	[no-token]="$dir/no-token.key: No such file or directory"
	[no-chain]="$dir/none/no-chain.pem: No such file or directory"
	[open-chain]="others can change this: chmod go-w $dir/open-chain.pem"
)
cp "$conf" "$work/sound.conf"
for name in "${!faults[@]}"; do
	sed -i -e "/^tokens = (/a { name = \"$name\";\
	    file = \"$dir/$name.key\"; }," \
	    -e "/^certificates = (/a { name = \"$name\"; token = \"$name\";\
	    chain = \"$dir/$name.pem\"; }," \
	    -e "/^profiles = (/a { name = \"$name\"; text = \"Some text\";\
	    certificates = [ \"$name\" ]; }," "$conf"
done
# A folder that is not there cannot be in keyd's sandbox either.
sed -i "s,/no-chain.pem,/none/no-chain.pem," "$conf"
sed -i "/^profiles = (/a { name = \"spare\";\
    certificates = [ \"no-usage\", \"test\" ]; }," "$conf"

# --- -t ------------------------------------------------------------------------

# says_all FILE: it has each fault, with the line of the configuration.
says_all()
{
	local name
	for name in "${!faults[@]}"; do
		grep -q "htsign.conf:[0-9]*: .*${faults[$name]}" "$1" ||
		    { echo "$name"; cat "$1"; return 1; }
	done
}
"$keyd" -t -c "$conf" 2>"$work/err"
check "-t: certificates that cannot be used are 69" test "$?" -eq 69
check "with file and line of each" says_all "$work/err"
check "and nothing else" test "$(wc -l <"$work/err")" -eq 9
grep -n no-chain.pem "$conf" | sed 's/:.*//' >"$work/line"
check "which is the right line" grep -q \
    "htsign.conf:$(cat "$work/line"): certificate no-chain:" "$work/err"
check "no fault, no word: 0" "$keyd" -t -c "$work/sound.conf"
check "sshd-sign -t: that it listens already is no fault" \
    "$sshd" -t -c "$work/sound.conf"

# wrong SED STATUS WORDS [PROGRAM]: of a configuration changed like that.
wrong()
{
	local program=${4:-$keyd}
	sed "$1" "$work/sound.conf" >"$work/wrong.conf"
	"$program" -t -c "$work/wrong.conf" 2>"$work/err"
	check "${program##*/} -t, $1: $2" test "$?" -eq "$2"
	check "says so" grep -q "wrong.conf:[0-9]*: .*$3" "$work/err"
}
wrong "s,user_ca\";,none\";," 64 "none: No such file"
wrong "s,user_ca\";,pin\";," 64 "pin: "
wrong "s,/admin_ca.pub,/pin," 64 "pin: "
wrong "s,^state = .*,state = \"$work/none/state\";," 64 "none: No such file"
wrong "s,^run = .*,run = \"$conf\";," 64 "no folder"
wrong "s,/host_ed25519,/none," 64 "none: No such file"
wrong "s,/host_ed25519,/none," 64 "none: No such file" "$sshd"
wrong "s,/host_ed25519,/pin," 64 "pin: cannot read a private host key" "$sshd"

# --- the endpoint with them --------------------------------------------------------

stop_programs
start_programs no
check "the log has them" grep -q \
    "htsign.conf:$(cat "$work/line"): certificate no-chain: " \
    "$dir/htsign-keyd.log"
request test-signing <"$work/app.exe"
signed "other profiles sign"
for name in "${!faults[@]}" spare; do
	admin "grant ci $name" || exit 1
done
request spare <"$work/app.exe"
signed "so does one that has another certificate"
for name in "${!faults[@]}"; do
	request "$name" <"$work/app.exe"
	refused "$name" "$([ "$name" = expired ] && echo 66 || echo 69)"
	journal_says "which is on record" "\"profile\":\"$name\"" \
	    '"status":"(refused|failed)"'
	check "and is no news of the machine" not grep -q "$dir/$name.pem" \
	    "$work/err"
done
request profiles </dev/null
for name in "${!faults[@]}"; do
	check "profiles says it of $name" grep -q \
	    "^$name  Some text (cannot sign now: .*)" "$work/out"
done
check "and of no other" test "$(grep -c "cannot sign" "$work/out")" -eq 8
admin help >"$work/greeting"
for name in no-usage ed25519 expired no-token no-chain open-chain; do
	check "the greeting of administrators has $name" \
	    grep -q "htsign.conf:[0-9]*: .*${faults[$name]}" "$work/greeting"
done
check "and the key that does not fit" \
    grep -q "certificate foreign: .*does not fit" "$work/greeting"
check "and none that is sound" not grep -q "certificate test" "$work/greeting"
not admin 'unlock no-token' <"$dir/pin" >/dev/null 2>"$work/err"
check "a token that cannot be used is not unlocked" \
    grep -q "cannot be used: .*no-token.key" "$work/err"

# --- a reload ----------------------------------------------------------------------

reloads=0
reload()
{
	reloads=$((reloads + 1))
	kill -HUP "$(cat "$dir/htsign-keyd.pid")"
	within 10 reloaded
}
reloaded()
{
	[ "$(grep -c "configuration was read again" "$dir/htsign-keyd.log")" \
	    -ge "$reloads" ]
}
chmod 644 "$dir/open-chain.pem"
mv "$dir/ca.pem" "$work/ca.pem"
check "a reload, of one certificate less and one more" reload
request open-chain <"$work/app.exe"
signed "what was mended signs"
request test-signing <"$work/app.exe"
refused "what is gone does not" 69
mv "$work/ca.pem" "$dir/ca.pem"
check "another one" reload
request test-signing <"$work/app.exe"
signed "and it signs again"
done_testing
