#!/bin/bash
# The same bytes, whoever makes them and where: a release, which has all that git
# has, made of two checkouts and of itself; and what is installed of a checkout
# and of a release.
#
#	tests/reproducible.sh BUILD
#
# BUILD is a build of this checkout with default CFLAGS, --prefix=/usr,
# --sysconfdir=/etc and --localstatedir=/var.

set -eu
cd "$(dirname "$0")/.."
build=$(cd "${1:?usage: tests/reproducible.sh BUILD}" && pwd)
[ -e .git ] || { echo "skip reproducible: not a git checkout"; exit 77; }
work=$(mktemp -d /var/tmp/htsign-reproducible.XXXXXX)
trap '[ "$?" -eq 0 ] || tail "$work/log"; rm -rf "$work"' EXIT

# checkout FOLDER: the tree as it is here, changes and new files included.
checkout()
{
	git clone -q . "$1"
	git ls-files -z --cached --others --exclude-standard |
	    tar -c --null -T - | tar -x -C "$1"
	(cd "$1" && autoreconf -fi)
}

# release NAME FOLDER CONFIGURE: $work/NAME.tar.xz of the tree in FOLDER, where
# CONFIGURE is run in a folder below.
release()
{
	mkdir "$2/build"
	cd "$2/build"
	"$3" --prefix=/usr --sysconfdir=/etc --localstatedir=/var
	make dist
	mv htsign-*.tar.xz "$work/$1.tar.xz"
}

of_a_checkout()
{
	checkout "$work/tree"
	release checkout "$work/tree" ../configure
	make -C "$build" install DESTDIR="$work/checkout"
}

of_another()
{
	umask 027
	checkout "$work/another/folder"
	release another "$work/another/folder" "$work/another/folder/configure"
}

of_a_release()
{
	export TZ=Asia/Kathmandu
	tar -x -C "$work" -f "$work/another.tar.xz"
	set -- "$work"/htsign-*/configure
	release release "${1%/*}" "$1"
	make -j"$(nproc)" install DESTDIR="$work/release"
}

# Not in a condition, where set -e would not hold.
(of_a_checkout) >"$work/log" 2>&1
(of_another) >"$work/log" 2>&1
(of_a_release) >"$work/log" 2>&1
# What git has is in a release.
git ls-files | grep -vx .gitignore | LC_ALL=C sort >"$work/tracked"
tar -t -f "$work/checkout.tar.xz" | sed 's,^[^/]*/,,' | LC_ALL=C sort |
    LC_ALL=C comm -23 "$work/tracked" - >"$work/log"
[ ! -s "$work/log" ]
cmp "$work/checkout.tar.xz" "$work/another.tar.xz"
cmp "$work/checkout.tar.xz" "$work/release.tar.xz"
diff -r --no-dereference "$work/checkout" "$work/release"
