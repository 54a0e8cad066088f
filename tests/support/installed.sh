# An endpoint as an administrator installs it: started by root, each process
# under its own uid, default paths, sshd-sign and OpenSSH's sshd with the
# shipped fragment.  It lives in a mount namespace, where copies cover /etc,
# /run, /usr/sbin and /usr/libexec: nothing is left behind, and no account made.
# No folder of the system's is ever mounted anywhere else, so that cleaning up
# cannot reach it.
#
#	. "$srcdir/tests/support/lib.sh"
#	. "$srcdir/tests/support/installed.sh"		starts the script again, inside
#	installed_endpoint 2410 2411		sshd-sign's port, sshd's port
#
# The hosts sign and admin are sshd-sign's, openssh and openssh-admin sshd's.
# shellcheck shell=bash disable=SC2034

: "${srcdir:?}" "${builddir:?}" "${work:?}" "${dir:?}"
[ "$(id -u)" -eq 0 ] || skip "needs root"
grep -qx "prefix='/usr'" "$builddir/config.log" ||
    skip "needs a build with --prefix=/usr --sysconfdir=/etc"
if [ -z "${HT_TEST_NAMESPACE-}" ]; then
	unshare --mount true 2>/dev/null || skip "needs a mount namespace"
	rm -rf --one-file-system "$work"
	HT_TEST_NAMESPACE=$(readlink /proc/self/ns/mnt) exec unshare \
	    --mount --propagation private "$BASH" "$0"
fi
[ "$HT_TEST_NAMESPACE" != "$(readlink /proc/self/ns/mnt)" ] ||
    skip "unshare has given us no namespace of our own"

sshd_door=
fake=$work/fake
# The accounts, as name:uid; sign and admin are OpenSSH's names for two.
accounts="htsign-keyd:64101 htsign-token:64102 htsign-net:64103
htsign-sign:64104 htsign-admin:64105 htsign-auth:64106
htsign-fetch:64107 htsign-pump:64108 htsign-reader:64109 sign:64104 admin:64105"

cleanup_more()
{
	cleanup_installed
}

cleanup_installed()
{
	if [ -n "$sshd_door" ]; then
		kill "$sshd_door" && wait "$sshd_door"
	fi 2>/dev/null
	umount -l "$fake" 2>/dev/null
}

# Of the system's programs only sshd is needed in the folders that are covered.
install_programs()
{
	make -s -C "$builddir" install DESTDIR="$fake/install" \
	    >"$work/install.log" 2>&1 || {
		tail "$work/install.log"
		exit 1
	}
	mkdir -p /usr/libexec
	cp -L /usr/sbin/sshd "$fake/install/usr/sbin/" &&
	    mount --bind "$fake/install/usr/sbin" /usr/sbin &&
	    mount --bind "$fake/install/usr/libexec" /usr/libexec || exit 1
	keyd=/usr/sbin/htsign-keyd sshd=/usr/sbin/sshd-sign
	fetch=/usr/sbin/htsign-fetch
	shell=/usr/libexec/htsign/htsign-shell
}

make_accounts()
{
	local account name uid program
	mkdir "$fake/etc" && cp -a /etc/. "$fake/etc" &&
	    mount --bind "$fake/etc" /etc || exit 1
	for account in $accounts; do
		name=${account%:*} uid=${account#*:}
		sed -i "/^$name:/d" /etc/passwd /etc/group /etc/shadow
		program=htsign-shell
		[ "$name" != admin ] || program=htsign-admin
		echo "$name:x:$uid:$uid::/:/usr/sbin/$program" >>/etc/passwd
		echo "$name:*:19000:0:99999:7:::" >>/etc/shadow
		case $name in
		htsign-*) echo "$name:x:$uid:" >>/etc/group ;;
		esac
	done
	mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd || exit 1
}

# own USER MODE FILE ...
own()
{
	local user=$1 mode=$2
	shift 2
	chown "$user:$user" "$@" && chmod "$mode" "$@" || exit 1
}

install_files()
{
	local etc=/etc/htsign
	mkdir -p "$etc" && cp "$dir"/{user_ca,user_ca.pub,admin_ca.pub,pin} \
	    "$dir"/{host_ed25519,ca.pem,softhsm2.conf} "$etc" || exit 1
	cp -a "$dir/tokens" "$fake/tokens"
	chown -R htsign-token:htsign-token "$fake/tokens"
	sed -i "s,$dir/tokens,$fake/tokens," "$etc/softhsm2.conf"
	own htsign-keyd 400 "$etc/user_ca" "$etc/pin"
	own root 600 "$etc/host_ed25519"
	own root 644 "$etc"/{user_ca.pub,admin_ca.pub,ca.pem,softhsm2.conf}
	mkdir "$fake/state"
	own htsign-keyd 700 "$fake/state"
	mkdir -p /etc/ssh/sshd_config.d
	cp "$fake/install/usr/share/htsign/sshd_config.d/htsign.conf" \
	    /etc/ssh/sshd_config.d/
}

# The configuration of quickstart, less single_user.
install_conf()
{
	write_server_conf
	sed -e "/^single_user/d" -e "/^run =/d" \
	    -e "s,$dir/state,$fake/state," -e "s,$dir/tokens,$fake/tokens," \
	    -e "s,\"$dir/,\"/etc/htsign/,; s,:$dir/,:/etc/htsign/,g" \
	    -e "s,=$dir/,=/etc/htsign/,g" "$dir/htsign.conf" \
	    >/etc/htsign/htsign.conf
	cat >>/etc/htsign/htsign.conf <<-CONF
	users: { keyd = 64101; token = 64102; net = 64103; sign = 64104;
	    admin = 64105; auth = 64106; fetch = 64107; pump = 64108; reader = 64109; };
	CONF
	mv /etc/htsign/htsign.conf "$dir/htsign.conf"
	ln -s "$dir/htsign.conf" /etc/htsign/htsign.conf
	rm -rf "$dir/run"
	ln -s /run/htsign "$dir/run"
}

# sshd on port $1, as Debian has it but for the port.
start_openssh()
{
	cat >"$fake/sshd_config" <<-CONF
	Include /etc/ssh/sshd_config.d/*.conf
	ListenAddress 127.0.0.1
	Port $1
	HostKey /etc/htsign/host_ed25519
	UsePAM no
	PidFile none
	Subsystem sftp /usr/lib/openssh/sftp-server
	CONF
	/usr/sbin/sshd -D -e -f "$fake/sshd_config" 2>"$dir/openssh.log" &
	sshd_door=$!
	port=$1 within 20 port_answers || { cat "$dir/openssh.log" >&2; exit 1; }
}

# new_door HOST USER: a host of ssh_config at OpenSSH's port.
new_door()
{
	sed -n '/^Host sign admin/,$p' "$dir/ssh_config.quickstart" |
	    sed "s/^Host .*/Host $1/; s/Port .*/Port $openssh_port/"
	cat <<-CONF
	    User $2
	    IdentityFile "$dir/$3"
	    CertificateFile "$dir/$3-cert.pub"
	CONF
}

installed_endpoint()
{
	port=$1 openssh_port=$2
	chmod 755 "$work"
	mkdir "$fake" && mount -t tmpfs -o mode=755 tmpfs "$fake" || exit 1
	umask 022
	install_programs
	make_accounts
	make_dir
	make_token
	make_keys
	install_files
	install_conf
	write_ssh_config
	cp "$dir/ssh_config" "$dir/ssh_config.quickstart"
	printf '[127.0.0.1]:%s %s\n' "$openssh_port" \
	    "$(cat "$dir/host_ed25519.pub")" >>"$dir/known_hosts"
	{
		new_door openssh sign ci
		new_door openssh-admin admin admin
	} >>"$dir/ssh_config"
	start_programs no
	start_openssh "$openssh_port"
	make_client
	make_administrator
}
