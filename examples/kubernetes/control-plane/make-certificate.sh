#!/bin/sh
# Writes the certificate by which agents know a proxy-server, and its key: its own, so that it holds none of kube-apiserver's.
# It is issued by the cluster's CA, which agents trust. Run it on a control-plane node; needs openssl.
#   usage: make-certificate.sh [DNS:NAME | IP:ADDRESS]...
#     PKI     folder with the CA's ca.crt and ca.key, /etc/kubernetes/pki where it is not set
#     FOLDER  where tls.crt and tls.key go, /etc/kubernetes/konnectivity-server-pki where it is not set
set -eu
umask 077
pki=${PKI:-/etc/kubernetes/pki}
folder=${FOLDER:-/etc/kubernetes/konnectivity-server-pki}
names=DNS:konnectivity-server.kube-system.svc.cluster.local
if [ $# -gt 0 ]; then names=$(IFS=,; echo "$*"); fi
mkdir -p "$folder"
work=$(mktemp -d "$folder/making.XXXXXX")
trap 'rm -rf "$work"' EXIT

openssl req -new -newkey rsa:2048 -nodes -subj "/CN=konnectivity-server" \
  -keyout "$work/tls.key" -out "$work/request" 2>/dev/null
cat >"$work/extensions" <<EXTENSIONS
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth
subjectAltName=$names
authorityKeyIdentifier=keyid
EXTENSIONS
openssl x509 -req -in "$work/request" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
  -days 365 -extfile "$work/extensions" -out "$work/tls.crt" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
# Renamed, each within its folder: a server that reads them meanwhile sees a whole file, and waits for the pair to fit.
mv "$work/tls.key" "$folder/tls.key"
mv "$work/tls.crt" "$folder/tls.crt"
echo "wrote $folder/tls.crt and $folder/tls.key, for $names"
