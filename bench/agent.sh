#!/bin/bash
# The agent's data path through its socket, its memory and its start, against a real API server:
# JSON lines as in make bench. SECONDS_EACH (5) per figure, ROUNDS (3) of which the best counts.
set -euo pipefail
cd "$(dirname "$0")/.."
export B=${B:-build}
make -s "$B"/bin/functionkey-{agent,keeper,network} "$B"/test/agent/{agent,records}_bench >&2
exec python3 bench/agent.py
