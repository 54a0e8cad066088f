#!/bin/bash
# Uploads through sshd-sign: sizes around those at which something changes, many
# files over one connection and over many, several side by side, and one of
# 2 GB, which takes no more memory than a small one.
#
# HTSIGN_UPLOADS is how many files of 3 MB there are each way, 40 by default.

. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
needs ssh softhsm2-util osslsigncode
uploads=${HTSIGN_UPLOADS:-40}

endpoint 2515
listener=$(cat "$dir/sshd-sign.pid")
sample app.exe
control=(-o ControlPath="$work/control")

# of_size BYTES: $work/sized.exe, a program with so many bytes.
of_size()
{
	cp "$work/app.exe" "$work/sized.exe" &&
	    truncate -s "$1" "$work/sized.exe"
}

# --- sizes ---------------------------------------------------------------------

for size in 0 1; do
	of_size "$size"
	request test-signing <"$work/sized.exe"
	refused "$size bytes" 65
done
for size in 4095 4096 4097 32767 32768 32769 2097151 2097152 2097153; do
	of_size "$size"
	request test-signing --size="$size" <"$work/sized.exe"
	signed "$size bytes"
	check "which verify" verify_osslsigncode "$work/out"
done

# --- many ------------------------------------------------------------------------

head -c 3000000 /dev/urandom >"$work/payload"
cat "$work/app.exe" "$work/payload" >"$work/large.exe"

# upload NUMBER [OPTION ...]: the file, signed, as upload.NUMBER.
upload()
{
	local number=$1
	shift
	ssh -F "$dir/ssh_config" "$@" sign test-signing <"$work/large.exe" \
	    >"$work/upload.$number" 2>"$work/upload.$number.err"
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

upload 0
check "3 MB" verify_osslsigncode "$work/upload.0"
mv "$work/upload.0" "$work/expected"

# all_uploads TEXT AT-A-TIME [OPTION ...]
all_uploads()
{
	local text=$1 most=$2 i pids=()
	shift 2
	for ((i = 1; i <= uploads; i++)); do
		upload "$i" "$@" &
		pids+=($!)
		[ $((i % most)) -ne 0 ] || wait "${pids[@]}"
	done
	wait "${pids[@]}"
	check "$uploads uploads of 3 MB, $text: none fails" none_failed
}

all_uploads "one connection after another" 1
all_uploads "50 connections at a time" 50
ssh -F "$dir/ssh_config" "${control[@]}" -o ControlMaster=yes -fN sign
all_uploads "one channel after another" 1 "${control[@]}"
all_uploads "8 channels at a time" 8 "${control[@]}"
check "nothing of it is in the log" not grep -v \
    -e "connected to htsign-keyd" -e "listening on" "$dir/sshd-sign.log"

# --- 2 GB --------------------------------------------------------------------------

# peak_of PID: its largest size, in KiB.
peak_of()
{
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"
}

network=$(descendants "$listener" sshd-sign)
before=$(peak_of "$network")
of_size 2000000000
ssh -F "$dir/ssh_config" "${control[@]}" sign test-signing --pkcs7 \
    <"$work/sized.exe" >"$work/out" 2>"$work/err"
status=$?
signed "2 GB"
after=$(peak_of "$network")
check "the network process's peak was $before KiB, and is $after" \
    test $((after - before)) -le 1024
ssh -F "$dir/ssh_config" "${control[@]}" -O exit sign 2>/dev/null
"$htsign" attach "$work/sized.exe" "$work/out" >"$work/signed.exe"
check "which verifies" "$htsign" verify "$work/signed.exe" --ca "$dir/ca.pem"
done_testing
