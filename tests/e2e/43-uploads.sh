#!/bin/bash
# Uploads through sshd-sign: sizes around those at which something changes, many
# files over one connection and over many, several side by side, and a large one
# (HTSIGN_LARGE bytes), for which there is no more memory than a window, twice.

. "${srcdir:-$(dirname "$0")/../..}/tests/support/lib.sh"
needs ssh softhsm2-util osslsigncode
. "$srcdir/tests/support/uploads.sh"

endpoint 2515
listener=$(cat "$dir/sshd-sign.pid")
sample app.exe

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

first_upload
all_uploads "one connection after another" 1
all_uploads "50 connections at a time" 50
over_one sign "one channel after another" 1
over_one sign "8 channels at a time" 8
check "nothing of it is in the log" not grep -v \
    -e "connected to htsign-keyd" -e "listening on" "$dir/sshd-sign.log"

# --- a large one -------------------------------------------------------------------

# peak_of PID: its largest size, in KiB.
peak_of()
{
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"
}

control=(-o ControlPath="$work/control")
ssh -F "$dir/ssh_config" "${control[@]}" -o ControlMaster=yes -fN sign
upload 0 sign "${control[@]}"
network=$(descendants "$listener" sshd-sign)
before=$(peak_of "$network")
large=${HTSIGN_LARGE:-500000000}
of_size "$large"
ssh -F "$dir/ssh_config" "${control[@]}" sign test-signing --pkcs7 \
    <"$work/sized.exe" >"$work/out" 2>"$work/err"
status=$?
signed "$large bytes"
after=$(peak_of "$network")
check "the network process's peak was $before KiB, and is $after" \
    test $((after - before)) -le 4096
ssh -F "$dir/ssh_config" "${control[@]}" -O exit sign 2>/dev/null
"$htsign" attach "$work/sized.exe" "$work/out" >"$work/signed.exe"
check "which verifies" "$htsign" verify "$work/signed.exe" --ca "$dir/ca.pem"
done_testing
