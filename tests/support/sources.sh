# Where this machine has its Debian packages from, for those who need another
# suite from there.
# shellcheck shell=bash

# debian_sources CODENAME: a line "URI SUITE KEYRING" for each source of main
# for CODENAME, CODENAME-updates and CODENAME-security.  KEYRING is a file, or
# "-" where a source names none.
debian_sources()
{
	local list lists=(/dev/null)
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ ! -f "$list" ] || lists+=("$list")
	done
	awk -v codename="$1" '
	function source(uris, suites, keyring,    u, s, i, j)
	{
		if (keyring !~ /^\//)
			keyring = "-"
		split(uris, u, " ")
		split(suites, s, " ")
		for (i = 1; i in s; i++)
			for (j = 1; j in u; j++)
				if (s[i] == codename ||
				    s[i] == codename "-updates" ||
				    s[i] == codename "-security")
					print u[j], s[i], keyring
	}
	function stanza()
	{
		if (value["types"] ~ / deb( |$)/ &&
		    value["components"] ~ / main( |$)/ &&
		    value["enabled"] !~ /no/)
			source(value["uris"], value["suites"],
			    substr(value["signed-by"], 2))
		split("", value)
	}
	FNR == 1 || /^[ \t]*$/ { stanza() }
	/^#/ { next }
	/^deb[ \t]/ {
		keyring = "-"
		if (match($0, /signed-by=[^] \t]*/))
			keyring = substr($0, RSTART + 10, RLENGTH - 10)
		sub(/\[[^]]*\]/, "")
		uri = $2
		suite = $3
		$1 = $2 = $3 = ""
		if ($0 ~ / main( |$)/)
			source(uri, suite, keyring)
		next
	}
	{
		if (match($0, /^[A-Za-z-]+:/)) {
			field = tolower(substr($0, 1, RLENGTH - 1))
			$0 = substr($0, RLENGTH + 1)
		}
		for (i = 1; i <= NF; i++)
			value[field] = value[field] " " $i
	}
	END { stanza() }' "${lists[@]}"
}

# apt_source URI SUITE KEYRING: such a line as apt reads it.
apt_source()
{
	local options=
	[ "$3" = - ] || options="[signed-by=$3] "
	echo "deb $options$1 $2 main"
}
