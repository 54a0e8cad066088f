# Many files of 3 MB, several ways, for scripts that have an endpoint:
#
#	. "$srcdir/tests/support/uploads.sh"
#	first_upload			what all the others have to be like
#	all_uploads TEXT AT-A-TIME [HOST [SSH-OPTION ...]]
#	over_one HOST TEXT AT-A-TIME	the same over one connection
#
# HTSIGN_UPLOADS is how many files there are each way, 20 by default.
# shellcheck shell=bash

: "${work:?}" "${dir:?}"
uploads=${HTSIGN_UPLOADS:-20}

# upload NUMBER HOST [OPTION ...]: the file, signed, as upload.NUMBER.
upload()
{
	local number=$1 host=$2
	shift 2
	ssh -F "$dir/ssh_config" "$@" "$host" test-signing \
	    <"$work/large.exe" >"$work/upload.$number" \
	    2>"$work/upload.$number.err"
}

first_upload()
{
	sample app.exe
	head -c 3000000 /dev/urandom >"$work/payload"
	cat "$work/app.exe" "$work/payload" >"$work/large.exe"
	upload 0 sign
	check "3 MB" verify_osslsigncode "$work/upload.0"
	mv "$work/upload.0" "$work/expected"
}

# none_failed: all of the uploads are the first one, byte for byte.
none_failed()
{
	local i n=0
	for ((i = 1; i <= uploads; i++)); do
		cmp "$work/upload.$i" "$work/expected" || {
			n=$((n + 1))
			cat "$work/upload.$i.err"
		}
	done
	rm -f "$work"/upload.*
	echo "$n failed"
	[ "$n" -eq 0 ]
}

all_uploads()
{
	local text=$1 most=$2 host=${3:-sign} i pids=()
	shift 3 2>/dev/null || set --
	for ((i = 1; i <= uploads; i++)); do
		upload "$i" "$host" "$@" &
		pids+=($!)
		[ $((i % most)) -ne 0 ] || wait "${pids[@]}"
	done
	wait "${pids[@]}"
	check "$uploads uploads of 3 MB, $text: none fails" none_failed
}

over_one()
{
	local control=(-o ControlPath="$work/control.$1")
	ssh -F "$dir/ssh_config" "${control[@]}" -o ControlMaster=yes -fN "$1"
	all_uploads "$2" "$3" "$1" "${control[@]}"
	ssh -F "$dir/ssh_config" "${control[@]}" -O exit "$1" 2>/dev/null
}
