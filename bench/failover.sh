#!/bin/bash
# From the end of a leader to the next active key, on a real node, for each way in which a leader
# ends (e2e/cmd/failover): killed, killed unseen, its pod gone, drained, and, with no controller, its
# Lease expired. FUNCTIONS (5) lose a leader each way, ROUNDS (1) times; WAYS names some of them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh
name=bench-failover
# shellcheck disable=SC2317 # called by the trap
finish() {
	hack/cluster/down --name "$name" >&2
	rm -rf "$work"
}
trap finish EXIT
export FK_CLUSTER=$name FK_STATE=${FK_STATE:-$PWD/build/cluster}
KUBECONFIG=$FK_STATE/$name/kubeconfig
export KUBECONFIG

make -s -j2 images >&2
(cd e2e && ../hack/go build -o "$work/failover" ./cmd/failover) >&2
hack/cluster/up --mode node --name "$name" >&2
hack/cluster/load --name "$name" build/images/{controller,agent,billing}.tar >&2
hack/cluster/kubectl apply -k manifests/e2e >&2
hack/cluster/kubectl -n functionkey-system rollout status deployment/functionkey-controller --timeout=120s >&2
"$work/failover" --cluster "$name" --functions "${FUNCTIONS:-5}" --rounds "${ROUNDS:-1}" \
	--ways "${WAYS:-}" --audit "$FK_STATE/$name/log/audit.log"
