#!/bin/bash
# htsign as people install it, by `make install` and htsign-setup, in a Debian
# that systemd-nspawn boots, as root.
#
#	tests/systemd.sh SUITE
#
# The suite's root, with all packages that this needs, is kept as those of
# tests/platform.sh are.  This checkout is built and installed in a copy, which
# is booted without a network.  The status is 77 where that cannot be done, and
# why is said.  Mounts and processes of a run end with it, also when it is
# killed; its copy and its cgroups then go at the next one.
# shellcheck disable=SC2016 # what is quoted is for inner shells

# shellcheck source=tests/platform.sh
. "$(dirname "$0")/platform.sh"
# shellcheck source=tests/support/lib.sh
. "$srcdir/tests/support/lib.sh"
program=systemd
suite=${1-} copy='' nspawn='' init='' pin=81726354
booted_packages="$packages ca-certificates dbus opensc openssh-server systemd-sysv"

# --- a booted Debian ---------------------------------------------------------------

install_packages_here()
{
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of names
	apt-get update && apt-get upgrade -y && apt-get install -y \
	    --no-install-recommends $booted_packages
}

# inside_copy PROGRAM COMMAND ...: as tests/platform.sh does.
inside_copy()
{
	"${alone[@]}" "$BASH" "$srcdir/tests/platform.sh" --inside "$copy" "$@"
}

# $copy: a copy of the root with packages, and htsign built there.
make_copy()
{
	local booted=$roots/$suite-booted
	root=$booted
	if ! is_good ||
	    [ "$(cat "$booted/packages" 2>&1)" != "$booted_packages" ]; then
		root=$roots/$suite
		copy_root
		copy_tree
		inside_copy tests/systemd.sh true || exit 1
		rm -rf --one-file-system "$copy/usr/src/htsign" "$booted"
		echo "$booted_packages" >"$copy/packages"
		touch "$copy" && mv "$copy" "$booted" || exit 1
		root=$booted
	fi
	copy_root
	copy_tree
	inside_copy true sh -c 'autoreconf -fi && ./configure -q --prefix=/usr \
	    --sysconfdir=/etc --localstatedir=/var --disable-tests CFLAGS=-O1 &&
	    make -s -j2 all && make -s tests/support/make-pe' \
	    >"$work/build.log" 2>&1 || {
		tail -n 20 "$work/build.log"
		exit 1
	}
	echo "htsign-$suite" >"$copy/etc/hostname"
	echo "127.0.0.1 htsign-$suite" >>"$copy/etc/hosts"
}

# Before a command: among all cgroups of the machine, alone.
cgroups=("${alone[@]}" "$BASH" -c 'umount -R /sys/fs/cgroup 2>/dev/null
    mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && exec "$@"' -)

remove_cgroups()
{
	"${cgroups[@]}" find . -path './htsign-test.*' -depth -type d \
	    -exec rmdir {} + 2>/dev/null
}

child_of()
{
	awk '{ print $NF }' "/proc/$1/task/$1/children" 2>/dev/null
}

is_running()
{
	init=$(child_of "$(child_of "$nspawn")")
	[ "$(cat "/proc/${init:-0}/comm" 2>/dev/null)" = systemd ] &&
	    [ "$(there systemctl is-system-running 2>/dev/null)" = running ]
}

# htsign-keyd locks memory, and the sandbox needs Landlock.
boot()
{
	"${cgroups[@]}" "$BASH" -c 'mkdir "$1" && echo 0 >"$1/cgroup.procs" &&
	    SYSTEMD_NSPAWN_LOCK=0 exec systemd-nspawn --quiet --register=no \
	    --keep-unit --private-network --resolv-conf=off --boot \
	    --capability=CAP_IPC_LOCK --system-call-filter="landlock_add_rule \
	    landlock_create_ruleset landlock_restrict_self" --directory="$2"' \
	    - "htsign-test.$$.$SECONDS" "$copy" </dev/null >"$work/boot.log" \
	    2>&1 &
	nspawn=$!
	within 90 is_running || {
		tail -n 20 "$work/boot.log"
		return 1
	}
}

# there COMMAND ...: in the booted system.  A trap does not wait for it.
there()
{
	nsenter -t "$init" -m -u -i -n -p -C -r -w "$@" <&0 &
	wait $!
}

shut_down()
{
	there systemctl poweroff
	within 60 has_ended "$nspawn" && wait "$nspawn"
}

cleanup_more()
{
	[ -z "${tsa-}" ] || stop_authority
	{ [ -z "$nspawn" ] || kill -KILL "$nspawn"; wait; } 2>/dev/null
	remove_cgroups
	[ -z "$copy" ] || rm -rf --one-file-system "$copy"
}

# --- what is done there ----------------------------------------------------------------

# setup OPTION ...: into $work/out and $work/err; where a PIN is wanted, $pin.
setup()
{
	there htsign-setup "$@" <<<"$pin" >"$work/out" 2>"$work/err"
	status=$?
	cat "$work/err"
	return "$status"
}

# All that htsign-setup could change.
files()
{
	there find /etc /var/lib/htsign /var/lib/htsign-tokens \
	    -printf '%p %m %u %s %T@\n' 2>/dev/null | sort
}

# changes_nothing COMMAND ...: or what it did.
changes_nothing()
{
	files >"$work/before"
	"$@" && files | diff "$work/before" -
}

# obey CLIENT: type what htsign-setup has said, on one machine for both.
obey()
{
	sed -n "/^The client $1\./,/^\$/s/^  //p" "$work/out" >"$work/lines"
	grep -q . "$work/lines" && there mkdir "/root/$1" &&
	    there "$BASH" -ec 'cd "/root/$1"
		/usr/src/htsign/tests/support/make-pe >app.exe; . /dev/stdin' - "$1" \
	    <"$work/lines" && is_signed "$1"
}

# is_signed CLIENT: what it got last.
is_signed()
{
	local root=/root/ca.pem
	[ "$1" != test ] || root=$(there find /etc/htsign -name 'test-*.pem')
	there htsign verify "/root/$1/app-signed.exe" --ca "$root"
}

# via PORT USER COMMAND ...: by ssh, in the client's folder.
via()
{
	there timeout 60 ssh -p "$1" -o BatchMode=yes \
	    -o StrictHostKeyChecking=accept-new \
	    -o UserKnownHostsFile=/root/known_hosts -i "/root/$2" \
	    "${3}@htsign-$suite" "${@:4}"
}

# sign_by CLIENT PROFILE PORT
sign_by()
{
	there cat "/root/$1/app.exe" | via "$3" "$1/id_htsign" sign "$2" |
	    there tee "/root/$1/app-signed.exe" >/dev/null && is_signed "$1"
}

# ends_with STATUS CLIENT PROFILE
ends_with()
{
	there cat "/root/$2/app.exe" | via 2222 "$2/id_htsign" sign "$3"
	[ "${PIPESTATUS[1]}" -eq "$1" ]
}

both_doors()
{
	check "$1: sshd-sign signs" sign_by test test-signing 2222
	check "$1: OpenSSH's sshd signs" sign_by test test-signing 22
}

# A token as others have them: a key, its certificate and the CA's.
make_real_token()
{
	there "$BASH" -c 'cd /root && . /usr/sbin/htsign-setup &&
	export SOFTHSM2_CONF=$etc/softhsm2.conf
	make_softhsm Card "$1" &&
	openssl req -x509 -newkey rsa:3072 -nodes -days 200 -subj /CN=CA \
	    -keyout ca.key -out ca.pem -config /dev/null \
	    -addext basicConstraints=critical,CA:TRUE &&
	make_test_key Card "$1" key a1b2 Signer 2 self.pem &&
	openssl x509 -in self.pem -CA ca.pem -CAkey ca.key -days 200 \
	    -out signer.pem &&
	for certificate in signer:a1b2 ca:02; do
		openssl x509 -in "${certificate%:*}.pem" -outform DER \
		    -out /tmp/der && as_token pkcs11-tool --token-label Card \
		    --login --module "$2" --pin "$1" --write-object /tmp/der \
		    --type cert --id "${certificate#*:}" || exit
	done' - "$pin" "$module"
}

# What htsign-setup says of administrators, typed.
make_administrator()
{
	there "$BASH" -ec 'cd /root
		ssh-keygen -q -t ed25519 -N "" -f admin
		ssh-keygen -q -t ed25519 -N "" -f htsign_admin_ca
		eval "$(sed "s/KEY/admin/; s/NAME/ann/")"' \
	    < <(grep '^  ssh-keygen -s' "$work/out")
}

token_is()
{
	there htsign-admin tokens | grep -q "^token  *$1"
}

# property UNIT NAME
property()
{
	there systemctl show -P "$2" "$1"
}

keyd_was_first()
{
	[ "$(property htsign-keyd ActiveEnterTimestampMonotonic)" -le \
	    "$(property sshd-sign InactiveExitTimestampMonotonic)" ]
}

# is_another_keyd PID: not that process any more, and it is ready.
is_another_keyd()
{
	[ "$(property htsign-keyd MainPID)" != "$1" ] &&
	    [ "$(property htsign-keyd ActiveState)" = active ]
}

no_failed_unit()
{
	[ -z "$(there systemctl --failed --no-legend | tee /dev/stderr)" ]
}

# Microsoft's, asked by the name that everybody knows it by.  The program is one of
# this machine's.
start_microsoft()
{
	start_authority 80 nsenter -t "$init" -n
}

all_but_microsoft_have_roots()
{
	there htsign-keyd -t 2>"$work/err"
	[ "$(grep -c 'left out' "$work/err")" -eq 1 ] &&
	    grep 'server microsoft is left out' "$work/err"
}

# What an administrator does to have that server.
trust_authority()
{
	there mkdir -p /etc/htsign/timestamp-roots &&
	    there tee /etc/htsign/timestamp-roots/microsoft.pem \
	        <"$work/tsa/tsa-root.pem" &&
	    there sh -c 'echo 127.0.0.1 timestamp.acs.microsoft.com >>/etc/hosts'
}

# has_timestamp CLIENT: on what it got last.
has_timestamp()
{
	there htsign verify "/root/$1/app-signed.exe" --ca /root/ca.pem \
	    --tsa-ca /etc/htsign/timestamp-roots/microsoft.pem |
	    grep '^timestamp:   20.*Z by CN=tsa$'
}

# Nothing above a notice, but that minbase lacks a file which pam_env wants, and
# that somebody looked whether port 22 is taken.
journal_is_clean()
{
	! there journalctl --boot --priority=warning --output=cat --no-pager \
	    --unit=htsign-keyd --unit=sshd-sign --unit=ssh | grep -v \
	    -e '^-- No entries' -e /etc/default/locale -e kex_exchange
}

# --- the test -------------------------------------------------------------------------

case $suite in
--packages) install_packages_here; exit ;;
'' | *[!a-z]*) echo "usage: tests/systemd.sh SUITE" >&2; exit 64 ;;
esac
needs nsenter systemd-nspawn
reach_suite
# shellcheck source=tests/support/authority.sh
. "$srcdir/tests/support/authority.sh"
"${cgroups[@]}" test -e cgroup.procs || skip "cannot mount cgroup2"
remove_cgroups
make_copy
check "an authority" authority tsa
check "boots" boot
check "the authority answers" start_microsoft
check "its sshd listens" within 20 there bash -c ': </dev/tcp/127.0.0.1/22'
check "make install" there make -C /usr/src/htsign install
check "a port that is taken" not setup --test --port=22
check "is named" grep -q 'port 22:' "$work/err"
check "--remove" setup --remove
check "--dry-run changes nothing" changes_nothing setup --test --dry-run
check "htsign-setup --test" setup --test
check "what it says then signs" obey test
both_doors "first"
check "a second run changes nothing" changes_nothing setup --test
check "and says so" grep -q 'nothing to do' "$work/err"
check "--remove --dry-run changes nothing" \
    changes_nothing setup --remove --dry-run
check "keyd is ready before sshd-sign starts" keyd_was_first
check "restart" there systemctl restart htsign-keyd sshd-sign
both_doors "restarted"
check "no failed unit" no_failed_unit
for unit in htsign-keyd:15 sshd-sign:28 htsign-fetch:15; do
	check "the exposure of ${unit%:*} is at most ${unit#*:} tenths" there \
	    systemd-analyze security --offline=true --no-pager \
	    --threshold="${unit#*:}" "/usr/lib/systemd/system/${unit%:*}.service"
done
check "no complaint in the journal" journal_is_clean
stopped=$(property htsign-keyd MainPID)
[ "$stopped" -eq 0 ] || there kill -STOP "$stopped"
check "a parent that hangs is ended by the watchdog" within 60 \
    is_another_keyd "$stopped"
both_doors "after that"

module=$(there find /usr/lib -name libsofthsm2.so | head -n 1)
check "a token" make_real_token
pin=11111111
check "a wrong PIN" not setup --module="$module" --pin=credential
pin=81726354
check "another run goes on" setup
check "Debian has the roots of all servers but Microsoft's" \
    all_but_microsoft_have_roots
check "which an administrator gets" trust_authority
check "reload" there systemctl reload htsign-keyd htsign-fetch
check "the token's certificate signs" obey ci
check "and there is a timestamp" has_timestamp ci
check "the PIN is on no disk" not there grep -rls "$pin" /etc /var
check "nothing is asked again" changes_nothing setup

check "an administrator's certificate" make_administrator
check "and its CA" setup --admin-ca=/root/htsign_admin_ca.pub
check "let him in" via 22 admin admin tokens
there rm /root/admin-cert.pub
check "an administrator's key" setup --admin-key=/root/admin.pub
check "lets him in through sshd-sign" via 2222 admin admin tokens

check "shut down" shut_down
stop_authority
check "boots again" boot
check "so does the authority" start_microsoft
both_doors "rebooted"
check "the token's PIN was kept" sign_by ci production 2222
check "without htsign-fetch" there systemctl stop htsign-fetch
check "production ends with 69" ends_with 69 ci production
both_doors "all else goes on"
check "with it" there systemctl start htsign-fetch
check "production signs" within 20 sign_by ci production 2222
check "with a timestamp" has_timestamp ci

check "--pin=ask" setup --pin=ask
check "signs" sign_by ci production 22
check "restart of keyd" there systemctl restart htsign-keyd
check "the token is locked" within 10 token_is locked
check "and does not sign" not sign_by ci production 22
check "unlock" there htsign-admin unlock token <<<"$pin"
check "unlocked, it does" sign_by ci production 22

there sh -c 'echo "nonsense = 1;" >>/etc/htsign/htsign.conf'
check "a mistake in the configuration" \
    not there systemctl restart htsign-keyd
check "ends keyd with 64" test "$(property htsign-keyd ExecMainStatus)" = 64
sleep 2
check "and is not tried again" test "$(property htsign-keyd NRestarts)" = 0
check "and htsign-setup stays away from it" not setup
check "which it says" grep -q 'htsign.conf stays' "$work/err"
there sed -i /nonsense/d /etc/htsign/htsign.conf
check "htsign-setup goes on without it" setup
both_doors "mended"

there rm -r /etc/htsign/timestamp-roots
check "--remove" setup --remove
check "leaves no unit" not there systemctl is-active htsign-keyd sshd-sign \
    htsign-fetch
check "no account" not there grep -E '^(htsign-|sign:|admin:)' /etc/passwd
check "no file but the journal and tokens" \
    test -z "$(files | grep htsign | grep -v '^/var/lib')"
check "and these are root's" test -z "$(there find /var/lib/htsign \
    /var/lib/htsign-tokens ! -user root)"
check "no OpenSSH door" not sign_by test test-signing 22
check "--test takes up the journal" setup --test
check "with all that was in it" test "$(there htsign-admin log --json |
    wc -l)" -ge 10
done_testing
