#!/bin/sh
# Whether the folders use each other only as DESIGN.md's table says, no files call
# each other in a circle, and no two archives define the same name: includes by
# their source, archives by nm, programs by what they are linked with.  Prints one
# line a violation; ends with 1 if there is any.
#
# srcdir and builddir are the trees, by default here.

set -eu
srcdir=${srcdir:-.}
builddir=${builddir:-.}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/violations"

violation() {
	echo "$*" >>"$work/violations"
}

# folder: the folders whose headers it may include, besides its own.
includes='
lib:
protocol: lib
config: lib protocol
store: lib
store/authority: lib protocol store store/journal
store/journal: lib store
signature: lib
formats: lib signature
formats/appx: lib signature formats
formats/cab: lib signature formats
formats/catalog: lib signature formats
formats/msi: lib signature formats
formats/pe: lib signature formats
formats/script: lib signature formats
keys/sshcert: lib protocol
keys/principals: lib protocol keys/sshcert
keys/token: lib protocol
keys/keyd: lib protocol config store store/authority store/journal signature keys/sshcert keys/keyd/admin keys/keyd/parent keys/keyd/request keys/keyd/token
keys/keyd/admin: lib store/authority store/journal signature keys/sshcert keys/keyd keys/keyd/request
keys/keyd/parent: lib protocol
keys/keyd/request: lib store/authority store/journal signature keys/keyd
keys/keyd/token: lib protocol config store store/journal
htsign-shell: lib protocol signature formats
htsign-admin: lib protocol signature htsign-shell
sshd-sign: lib protocol config
fetch: lib protocol config signature
pump: lib protocol
reader: lib protocol store store/journal
htsign: lib signature formats
'

# archive: the archives, then / and the libraries that it may call.
archives='
libbase.a: / seccomp
libprotocol.a: libbase.a /
libconf.a: libbase.a libprotocol.a / config
libstore.a: libbase.a libprotocol.a / sqlite3 crypto
libspc.a: libbase.a / crypto
libformats.a: libbase.a libspc.a / crypto z
libsshcert.a: libbase.a libprotocol.a / crypto
libkeyd.a: libbase.a libprotocol.a libconf.a libstore.a libspc.a libsshcert.a / crypto
libparent.a: libbase.a libprotocol.a /
libtoken.a: libbase.a libprotocol.a / crypto
libcommand.a: libbase.a libprotocol.a / crypto
libshell.a: libbase.a libprotocol.a libcommand.a libspc.a libformats.a / crypto
libadmin.a: libbase.a libprotocol.a libcommand.a / edit
libsshd.a: libbase.a libprotocol.a libconf.a / ssh
libhtsign.a: libbase.a libspc.a libformats.a / crypto
libpump.a: libbase.a libprotocol.a / crypto z
libreader.a: libbase.a libprotocol.a libstore.a /
libfetch.a: libbase.a libprotocol.a libconf.a libspc.a / curl jansson crypto
'

# program: the libraries it may be linked with, then / and those that it must
# not even reach through others.
programs='
keys/keyd/htsign-keyd: crypto sqlite3 config seccomp / ssh curl jansson edit
keys/token/htsign-token: crypto seccomp / sqlite3 config ssh curl jansson edit
keys/principals/htsign-principals: seccomp / crypto sqlite3 config ssh curl jansson edit
htsign-shell/htsign-shell: crypto seccomp z / ssh sqlite3 config curl jansson edit
htsign-admin/htsign-admin: edit crypto seccomp / ssh sqlite3 config curl jansson z
sshd-sign/sshd-sign: ssh config seccomp / sqlite3 curl jansson edit
pump/htsign-pump: crypto seccomp z / sqlite3 ssh config curl jansson edit
reader/htsign-reader: crypto seccomp sqlite3 / z ssh config curl jansson edit
fetch/htsign-fetch: curl jansson crypto config seccomp / sqlite3 ssh edit
htsign/htsign: crypto seccomp z / ssh sqlite3 config curl jansson edit
'

# Whether the word $1 is among the others.
among() {
	among_word=$1
	shift
	for among_each; do
		if [ "$among_each" = "$among_word" ]; then
			return 0
		fi
	done
	return 1
}

# The library that a symbol belongs to, by the prefix of its interface.
cat >"$work/owner.awk" <<'END'
/^sqlite3_/ { print "sqlite3", $0 }
/^ssh_/ { print "ssh", $0 }
/^PKCS11_/ { print "p11", $0 }
/^config_/ { print "config", $0 }
/^curl_/ { print "curl", $0 }
/^(el_|history)/ { print "edit", $0 }
/^json_/ { print "jansson", $0 }
/^seccomp_/ { print "seccomp", $0 }
/^(inflate|deflate|crc32)/ { print "z", $0 }
/^(ASN1|BIO|BN|CMS|CRYPTO|DSA|ECDSA|EC|ERR|EVP|HMAC|OBJ|OCSP|OPENSSL|OSSL|PEM|PKCS7|PKCS8|RAND|RSA|SHA[0-9]*|TS|X509|d2i|i2d|o2i|i2o)_/ {
	print "crypto", $0
}
END

# Every include of a header of ours, against the table.
check_includes() {
	folder=$1
	shift
	if [ ! -d "$srcdir/$folder" ]; then
		violation "$folder: no such folder"
		return
	fi
	grep -H '^[[:space:]]*#[[:space:]]*include "[a-z-]*/' \
	    "$srcdir/$folder"/*.[ch] /dev/null |
	    sed 's/^\([^:]*\):[^"]*"\([^"]*\)".*/\1 \2/' >"$work/includes" ||
	    true
	while read -r file header; do
		if ! among "${header%/*}" "$folder" "$@"; then
			violation "$folder/${file##*/} includes $header"
		fi
	done <"$work/includes"
}

# Every folder with code of ours is in the table.
check_folders() {
	echo "$includes" | sed -n 's/:.*//p' | sort >"$work/folders"
	(
		cd "$srcdir"
		# shellcheck disable=SC2046 # a list of folders
		find $(sed 's,/.*,,' "$work/folders" | sort -u) -name '*.c' |
		    sed 's,/[^/]*$,,' | sort -u
	) | comm -13 "$work/folders" - >"$work/unknown"
	while read -r folder; do
		violation "$folder: not in the table"
	done <"$work/unknown"
}

# Which archive defines what, for all of them.
list_definitions() {
	for archive; do
		nm --defined-only --extern-only "$builddir/$archive" \
		    2>/dev/null | awk -v archive="$archive" \
		    'NF == 3 { print $3, archive }'
	done | sort -u >"$work/defined"
}

# Tests are linked with all archives: of a name that two define, the first would
# be taken without a word.
check_definitions() {
	awk '{ n[$1]++; archives[$1] = archives[$1] " " $2 }
		END { for (i in n) if (n[i] > 1) print i, archives[i] }' \
	    "$work/defined" >"$work/twice"
	while read -r symbol files; do
		violation "$symbol is defined by $files"
	done <"$work/twice"
}

# What an archive calls outside itself: lines of owner and symbol.
list_calls() {
	nm --undefined-only "$builddir/$1" | awk 'NF == 2 { print $2 }' |
	    sort -u >"$work/undefined"
	awk -v self="$1" '
		NR == FNR { owner[$1] = owner[$1] " " $2; next }
		!($1 in owner) { print "-", $1; next }
		index(owner[$1] " ", " " self " ") { next }
		{ split(owner[$1], o, " "); print o[1], $1 }
	    ' "$work/defined" "$work/undefined" >"$work/ours"
	grep -v '^- ' "$work/ours" || true
	sed -n 's/^- //p' "$work/ours" | awk -f "$work/owner.awk"
}

# Who calls whom among the files of an archive, until tsort has it in an order;
# what it says then are the files of each circle.
check_circles() {
	(cd "$builddir" && nm -A --extern-only "$1") | awk '
		{ split($1, part, ":"); file = part[2]; symbol = $NF }
		$(NF - 1) == "U" { calls[file, symbol]; next }
		{ owner[symbol] = file }
		END {
			for (call in calls) {
				split(call, c, SUBSEP)
				if (c[2] in owner && owner[c[2]] != c[1])
					print c[1], owner[c[2]]
			}
		}' | sort -u >"$work/calls"
	LC_ALL=C tsort "$work/calls" 2>&1 >/dev/null | awk '
		/contains a loop/ { circle++; next }
		{ files[circle] = files[circle] " " $NF }
		END { for (i in files) print files[i] }' >"$work/circles"
	while read -r files; do
		violation "$1: a circle of $files"
	done <"$work/circles"
}

check_archive() {
	archive=$1
	shift
	if [ ! -f "$builddir/$archive" ]; then
		violation "$archive: not built"
		return
	fi
	check_circles "$archive"
	list_calls "$archive" >"$work/calls"
	while read -r owner symbol; do
		if ! among "$owner" "$@"; then
			violation "$archive calls $symbol of $owner"
		fi
	done <"$work/calls"
}

# The libraries of lines like "libssh.so.4", by their short names; the
# compiler's and libc's own do not count.
short_names() {
	sed -n 's/^.*lib\([a-z0-9_+-]*\)\.so.*/\1/p' |
	    grep -vxE 'c|m|dl|rt|pthread|resolv|gcc_s|asan|ubsan' | sort -u
}

check_program() {
	program=$1
	shift
	if [ ! -x "$builddir/$program" ]; then
		violation "$program: not built"
		return
	fi
	# Up to the slash is one list, behind it the other.
	allowed=
	while [ $# -gt 0 ] && [ "$1" != / ]; do
		allowed="$allowed $1"
		shift
	done
	shift
	readelf -d "$builddir/$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	    short_names >"$work/needed" || true
	while read -r library; do
		# shellcheck disable=SC2086 # a list of words
		if ! among "$library" $allowed; then
			violation "$program is linked with $library"
		fi
	done <"$work/needed"
	ldd "$builddir/$program" | awk '{ print $1 }' | short_names \
	    >"$work/reached" || true
	while read -r library; do
		if among "$library" "$@"; then
			violation "$program reaches $library"
		fi
	done <"$work/reached"
}

# Call $1 for each line of the table $2.
for_each_line() {
	echo "$2" | grep ':' >"$work/table"
	while IFS=: read -r name rest; do
		# shellcheck disable=SC2086 # a list of words
		"$1" "$name" $rest
	done <"$work/table"
}

# shellcheck disable=SC2046 # a list of words
list_definitions $(echo "$archives" | sed -n 's/:.*//p')
check_definitions
for_each_line check_includes "$includes"
check_folders
for_each_line check_archive "$archives"
for_each_line check_program "$programs"

cat "$work/violations"
test ! -s "$work/violations"
