#!/bin/sh
# Writes a kubeconfig for a proxy-server that is no cluster admin: user system:konnectivity-server, by client certificate.
# Run it on a control-plane node; needs openssl.
#   usage: make-kubeconfig.sh https://API:PORT [PKI_DIR [OUTPUT]]
# With kubeadm at hand, this does the same:
#   kubeadm kubeconfig user --client-name=system:konnectivity-server --validity-period=8760h
set -eu
umask 077
server=${1:?usage: make-kubeconfig.sh https://API:PORT [PKI_DIR [OUTPUT]]}
pki=${2:-/etc/kubernetes/pki}
output=${3:-/etc/kubernetes/konnectivity-server.conf}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl req -new -newkey rsa:2048 -nodes -subj "/CN=system:konnectivity-server" \
  -keyout "$work/key" -out "$work/request" 2>/dev/null
printf 'keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n' >"$work/extensions"
openssl x509 -req -in "$work/request" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
  -days 365 -extfile "$work/extensions" -out "$work/certificate" 2>/dev/null

base64_of() { openssl base64 -A -in "$1"; }
cat >"$work/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
current-context: konnectivity-server
contexts:
  - name: konnectivity-server
    context:
      cluster: kubernetes
      user: system:konnectivity-server
clusters:
  - name: kubernetes
    cluster:
      server: $server
      certificate-authority-data: $(base64_of "$pki/ca.crt")
users:
  - name: system:konnectivity-server
    user:
      client-certificate-data: $(base64_of "$work/certificate")
      client-key-data: $(base64_of "$work/key")
CONFIG
mv "$work/kubeconfig" "$output"
echo "wrote $output"
