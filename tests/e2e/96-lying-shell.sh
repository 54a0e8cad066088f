#!/bin/bash
# A shell that lies to htsign-pump: size and SHA-256 on record are those of the
# bytes that are kept, whatever it says, and others notice nothing.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util unshare
if [ -z "${HTSIGN_TEST_UNSHARED-}" ]; then
	[ "$(id -u)" -eq 0 ] || skip "only root can put another shell in place"
	unshare --mount true 2>/dev/null || skip "no mount namespaces here"
	rm -rf "$work"
	export HTSIGN_TEST_UNSHARED=1 srcdir builddir
	exec unshare --mount --propagation private "$BASH" "$0"
fi
mount --bind "$builddir/tests/support/attack-shell" \
    "$builddir/htsign-shell/htsign-shell" || exit 1
endpoint 2961
reconfigure '/^profiles = (/a\
  { name = "keep"; certificates = [ "test" ]; archive = "both"; },'
admin "grant ci keep"
new_client other keep
archive=$dir/state/archive
sample app.exe
size=$(stat -c %s "$work/app.exe")
xs()
{
	head -c "$1" /dev/zero | tr '\0' x
}
sum()
{
	sha256sum | cut -d ' ' -f 1
}
files()
{
	find "$archive" -type f | wc -l
}

# As many bytes of another kind: that is what the parser's word is worth.  The
# record is of what is kept.
request keep "PUMP other" --size="$size" <"$work/app.exe"
signed "other bytes are passed on"
journal_says "they are on record" "\"sha256\":\"$(xs "$size" | sum)\"" \
    "\"size\":$size" '"archive":"both"'
check "and are what is kept" cmp <(xs "$size") \
    "$archive/$(xs "$size" | sum)"
admin "fetch $(requests) input" >"$work/fetched"
check "and fetched" cmp "$work/fetched" <(xs "$size")
check "the output cannot be made of them, which is said" \
    not admin "fetch $(requests) output"

before=$(files)
request keep "PUMP other" --size="$size" \
    --sha256="$(sum <"$work/app.exe")" <"$work/app.exe"
refused "but not if the client has said which" 65
for lie in nothing more; do
	request keep "PUMP $lie" --size="$size" <"$work/app.exe"
	check "$lie: status $status" test "$status" -ne 0 -a ! -s "$work/out"
	check "nothing is signed" not grep -q '"signed"' <(last_request)
done
check "and nothing of it is kept" test "$(files)" -eq "$before"
door=other
request keep "PUMP open" --size="$size" <"$work/app.exe" &
open=$!
door=sign
sleep 1
request keep <"$work/app.exe"
signed "others sign meanwhile"
wait "$open"
refuses_the_end()
{
	admin 'log --json' | grep '"PUMP open"' | grep '"exit":69' |
	    grep -q 'did not send all of the content in time'
}
check "a pipe that never ends ends the request" refuses_the_end
check "nothing of it is kept" test "$(files)" -eq $((before + 1))
done_testing
