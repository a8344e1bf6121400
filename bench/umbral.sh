#!/bin/bash
# Every Umbral operation beside the stock Rust package, in one run: JSON lines as in make bench.
# Both programs run ROUNDS times, taking turns; per operation the round with the lowest median
# counts. The budget is 1.15 times the floor: the calls of libsecp256k1 that the operation cannot do
# without, timed in the same rounds, the lowest of them (open-cold: the agent's budget of 110 µs).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh
cache=${XDG_CACHE_HOME:-$HOME/.cache}/functionkey/interop/rust

make -s "$B/test/pkg/pre/umbral_bench" >&2
peer="umbral-pre 0.11.0 (Rust)"
if ! CARGO_TARGET_DIR=$cache hack/cargo build --release --locked --quiet \
	--manifest-path e2e/interop/umbral/rust/Cargo.toml 2>"$work/cargo"; then
	peer="none: the Rust package cannot be built: $(tail -n 1 "$work/cargo" | tr -d '"\\')"
fi
: >"$work/peer"
for ((i = 0; i < rounds; i++)); do
	"$B/test/pkg/pre/umbral_bench" >>"$work/ours"
	[[ $peer == none* ]] || "$cache/release/bench" >>"$work/peer"
done

awk -v peer="$peer" -v rounds="$rounds" '
function text(x) { return x == "" ? "null" : sprintf("%.1f", x) }
FILENAME ~ /peer$/ {
	if (!($1 in peers) || $2 < peers[$1])
		peers[$1] = $2
	next
}
!($1 in value) { order[n++] = $1 }
!($1 in value) || $2 < value[$1] {
	value[$1] = $2; low[$1] = $3; high[$1] = $4
}
!($1 in least) || $5 < least[$1] { least[$1] = $5 }
END {
	for (i = 0; i < n; i++) {
		k = order[i]
		budget[k] = k == "open-cold" ? 110 : least[k] > 0 ? 1.15 * least[k] : ""
		met = budget[k] == "" ? "null" : value[k] <= budget[k] ? "true" : "false"
		printf "{\"name\": \"umbral.%s\", \"value\": %.1f, \"unit\": \"us\", \"runs\": 30, " \
			"\"spread\": [%.1f, %.1f], \"peer\": \"%s\", \"peer_value\": %s, \"budget\": %s, " \
			"\"met\": %s, \"method\": \"median of 30 blocks of 8 ms, best of %d rounds that " \
			"take turns with the peer; spread: 10th and 90th percentile\"}\n",
			k, value[k], low[k], high[k], peer, text(peers[k]), text(budget[k]), met, rounds
	}
}' "$work/peer" "$work/ours"
