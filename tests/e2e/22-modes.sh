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

# mended FILE PROGRAM: what PROGRAM said last names the command that mends FILE.
mended()
{
	local line
	line=$(sed -n 's/.*: \(ch[a-z]* [^ ]* .*\)/\1/p' "$work/err")
	check "names the file" test "${line##* }" = "$1"
	check "and says what mends it: $line" eval "$line"
	check "does it" ends_with 0 "$2" -t -c "$conf"
}

# refuses FILE MODE PROGRAM ...: -t and the start of each do.
refuses()
{
	local file=$1 mode=$2 before program
	before=$(stat -c %a "$file")
	shift 2
	check "-t takes ${file##*/}" ends_with 0 "$keyd" -t -c "$conf"
	chmod "$mode" "$file"
	for program; do
		check "so does ${program##*/} at its start" \
		    ends_with 64 "$program" -c "$conf"
		check "${program##*/} -t refuses ${file##*/} with $mode" \
		    ends_with 64 "$program" -t -c "$conf"
	done
	mended "$file" "$1"
	chmod "$before" "$file"
}

# costs FILE MODE: -t tells that a token or a certificate cannot be used.
costs()
{
	local before
	before=$(stat -c %a "$1")
	chmod "$2" "$1"
	check "keyd -t complains of ${1##*/} with $2" \
	    ends_with 69 "$keyd" -t -c "$conf"
	mended "$1" "$keyd"
	chmod "$before" "$1"
}

# --- files, under one user -----------------------------------------------------

stop_programs
for mode in 666 640; do
	refuses "$dir/user_ca" "$mode" "$keyd"
	refuses "$dir/host_ed25519" "$mode" "$sshd"
	costs "$dir/pin" "$mode"
	costs "$dir/key.pem" "$mode"
done
echo "proxy = \"http://192.0.2.1\";" >"$dir/proxy.conf"
echo "@include \"$dir/proxy.conf\"" >>"$conf"
for mode in 666 664; do
	refuses "$conf" "$mode" "$keyd" "$sshd"
	refuses "$dir/proxy.conf" "$mode" "$keyd" "$sshd"
	refuses "$dir/admin_ca.pub" "$mode" "$keyd"
	costs "$dir/ca.pem" "$mode"
	costs "$dir/softhsm2.conf" "$mode"
done
chmod 640 "$dir/host_ed25519"
check "keyd -t looks at host keys, too" ends_with 64 "$keyd" -t -c "$conf"
chmod 600 "$dir/host_ed25519"

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
    admin = 64105; auth = 64106; fetch = 64107; };' >>"$work/etc/htsign.conf"
conf=$work/etc/htsign.conf
refuses "$work/etc/sub" 775 "$keyd" "$sshd"
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
