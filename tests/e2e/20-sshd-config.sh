#!/bin/sh
# The fragment for OpenSSH: sshd takes it, its options hold for the two accounts
# and for nobody else.

set -eu

sshd=/usr/sbin/sshd
: "${srcdir:=$(dirname "$0")/../..}"
fragment=${builddir:=$srcdir/build}/deploy/sshd_config.d/htsign.conf

[ -x "$sshd" ] || { echo "skipped: no OpenSSH server"; exit 77; }
# sshd insists on it, and a system that never started sshd has none.
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
mkdir "$dir/sshd_config.d"
cp "$fragment" "$dir/sshd_config.d/htsign.conf"
# As on Debian: the fragments first.
cat >"$dir/sshd_config" <<END
Include $dir/sshd_config.d/*.conf
Port 2299
HostKey $dir/host_key
X11Forwarding yes
AllowTcpForwarding yes
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
END

# options USER: what sshd makes of a login
options()
{
	"$sshd" -T -f "$dir/sshd_config" \
	    -C "user=$1,host=client.example.com,addr=192.0.2.1" >"$dir/$1"
}

# expect USER LINE...: each is among the options
expect()
{
	user=$1
	shift
	for line; do
		grep -Fqxi -- "$line" "$dir/$user" || {
			echo "$user: no \"$line\" but:"
			grep -i "^${line%% *}" "$dir/$user" || echo nothing
			exit 1
		}
	done
}

for user in sign admin other root; do
	options $user
done

principals='/usr/libexec/htsign/htsign-principals %u %i %s %k'
for user in sign admin; do
	expect $user "maxstartups 100:30:300" "persourcemaxstartups 60" \
	    "persourcenetblocksize 24:48" \
	    "authorizedprincipalscommand $principals" \
	    "authorizedprincipalscommanduser htsign-auth" \
	    "authorizedprincipalsfile none" \
	    "authorizedkeyscommand /usr/bin/true" \
	    "authorizedkeyscommanduser htsign-auth" \
	    "authorizedkeysfile none" "authenticationmethods publickey" \
	    "exposeauthinfo yes" "disableforwarding yes" "permittunnel no" \
	    "permituserrc no" "permituserenvironment no" "port 2299"
done
expect sign "trustedusercakeys /etc/htsign/user_ca.pub" "permittty no" \
    "acceptenv HTSIGN_DESCRIPTION" "acceptenv HTSIGN_URL" \
    "acceptenv HTSIGN_NAME"
expect admin "trustedusercakeys /etc/htsign/admin_ca.pub" "permittty yes" \
    "acceptenv NO_COLOR"
if [ "$(grep -ci '^acceptenv' "$dir/sign")" -ne 3 ]; then
	echo "sign: more environment than the three variables"
	exit 1
fi

# Nobody else is touched.
for user in other root; do
	expect $user "trustedusercakeys none" \
	    "authorizedprincipalscommand none" "disableforwarding no" \
	    "x11forwarding yes" "allowtcpforwarding yes" "permittty yes" \
	    "authenticationmethods any" "exposeauthinfo no" \
	    "authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2"
done
