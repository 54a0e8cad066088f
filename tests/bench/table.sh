# The tables that the benches print: one line for each figure, with the least,
# the median and the greatest of what was measured, the target that the median
# has to meet, and whether it does.
# shellcheck shell=bash disable=SC2034

misses=0

# spread FORMAT: least, median and greatest of the numbers on stdin.
spread()
{
	sort -g | awk -v format="$1" '{ v[NR] = $1 } END {
		m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
		printf format " " format " " format "\n", v[1], m, v[NR] }'
}

heading()
{
	printf '\n%s\n%-46s %8s %8s %8s  %s\n' "$1" '' least median most target
}

# row TEXT TARGET NUMBERS: TARGET is like "<= 0.45", or empty.
row()
{
	local text=$1 target=$2 numbers verdict=''
	numbers=$(spread %.3g <<<"$3")
	if [ -n "$target" ]; then
		verdict=$(awk -v target="$target" '{
			split(target, t, " ")
			good = t[1] == "<=" ? $2 <= t[2] : $2 >= t[2]
			print good ? "PASS" : "MISS" }' <<<"$numbers")
		[ "$verdict" = PASS ] || misses=$((misses + 1))
	fi
	# shellcheck disable=SC2086 # three numbers
	printf '%-46s %8s %8s %8s  %-8s %s\n' "$text" $numbers "$target" \
	    "$verdict"
}
