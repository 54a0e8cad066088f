#!/bin/bash
# The least that has to work on another Debian: quickstart, and 200 files each
# way through both doors of an installed endpoint.  tests/platform.sh starts it
# there.

set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=quickstart
. ./quickstart

case $#,${1-} in
1,--packages)
	# shellcheck disable=SC2086 # a list of names
	install_packages $packages iproute2 openssh-server osslsigncode
	exit
	;;
0,) ;;
*)
	echo "usage: tests/smoke.sh [--packages]" >&2
	exit 64
	;;
esac

set -ex
top=$PWD
time ./quickstart
./quickstart --stop
mkdir -p build-tests/smoke
cd build-tests/smoke
"$top/configure" -q --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
    --disable-tests
make -j"$(nproc)" all
make tests/support/make-pe
time HTSIGN_UPLOADS=200 srcdir=$top builddir=$PWD bash "$top/tests/e2e/44-doors.sh"
