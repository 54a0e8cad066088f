#!/bin/bash
# What was signed is kept, and can be fetched, byte for byte: the input, the
# output, the signature; pruned on record; and nothing is signed that cannot be
# kept.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util /usr/sbin/sshd setpriv unshare msibuild sqlite3
# shellcheck source=tests/support/installed.sh
. "$srcdir/tests/support/installed.sh"
installed_endpoint 2921 2922
archive=$fake/state/archive
reconfigure '/^profiles = (/a\
  { name = "input"; certificates = [ "test" ]; archive = "input"; },\
  { name = "both"; certificates = [ "test" ]; archive = "both";\
    existing = "nest"; formats = [ "pe", "cab", "msi", "script", "appx" ];\
    max_size = "16M"; },\
  { name = "keep"; certificates = [ "test" ]; archive = "input";\
    existing = "keep"; },'
for profile in input both keep; do
	admin "grant ci $profile"
done

# fetch DOOR REQUEST WHAT: into $work/fetched.
fetch()
{
	ssh -F "$dir/ssh_config" "$1" "fetch $2 $3" >"$work/fetched" \
	    2>"$work/fetch.err"
}
number()
{
	last_request | sed 's/.*"request":\([0-9]*\).*/\1/'
}
# same WHAT FILE REQUEST: at both doors of administrators.
same()
{
	local door
	for door in admin openssh-admin; do
		check "its $1 is fetched at $door" fetch "$door" "$3" "$1"
		check "byte for byte" cmp "$work/fetched" "$2" || cat "$work/fetch.err"
	done
}
# not_fetched TEXT REQUEST WHAT PATTERN: one line, and not a byte.
not_fetched()
{
	if fetch admin "$2" "$3" || [ -s "$work/fetched" ] ||
	    [ "$(wc -l <"$work/fetch.err")" -ne 1 ] ||
	    ! grep -q "$4" "$work/fetch.err"; then
		bad "$1: $(cat "$work/fetch.err")"
	else
		ok "$1: $(cat "$work/fetch.err")"
	fi
}
sum()
{
	sha256sum <"$1" | cut -d ' ' -f 1
}

# --- each kind --------------------------------------------------------------------

sample app.exe
"$builddir/tests/support/make-cab" >"$work/app.cab"
empty_msi "$work/app.msi" || exit 1
"$builddir/tests/support/make-appx" publisher="CN=htsign quickstart (test)" \
    >"$work/app.appx"
printf 'Write-Host 1\r\n' >"$work/app.ps1"
for door in sign openssh; do
	for file in app.exe app.cab app.msi app.appx app.ps1; do
		request both --name="$file" <"$work/$file"
		signed "$file at $door"
		cp "$work/out" "$work/signed-$file"
		journal_says "it is kept" '"archive":"both"'
		n=$(number)
		same input "$work/$file" "$n"
		same output "$work/signed-$file" "$n"
	done
done
door=sign
request both --pkcs7 <"$work/app.exe"
signed "a PKCS#7"
n=$(number)
same output "$work/out" "$n"
same pkcs7 "$work/out" "$n"
request both --name=app.exe <"$work/signed-app.exe"
signed "a second signature"
cp "$work/out" "$work/twice.exe"
same output "$work/twice.exe" "$(number)"
request keep <"$work/signed-app.exe"
check "one that goes back as it came" cmp "$work/out" "$work/signed-app.exe"
same output "$work/signed-app.exe" "$(number)"
request input <"$work/app.exe"
signed "a profile that keeps the input"
n=$(number)
same input "$work/app.exe" "$n"
not_fetched "its output is not kept" "$n" output 'only the input was kept'
request test-signing <"$work/app.exe"
not_fetched "one without an archive" "$(number)" input 'nothing was kept'
not_fetched "a word that is none" "$n" all 'input, output or pkcs7'
not_fetched "a request that is none" 100000 input 'no request 100000'
check "each file is kept once" test "$(find "$archive" -type f | wc -l)" -eq 6
check "under its SHA-256" cmp "$work/app.exe" "$archive/$(sum "$work/app.exe")"
check "and nobody else can read it" test "$(stat -c %a:%U \
    "$archive" "$archive/$(sum "$work/app.exe")" | tr '\n' ' ')" = \
    '700:htsign-keyd 600:htsign-keyd '

# --- what is damaged or gone ----------------------------------------------------------

kept=$archive/$(sum "$work/app.ps1")
request both --name=app.ps1 <"$work/app.ps1"
n=$(number)
cp -p "$kept" "$work/good"
printf x | dd of="$kept" bs=1 seek=3 conv=notrunc status=none
not_fetched "one bit is wrong" "$n" input 'not what is on record'
not_fetched "and so is the output" "$n" output 'not what is on record'
truncate -s 5 "$kept"
not_fetched "the end is missing" "$n" output 'past the end'
rm "$kept"
not_fetched "it is gone" "$n" input 'cannot be read'
cp -p "$work/good" "$kept"
same output "$work/out" "$n"

# --- pruning --------------------------------------------------------------------------

stop_programs
: >"$archive/$(printf '0%.0s' {1..64})"
sqlite3 "$fake/state/journal.db" "UPDATE archive SET at = at - 731 * 86400000000
    WHERE sha256 = '$(sum "$work/app.exe")'" || exit 1
start_programs no
gone()
{
	[ ! -e "$1" ]
}
check "a file of 731 days is pruned" within 10 gone \
    "$archive/$(sum "$work/app.exe")"
check "what the journal does not know is removed" gone \
    "$archive/$(printf '0%.0s' {1..64})"
check "the others stay" test "$(find "$archive" -type f | wc -l)" -eq 5
check "it is on record" grep -q "\"sha256\":\"$(sum "$work/app.exe")\".*730 days" \
    <(admin 'events --json' | grep '"kind":"pruned"')
not_fetched "who asks hears when and why" 1 input \
    'pruned at 20..-..-..T..:..:..Z, kept for 730 days'
check "show says so" grep -q '"pruned":"20' <(admin 'show 1 --json')
check "the signature is still there" fetch admin 1 pkcs7
request both <"$work/app.exe"
signed "it comes again"
same input "$work/app.exe" "$(number)"
not_fetched "but how the first output was made is gone" 1 output 'came again'
admin rebuild
same input "$work/app.exe" "$(number)"

# --- no room --------------------------------------------------------------------------

new_client other both
head -c 3000000 /dev/urandom >"$work/big"
sample big.exe
cat "$work/big" >>"$work/big.exe"
reconfigure '/^profiles = (/i archive_max = "4M";'
request both <"$work/big.exe"
refused "more than half of archive_max" 69
check "says what to do" grep -q 'archive_max or archive_days' "$work/err"
journal_says "on record, and nothing was signed" '"code":"archive"' '"exit":69' \
    '"status":"failed"'
size=$(stat -c %s "$work/big.exe")
request both --size="$size" <"$work/big.exe"
refused "announced, it is refused before the upload" 69
door=other request both <"$work/app.exe"
signed "another client's is kept"
door=sign
reconfigure 's/^archive_max = .*/archive_max = "1G";/'

stop_programs
mount -t tmpfs -o size=2M,mode=700 tmpfs "$archive" &&
    chown htsign-keyd: "$archive"
start_programs no
request both <"$work/big.exe"
if [ "$status" -eq 75 ] || [ "$status" -eq 69 ] && [ ! -s "$work/out" ]; then
	ok "the disk is full: $status, $(cat "$work/err")"
else
	bad "the disk is full: $status, $(cat "$work/err")"
fi
check "nothing was signed" not grep -q '"signed"' <(last_request)
request both <"$work/app.exe"
signed "a smaller file is kept then"
same output "$work/out" "$(number)"
stop_programs
umount "$archive"
start_programs no
done_testing
