#!/bin/bash
# What others can read or change is not used: each file that a configuration
# names, and the way to it.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util
endpoint 2352
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
    -out "$dir/key.pem" 2>/dev/null || openssl genpkey -algorithm EC \
    -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem" 2>/dev/null
chmod 600 "$dir/key.pem"
reconfigure "/^tokens = (/a { name = \"file\"; file = \"$dir/key.pem\"; },"
conf=$dir/htsign.conf

# ends_with STATUS COMMAND ...: within 20 seconds.
ends_with()
{
	timeout 20 "${@:2}" 2>"$work/err"
	[ "$?" -eq "$1" ] || { cat "$work/err"; return 1; }
}

# refuses FILE MODE PROGRAM ...: -t and the start do, with the line that mends it.
refuses()
{
	local file=$1 mode=$2 before program line
	before=$(stat -c %a "$file")
	shift 2
	check "-t takes ${file##*/}" ends_with 0 "$keyd" -t -c "$conf"
	chmod "$mode" "$file"
	for program in "$keyd" "$sshd"; do
		check "${program##*/} -t refuses ${file##*/} with $mode" \
		    ends_with 64 "$program" -t -c "$conf"
	done
	line=$(sed -n 's/.*: \(ch[a-z]* [^ ]* .*\)/\1/p' "$work/err")
	check "names the file" test "${line##* }" = "$file"
	for program; do
		check "so does ${program##*/} at its start" \
		    ends_with 64 "$program" -c "$conf"
	done
	check "and says what mends it: $line" eval "$line"
	check "does it" ends_with 0 "$sshd" -t -c "$conf"
	chmod "$before" "$file"
}

# --- files, under one user -----------------------------------------------------

stop_programs
for mode in 666 640; do
	refuses "$dir/user_ca" "$mode" "$keyd"
	refuses "$dir/pin" "$mode" "$keyd"
	refuses "$dir/key.pem" "$mode" "$keyd"
	refuses "$dir/host_ed25519" "$mode" "$sshd"
done
for mode in 666 664; do
	refuses "$conf" "$mode" "$keyd" "$sshd"
	refuses "$dir/ca.pem" "$mode" "$keyd"
	refuses "$dir/admin_ca.pub" "$mode" "$keyd"
	refuses "$dir/softhsm2.conf" "$mode" "$keyd"
done
start_programs no
chmod 666 "$dir/ca.pem"
kill -HUP "$(cat "$dir/htsign-keyd.pid")"
check "a reload refuses it, too" within 10 grep -q \
    "old configuration stays: others can change this: chmod go-w $dir/ca.pem" \
    "$dir/htsign-keyd.log"
chmod 644 "$dir/ca.pem"
sample app.exe
request test-signing <"$work/app.exe"
signed "what was loaded goes on"

# --- owners, and the way, with uids as an endpoint has them ----------------------

if [ "$(id -u)" -ne 0 ]; then
	echo "skip the way: not root"
	done_testing
fi
stop_programs
mkdir "$work/etc" "$work/etc/sub"
chmod 755 "$work"
cp "$dir"/{user_ca,pin,key.pem,host_ed25519,ca.pem,admin_ca.pub} \
    "$dir/softhsm2.conf" "$work/etc/sub"
chmod 600 "$work/etc/sub"/{user_ca,pin,key.pem,host_ed25519}
chown 64101 "$work/etc/sub"/{user_ca,pin,key.pem}
sed -e '/^single_user/d' -e "s,$dir/\\([a-z]*_\\|pin\\|key\\|ca\\|soft\\),\
$work/etc/sub/\\1,g" "$conf" >"$work/etc/htsign.conf"
echo 'users: { keyd = 64101; token = 64102; net = 64103; sign = 64104;
    admin = 64105; auth = 64106; };' >>"$work/etc/htsign.conf"
conf=$work/etc/htsign.conf
refuses "$work/etc/sub" 775
refuses "$work/etc" 757 "$keyd" "$sshd"
chmod 1777 "$work/etc"
check "a folder such as /tmp is fine" ends_with 0 "$keyd" -t -c "$conf"
chmod 755 "$work/etc"
chown 64104 "$work/etc/sub/host_ed25519"
check "a client's shell owns the host key" \
    ends_with 64 "$sshd" -t -c "$conf"
chown 64101 "$work/etc/sub/host_ed25519"
check "nor may keyd" ends_with 64 "$sshd" -c "$conf"
chown 0 "$work/etc/sub/host_ed25519"
mkdir "$work/etc/others"
ln -s "$work/etc/sub/user_ca" "$work/etc/others/user_ca"
sed -i "s,sub/user_ca,others/user_ca," "$conf"
refuses "$work/etc/others" 777 "$keyd"
done_testing
