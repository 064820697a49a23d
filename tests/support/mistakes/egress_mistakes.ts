import { stringify } from "yaml";
import type { Installation } from "../in_process/installation.ts";
import { type Mistake, server } from "./mistake.ts";

/** A selection of kube-apiserver's configuration that goes by the installation's socket. */
export function bySocket(here: Installation, changes: object = {}): object {
  return {
    name: "cluster",
    connection: { proxyProtocol: "GRPC", transport: { uds: { udsName: here.server["uds-name"] } }, ...changes },
  };
}

/** A selection that goes by no proxy. */
export const direct = { name: "controlplane", connection: { proxyProtocol: "Direct" } };
const tlsConfig = { caBundle: "/ca.crt", clientKey: "/client.key", clientCert: "/client.crt" };

async function egress(here: Installation, selections: readonly object[], changes: object = {}) {
  const path = await here.write(
    "egress.yaml",
    stringify({
      apiVersion: "apiserver.k8s.io/v1beta1",
      kind: "EgressSelectorConfiguration",
      egressSelections: selections,
      ...changes,
    }),
  );
  return await server(here, "--egress-selector", path);
}

const overTcp = (url: string, protocol = "HTTPConnect", tls: object | null = tlsConfig) => ({
  name: "cluster",
  connection: {
    proxyProtocol: protocol,
    transport: { tcp: { url, ...(tls === null ? {} : { tlsConfig: tls }) } },
  },
});

/** Mistakes in kube-apiserver's EgressSelectorConfiguration. */
export const egressMistakes: readonly Mistake[] = [
  {
    what: "a selection by its name of before Kubernetes 1.20",
    check: "egress",
    text: /no selection "master": .* master was the name of controlplane before/,
    made: (here) => egress(here, [bySocket(here), { ...direct, name: "master" }]),
  },
  {
    what: "a configuration without cluster",
    check: "egress",
    text: /no selection cluster: nodes, pods and services are then dialled without the proxy/,
    made: (here) => egress(here, [direct]),
  },
  {
    what: "a configuration without controlplane",
    check: "egress",
    outcome: "warning",
    text: /no selection controlplane/,
    made: (here) => egress(here, [bySocket(here)]),
  },
  {
    what: "a cluster that goes around the proxy",
    check: "egress",
    text: /it is Direct: kube-apiserver goes around the proxy/,
    made: (here) => egress(here, [{ ...direct, name: "cluster" }, direct]),
  },
  {
    what: "a configuration with an alias of nothing",
    check: "egress",
    text: /it is not YAML: it has aliases of nothing/,
    made: async (here) => await server(here, "--egress-selector", await here.write("egress.yaml", "kind: *nobody\n")),
  },
  {
    what: "a selection that is there twice",
    check: "egress",
    text: /cluster is there twice/,
    made: (here) => egress(here, [bySocket(here), bySocket(here), direct]),
  },
  {
    what: "a mode that is not the server's",
    check: "egress",
    text: /asks for --mode=http-connect, and proxy-server has --mode=grpc/,
    made: (here) => egress(here, [bySocket(here, { proxyProtocol: "HTTPConnect" }), direct]),
  },
  {
    what: "a protocol that kube-apiserver does not know",
    check: "egress",
    text: /proxyProtocol is "grpc": it is GRPC, HTTPConnect or Direct/,
    made: (here) => egress(here, [bySocket(here, { proxyProtocol: "grpc" }), direct]),
  },
  {
    what: "another socket than the server's",
    check: "egress",
    text: /goes by the socket \/run\/other\.sock, and proxy-server listens on/,
    made: (here) => egress(here, [bySocket(here, { transport: { uds: { udsName: "/run/other.sock" } } }), direct]),
  },
  {
    what: "GRPC over TCP",
    check: "egress",
    text: /speaks GRPC over uds alone/,
    made: (here) => egress(here, [overTcp("https://127.0.0.1:8090", "GRPC"), direct]),
  },
  {
    what: "TCP to a server that listens on a socket",
    check: "egress",
    text: /goes to 127\.0\.0\.1:8090, and proxy-server listens on the socket/,
    made: (here) => egress(here, [overTcp("https://127.0.0.1:8090"), direct]),
  },
  {
    what: "TCP without a client certificate",
    check: "egress",
    text: /tlsConfig lacks caBundle, clientKey, clientCert/,
    made: (here) => egress(here, [overTcp("https://127.0.0.1:8090", "HTTPConnect", null), direct]),
  },
  {
    what: "a file of another kind",
    check: "egress",
    text: /it is Pod: kube-apiserver takes an EgressSelectorConfiguration/,
    made: (here) => egress(here, [], { kind: "Pod" }),
  },
  {
    what: "an apiVersion that there is not",
    check: "egress",
    text: /apiVersion is "apiserver\.k8s\.io\/v1"/,
    made: (here) => egress(here, [bySocket(here), direct], { apiVersion: "apiserver.k8s.io/v1" }),
  },
];
