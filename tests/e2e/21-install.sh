#!/bin/bash
# What `make install` puts where, what systemd's own programs make of it, and
# that `make uninstall` takes all of it away.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
grep -qx "prefix='/usr'" "$builddir/config.log" ||
    skip "needs a build with --prefix=/usr --sysconfdir=/etc"
root=$work/root

# --- files -------------------------------------------------------------------

check "make install" make -C "$builddir" install DESTDIR="$root"
for file in usr/bin/htsign usr/sbin/htsign-keyd usr/sbin/sshd-sign \
    usr/libexec/htsign/htsign-token usr/share/htsign/htsign.conf.sample \
    usr/share/htsign/timestamp-servers.conf \
    usr/share/htsign/sshd_config.d/htsign.conf \
    usr/share/man/man8/htsign-admin.8 usr/lib/sysusers.d/htsign.conf \
    usr/sbin/htsign-setup usr/share/polkit-1/rules.d/htsign.rules \
    usr/lib/tmpfiles.d/htsign.conf usr/share/doc/htsign/report.html; do
	check "$file" test -f "$root/$file"
done
check "the shell by its name" test \
    "$(readlink "$root/usr/sbin/htsign-shell")" = /usr/libexec/htsign/htsign-shell
check "the administrator's" test -x "$root/usr/sbin/htsign-admin"
check "no file of the administrator's" test ! -e "$root/etc"
check "no folder is left to be filled in" not grep -rE '@[a-z]+@' \
    "$root/usr/lib" "$root/usr/share/htsign"
units=$(find "$root" -name '*.service')
check "three units" test "$(wc -l <<<"$units")" -eq 3
# shellcheck disable=SC2086 # names without spaces
sed -n 's/^Exec[A-Za-z]*=\(\/usr\/[^ ]*\).*/\1/p' $units | sort -u >"$work/programs"
while read -r program; do
	check "a unit's $program" test -x "$root$program"
done <"$work/programs"
check "of all three" test "$(wc -l <"$work/programs")" -eq 3

# --- completion ----------------------------------------------------------------

# completed WORD ...: what bash offers for the last one; the first is the
# program, which is started by that name.
completed()
{
	(
		# shellcheck source=/dev/null
		. "$root/usr/share/bash-completion/completions/${1##*/}"
		compopt() { :; }
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"_$(tr - _ <<<"${1##*/}")" "$1" &&
		    printf '%s\n' "${COMPREPLY[@]}" | uniq | paste -sd ' '
	)
}

# offers "WORD ..." WORD ...
offers()
{
	local expected=$1
	shift
	check "${*##*/} offers $expected" test "$(completed "$@")" = "$expected"
}

offers "attach digest extract info strip timestamp verify --help --version" "$htsign" ""
offers "strip" "$htsign" s
offers "--allow-uncovered --ca= --json --name= --recursive --tsa-ca=" \
    "$htsign" verify a.exe --
offers "--index= --in-place" "$htsign" attach --i
offers "" "$htsign" verify a
endpoint 2350
# Where the endpoint is.
cat >"$work/htsign-admin" <<-END
	#!/bin/bash
	exec "$builddir/htsign-admin/htsign-admin" -r "$dir/run" "\$@"
END
chmod 755 "$work/htsign-admin"
admin=$work/htsign-admin
verbs=$("$admin" help --verbs | awk -F '\t' 'NF == 3 { print $1 }')
offers "$(cut -d ' ' -f 1 <<<"$verbs" | uniq | paste -sd ' ')" "$admin" ""
offers "$(sed -n 's/^client //p' <<<"$verbs" | paste -sd ' ')" "$admin" client ""
check "client add, and more" test "$(grep -c '^client ' <<<"$verbs")" -ge 5
offers "--default= --ttl=" "$admin" client add name --
offers "--json" "$admin" client list ""
offers "input output pkcs7" "$admin" fetch 17 ""
check "htsign-admin joins words" "$admin" "client add" two

# --- mistakes ------------------------------------------------------------------

# mistake TEXT EXPRESSION PROGRAM ...: with htsign.conf so edited these end with
# the status that the units do not start them again after.
mistake()
{
	local what=$1 program
	sed "$2" "$dir/htsign.conf" >"$work/mistake.conf"
	shift 2
	for program in "$@"; do
		timeout 20 "$program" -c "$work/mistake.conf" \
		    2>"$work/mistake.log"
		status=$?
		check "${program##*/}, $what: $(head -n 1 "$work/mistake.log")" \
		    test "$status" -eq 64
	done
}

stop_programs
mistake "unknown key" 's/^state/stat/' "$keyd" "$sshd"
mistake "no account" '/^single_user/d; s,^run,users: { keyd = "nobodyatall"; }; &,' \
    "$keyd" "$sshd"
mistake "no CA" 's,/user_ca",/away",' "$keyd"
mistake "no host key" 's,/host_ed25519",/away",' "$sshd"
rm -f "$work/mistake.conf"
for program in "$keyd" "$sshd"; do
	"$program" -c "$work/mistake.conf" 2>/dev/null
	check "${program##*/}, no file" test "$?" -eq 64
done

# --- systemd's programs ----------------------------------------------------------

if [ "$(id -u)" -ne 0 ]; then
	echo "skip accounts and folders: not root"
elif ! command -v systemd-sysusers >/dev/null; then
	echo "skip accounts and folders: no systemd"
else
	echo "root:x:0:0:root:/root:/bin/sh" |
	    install -D /dev/stdin "$root/etc/passwd"
	echo "root:x:0:" >"$root/etc/group"
	check "systemd-sysusers" systemd-sysusers --root="$root"
	for name in keyd token net sign admin auth fetch pump reader; do
		check "an account htsign-$name" grep -q \
		    "^htsign-$name:x:[1-9].*:/usr/sbin/nologin\$" \
		    "$root/etc/passwd"
	done
	check "systemd-tmpfiles" systemd-tmpfiles --root="$root" --create
	keyd_id=$(sed -n 's/^htsign-keyd:x:\([0-9]*\):.*/\1/p' \
	    "$root/etc/passwd")
	check "the configuration's folder" test \
	    "$(stat -c '%a %u' "$root/etc/htsign")" = "755 0"
	check "the folder of the journal" test \
	    "$(stat -c '%a %u' "$root/var/lib/htsign")" = "710 $keyd_id"
fi

if command -v systemd-analyze >/dev/null; then
	mkdir "$work/units"
	for unit in $units; do
		sed "s,^\(Exec[a-zA-Z]*=\)/usr/,\1$root/usr/," "$unit" \
		    >"$work/units/${unit##*/}"
	done
	# A key that it does not know is a line, and no failure.
	systemd-analyze verify --man=no "$work"/units/* >"$work/verify" 2>&1
	status=$?
	check "systemd-analyze verifies the units: $(head -n 3 "$work/verify")" \
	    test "$status" -eq 0 -a ! -s "$work/verify"
	if systemd-analyze --help | grep -q -e --threshold; then
		while read -r unit most; do
			check "the exposure of $unit is at most $most" \
			    systemd-analyze security --offline=true --no-pager \
			    --threshold="${most/./}" \
			    "$(dirname "${units%%$'\n'*}")/$unit.service"
		done <<-END
			htsign-keyd 1.5
			sshd-sign 2.8
			htsign-fetch 1.5
		END
	else
		echo "skip the exposure: systemd-analyze knows none of a file"
	fi
else
	echo "skip the units: no systemd-analyze"
fi

# --- and back ------------------------------------------------------------------

rm -rf "${root:?}/etc" "${root:?}/var"
check "make uninstall" make -C "$builddir" uninstall DESTDIR="$root"
check "nothing is left" test -z "$(find "$root" ! -type d)"
done_testing
