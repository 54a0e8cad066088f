#!/bin/bash
# The verbs that tell an administrator how the endpoint is, and those that change
# who may sign: what they print, what they do at once to what is open, and what
# is on record of it.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util python3
endpoint 2579
sample app.exe

says()
{
	local text=$1
	shift
	admin "$*" >"$work/says" 2>&1
	grep -qE -e "$text" "$work/says" || {
		cat "$work/says"
		return 1
	}
}

# --- what is there ---------------------------------------------------------------

check "nothing is wrong" says '^htsign: nothing is wrong$|^nothing is wrong$' check
check "status: the token" says '^token softhsm +ready$' status
check "status: the clock" says '^clock +good$' status
check "status is JSON, too" python3 -c '
import json, sys
s = json.loads(sys.argv[1])
assert s["token_softhsm"] == "ready" and s["requests_open"] == 0, s
assert s["state_free_bytes"] > 0 and s["clock"] == "good", s' \
    "$(admin 'status --json')"
check "profiles" says '^test-signing +ready$' profile list
check "one of them" says '^certificates +test$' profile show test-signing
check "its formats" says '^formats +.*pe' profile show test-signing
check "not one that is not there" says 'there is no profile nix' profile show nix
check "certificates" says '^days left +[0-9]+$' certificate list
check "one of them" says '^subject +.*CN=' certificate show test
check "and no other" says 'there is no certificate nix' certificate show nix
fingerprint=$(openssl x509 -in "$dir/codesign.pem" -outform DER 2>/dev/null |
    sha256sum | cut -d' ' -f1)
[ -s "$dir/codesign.pem" ] || fingerprint=$(openssl x509 -in "$dir/ca.pem" \
    -outform DER | sha256sum | cut -d' ' -f1)
check "by the SHA-256 that openssl says" says "^sha256 +$fingerprint" \
    certificate show test
check "who can" says '^ci +may sign$' who-can test-signing
check "who can what is not there" says 'there is no profile nix' who-can nix
check "administrators" says '^key +SHA256:' admins
for verb in "profile list" "profile show test-signing" "certificate list" \
    "who-can test-signing" admins frozen "client show ci" "client list"; do
	check "$verb --json is JSON" python3 -c '
import json, sys
for line in sys.argv[1].splitlines():
    json.loads(line)' "$(admin "$verb --json")"
done
check "a client with its certificates" says "^default profile  +" client show ci
check "which it has" says '^[0-9]+ +ci +until 20' client show ci

# --- freezing ---------------------------------------------------------------------

# held WORDS…: an upload that has begun, of which the administrator's command makes
# an end; or a new one, which is refused; the reason is the same.
held()
{
	local text=$1 fd ssh
	shift
	mkfifo "$work/fifo"
	ssh -F "$dir/ssh_config" sign test-signing <"$work/fifo" \
	    >"$work/held.out" 2>"$work/held.err" &
	ssh=$!
	exec {fd}>"$work/fifo"
	rm "$work/fifo"
	within 10 eval 'admin "log --json" | tail -n 1 | grep -q "\"asked\",\""'
	admin "$* '--why=a leak'"
	within 5 has_ended "$ssh"
	exec {fd}>&-
	wait "$ssh"
	status=$?
	[ "$status" -eq 77 ] && [ ! -s "$work/held.out" ] &&
	    grep -q "$text" "$work/held.err"
}

refused()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 77 ] && [ ! -s "$work/out" ] &&
	    grep -q "$1" "$work/err"
}

signs()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 0 ]
}

while IFS='|' read -r what text; do
	check "freeze $what: an upload ends" held "$text" freeze "$what"
	check "with: $(cat "$work/held.err")" true
	check "and a new one is refused" refused "$text"
	check "check says so, and what to type" says ": thaw $what\$" check
	check "frozen says why" says 'a leak$' frozen
	check "it is not frozen twice" says "frozen already" freeze "$what"
	check "thaw $what" admin "thaw $what"
	check "then ci signs" signs
	check "it is not thawed twice" says "not frozen" thaw "$what"
done <<'LIST'
client ci|client ci is frozen by an administrator
profile test-signing|profile test-signing is frozen by an administrator
certificate test|certificate test is frozen by an administrator
all|signing is frozen by an administrator
LIST
check "each is on record with its reason" test \
    "$(admin 'events --json --limit=1000' | grep '"kind":"frozen"' |
        grep -c '"text":"a leak"')" -eq 4
check "and its end" test "$(admin 'events --json --limit=1000' |
    grep -c '"kind":"thawed"')" -eq 4
for words in "freeze" "freeze nix" "freeze client" "freeze all ci" \
    "freeze client nobody" "freeze profile nix" "freeze certificate nix" \
    "thaw client"; do
	admin "$words" >"$work/out" 2>"$work/err"
	status=$?
	check "$words: $(cat "$work/err")" test "$status" -eq 64
done
admin 'freeze all' && stop_programs && start_programs no
check "it stays frozen over a start" refused "signing is frozen"
admin 'thaw all'

# --- a token ---------------------------------------------------------------------

locked_out()
{
	request test-signing <"$work/app.exe"
	[ "$status" -eq 69 ] && grep -q 'is locked\|has locked it' "$work/err"
}

check "a token is locked" admin 'lock softhsm'
check "and signs nothing, though its PIN is configured" locked_out
check "check says what to type" within 20 says 'type: htsign-admin unlock softhsm' \
    check
check "it is not locked twice" says 'locked already' lock softhsm
check "unlocked by the configured PIN" eval 'admin "unlock softhsm" </dev/null'
check "it signs" within 20 signs
check "both are on record with a name" test "$(admin 'events --json --limit=1000' |
    grep -E '"kind":"token-(un)?locked"' | grep -c '"actor":"')" -ge 2
check "no token of that name" says 'there is no token nix' lock nix

# --- clients ---------------------------------------------------------------------

check "a client is renamed" says 'certificates? of ci revoked: issue new ones' \
    client rename ci ci2
request test-signing <"$work/app.exe"
check "its old certificate is none any more" test "$status" -ne 0
check "the new name has the grant" says '^ci2 +may sign$' who-can test-signing
check "and not the old one" not says '^ci ' who-can test-signing
check "a client of the old name" admin 'client add ci'
request test-signing <"$work/app.exe"
check "does not get what the certificate was for" test "$status" -ne 0
check "a grant, and the default with it" admin 'grant ci test-signing --default'
check "which it is" says '^default profile +test-signing$' client show ci
rm "$dir/ci-cert.pub"
make_client
request <"$work/app.exe"
check "so it signs without a word" test "$status" -eq 0
check "ungrant" admin 'ungrant ci test-signing'
check "takes the default, too" says '^default profile +-$' client show ci
check "what was before is on record" says \
    'before: default profile test-signing' events --json
check "a client is removed" says '0 certificates of ci2 revoked' \
    client remove ci2
check "once" says 'there is no client ci2' client remove ci2
check "so nobody can sign" test -z "$(admin 'who-can test-signing')"
done_testing
