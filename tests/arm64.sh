#!/bin/bash
# htsign for arm64, in a Debian that is there for nothing else:
#
#	tests/platform.sh SUITE:arm64 [tests/arm64.sh compile]
#
# Everything is cross-compiled and gives no warning.  Then the unit tests run,
# with qemu in the processor's place.  It emulates no seccomp, so they have no
# sandbox.

set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1
srcdir=$PWD
# shellcheck source=quickstart
. ./quickstart

# What qemu cannot run: seccomp filters, and clone(2) as the forkserver calls it.
# By hand these are run on Debian's own kernels, in qemu-system-aarch64.  What
# would take it longest: each bit of each format's samples.
left_out="tests/unit/test_sandbox tests/unit/test_forkserver_link tests/unit/test_flips"

# What is linked is for arm64, what runs here is this machine's.
install_for_both()
{
	local name
	set -- qemu-user-static
	for name in $packages libcmocka-dev; do
		case $name in
		gcc) set -- "$@" gcc-aarch64-linux-gnu ;;
		*-dev | softhsm2) set -- "$@" "$name:arm64" ;;
		*) set -- "$@" "$name" ;;
		esac
	done
	export DEBIAN_FRONTEND=noninteractive
	dpkg --add-architecture arm64 && apt-get update &&
	    apt-get install -y --no-install-recommends "$@"
}

# build FOLDER CONFIGURE-ARGUMENT ...
build()
(
	mkdir -p "$1" && cd "$1" || exit 1
	shift
	"$srcdir/configure" --host=aarch64-linux-gnu --prefix=/usr \
	    --sysconfdir=/etc --localstatedir=/var --enable-werror \
	    CFLAGS='-g -O2' "$@" && make -j"$(nproc)" all &&
	    make -j"$(nproc)" check TESTS=
)

compile()
{
	autoreconf -fi && build build-arm64
}

# The last to be compiled are the tests, and they are protected like the rest.
is_protected()
{
	aarch64-linux-gnu-readelf --notes build-arm64/tests/unit/test_zip.o |
	    grep 'AArch64 feature: BTI, PAC'
}

# The kernel is told of qemu in a user namespace, and so for nobody else; that
# takes Linux 6.7.
with_qemu()
{
	local holder map status
	unshare --user sleep infinity &
	holder=$!
	while [ "/proc/$holder/ns/user" -ef /proc/self/ns/user ]; do
		sleep 0.1
	done
	for map in uid_map gid_map; do
		echo '0 0 65536' >"/proc/$holder/$map"
	done
	# shellcheck disable=SC2016 # for the inner shell
	nsenter --user --target "$holder" unshare --mount "$BASH" -c '
		binfmt=/proc/sys/fs/binfmt_misc
		mount -t binfmt_misc none "$binfmt" &&
		echo ":arm64:M:18:\xb7\x00::/usr/bin/qemu-aarch64-static:PF" \
		    >"$binfmt/register" && exec "$@"' - "$@"
	status=$?
	kill "$holder"
	return "$status"
}

run_units()
{
	local run=with_qemu status
	! build-arm64/htsign/htsign --version || run=
	$run build-arm64/htsign/htsign --version || {
		echo "skip unit tests: this kernel runs no programs for arm64"
		exit 77
	}
	build build-arm64-tests --disable-sandbox || return
	# shellcheck disable=SC2016 # for make
	HTSIGN_MUTATIONS=200 HTSIGN_PATIENCE=5 VERBOSE=1 \
	    $run make -C build-arm64-tests -k -j"$(nproc)" check \
	    TESTS="\$(filter-out $left_out,\$(unit_tests)) \$(fuzz_targets)"
	status=$?
	echo "skip $left_out"
	return "$status"
}

case $#,${1-} in
1,--packages) install_for_both ;;
1,compile) compile && is_protected ;;
0,) compile && is_protected && run_units ;;
*)
	echo "usage: tests/arm64.sh [compile | --packages]" >&2
	exit 64
	;;
esac
