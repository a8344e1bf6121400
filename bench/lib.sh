# What the families of bench share. Sourced.
# shellcheck shell=bash disable=SC2034 # the families use the variables

B=${B:-build}
rounds=${ROUNDS:-3}
# What a family writes; it goes when the family ends.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# each_round COMMAND...: appends what ROUNDS runs of a program print to $work/ours.
each_round() {
	local i
	for ((i = 0; i < rounds; i++)); do
		"$@" >>"$work/ours"
	done
}

# figure NAME VALUE UNIT BUDGET METHOD: one line; without a budget "null". Lower is better.
figure() {
	jq -cn --arg name "$1" --argjson value "$2" --arg unit "$3" --argjson budget "$4" \
		--arg method "$5" '{name: $name, value: $value, unit: $unit, runs: 1,
		spread: null, peer: null, peer_value: null, budget: $budget,
		met: (if $budget == null or $value == null then null else $value <= $budget end),
		method: $method}'
}

# memory PID: "RSS PSS_ANON" in MiB, of one process.
memory() {
	awk '/^Rss:/ {r = $2} /^Pss_Anon:/ {a = $2} END {printf "%.2f %.2f\n", r / 1024, a / 1024}' \
		"/proc/$1/smaps_rollup"
}

# cpu PID: processor seconds so far, of all its threads.
cpu() {
	awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); printf "%.2f\n", ($12 + $13) / hz}' \
		"/proc/$1/stat"
}

# cpu_ns PID: the same in nanoseconds, of the threads that it has now: for moments so quiet that
# the clock of cpu does not tick.
cpu_ns() {
	awk '{n += $1} END {printf "%d\n", n}' "/proc/$1/task/"*/schedstat
}
