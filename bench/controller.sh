#!/bin/bash
# The controller against a real API server: memory at rest, what REVISIONS (500) with PODS (10) each cost
# from nothing, on a restart and at rest, what events cost, how long it takes to act on one; then the
# same with LARGE (2000; 0: left out) revisions. The pods are made by the cluster's own controllers
# (e2e/cmd/load); nobody runs them, e2e/cmd/standin plays their agents.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh
name=bench
revisions=${REVISIONS:-500}
pods=${PODS:-10} # of each revision
large=${LARGE:-2000}
events=${EVENTS:-1000}
samples=${SAMPLES:-200}
export FK_CLUSTER=$name FK_STATE=${FK_STATE:-$PWD/build/cluster}
KUBECONFIG=$FK_STATE/$name/kubeconfig
export KUBECONFIG
kubectl=hack/cluster/kubectl
audit=$FK_STATE/$name/log/audit.log
metrics=127.0.0.1:19190
pid=
agents=

stop() {
	[[ -z $pid ]] || kill "$pid" 2>/dev/null || true
	[[ -z $pid ]] || wait "$pid" 2>/dev/null || true
	pid=
}
# shellcheck disable=SC2317 # called by the trap
finish() {
	stop
	[[ -z $agents ]] || kill "$agents" 2>/dev/null || true
	hack/cluster/down --name "$name" >&2
	rm -rf "$work"
}
trap finish EXIT

start() { # [ARGUMENT...]: sets pid, and counts from its start
	"$B/bin/functionkey-controller" --address "$metrics" --kubeconfig "$KUBECONFIG" \
		--namespace default --log-level warn "$@" >>"$work/log" 2>&1 &
	pid=$!
	begun_ns=0 begun_writes=0
}

counter() { # METRIC
	curl -fsS "http://$metrics/metrics" | awk -v name="$1" '$1 == name {print $2}'
}

# Counts from now on.
mark() {
	begun_ns=$(cpu_ns "$pid")
	begun_writes=$(counter functionkey_writes_total)
}

# Until three seconds went by with next to no processor time; sets spent and took (seconds), and
# writes, all since the start or the last mark.
settle() {
	local last now same=0 begun=$SECONDS
	last=$(cpu_ns "$pid")
	while ((same < 3)); do
		sleep 1
		now=$(cpu_ns "$pid")
		if ((now - last < 5000000)); then same=$((same + 1)); else same=0; fi
		last=$now
		if ((SECONDS - begun > 300)); then
			echo "the controller does not come to rest" >&2
			return 1
		fi
	done
	spent=$(jq -n "($last - $begun_ns) / 1e9") took=$((SECONDS - begun - 3))
	writes=$(($(counter functionkey_writes_total) - begun_writes))
}

quiet_minute() { # sets spent (seconds) and asked (requests that the audit log has of it)
	local before bytes
	before=$(cpu_ns "$pid")
	bytes=$(stat -c %s "$audit")
	sleep 60
	spent=$(jq -n "($(cpu_ns "$pid") - $before) / 1e9")
	asked=$(tail -c "+$bytes" "$audit" | grep '"userAgent":"functionkey-controller' |
		grep '"stage":"ResponseComplete"' | grep -cv '"verb":"watch"' || true)
}

# As kubectl apply and --wait: all of them with a record.
all_made() { # REVISIONS
	local made
	made=$("$kubectl" get functionkeys -n bench -l functionkey.dev/role=leader --no-headers -o name | wc -l)
	if ((made < $1)); then
		tail -n 5 "$work/log" >&2
		echo "$made of $1 Leader records were made" >&2
		return 1
	fi
}

rest() {
	sleep 8
	read -r rss private < <(memory "$pid")
	figure controller.idle-private "$private" MiB 4 "Pss_Anon 8 s after start, no pods"
	figure controller.idle-rss "$rss" MiB 14 \
		"RSS of the same moment; what of it is the system libraries' is shared"
}

from_nothing() {
	settle
	all_made "$revisions"
	figure controller.from-nothing-cpu "$spent" s 0.5 \
		"processor time, $revisions revisions and $((revisions * pods)) pods, from start to rest, writes and all"
	figure controller.from-nothing-writes "$writes" writes 2499 "of the same time: creates and patches that were answered"
	figure controller.from-nothing-time "$took" s null "wall time of the same, the API server beside it on the same processors"
}

restart() {
	settle
	figure controller.sync-cpu "$spent" s 0.25 \
		"processor time of a restart with all of it there, from start to rest ($took s)"
	read -r rss private < <(memory "$pid")
	figure controller.loaded-private "$private" MiB 8 "Pss_Anon, $revisions revisions, $((revisions * pods)) pods, at rest"
	figure controller.loaded-rss "$rss" MiB 18 "RSS of the same moment"
	quiet_minute
	figure controller.quiet-cpu "$spent" s/min 0.005 \
		"processor time of a quiet minute, by the scheduler's own clock; $asked requests but watches"
}

# Budgets are for 1,000 events.
in_thousands() {
	jq -n "$spent * 1000 / $events"
}

storms() {
	local closed=$(((events + pods - 2) / (pods - 1))) # revisions that lose all members but the leader
	"$work/standin" lead -endpoint "$peer" -revisions "$revisions" >&2
	"$work/standin" join -revisions "$closed" >&2
	settle
	mark
	"$work/standin" touch -n "$events" -revisions "$revisions" >&2
	settle
	figure controller.irrelevant-cpu "$(in_thousands)" s 0.08 \
		"processor time per 1,000 changes of an annotation of pods, by 32 at once ($writes writes)"
	mark
	"$work/standin" close -n "$events" -revisions "$closed" >&2
	settle
	figure controller.readiness-cpu "$(in_thousands)" s 0.25 \
		"processor time per 1,000 members that no longer open the active key, in $closed revisions, by 32 at once, with the $writes writes"
}

latencies() {
	local what got budget
	hack/cluster/ctl stop kcm --name "$name" >&2 # it would replace the pods
	"$work/standin" end -n "$samples" -revisions "$revisions" >"$work/ends"
	hack/cluster/ctl start kcm --name "$name" >&2
	for what in release.p50=2 release.p99=5 status.p50=3 status.p99=9; do
		budget=${what#*=} what=${what%=*}
		got=$(jq ".$what" "$work/ends")
		figure "controller.${what/./-}" "$got" ms "$budget" "$(
			case $what in
			release*) echo "from the event of a leader's pod that failed to that of its emptied Lease" ;;
			*) echo "from the event of a member's pod that failed to that of the Leader record that counts one less" ;;
			esac
		), both seen by the same client on watches, $samples revisions one after the other"
	done
}

all_large() { # REASON: lines for all figures of large, without values
	local what
	for what in sync-cpu=s=1.0 rss=MiB=40 private=MiB=null peak-rss=MiB=null quiet-cpu=s/min=0.005; do
		IFS='=' read -r what unit budget <<<"$what"
		figure "controller.large-$what" null "$unit" "$budget" "$1"
	done
}

large_lead() {
	"$work/load" --revisions "$large" --pods "$pods" --wait 15m >&2 || return
	start --alone
	settle || return
	all_made "$large" || return
	"$work/standin" lead -endpoint "$peer" -from "$revisions" -revisions "$large" >&2 || return
	settle || return
	stop
}

large() {
	local what="$large revisions, $((large * pods)) pods, each revision with record, Lease, Service, EndpointSlice and a held connection to its leader"
	if ! large_lead; then
		all_large "not taken: $large revisions with leaders could not be made in time"
		return
	fi
	start
	settle
	figure controller.large-sync-cpu "$spent" s 1.0 "processor time of a restart, from start to rest ($took s); $what"
	read -r rss private < <(memory "$pid")
	figure controller.large-rss "$rss" MiB 40 "RSS at rest; $what"
	figure controller.large-private "$private" MiB null "Pss_Anon of the same moment"
	figure controller.large-peak-rss "$(awk '/^VmHWM:/ {printf "%.2f\n", $2 / 1024}' "/proc/$pid/status")" MiB null "highest RSS since the start"
	quiet_minute
	figure controller.large-quiet-cpu "$spent" s/min 0.005 \
		"processor time of a quiet minute, by the scheduler's own clock, with the election as installed: $asked requests but watches; $what"
}

make -s B="$B" "$B/bin/functionkey-controller" >&2
(cd e2e && ../hack/go build -o "$work" ./cmd/load ./cmd/standin) >&2
hack/cluster/up --mode control-plane --name "$name" >&2
"$kubectl" apply -k crds >&2
"$kubectl" wait --for=condition=Established crd/functionkeys.functionkey.dev --timeout=60s >&2
# The leaders' address: one that the API server takes into an EndpointSlice, so not of loopback.
peer=$(sed -n 's/^HOST_ADDRESS=//p' "$FK_STATE/$name/settings"):9471
"$work/standin" serve -endpoint "$peer" &
agents=$!

start --alone
rest
stop
"$work/load" --revisions "$revisions" --pods "$pods" >&2
start --alone
from_nothing
stop
start --alone
restart
storms
latencies
stop
if ((large > 0)); then
	large
else
	all_large "left out: LARGE=0"
fi
