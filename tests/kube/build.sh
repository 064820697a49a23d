#!/usr/bin/env bash
# Builds kube-apiserver, kubectl and the kubelet stand-in from their Go modules into DIR, and installs etcd from Debian
# where it is missing. About five minutes on two processors the first time, nothing after.   usage: build.sh DIR
# Ends with 3, and a line that says what is missing, where Go or etcd cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
version=v1.36.3 staging=v0.36.3

command -v etcd >/dev/null || {
  { apt-get update -q && apt-get install -y -q etcd-server; } >"$out/etcd.log" 2>&1 || true
  command -v etcd >/dev/null || { echo "etcd is missing and cannot be installed by apt-get (see $out/etcd.log)" >&2; exit 3; }
}
built() { [ -x "$out/kube-apiserver" ] && [ -x "$out/kubectl" ] && [ "$(cat "$out/version" 2>/dev/null)" = "$version" ]; }
# By content: a cache that was copied or restored has times of its own.
kubelet_sources() { cat "$here"/kubelet/* | sha256sum; }
kubelet_built() { [ -x "$out/kubelet" ] && [ "$(cat "$out/kubelet.sources" 2>/dev/null)" = "$(kubelet_sources)" ]; }
if built && kubelet_built; then exit 0; fi
command -v go >/dev/null || { echo "go is missing: it builds kube-apiserver" >&2; exit 3; }

# The main programs of k8s.io/kubernetes cannot be built as dependencies: its module replaces its own parts by folders of
# its repository. So their few files are copied beside a go.mod that replaces them by what was published.
kubernetes() {
  mkdir -p "$out/src" && cd "$out/src"
  rm -f go.mod go.sum
  go mod init kube
  local src module program
  src=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  go mod edit -require "k8s.io/kubernetes@$version"
  for module in $(grep -oE 'k8s.io/[a-z0-9-]+ => ./staging' "$src/go.mod" | awk '{print $1}' | sort -u); do
    go mod edit -replace "$module=$module@$staging"
  done
  for program in kube-apiserver kubectl; do
    mkdir -p "$program"
    cp "$src/cmd/$program/"*.go "$program/"
    rm -f "$program"/*_test.go
    chmod u+w "$program"/*.go
  done
  go mod tidy
  local package=k8s.io/component-base/version
  go build -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=36" \
    -o "$out" ./kube-apiserver ./kubectl
  echo "$version" >"$out/version"
}

kubelet() {
  (cd "$here/kubelet" && go build -ldflags "-s -w" -o "$out/kubelet" .) || return
  kubelet_sources >"$out/kubelet.sources"
}

built || kubernetes >"$out/build.log" 2>&1 || { tail -n 20 "$out/build.log" >&2; exit 1; }
kubelet_built || kubelet >"$out/kubelet.log" 2>&1 || { tail -n 20 "$out/kubelet.log" >&2; exit 1; }
