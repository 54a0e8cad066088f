#!/bin/bash
# tests/docs.sh must find what it is there to find: in a copy of the tree, with
# one violation at a time.

# shellcheck disable=SC2016 # backquotes are the documents'
set -eu
srcdir=${srcdir:-$(dirname "$0")/..}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

folders='config deploy formats htsign htsign-shell keys lib man protocol
signature sshd-sign store tests/support'

make_copy() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree/tests/unit"
	# shellcheck disable=SC2086 # a list of words
	(cd "$srcdir" && tar -c ./*.md README Makefile.am \
	    tests/docs.sh tests/unit/test_libssh.c $folders) | tar -x -C "$tree"
}

# expect WHAT SED-SCRIPT FILE: with FILE changed so, docs.sh has to say WHAT.
expect() {
	make_copy
	cp "$tree/$3" "$tree/before"
	sed -i "$2" "$tree/$3"
	if cmp -s "$tree/before" "$tree/$3"; then
		echo "nothing to change: $2"
		exit 1
	fi
	rm "$tree/before"
	if srcdir=$tree bash "$tree/tests/docs.sh" >"$tree/said" 2>&1; then
		echo "not refused: $1"
		exit 1
	fi
	grep -qF "$1" "$tree/said" || {
		cat "$tree/said"
		echo "instead of: $1"
		exit 1
	}
}

make_copy
srcdir=$tree bash "$tree/tests/docs.sh"

# The journal's "decided" before the queue, whose turn it is.
expect 'the step before keys/keyd/request/request-sign.c does not call authorise' \
    '/`token_submit()`/{h;d};/`journal_decided()`/{G}' DESIGN.md
expect 'the step before keys/sshcert/sshcert.c does not call sshcert_check' \
    's/`identity_prove()`/`identity_stands()`/' DESIGN.md
expect 'no step before sends DELIVERED' \
    's/| HELLO |/| DELIVERED |/' DESIGN.md
expect 'LIBSSH.md has take_all(), which sshd-sign does not' \
    's/`take_waiting()`/`take_all()`/' sshd-sign/LIBSSH.md
expect 'there is no page htsign-shell 1' \
    's/^\.Xr htsign-shell 8/.Xr htsign-shell 1/' man/htsign-keyd.8
expect 'no such section: lib/buf.h:2:  * Bytes (DESIGN.md, section 99)' \
    '2s/.*/ * Bytes (DESIGN.md, section 99)/' lib/buf.h
expect 'no such section: lib/buf.h:2:  * Bytes (DESIGN.md, "Bytes")' \
    '2s/.*/ * Bytes (DESIGN.md, "Bytes")/' lib/buf.h
expect 'the fields are not those of the code' \
    's/| SIGNED | `certificate` text NAME, `length` u32/| SIGNED | `certificate` text NAME, `length` u16/' PROTOCOL.md
expect 'its policy must have script-src' \
    's/^"use strict";$/&;/' deploy/report/report.html
