#!/bin/bash
# Our HTTP server beside bare libmicrohttpd: POST of 1 KiB, 1 KiB back, unix socket, keep-alive, one
# in flight. JSON lines as in make bench. REQUESTS per round (50000).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh

make -s B="$B" "$B/test/pkg/http/http_bench" >&2
"$B/test/pkg/http/http_bench" "${REQUESTS:-50000}" >"$work/ours"

awk '
{ unit[$1] = $2; value[$1] = $3; low[$1] = $4; high[$1] = $5; runs[$1] = $6 }
function line(name, key, budget, better, method) {
	printf "{\"name\": \"http.%s\", \"value\": %.2f, \"unit\": \"%s\", \"runs\": %d, " \
		"\"spread\": [%.2f, %.2f], \"peer\": \"libmicrohttpd 0.9.75, bare\", \"peer_value\": %.2f, " \
		"\"budget\": %.2f, \"met\": %s, \"method\": \"%s\"}\n",
		name, value[key], unit[key], runs[key], low[key], high[key], value["bare-" key], budget,
		(better == "less" ? value[key] <= budget : value[key] >= budget) ? "true" : "false", method
}
END {
	# Over the bare library: at most 4 us of processor time.
	line("request-cpu", "cpu", value["bare-cpu"] + 4, "less", "processor time of the server for one request, median of rounds")
	line("request-p50", "p50", value["bare-p50"] + 6, "less", "wall time of a request, one in flight, median of rounds")
	line("request-rate", "rate", value["bare-rate"] * 0.7, "more", "requests a second, one in flight, median of rounds")
}' "$work/ours"
