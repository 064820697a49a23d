#!/usr/bin/env bash
# Brings a tool that the tests of alerts and of the chart use: promtool from Debian, helm from its Go module into DIR, which
# takes some minutes the first time and nothing after.   usage: tools.sh promtool | tools.sh helm DIR
# Ends with 3, and a line that says what is missing, where it cannot be had.
set -euo pipefail
helm_version=v3.19.0

promtool() {
  # `command -v` would find this function.
  type -P promtool >/dev/null && return
  # In runlevel 1 no package starts its service; Prometheus itself is not used.
  local log
  log=$(mktemp)
  { apt-get update -q && RUNLEVEL=1 apt-get install -y -q --no-install-recommends prometheus; } >"$log" 2>&1 || true
  type -P promtool >/dev/null || {
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "promtool is missing and cannot be installed by apt-get (package prometheus)" >&2
    exit 3
  }
  rm -f "$log"
}

helm() {
  local out
  out=$(mkdir -p "$1" && cd "$1" && pwd)
  if [ -x "$out/helm" ] && [ "$(cat "$out/helm.version" 2>/dev/null)" = "$helm_version" ]; then return; fi
  command -v go >/dev/null || { echo "go is missing: it builds helm" >&2; exit 3; }
  # What its releases are linked with: without it, it takes every cluster for Kubernetes 1.20.
  local package=helm.sh/helm/v3 flags="-s -w" part
  flags+=" -X $package/internal/version.version=$helm_version"
  for part in pkg/chartutil pkg/lint/rules; do
    flags+=" -X $package/$part.k8sVersionMajor=1 -X $package/$part.k8sVersionMinor=34"
  done
  GOBIN=$out go install -ldflags "$flags" "$package/cmd/helm@$helm_version" >"$out/helm.log" 2>&1 ||
    { tail -n 20 "$out/helm.log" >&2; exit 1; }
  echo "$helm_version" >"$out/helm.version"
}

case ${1:-} in
  promtool) promtool ;;
  helm) helm "${2:?usage: tools.sh helm DIR}" ;;
  *) echo "usage: tools.sh promtool | tools.sh helm DIR" >&2; exit 2 ;;
esac
