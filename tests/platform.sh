#!/bin/bash
# A command in a bare Debian of another suite, as root.
#
#	tests/platform.sh [-p PROGRAM] SUITE [COMMAND ...]
#	tests/platform.sh SUITE:arm64 [COMMAND ...]
#
# The Debian is what debootstrap makes (minbase) from this machine's own
# sources; it is kept in /var/tmp/htsign-roots for two weeks, and each run has
# a copy.  A clone of this checkout is in /usr/src/htsign there, with those
# uncommitted changes that are made to files which git knows.  COMMAND
# (./run-tests) runs in the clone, and in a network namespace where nothing is
# but loopback: what it needs is installed before, by `PROGRAM --packages`
# (./run-tests, too).  For SUITE:arm64 both are tests/arm64.sh.
#
# The status is COMMAND's.  It is 77 where such a Debian cannot be had, and why
# is said.  Mounts and processes of a run end with it, also when it is killed;
# the copy then goes at the next one.

set -u
export LC_ALL=C
umask 022
srcdir=$(cd "$(dirname "$0")/.." && pwd) || exit 1
# shellcheck source=tests/support/sources.sh
. "$srcdir/tests/support/sources.sh"
PATH=$PATH:/usr/sbin:/sbin
roots=/var/tmp/htsign-roots

say()
{
	printf 'platform: %s\n' "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# It cannot be tried here.
skip()
{
	say "$*"
	exit 77
}

usage()
{
	cat >&2 <<-USAGE
	usage: tests/platform.sh [-p PROGRAM] SUITE [COMMAND ...]
	       tests/platform.sh SUITE:arm64 [COMMAND ...]
	USAGE
	exit 64
}

check_machine()
{
	local program
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	for program in debootstrap flock git ip setpriv unshare; do
		command -v "$program" >/dev/null || skip "$program is missing"
	done
	git -C "$srcdir" rev-parse HEAD >/dev/null ||
	    skip "needs a checkout of git's, to clone it"
	unshare --mount --pid --fork true || skip "needs namespaces"
}

# Before a command: nothing that it mounts or starts outlives it, nor it us.
alone=(setpriv --pdeathsig KILL unshare --mount --propagation private --pid
    --fork --kill-child --mount-proc)

# --- the root -------------------------------------------------------------------

# find_sources: the machine's, for $suite; $uri and $keyring are of the first.
find_sources()
{
	local own line
	own=$(. /etc/os-release && echo "${VERSION_CODENAME:--}")
	sources=()
	while read -r line; do
		sources+=("$(without_mirrors "$line")")
	done < <(debian_sources "$own" | sed "s, $own\([^ ]*\) , $suite\1 ,")
	for line in "${sources[@]}"; do
		if [[ $line == *" $suite "* ]]; then
			read -r uri _ keyring <<<"$line"
			return
		fi
	done
	skip "this machine names no source of Debian's main for $own"
}

# A list of mirrors, as images for clouds have it, is not for debootstrap: its
# first one instead.
without_mirrors()
{
	local list
	case $1 in
	mirror+file:*)
		list=${1%% *}
		echo "$(sed -n '/^[a-z]/{s/[ \t].*//p;q}' \
		    "${list#mirror+file:}") ${1#* }"
		;;
	*)
		echo "$1"
		;;
	esac
}

# can_be_had: does the source have $suite, and answer?
can_be_had()
{
	local file status
	file=$(mktemp) || exit 1
	/usr/lib/apt/apt-helper download-file \
	    "$uri/dists/$suite/InRelease" "$file" >/dev/null 2>&1
	status=$?
	rm -f "$file"
	return "$status"
}

# Files of /var/tmp may go when they are a month old.
is_good()
{
	[ -n "$(find "$root" -maxdepth 0 -mtime -14 2>/dev/null)" ] &&
	    [ -z "$(chroot "$root" dpkg --verify 2>&1)" ]
}

make_root()
{
	local new=$root.new scripts=/usr/share/debootstrap/scripts script=
	say "making a root of $suite (a minute or two)"
	rm -rf --one-file-system "$new"
	# What is newer than debootstrap is made as unstable is.
	[ -e "$scripts/$suite" ] || script=sid
	[ "$keyring" = - ] || set -- --keyring="$keyring"
	"${alone[@]}" debootstrap --variant=minbase "$@" "$suite" "$new" "$uri" \
	    ${script:+"$script"} >"$new.log" 2>&1 || {
		tail -n 5 "$new.log" >&2
		die "debootstrap fails; all of its output is in $new.log"
	}
	rm -f "$new.log"
	prepare_root "$new"
	rm -rf --one-file-system "$root"
	touch "$new" && mv "$new" "$root" || exit 1
}

# What apt has to know of the machine, and that nothing is to be started.
prepare_root()
{
	local new=$1 line
	for line in "${sources[@]}"; do
		# shellcheck disable=SC2086 # its three fields
		apt_source $line
	done >"$new/etc/apt/sources.list"
	[ "$keyring" = - ] || [ -e "$new$keyring" ] ||
	    install -D -m 644 "$keyring" "$new$keyring"
	apt-config dump | grep -E '^Acquire::(https?::|Check-)' |
	    grep -v Proxy-Auto-Detect >"$new/etc/apt/apt.conf.d/90machine"
	printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
	chmod 755 "$new/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$new/etc/dpkg/dpkg.cfg.d/unsafe-io"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$new/etc/hosts"
}

# --- a run ------------------------------------------------------------------------

# Those of runs that were killed: nobody holds their locks.
remove_stale_copies()
{
	local stale
	for stale in "$roots"/run.*; do
		if [ -d "$stale" ] && flock --nonblock "$stale" true; then
			rm -rf --one-file-system "$stale"
		fi
	done
}

# A copy of the root in $copy, which descriptor 8 locks.
copy_root()
{
	exec 9>"$roots/lock" && flock 9 || exit 1
	remove_stale_copies
	is_good || make_root
	copy=$(mktemp -d "$roots/run.XXXXXX") && exec 8<"$copy" &&
	    flock 8 && cp -a --reflink=auto "$root/." "$copy" || exit 1
	exec 9>&-
}

copy_tree()
{
	local tree=$copy/usr/src/htsign
	if ! git clone --quiet --no-hardlinks "$srcdir" "$tree" ||
	    ! git -C "$srcdir" diff --binary HEAD |
	    git -C "$tree" apply --allow-empty; then
		die "cannot clone $srcdir"
	fi
}

# inside ROOT PROGRAM COMMAND ...: as the first process of the namespaces.
inside()
{
	local variables name
	cd "$1" && mount --bind . . && cd "$1" || exit 1
	touch run/net && unshare --net=run/net ip link set lo up &&
	    mount -t proc proc proc && mount -t sysfs sysfs sys &&
	    mount --rbind /dev dev && cp -L /etc/resolv.conf etc/ &&
	    pivot_root . mnt && umount -l /mnt && cd /usr/src/htsign || exit 1
	variables=(-i HOME=/root TERM="${TERM:-dumb}"
	    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
	for name in http_proxy https_proxy no_proxy; do
		[ -z "${!name-}" ] || variables+=("$name=${!name}")
	done
	env "${variables[@]}" "$2" --packages >/var/log/packages.log 2>&1 || {
		tail -n 20 /var/log/packages.log >&2
		die "$2 --packages fails"
	}
	shift 2
	nsenter --net=/run/net env "${variables[@]}" "$@"
	exit
}

# reach_suite: where $suite is, and a folder for its root.
reach_suite()
{
	check_machine
	[ -n "${http_proxy-}" ] ||
	    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
	export http_proxy
	find_sources
	can_be_had || skip "cannot get $suite from $uri"
	mkdir -p "$roots" && chmod 700 "$roots" || exit 1
}

main()
{
	local program=./run-tests command=./run-tests
	local suite root copy uri keyring sources status
	if [ "${1-}" = -p ]; then
		[ $# -ge 2 ] || usage
		program=$2
		shift 2
	fi
	[ $# -ge 1 ] || usage
	suite=${1%:arm64}
	[ "$suite" = "$1" ] || program=tests/arm64.sh command=tests/arm64.sh
	shift
	case $suite in
	'' | *[!a-z]*) usage ;;
	esac
	[ $# -gt 0 ] || set -- "$command"
	reach_suite
	root=$roots/$suite
	copy_root
	copy_tree
	"${alone[@]}" "$BASH" "$0" --inside "$copy" "$program" "$@"
	status=$?
	rm -rf --one-file-system "$copy"
	exit "$status"
}

# tests/systemd.sh reads this file for its functions.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
case ${1-} in
--inside) shift; inside "$@" ;;
*) main "$@" ;;
esac
