#!/bin/bash
# quickstart as its first user sees it: in a path with spaces, again, with a
# file of his own, as an ordinary user, and ended.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode

# libssh VERSIONS TEXT STATUS: what quickstart makes of each of them.
libssh()
{
	local installed
	for installed in $1; do
		(dpkg-query() { echo "$installed"; }; libssh_is_old)
		check "libssh $installed is $2" test $? -eq "$3"
	done
}
libssh "0.10.6-0+deb12u2 0.11.4-1 0.12.0-1" "too old" 0
libssh "0.10.6-0+deb12u3 0.11.5-1~bpo12+1 0.12.1-1 0.13.0-1" mended 1

dir="$work/a folder/demo"
port=2400
mkdir "$work/a folder"

# quick [AS ...]: quickstart with the build of the tests, from a path with
# spaces to the sources too.
mkdir -p "$work/the sources/deploy"
cp "$srcdir/quickstart" "$work/the sources/"
cp "$srcdir/deploy/htsign-setup.in" "$work/the sources/deploy/"
quick()
{
	# shellcheck disable=SC2016 # for the inner shell
	"${as[@]}" bash -c '
		. "$1"; set_build "$2"; build_programs() { :; }
		check_packages() { :; }; shift 2; main "$@"' quickstart \
	    "$work/the sources/quickstart" "$builddir" "$@" \
	    >"$work/out" 2>"$work/err"
}
as=(env)

check "quickstart in a path with spaces" quick -d "$dir" -p "$port"
next=$(sed -n 's/^  \(ssh -F .* sign test-signing .*\)/\1/p' "$work/out")
check "what to try next works" \
    bash -c "cd '$work' && $next && '$htsign' verify b.exe --ca '$dir/ca.pem'"
check "the sample verifies" verify_osslsigncode "$dir/sample-signed.exe"
first=$(cat "$dir/htsign-keyd.pid" "$dir/sshd-sign.pid")

sample app.exe
check "a file" quick -d "$dir" "$work/app.exe"
check "is signed beside itself" verify_osslsigncode "$work/app-signed.exe"
check "nothing was started again" test "$first" = \
    "$(cat "$dir/htsign-keyd.pid" "$dir/sshd-sign.pid")"

cp "$work/app.exe" "$work/no suffix"
(cd "$work" && quick -d "$dir" "no suffix")
check "a name without extension" verify_osslsigncode "$work/no suffix-signed"

# Its name tells what it is.
printf 'Write-Host 1\r\n' >"$work/it's a script.ps1"
check "a script" quick -d "$dir" "$work/it's a script.ps1"
check "is signed as one" "$htsign" verify "$work/it's a script-signed.ps1" \
    --ca "$dir/ca.pem"

cd /
request test-signing My App <"$work/app.exe"
signed "ssh -F from another folder"
door="admin"
request log
check "the admin's log has the request" grep test-signing "$work/out"
door="sign"

ssh-keygen -q -s "$dir/user_ca" -I ci/1 -z 1 -n client:ci -V -2h:-1h \
    "$dir/ci.pub"
check "an expired certificate" quick -d "$dir"
check "is renewed" is_valid "$dir/ci-cert.pub"

printf 'no program\n' >"$work/text"
quick -d "$dir" "$work/text"
check "the status of a failure is ssh's" test $? -eq 65
check "and leaves no output" test ! -e "$work/text-signed"

mkdir "$work/full" && : >"$work/full/file"
check "a folder with other files is left alone" \
    not quick -d "$work/full" -p 2401
check "a port in use" not quick -d "$work/second" -p "$port"
check "leaves nothing running" test ! -e "$work/second/htsign-keyd.pid"

check "--stop" quick --stop -d "$dir"
for pid in $first; do
	check "ended $pid" has_ended "$pid"
done
check "--stop again" quick --stop -d "$dir"
check "a start after a stop keeps the port" quick -d "$dir"
check "and the journal" test "$(requests)" -ge 6
quick --stop -d "$dir"

# An ordinary user, who cannot write where we build.
if [ "$(id -u)" -ne 0 ]; then
	done_testing
fi
chmod 755 "$work"
mkdir "$work/user" && chown 65534:65534 "$work/user"
as=(setpriv --reuid 65534 --regid 65534 --clear-groups env "HOME=$work/user")
if ! "${as[@]}" test -x "$htsign"; then
	bad "the build in $builddir is out of reach for other users"
	done_testing
fi
dir=$work/user/demo
check "an ordinary user" quick -d "$dir" -p 2401
check "signs" verify_osslsigncode "$dir/sample-signed.exe"
check "owns all of it" test -z "$(find "$dir" ! -uid 65534)"
check "and stops" quick --stop -d "$dir"
done_testing
