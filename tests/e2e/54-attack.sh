#!/bin/bash
# A shell that its input has taken over: whatever it tries ends it, the client
# gets nothing, and the next request is served.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util unshare

# The programs start each other by fixed paths.  In a mount namespace of our
# own the other shell is at that path, and nobody else sees it.
if [ -z "${HTSIGN_TEST_UNSHARED-}" ]; then
	[ "$(id -u)" -eq 0 ] || skip "only root can put another shell in place"
	unshare --mount true 2>/dev/null || skip "no mount namespaces here"
	grep -q '^#define HT_NO_SANDBOX' "$builddir/config.h" &&
	    skip "this build has no sandbox"
	rm -rf "$work"
	export HTSIGN_TEST_UNSHARED=1 srcdir builddir
	exec unshare --mount --propagation private "$BASH" "$0"
fi
mount --bind "$builddir/tests/support/attack-shell" \
    "$builddir/htsign-shell/htsign-shell" || exit 1

endpoint 2409

# attack NAME: have the shell try it.
attack()
{
	printf 'ATTACK %s\n' "$1" >"$work/attack"
	request test-signing <"$work/attack"
}

# The hook is in place: a name that it does not know is status 97.
attack nothing
check "the shell is taken over" test "$status" -eq 97

while read -r name; do
	attack "$name"
	if [ "$status" -ne 0 ] && [ "$status" -ne 97 ] &&
	    [ ! -s "$work/out" ] && ! grep -q 'not stopped' "$work/err"; then
		ok "$name is stopped (status $status)"
	else
		bad "$name (status $status): $(head -c 200 "$work/err")"
	fi
done < <(sed -n '/^const struct attack attacks/,/^};/s/.*"\(.*\)".*/\1/p' \
    "$srcdir/tests/support/attack.c")

sample app.exe
request test-signing <"$work/app.exe"
signed "the next request"

done_testing
