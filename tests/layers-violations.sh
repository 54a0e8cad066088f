#!/bin/sh
# tests/layers.sh must find what it is there to find: in a tree made up for
# this, which then has one violation of each kind.

set -eu
srcdir=${srcdir:-.}
layers=$srcdir/tests/layers.sh
compiler=${CC:-cc}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

folders=$(sed -n "/^includes='/,/^'/s/:.*//p" "$layers")
archives='base protocol conf store spc formats sshcert keyd parent token shell
command admin sshd fetch htsign pump reader'
programs='keys/keyd/htsign-keyd keys/token/htsign-token
keys/principals/htsign-principals
htsign-shell/htsign-shell sshd-sign/sshd-sign fetch/htsign-fetch
htsign/htsign pump/htsign-pump reader/htsign-reader htsign-admin/htsign-admin'

# An archive of one file that says $2.
make_archive() {
	echo "$2" >"$tree/part.c"
	$compiler -c -o "$tree/part-$1.o" "$tree/part.c"
	rm -f "$tree/lib$1.a"
	ar rc "$tree/lib$1.a" "$tree/part-$1.o"
}

# A program that is linked with the libraries $2 whatever it needs.
make_program() {
	echo 'int main(void) { return 0; }' >"$tree/part.c"
	# shellcheck disable=SC2086 # a list of words
	$compiler -o "$tree/$1" "$tree/part.c" -Wl,--no-as-needed ${2:-}
}

run() {
	srcdir=$tree builddir=$tree sh "$layers"
}

# The tree has to be refused, with exactly these lines.
expect() {
	if said=$(run); then
		echo "not refused: $1"
		exit 1
	fi
	if [ "$said" != "$1" ]; then
		echo "said: $said"
		echo "instead of: $1"
		exit 1
	fi
}

for folder in $folders; do
	mkdir -p "$tree/$folder"
	echo '#include "lib/buf.h"' >"$tree/$folder/part.c"
done
for archive in $archives; do
	make_archive "$archive" "int ${archive}_part = 1;"
done
for program in $programs; do
	make_program "$program"
done
# Through libssh, which libcrypto is not forbidden to.
make_program sshd-sign/sshd-sign -lssh
run

echo '#include "store/journal/journal.h"' >>"$tree/signature/part.c"
echo '#include "formats/pe/pe-header.h"' >>"$tree/formats/cab/part.c"
mkdir "$tree/formats/new"
: >"$tree/formats/new/part.c"
make_archive shell 'int ssh_new(void); int f(void) { return ssh_new(); }'
make_archive keyd 'extern int formats_part; int *g(void); int *g(void)
{ return &formats_part; }'
make_archive token 'int store_part = 1;'
# Two files that call each other, and a third that calls them.
echo 'int b(void), a(void), EVP_x(void); int a(void) { return b() + EVP_x(); }' \
    >"$tree/a.c"
echo 'int b(void), a(void); int b(void) { return a(); }' >"$tree/b.c"
echo 'int a(void), c(void); int c(void) { return a(); }' >"$tree/c.c"
(
	cd "$tree"
	$compiler -c a.c b.c c.c
	ar rc libbase.a a.o b.o c.o
)
rm "$tree/libspc.a"
make_program htsign-shell/htsign-shell -lsqlite3
rm "$tree/htsign/htsign"
expect 'store_part is defined by libstore.a libtoken.a
signature/part.c includes store/journal/journal.h
formats/cab/part.c includes formats/pe/pe-header.h
formats/new: not in the table
libbase.a: a circle of a.o b.o
libbase.a calls EVP_x of crypto
libspc.a: not built
libkeyd.a calls formats_part of libformats.a
libshell.a calls ssh_new of ssh
htsign-shell/htsign-shell is linked with sqlite3
htsign-shell/htsign-shell reaches sqlite3
htsign/htsign: not built'
