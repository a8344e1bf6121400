#!/bin/bash
# The controller against a real API server: memory at rest, what 500 revisions with 5,000 pods cost
# from nothing and on a restart, and memory with them. The pods are made by the cluster's own
# controllers (e2e/cmd/load); nobody runs them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh
name=bench
revisions=${REVISIONS:-500}
pods=${PODS:-10} # of each revision
export FK_CLUSTER=$name FK_STATE=${FK_STATE:-$PWD/build/cluster}
KUBECONFIG=$FK_STATE/$name/kubeconfig
export KUBECONFIG
kubectl=hack/cluster/kubectl
pid=

stop() {
	[[ -z $pid ]] || kill "$pid" 2>/dev/null || true
	[[ -z $pid ]] || wait "$pid" 2>/dev/null || true
	pid=
}
# shellcheck disable=SC2317 # called by the trap
finish() {
	stop
	hack/cluster/down --name "$name" >&2
	rm -rf "$work"
}
trap finish EXIT

start() { # sets pid
	"$B/bin/functionkey-controller" --alone --address 127.0.0.1:19190 --kubeconfig "$KUBECONFIG" \
		--namespace default --log-level warn >>"$work/log" 2>&1 &
	pid=$!
}

# Until no processor time went by for three seconds; sets spent and took (seconds).
settle() {
	local last now same=0 begun=$SECONDS
	last=$(cpu "$pid")
	while ((same < 3)); do
		sleep 1
		now=$(cpu "$pid")
		if [[ $(jq -n "$now - $last < 0.02") == true ]]; then same=$((same + 1)); else same=0; fi
		last=$now
		if ((SECONDS - begun > 300)); then
			echo "the controller does not come to rest" >&2
			return 1
		fi
	done
	spent=$last took=$((SECONDS - begun - 3))
}

records() {
	"$kubectl" get functionkeys -n bench --no-headers -o name 2>/dev/null | wc -l
}

make -s B="$B" "$B/bin/functionkey-controller" >&2
(cd e2e && ../hack/go build -o "$work/load" ./cmd/load) >&2
hack/cluster/up --mode control-plane --name "$name" >&2
"$kubectl" apply -k crds >&2
"$kubectl" wait --for=condition=Established crd/functionkeys.functionkey.dev --timeout=60s >&2

start
sleep 8
read -r rss private < <(memory "$pid")
figure controller.idle-private "$private" MiB 4 "Pss_Anon 8 s after start, no pods"
figure controller.idle-rss "$rss" MiB 14 "RSS of the same moment; what of it is the system libraries' is shared"
stop

"$work/load" --revisions "$revisions" --pods "$pods" >&2
start
settle
made=$(records)
if ((made != revisions)); then
	tail -n 5 "$work/log" >&2
	echo "$made of $revisions Leader records were made" >&2
	exit 1
fi
figure controller.from-nothing-cpu "$spent" s 0.5 \
	"processor time, $revisions revisions and $((revisions * pods)) pods, from start to rest ($took s), writes and all"
stop

start
settle
figure controller.sync-cpu "$spent" s 0.25 \
	"processor time of a restart with all of it there, from start to rest ($took s)"
read -r rss private < <(memory "$pid")
figure controller.loaded-private "$private" MiB 8 "Pss_Anon, $revisions revisions, $((revisions * pods)) pods, at rest"
figure controller.loaded-rss "$rss" MiB 18 "RSS of the same moment"
before=$(cpu_ns "$pid")
sleep 60
figure controller.quiet-cpu "$(jq -n "($(cpu_ns "$pid") - $before) / 1e9")" s/min 0.005 \
	"processor time of a quiet minute, by the scheduler's own clock"
