import { listMember, memberOf, objectOf, textMember } from "../../../kube/client/json_value.ts";
import { YamlError, yamlValue } from "../../../kube/access/yaml_values.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Part, ServerPart } from "./part.ts";

/** Names of selections that kube-apiserver knows. */
const known = ["cluster", "controlplane", "etcd"] as const;

/** Versions of the configuration that releases of today read. */
const versions: ReadonlySet<string> = new Set(["apiserver.k8s.io/v1beta1", "apiserver.k8s.io/v1alpha1"]);

const protocols: ReadonlyMap<string, string> = new Map([["GRPC", "grpc"], ["HTTPConnect", "http-connect"]]);

/**
 * kube-apiserver's EgressSelectorConfiguration: its form, that `cluster` goes by the proxy and `controlplane` is there, and
 * both against the servers' flags.
 * @param path for messages
 */
export function checkEgress(text: string, path: string, parts: readonly Part[]): readonly Finding[] {
  const findings = new Findings("egress");
  let value: unknown;
  try {
    value = yamlValue(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    findings.fail(path, `it is not YAML: ${error.message}`);
    return findings.list;
  }
  if (objectOf(value) === undefined || textMember(value, "kind") !== "EgressSelectorConfiguration") {
    findings.fail(
      path,
      `it is ${
        textMember(value, "kind") || "no object with a kind"
      }: kube-apiserver takes an EgressSelectorConfiguration`,
    );
    return findings.list;
  }
  const version = textMember(value, "apiVersion");
  if (!versions.has(version)) {
    findings.fail(path, `its apiVersion is ${JSON.stringify(version)}: kube-apiserver takes apiserver.k8s.io/v1beta1`);
  }
  const selections = listMember(value, "egressSelections");
  checkSelectionNames(selections, path, findings);
  for (const selection of selections) checkSelection(selection, path, parts, findings);
  if (!findings.wrong) findings.ok(path, "kube-apiserver takes it, and reaches the cluster by the server");
  return findings.list;
}

function checkSelectionNames(selections: readonly unknown[], path: string, findings: Findings): void {
  const names = selections.map((each) => textMember(each, "name"));
  for (const name of names) {
    if (known.some((each) => each === name)) continue;
    findings.fail(
      path,
      `there is no selection ${JSON.stringify(name)}: the names are ${known.join(", ")}${
        name === "master" ? "; master was the name of controlplane before Kubernetes 1.20" : ""
      }`,
    );
  }
  for (const name of new Set(names)) {
    if (names.filter((each) => each === name).length > 1) findings.fail(path, `${name} is there twice: leave one`);
  }
  if (!names.includes("cluster")) {
    findings.fail(
      path,
      "there is no selection cluster: nodes, pods and services are then dialled without the proxy; add it",
    );
  }
  if (!names.includes("controlplane")) {
    findings.warn(
      path,
      "there is no selection controlplane: webhooks and aggregated APIs that are addressed by URL are dialled directly all " +
        "the same; add it with proxyProtocol Direct, so that it says so",
    );
  }
}

function checkSelection(selection: unknown, path: string, parts: readonly Part[], findings: Findings): void {
  const name = textMember(selection, "name");
  const subject = `${path}: ${name}`;
  const connection = memberOf(selection, "connection");
  const protocol = textMember(connection, "proxyProtocol");
  const transport = memberOf(connection, "transport");
  if (protocol === "Direct") {
    if (transport !== undefined && transport !== null) {
      findings.fail(subject, "it is Direct and has a transport: leave the transport out");
    }
    if (name === "cluster") {
      findings.fail(subject, "it is Direct: kube-apiserver goes around the proxy; use GRPC or HTTPConnect");
    }
    return;
  }
  const mode = protocols.get(protocol);
  if (mode === undefined) {
    return findings.fail(
      subject,
      `its proxyProtocol is ${JSON.stringify(protocol)}: it is GRPC, HTTPConnect or Direct`,
    );
  }
  if (name === "etcd") {
    findings.warn(subject, "etcd is reached through the cluster: it is beside kube-apiserver as a rule; use Direct");
  }
  if (name === "controlplane") {
    findings.warn(
      subject,
      "the control plane's own addresses are dialled by agents in the cluster: use Direct unless they can reach them",
    );
  }
  const tcp = memberOf(transport, "tcp");
  const uds = memberOf(transport, "uds");
  if ((objectOf(tcp) === undefined) === (objectOf(uds) === undefined)) {
    return findings.fail(subject, "its transport is to have one of uds and tcp");
  }
  const servers = parts.filter((part) => part.role === "server");
  if (objectOf(uds) !== undefined) checkSocket(subject, textMember(uds, "udsName"), mode, servers, findings);
  else checkTcp(subject, tcp, protocol, mode, servers, findings);
}

function checkSocket(
  subject: string,
  socket: string,
  mode: string,
  servers: readonly ServerPart[],
  findings: Findings,
): void {
  if (!socket.startsWith("/")) {
    return findings.fail(subject, `udsName is ${JSON.stringify(socket)}: it is to be a whole path`);
  }
  for (const { label, options, pod } of servers) {
    checkMode(subject, mode, label, options.mode, findings);
    if (options.udsName === "") {
      findings.fail(
        subject,
        `it goes by the socket ${socket}, and ${label} listens on TCP: set --uds-name and --server-port=0 there`,
      );
      continue;
    }
    const host = pod?.mounted(options.udsName);
    const here = host?.kind === "host" ? host.path : options.udsName;
    if (socket === here || socket === options.udsName) continue;
    findings.fail(
      subject,
      `it goes by the socket ${socket}, and ${label} listens on ${options.udsName}: use one path, which both have mounted`,
    );
  }
}

function checkTcp(
  subject: string,
  tcp: unknown,
  protocol: string,
  mode: string,
  servers: readonly ServerPart[],
  findings: Findings,
): void {
  if (protocol === "GRPC") {
    return findings.fail(subject, "kube-apiserver speaks GRPC over uds alone: use uds, or HTTPConnect");
  }
  const text = textMember(tcp, "url");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    return findings.fail(subject, `its url is ${JSON.stringify(text)}: it is https://HOST:PORT`);
  }
  const tls = memberOf(tcp, "tlsConfig");
  const lacking = ["caBundle", "clientKey", "clientCert"].filter((each) => textMember(tls, each) === "");
  if (url.protocol === "http:") {
    findings.fail(subject, "its url is http://: the server takes TLS alone, use https:// with a tlsConfig");
  } else if (lacking.length > 0) {
    findings.fail(
      subject,
      `its tlsConfig lacks ${lacking.join(", ")}: the server asks for a client certificate and is to be verified`,
    );
  }
  for (const { label, options } of servers) {
    checkMode(subject, mode, label, options.mode, findings);
    if (options.udsName !== "") {
      findings.fail(
        subject,
        `it goes to ${url.host}, and ${label} listens on the socket ${options.udsName}: use uds, or leave --uds-name out`,
      );
    } else if (Number(url.port || 443) !== options.serverPort) {
      findings.fail(
        subject,
        `it goes to port ${url.port || 443}, and ${label} has --server-port=${options.serverPort}: use one port`,
      );
    }
  }
}

function checkMode(subject: string, mode: string, label: string, has: string, findings: Findings): void {
  if (mode === has) return;
  findings.fail(
    subject,
    `its proxyProtocol asks for --mode=${mode}, and ${label} has --mode=${has}: use one of them for both`,
  );
}
