# shellcheck shell=bash
# What the commands of hack/cluster have in common: names, places, progress and
# waiting. Sourced by each of them.
# shellcheck disable=SC2034 # what is set here is used there
set -euo pipefail
shopt -s inherit_errexit

CLUSTER_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
HACK_DIR=$(dirname "$CLUSTER_DIR")
STATE_ROOT=${FK_STATE:-$(dirname "$HACK_DIR")/build/cluster}
CACHE_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/functionkey/cluster
IMAGE_PREFIX=functionkey.local

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# --- progress: a line with the seconds since the start of the command

STARTED=${EPOCHREALTIME/[.,]/}
lap() {
  local tenths=$(((${EPOCHREALTIME/[.,]/} - STARTED) / 100000))
  printf '%4d.%d s  %s\n' $((tenths / 10)) $((tenths % 10)) "$*"
}

# until_true SECONDS COMMAND... : tries COMMAND five times a second
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# --- the programs: built once for what stands under programs/, kept in the cache. With KUBERNETES
# --- set, those of an older Kubernetes, programs/kube-$KUBERNETES: a control plane alone

: "${KUBERNETES:=}"

programs_key() {
  local of=(build programs -path 'programs/kube-*' -prune -o)
  [[ -z $KUBERNETES ]] || of=(build programs/etcd "programs/kube-$KUBERNETES")
  (cd "$CLUSTER_DIR" && find "${of[@]}" -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16
}

use_programs() { # sets PROGRAMS, IMAGES
  local key
  [[ -z $KUBERNETES || -e $CLUSTER_DIR/programs/kube-$KUBERNETES/go.mod ]] || die "there is no hack/cluster/programs/kube-$KUBERNETES"
  key=${KUBERNETES:+kubernetes-$KUBERNETES-}$(programs_key)
  PROGRAMS=$CACHE_ROOT/$key/bin
  IMAGES=$CACHE_ROOT/$key/images
  export PATH="$PROGRAMS:/usr/local/sbin:/usr/sbin:/sbin:$PATH"
}

programs_complete() { [[ -e $(dirname "$PROGRAMS")/complete ]]; }

# --- one cluster: its name, its state folder, its node

use_name() { # NAME ; sets NAME, STATE, CGROUP
  NAME=$1
  [[ $NAME =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] || die "not a cluster's name: '$NAME'"
  mkdir -p "$STATE_ROOT"
  STATE=$(readlink -f "$STATE_ROOT")/$NAME
  # also two clusters of one name in two working trees have cgroups of their own
  CGROUP=functionkey-$(sha256sum <<<"$STATE" | cut -c1-10)
}

is_node() { # HOST_PID : whether that is PID 1 of this cluster's node
  local words=()
  { mapfile -d '' words <"/proc/$1/cmdline"; } 2>/dev/null || return 1
  [[ ${words[1]-} == */node-init && ${words[2]-} == "$STATE" ]] &&
    grep -qs $'^NSpid:.*\t1$' "/proc/$1/status"
}

# node_pid : prints the host's pid of the node's PID 1. Looks further than its
# own note, so that a node is found even if its state folder was removed.
node_pid() {
  local pid
  if pid=$(cat "$STATE/node.pid" 2>/dev/null) && is_node "$pid"; then
    echo "$pid"
    return
  fi
  for pid in /proc/[0-9]*; do
    if is_node "${pid#/proc/}"; then
      echo "${pid#/proc/}"
      return
    fi
  done
  return 1
}

need_node() { # sets NODE_PID
  NODE_PID=$(node_pid) || die "cluster '$NAME' is not up"
}

in_url() { if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi; } # ADDRESS

in_node() { nsenter -t "$NODE_PID" -m -n -p -u -i -- "$@"; }

apiserver_ready() {
  curl -sf --max-time 2 --cacert "$STATE/keys/ca.crt" --cert "$STATE/keys/admin.crt" --key "$STATE/keys/admin.key" \
    -g "$API_SERVER/readyz"
}

# split_name ARGUMENTS... : takes --name NAME out of the arguments wherever it
# stands before a "--"; sets NAME and so on, and the array REST
split_name() {
  local name=${FK_CLUSTER:-dev}
  REST=()
  while (($#)); do
    case $1 in
      --name) (($# > 1)) || die "--name wants a name"; name=$2; shift 2 ;;
      --name=*) name=${1#*=}; shift ;;
      --) REST+=("$@"); break ;;
      *) REST+=("$1"); shift ;;
    esac
  done
  use_name "$name"
}
