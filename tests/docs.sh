#!/bin/bash
# Do the documents say what the code does?
#
#	PROTOCOL.md	the tables of protocol/messages.[ch], to the letter
#	DESIGN.md	"One request, file by file": files, calls, messages
#	LIBSSH.md	the tests of its facts, our functions
#	report.html	the hashes in its policy are those of its style and script
#	man/		every configuration key, every program, references to our
#			pages, mandoc -T lint

set -u
srcdir=${srcdir:-$(dirname "$0")/..}
cd "$srcdir" || exit 1
export LC_ALL=C
failed=0

fail()
{
	printf 'docs: %s\n' "$*" >&2
	failed=1
}

# --- PROTOCOL.md -------------------------------------------------------------

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

awk -f tests/support/protocol-tables.awk protocol/messages.h protocol/messages.c \
    >"$work/code"
[ -s "$work/code" ] || fail "no messages found in protocol/messages.c"
cut -d '|' -f 1-6 "$work/code" | sed 's/ *$//' | sort >"$work/code-rules"
awk -F ' [|] ' '{ print $2 " | " $7 }' "$work/code" | sort -u \
    >"$work/code-fields"
awk '/^#define PROTOCOL_[A-Z0-9_]+ [(0-9]/ {
	name = $2; sub(/^PROTOCOL_/, "", name)
	value = $0; sub(/^#define [^ ]+ /, "", value)
	sub(/[ \t]*\/\*.*/, "", value); gsub(/\([a-z0-9_]+_t\)/, "", value)
	print name, value
}' protocol/messages.h | while read -r name value; do
	[ "$name" = VERSION ] || printf '%s | %s\n' "$name" "$((value))"
done | sort >"$work/code-sizes"

# A row of a document's table as "a | b | c".
rows()
{
	sed -n 's/^| \(.*\) |$/\1/p' | sed 's/ |$/ | /' |
	    grep -v -e '^---' -e '^message |' -e '^size |'
}
awk '/^## / { link = $2; sub(/:$/, "", link) }
	/^\| message \| from/ { in_rules = 1; next }
	!/^\|/ { in_rules = 0 }
	in_rules && !/^\| ---/ {
		sub(/^\| /, ""); sub(/ \|$/, ""); print link " | " $0
	}' PROTOCOL.md | sort >"$work/doc-rules"
awk '/^\| message \| fields/ { in_fields = 1; next }
	!/^\|/ { in_fields = 0 }
	in_fields' PROTOCOL.md | rows | sed 's/ | none$/ | /' | sort -u \
    >"$work/doc-fields"
awk '/^\| size \| bytes/ { in_sizes = 1; next }
	!/^\|/ { in_sizes = 0 }
	in_sizes' PROTOCOL.md | rows | sort >"$work/doc-sizes"

for table in rules fields sizes; do
	diff -u --label protocol/messages --label PROTOCOL.md \
	    "$work/code-$table" "$work/doc-$table" >&2 ||
	    fail "PROTOCOL.md: the $table are not those of the code"
done
cut -d ' ' -f 3 "$work/code-rules" | sort -u | while read -r message; do
	grep -q "\*\*$message\*\*" PROTOCOL.md || echo "$message"
done >"$work/unexplained"
while read -r message; do
	fail "PROTOCOL.md does not explain $message"
done <"$work/unexplained"

# --- DESIGN.md: one request, file by file --------------------------------------

awk '/^## 3\./ { on = 1 } /^## 4\./ { on = 0 }
	on && /^\| `[a-z-]+(\/[a-z0-9-]+)+\.c`/' DESIGN.md |
    awk -F ' *[|] *' '{ gsub(/[`()]/, ""); print $2, $3 }' >"$work/steps"
[ "$(wc -l <"$work/steps")" -ge 60 ] ||
    fail "DESIGN.md: the reading order has lost its steps"
python3 tests/support/reading_order.py <"$work/steps" >&2 ||
    fail "DESIGN.md: the reading order is not that of the code"

# --- sections that are cited ---------------------------------------------------

# As "DESIGN.md, section 3", in whatever has comments; of our documents only.
grep -ohE '^## [0-9]+' DESIGN.md | sed 's/## /DESIGN.md, section /' \
    >"$work/sections"
# A citation may go on in the next line.
find . -path './build*' -prune -o -path ./demo -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.am' \
    -o -name '*.in' -o -name '*.md' -o -name '*.sql' -o -name '*.sample' \
    -o -name README -o -path './man/*' \) ! -name Makefile.in \
    ! -path './tests/docs*' -exec awk '
	{ line = FILENAME ":" FNR ": " $0 }
	cut { sub(/^[ \t*#]+/, ""); line = before " " $0 }
	{ cut = /\.md,$/; before = line }
	!cut { print line }' {} + |
    grep -E '(DESIGN|PROTOCOL|SECURITY|STYLE)(\.md)?,? *("|§|section)' \
    >"$work/cited"
while IFS= read -r line; do
	cited=$(grep -oE '[A-Z]+\.md, section [0-9]+' <<<"$line")
	grep -qxF "${cited:--}" "$work/sections" ||
	    fail "no such section: ${line#./}"
done <"$work/cited"

# --- configuration keys ----------------------------------------------------------

# Those that are built, in the order of the tables.
sed -n -e 's/^\t{ "\([A-Za-z_]*\)", \(conf_\)*read_.*/\1/p' \
    -e '/conf_read_later/d' \
    -e 's/^\t{ \.key = "\([A-Za-z_]*\)", \.read.*/\1/p' \
    -e 's/.*CONF_RATE(base, \([a-z_]*\), conf_read_.*/\1/p' \
    config/*.c config/table.h |
    sort -u >"$work/keys"
[ -s "$work/keys" ] || fail "no keys found in config/"
while read -r key; do
	grep -Eq "(Cm .*|, )\<$key\>" man/htsign.conf.5 ||
	    fail "htsign.conf.5 says nothing of $key"
	grep -Eq "(^|[^a-z_])$key *[=:]" config/htsign.conf.sample ||
	    fail "htsign.conf.sample does not have $key"
done <"$work/keys"
sed 's/"[^"]*"//g' config/htsign.conf.sample |
    grep -Eo '[A-Za-z_]+( =|: \{)' | grep -Eo '[A-Za-z_]+' | sort -u >"$work/sample"
while read -r key; do
	grep -qx "$key" "$work/keys" ||
	    fail "htsign.conf.sample has $key, which the code does not"
done <"$work/sample"

# --- LIBSSH.md -------------------------------------------------------------------

# shellcheck disable=SC2016
sed -n 's/^|.*| `\([a-z0-9_]*\)` |$/\1/p' sshd-sign/LIBSSH.md | sort \
    >"$work/facts"
sed -n 's/^\t*connected(\([a-z0-9_]*\)),$/\1/p' tests/unit/test_libssh.c | sort |
    diff "$work/facts" - >&2 ||
    fail "LIBSSH.md (<) and tests/unit/test_libssh.c (>) differ"

# shellcheck disable=SC2016
grep '^| .* | .* | `' sshd-sign/LIBSSH.md | cut -d '|' -f 4 |
    grep -o '[a-z_]*()' | sort -u >"$work/relying"
[ -s "$work/relying" ] || fail "LIBSSH.md names no function"
while read -r name; do
	grep -q "^${name%()}(" sshd-sign/*.c ||
	    fail "LIBSSH.md has $name, which sshd-sign does not"
done <"$work/relying"

# --- the report -------------------------------------------------------------------

report=deploy/report/report.html
wrong=$(python3 tests/support/page_hashes.py $report) || fail "$wrong"

# --- manual pages ----------------------------------------------------------------

grep -o '^[a-z_]*PROGRAMS += .*' Makefile.am | grep -v -e noinst -e check |
    sed 's/.*+= //' | tr ' ' '\n' | sed 's,.*/,,' >"$work/programs"
while read -r program; do
	set -- man/"$program".[18]
	[ -f "$1" ] || fail "$program has no manual page"
done <"$work/programs"
# Each reference to one of our pages, in its section.
sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' man/*.[158] | sort -u |
    while read -r name section; do
	set -- man/"$name".[158]
	[ ! -f "$1" ] || [ -f "man/$name.$section" ] || echo "$name $section"
done >"$work/nowhere"
while read -r reference; do
	fail "man/: there is no page $reference"
done <"$work/nowhere"
for page in man/*.[158]; do
	grep -q "$page" Makefile.am || fail "$page is not installed"
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" >&2 || fail "$page"
	fi
done

exit "$failed"
