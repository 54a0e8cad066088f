#!/bin/bash
# The power fails while clients sign: what they had received is on record.
#
#	tests/power-cut.sh [ext4] [xfs] [cache]
#
# By hand, as root, with `make check TESTS=` built in ./build and the packages
# xfsprogs nbdkit libnbd-bin fuse3.  ext4 and xfs are on a loop device and are
# shut down without a flush, as the power would: what was not synced is lost.
# cache is ext4 on a disk with a write-back cache, which is killed with what it
# has not been told to flush.
#
# HTSIGN_CUTS (5) is how many of each kind, HTSIGN_CUT_SECONDS (4) how long
# clients sign before one.

# Nobody else may keep a disk mounted.
[ "${1-}" = --alone ] || exec unshare -m "$0" --alone "$@"
shift

srcdir=$(cd "$(dirname "$0")/.." && pwd)
. "$srcdir/tests/support/lib.sh"
needs ssh softhsm2-util losetup xfs_io mkfs.xfs mkfs.ext4 nbdkit nbdfuse
[ "$(id -u)" -eq 0 ] || skip "it needs root to mount disks"
endpoint 2475
sample app.exe
cuts=${HTSIGN_CUTS:-5} seconds=${HTSIGN_CUT_SECONDS:-4} clients=4
image=$work/disk.img nbd=$work/nbd device=
stop_programs
mv "$dir/state" "$work/state"
mkdir "$dir/state" "$work/released"

cleanup_more()
{
	umount -l "$dir/state" 2>/dev/null
	unplug
}

# plug_in KIND: $device is the disk.
plug_in()
{
	local file=$image
	if [ "$1" = cache ]; then
		file=$nbd
		: >"$nbd"
		nbdkit -U "$work/nbd.sock" -P "$work/nbdkit.pid" --filter=cache \
		    file "$image" cache=writeback cache-max-size=200M
		within 5 test -S "$work/nbd.sock"
		nbdfuse "$nbd" --unix "$work/nbd.sock" &
		within 5 test -s "$nbd"
	fi
	device=$(losetup -f --show "$file")
}

unplug()
{
	[ -z "$device" ] || losetup -d "$device"
	device=
	if [ -e "$work/nbdkit.pid" ]; then
		fusermount3 -uz "$nbd" 2>/dev/null
		kill "$(cat "$work/nbdkit.pid")" 2>/dev/null
		rm -f "$work/nbdkit.pid" "$work/nbd.sock"
	fi
}

cut_power()
{
	if [ "$1" = cache ]; then
		kill -KILL "$(cat "$work/nbdkit.pid")"
	else
		xfs_io -x -c shutdown "$dir/state"
	fi
}

# client KIND N I: sign until it is told to stop.
client()
{
	local i=0 out
	until [ -e "$work/stop" ]; do
		i=$((i + 1))
		out=$work/released/$1-$2-$3-$i
		ssh -F "$dir/ssh_config" sign test-signing "${out##*/}" \
		    <"$work/app.exe" >"$out.part" 2>/dev/null &&
		    mv "$out.part" "$out"
	done
}

# one_cut KIND N
one_cut()
{
	local i pids=()
	rm -f "$work/stop"
	for i in $(seq "$clients"); do
		client "$@" "$i" & pids+=($!)
	done
	sleep "$seconds"
	cut_power "$1"
	sleep 0.5
	: >"$work/stop"
	stop_programs
	wait "${pids[@]}"
	within 20 umount "$dir/state" || exit 1
	unplug
	plug_in "$1"
	mount "$device" "$dir/state" || exit 1
	start_programs no
	request test-signing "after $1-$2" <"$work/app.exe"
}

[ $# -gt 0 ] || set -- ext4 xfs cache
for kind; do
	truncate -s 400M "$image"
	plug_in "$kind"
	case $kind in
	xfs) mkfs.xfs -q -f "$device" ;;
	*) mkfs.ext4 -q -F "$device" ;;
	esac
	mount "$device" "$dir/state" || exit 1
	cp -a "$work/state/." "$dir/state"
	sync -f "$dir/state"
	start_programs no
	for n in $(seq "$cuts"); do
		one_cut "$kind" "$n"
		signed "$kind: after cut $n a request is signed"
		check "$kind: the journal is sound" admin rebuild
	done
	check "$kind: all that was released is on record" released_is_recorded
	ok "$kind: $cuts cuts, $(released | wc -l) files released before them," \
	    "$(wc -l <"$work/missing") not on record"
	check "$kind: all are whole" released_is_whole
	stop_programs
	within 20 umount "$dir/state" || exit 1
	unplug
	rm -rf "$image" "$work/released/"*
done
done_testing
