#!/usr/bin/env bash
# Makes a kind cluster of several control-plane nodes with a proxy-server on each, and workers with an agent on each.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'USAGE'
usage: quickstart-kind.sh [flags]
  --cluster-name NAME          default knp-test-cluster
  --overwrite-cluster          delete a cluster of that name first
  --server-image IMAGE         default konnectivity/proxy-server:v0.37.0
  --agent-image IMAGE          default konnectivity/proxy-agent:v0.37.0
  --num-kcp-nodes N            control-plane nodes, default 2
  --num-worker-nodes N         workers, default 1
  --server-count-override N    agents expect N servers and look at no lease; -1, the default: as many as have leases
  --sideload-images            load the images from this machine into the nodes
  --render-only                write rendered/ and stop
USAGE
}

cluster_name=knp-test-cluster
server_image=konnectivity/proxy-server:v0.37.0
agent_image=konnectivity/proxy-agent:v0.37.0
control_plane_nodes=2
worker_nodes=1
server_count=-1
overwrite=false
sideload=false
render_only=false

refuse() {
  echo "quickstart-kind.sh: $1" >&2
  usage >&2
  exit 2
}
number() {
  [[ "$2" =~ ^-?[0-9]+$ ]] && [ "$2" -ge "$3" ] || refuse "$1 takes a number of at least $3, not ${2@Q}"
}
while [ $# -gt 0 ]; do
  flag=$1
  shift
  case $flag in
    --overwrite-cluster) overwrite=true; continue ;;
    --sideload-images) sideload=true; continue ;;
    --render-only) render_only=true; continue ;;
    -h | --help) usage; exit 0 ;;
    --cluster-name | --server-image | --agent-image | --num-kcp-nodes | --num-worker-nodes | --server-count-override) ;;
    --*=*) set -- "${flag%%=*}" "${flag#*=}" "$@"; continue ;;
    *) refuse "unknown flag ${flag@Q}" ;;
  esac
  [ $# -gt 0 ] || refuse "$flag needs a value"
  value=$1
  shift
  case $flag in
    --cluster-name) cluster_name=$value ;;
    --server-image) server_image=$value ;;
    --agent-image) agent_image=$value ;;
    --num-kcp-nodes) number "$flag" "$value" 1; control_plane_nodes=$value ;;
    --num-worker-nodes) number "$flag" "$value" 1; worker_nodes=$value ;;
    --server-count-override) number "$flag" "$value" -1; server_count=$value ;;
  esac
done

mkdir -p rendered
{
  cat templates/kind.config
  for ((node = 0; node < control_plane_nodes; node++)); do cat templates/control-plane.config; done
  for ((node = 0; node < worker_nodes; node++)); do cat templates/worker.config; done
} >rendered/kind.config
# Without leases the servers themselves say how many they are.
count_servers() {
  if [ "$server_count" -lt 0 ]; then
    cat
  else
    sed -e "s|--enable-lease-controller|--server-count=$server_count|" -e '/--count-server-leases/d'
  fi
}
sed -e "s|image: .*|image: $server_image|" templates/konnectivity-server.yaml | count_servers >rendered/konnectivity-server.yaml
sed -e "s|image: .*|image: $agent_image|" templates/konnectivity-agent-ds.yaml | count_servers >rendered/konnectivity-agent-ds.yaml
if $render_only; then exit 0; fi

if $overwrite && kind get clusters | grep -qFx "$cluster_name"; then kind delete cluster --name "$cluster_name"; fi
kind create cluster --config rendered/kind.config --name "$cluster_name"
if $sideload; then
  kind load docker-image --name "$cluster_name" "$server_image"
  kind load docker-image --name "$cluster_name" "$agent_image"
fi
kubectl --context "kind-$cluster_name" apply -f rendered/konnectivity-server.yaml
kubectl --context "kind-$cluster_name" apply -f rendered/konnectivity-agent-ds.yaml
echo "To see it work:  kubectl --context kind-$cluster_name -n kube-system logs daemonset/konnectivity-agent"
