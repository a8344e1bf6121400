#!/bin/bash
# The keeper's program behind its socketpair: memory, opening, re-keying a thousand members. JSON
# lines as in make bench. ROUNDS runs; per figure the best round counts.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh

make -s "$B/test/keeper/keeper_bench" "$B/bin/functionkey-keeper" >&2
each_round "$B/test/keeper/keeper_bench" "$B/bin/functionkey-keeper"

awk -v rounds="$rounds" '
!($1 in value) { order[n++] = $1 }
!($1 in value) || $3 < value[$1] {
	unit[$1] = $2; value[$1] = $3; low[$1] = $4; high[$1] = $5; runs[$1] = $6
}
END {
	budget["open"] = 110
	budget["open-among-grants-p99"] = 2000
	budget["grants-1000"] = 150
	budget["start"] = 10
	method["start"] = "from fork to the first reply, wall time"
	method["private"] = "Pss_Anon with one epoch held, at rest"
	method["private-after"] = "Pss_Anon after all of this run"
	method["open"] = "one in flight, wall time, median"
	method["open-p99"] = "one in flight, wall time"
	method["open-cpu"] = "processor time of the keeper for one"
	method["sign"] = "one in flight, wall time, median"
	method["sign-p99"] = "one in flight, wall time"
	method["sign-cpu"] = "processor time of the keeper for one message"
	method["certify-cpu"] = "processor time of the keeper for one certificate, proof verified"
	method["grants-1000"] = "processor time of the keeper, proofs verified, 32 in flight"
	method["open-among-grants"] = "wall time, median, 32 grants waiting all the time"
	method["open-among-grants-p99"] = "wall time, 32 grants waiting all the time"
	for (i = 0; i < n; i++) {
		k = order[i]
		b = budget[k]
		printf "{\"name\": \"keeper.%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": %d, " \
			"\"spread\": [%.2f, %.2f], \"peer\": null, \"peer_value\": null, \"budget\": %s, " \
			"\"met\": %s, \"method\": \"%s, best of %d rounds; spread: 10th and 90th percentile\"}\n",
			k, value[k], unit[k], runs[k], low[k], high[k], b == "" ? "null" : b,
			b == "" ? "null" : value[k] <= b ? "true" : "false", method[k], rounds
	}
}' "$work/ours"
