#!/bin/bash
# What proxy mode adds to a request, and how many an agent carries, against a real API server: JSON
# lines as in make bench. SECONDS_EACH (5) per figure, ROUNDS (3) of which the best counts.
set -euo pipefail
cd "$(dirname "$0")/.."
export B=${B:-build}
make -s "$B"/bin/functionkey-{agent,keeper,network} "$B"/test/agent/agent_bench >&2
exec python3 bench/proxy.py
