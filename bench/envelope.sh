#!/bin/bash
# Envelopes of 1 KiB with and without a content-key window, and streams of 1 GiB beside `openssl
# speed` on the same cipher, in one run: JSON lines as in make bench. Our program and OpenSSL's take
# turns ROUNDS times; per figure the best round counts.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh

make -s "$B/test/pkg/envelope/envelope_bench" >&2
for ((i = 0; i < rounds; i++)); do
	"$B/test/pkg/envelope/envelope_bench" >>"$work/ours"
	openssl speed -mr -seconds 2 -bytes 65536 -evp aes-256-gcm 2>"$work/log" |
		awk -F: '/^\+F:/ {print $4 / 1e6}' >>"$work/peer" || cat "$work/log" >&2
done

awk -v rounds="$rounds" '
FILENAME ~ /peer$/ {
	if ($1 > peer)
		peer = $1
	next
}
!($1 in value) { order[n++] = $1 }
# Megabytes a second are better when higher, microseconds when lower.
!($1 in value) || ($2 == "us" ? $3 < value[$1] : $3 > value[$1]) {
	unit[$1] = $2; value[$1] = $3; low[$1] = $4; high[$1] = $5
}
END {
	budget["open-cold"] = 110
	budget["secret-warm"] = 1
	# What a level costs more than none: a signature and what it covers is hashed, once a message
	# or once a window: then less than the least operation on the curve.
	budget["message-seal-extra"] = 20
	budget["message-open-extra"] = 26
	budget["origin-seal-extra"] = budget["origin-open-extra"] = 10
	for (k in budget)
		if (k ~ /-extra$/) {
			level = k
			sub(/-extra$/, "", level)
			none = level
			sub(/^[a-z]*/, "none", none)
			order[n++] = k
			unit[k] = "us"; value[k] = low[k] = high[k] = value[level] - value[none]
		}
	for (i = 0; i < n; i++) {
		k = order[i]
		stream = unit[k] != "us"
		b = stream ? (peer ? 0.85 * peer : "") : budget[k]
		met = b == "" ? "null" : (stream ? value[k] >= b : value[k] <= b) ? "true" : "false"
		printf "{\"name\": \"envelope.%s\", \"value\": %.3f, \"unit\": \"%s\", \"runs\": %d, " \
			"\"spread\": [%.3f, %.3f], \"peer\": %s, \"peer_value\": %s, \"budget\": %s, " \
			"\"met\": %s, \"method\": \"processor time, %s, best of %d rounds that take turns with the peer\"}\n",
			k, value[k], unit[k], stream ? 3 : 30, low[k], high[k],
			stream ? "\"openssl speed AES-256-GCM, 64 KiB\"" : "null",
			stream && peer ? sprintf("%.1f", peer) : "null",
			b == "" ? "null" : sprintf("%.1f", b), met,
			stream ? "median of 3 passes of 1 GiB" : "median of 30 blocks of 8 ms", rounds
	}
}' "$work/peer" "$work/ours"
