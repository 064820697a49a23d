import assert from "node:assert/strict";
import { createServer } from "node:net";
import { stringify } from "yaml";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { startConnectProxy } from "../../../../tests/support/fakes/fake_connect_proxy.ts";
import { startFakeKubeApi } from "../../../../tests/support/fakes/fake_kube_api.ts";
import { apiThat, Installation } from "../../../../tests/support/in_process/installation.ts";
import { makeTestCertificates } from "../../../../tests/support/in_process/test_certificates.ts";
import { startServer } from "../../../../tests/support/processes/processes.ts";
import { issueAuthority, issueLeaf } from "../../certs/issue.ts";
import { chapterOf, type CheckName, checkNames, type Finding, type Outcome } from "./finding.ts";

const dayMs = 86_400_000;
const audience = "system:konnectivity-server";

/** A mistake that somebody makes, and the line that tells it. */
interface Mistake {
  readonly what: string;
  readonly check: CheckName;
  readonly outcome?: Outcome;
  readonly text: RegExp;
  /** Makes it, and checks. */
  readonly made: (here: Installation) => Promise<readonly Finding[]>;
}

const server = (here: Installation, ...args: string[]) =>
  here.check(...args, "server", "--", ...here.flagsOf("server"));
const agent = (here: Installation, ...args: string[]) => here.check(...args, "agent", "--", ...here.flagsOf("agent"));

/** A certificate of the installation's CA, or another one's, for servers, in place of the good one. */
async function newServerCertificate(
  here: Installation,
  options: Partial<Parameters<typeof issueLeaf>[1]> = {},
  authority?: Awaited<ReturnType<typeof issueAuthority>>,
): Promise<void> {
  const ca = authority ?? await issueAuthority({ commonName: "other CA", keyKind: "p-256" });
  const leaf = await issueLeaf(ca, {
    commonName: "server",
    usages: ["server"],
    names: ["localhost"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
    ...options,
  });
  here.server["cluster-ca-cert"] = await here.write("new-ca.crt", ca.certPem);
  here.server["cluster-cert"] = await here.write("new.crt", leaf.certPem);
  here.server["cluster-key"] = await here.write("new.key", leaf.keyPem);
}

function lasting(fromDays: number, toDays: number) {
  const at = (days: number) => new Date(Math.floor((Date.now() + days * dayMs) / 1000) * 1000);
  return { notBefore: at(fromDays), notAfter: at(toDays) };
}

/** A selection of kube-apiserver's configuration that goes by the installation's socket. */
function bySocket(here: Installation, changes: object = {}): object {
  return {
    name: "cluster",
    connection: { proxyProtocol: "GRPC", transport: { uds: { udsName: here.server["uds-name"] } }, ...changes },
  };
}

const direct = { name: "controlplane", connection: { proxyProtocol: "Direct" } };
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

async function withApi(
  here: Installation,
  role: "server" | "agent",
  behaviour: Parameters<typeof apiThat>[0],
  change?: (kubeconfig: string) => Promise<void>,
): Promise<readonly Finding[]> {
  await using api = await startFakeKubeApi();
  api.handle = apiThat(behaviour);
  here[role]["kubeconfig"] = await here.kubeconfig(api);
  if (role === "agent") here.agent["count-server-leases"] = "true";
  else here.server["enable-lease-controller"] = "true";
  await change?.(here[role]["kubeconfig"]);
  return role === "agent" ? await agent(here, "--timeout=5s") : await server(here, "--timeout=5s");
}

function usingTokens(here: Installation): void {
  here.server["cluster-ca-cert"] = undefined;
  here.server["agent-namespace"] = "kube-system";
  here.server["agent-service-account"] = "konnectivity-agent";
  here.server["authentication-audience"] = audience;
}

async function tokenOf(here: Installation, claims: Readonly<Record<string, unknown>>): Promise<readonly Finding[]> {
  here.agent["service-account-token-path"] = await here.token({
    aud: [audience],
    exp: Math.floor(Date.now() / 1000) + 3_600,
    sub: "system:serviceaccount:kube-system:konnectivity-agent",
    ...claims,
  });
  usingTokens(here);
  return await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")));
}

async function pod(
  here: Installation,
  role: "server" | "agent",
  changes: Parameters<Installation["pod"]>[1],
): Promise<readonly Finding[]> {
  return await here.check("-f", await here.manifest(here.pod(role, changes)));
}

const mistakes: readonly Mistake[] = [
  {
    what: "a flag that there is not",
    check: "flags",
    text: /refuses to start: unknown flag: --cluster-ca$/,
    made: (here) => {
      here.server["cluster-ca"] = "x";
      return server(here);
    },
  },
  {
    what: "a server that asks its agents for nothing",
    check: "flags",
    text: /agents would not be authenticated: set --cluster-ca-cert/,
    made: (here) => {
      here.server["cluster-ca-cert"] = undefined;
      return server(here);
    },
  },
  {
    what: "two ports of a server at one address",
    check: "flags",
    text: /must not both be/,
    made: (here) => {
      here.server["health-port"] = here.server["agent-port"];
      return server(here);
    },
  },
  {
    what: "an agent's identifier that fits nothing",
    check: "flags",
    outcome: "warning",
    text: /ipv4=node-1 matches no destination/,
    made: (here) => {
      here.agent["agent-identifiers"] = "ipv4=node-1";
      return agent(here);
    },
  },
  {
    what: "a key of another certificate",
    check: "certificates",
    text: /do not go together: private key does not match public key$/,
    made: (here) => {
      here.server["cluster-key"] = here.files.clientKey;
      return server(here);
    },
  },
  {
    what: "a certificate that has ended",
    check: "certificates",
    text: /expired on \d{4}-\d\d-\d\d: every peer refuses it, renew it$/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(-20, -10) });
      return await server(here);
    },
  },
  {
    what: "a certificate that ends within 60 days",
    check: "certificates",
    outcome: "warning",
    text: /ends in 39 days, on .*: renew it/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(-1, 39.5) });
      return await server(here);
    },
  },
  {
    what: "a certificate that is not valid yet",
    check: "certificates",
    text: /is valid from \d{4}/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(2, 100) });
      return await server(here);
    },
  },
  {
    what: "a client's certificate for a server",
    check: "certificates",
    text: /extendedKeyUsage without serverAuth/,
    made: (here) => {
      here.server["cluster-cert"] = here.files.clientCert;
      here.server["cluster-key"] = here.files.clientKey;
      return server(here);
    },
  },
  {
    what: "a certificate without names",
    check: "certificates",
    text: /no subjectAltName/,
    made: async (here) => {
      await newServerCertificate(here, { names: [], addresses: [] });
      return await server(here);
    },
  },
  {
    what: "a file that is missing",
    check: "certificates",
    text: /cannot read .*gone\.crt: /,
    made: (here) => {
      here.server["cluster-cert"] = `${here.folder}/gone.crt`;
      return server(here);
    },
  },
  {
    what: "a file with no certificate in it",
    check: "certificates",
    text: /holds no certificate$/,
    made: (here) => {
      here.server["cluster-cert"] = here.files.serverKey;
      return server(here);
    },
  },
  {
    what: "a certificate in DER",
    check: "certificates",
    text: /holds no certificate: it is DER, not PEM; openssl converts it$/,
    made: async (here) => {
      const der = Uint8Array.fromBase64((await Deno.readTextFile(here.files.caCert)).replace(/-----[^-]+-----/g, ""));
      here.server["cluster-ca-cert"] = `${here.folder}/ca.der`;
      await Deno.writeFile(`${here.folder}/ca.der`, der);
      return await server(here);
    },
  },
  {
    what: "a CA that is none",
    check: "certificates",
    text: /which is no CA for lack of basicConstraints/,
    made: (here) => {
      here.server["cluster-ca-cert"] = here.files.clientCert;
      return server(here);
    },
  },
  {
    what: "a CA that has ended",
    check: "certificates",
    text: /which is not valid now/,
    made: async (here) => {
      const ended = await issueAuthority({ commonName: "old CA", keyKind: "p-256", validity: lasting(-20, -10) });
      here.server["cluster-ca-cert"] = await here.write("old.crt", ended.certPem);
      return await server(here);
    },
  },
  {
    what: "a CA that was made anew under its name, with the old CA's certificate left in place",
    check: "certificates",
    text: /does not bear a signature of its CA .* that can be verified; issue it anew by the CA/,
    made: async (here) => {
      await newServerCertificate(here);
      const again = await issueAuthority({ commonName: "other CA", keyKind: "p-256" });
      here.server["cluster-ca-cert"] = await here.write("again.crt", again.certPem);
      return await server(here);
    },
  },
  {
    what: "agents that trust another CA than the server's",
    check: "certificates",
    text: /is not trusted by .*ca\.crt \(--ca-cert of Pod kube-system\/konnectivity-agent.*was issued by CN=other CA/,
    made: async (here) => {
      await newServerCertificate(here);
      return await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")));
    },
  },
  {
    what: "a certificate for another name than the one that agents connect to",
    check: "names",
    text:
      /is for localhost, 127\.0\.0\.1, ::1, and agents connect to konnectivity\.example .*DNS:konnectivity\.example among/,
    made: (here) => server(here, "--server-host=konnectivity.example"),
  },
  {
    what: "a certificate without the address that an agent's manifest names",
    check: "names",
    text: /agents connect to 10\.0\.0\.7 \(Pod kube-system\/konnectivity-agent.*IP:10\.0\.0\.7/,
    made: async (here) => {
      here.agent["proxy-server-host"] = "10.0.0.7";
      return await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")));
    },
  },
  {
    what: "a port that somebody has",
    check: "listeners",
    text: /address already in use/,
    made: async (here) => {
      const other = createServer();
      await new Promise<void>((resolve) =>
        other.listen(Number(here.server["agent-port"]), "127.0.0.1", () => resolve())
      );
      try {
        return await server(here);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    },
  },
  {
    what: "a socket in a folder that there is not",
    check: "listeners",
    text: /the folder .*\/none does not exist: make it/,
    made: (here) => {
      here.server["uds-name"] = `${here.folder}/none/frontend.sock`;
      return server(here);
    },
  },
  {
    what: "a socket that another server listens on",
    check: "listeners",
    text: /somebody listens on .*frontend\.sock: a server that starts would take its place/,
    made: async (here) => {
      const other = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => other.listen(here.server["uds-name"], () => resolve()));
      try {
        return await server(here);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    },
  },
  {
    what: "a name of a server that does not resolve",
    check: "dns",
    text: /konnectivity\.invalid cannot be resolved: /,
    made: (here) => {
      here.agent["proxy-server-host"] = "konnectivity.invalid";
      return agent(here, "--timeout=3s");
    },
  },
  {
    what: "a server that is not there",
    check: "reach",
    text: /it cannot be reached: .*ECONNREFUSED/,
    made: (here) => agent(here),
  },
  {
    what: "an agent whose certificate the server does not take",
    check: "reach",
    text: /it is reached and ends the connection behind the handshake: it refuses the certificate of this agent/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      const { client } = await makeTestCertificates("a stranger's CA");
      here.agent["agent-cert"] = await here.write("stranger.crt", client.certPem);
      here.agent["agent-key"] = await here.write("stranger.key", client.keyPem);
      return await agent(here);
    },
  },
  {
    what: "an agent that does not trust the server that it reaches",
    check: "reach",
    text: /it is reached, and its certificate is not taken: .*stranger\.crt \(--ca-cert\) is to hold the CA/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      const { ca } = await makeTestCertificates("a stranger's CA");
      here.agent["ca-cert"] = await here.write("stranger.crt", ca.certPem);
      return await agent(here);
    },
  },
  {
    what: "a proxy that is no URL",
    check: "reach",
    text: /^HTTPS_PROXY must be a URL .*: mend the variable/,
    made: (here) => {
      here.env["HTTPS_PROXY"] = "socks5://proxy.example:1080";
      return agent(here);
    },
  },
  {
    what: "a proxy that does not lead to the server",
    check: "reach",
    text: /cannot be reached through the proxy http:\/\/127\.0\.0\.1:\d+: .*502/,
    made: async (here) => {
      await using proxy = await startConnectProxy({ targets: {} });
      here.env["HTTPS_PROXY"] = `http://127.0.0.1:${proxy.port}`;
      here.agent["proxy-server-host"] = "konnectivity.example";
      return await agent(here);
    },
  },
  {
    what: "a kubeconfig that runs a program",
    check: "kubernetes",
    text: /runs a program for its credentials, which this program does not/,
    made: (here) =>
      withApi(here, "server", {}, async (path) => {
        const text = (await Deno.readTextFile(path)).replace("token: t", "exec: { command: aws }");
        await Deno.writeTextFile(path, text);
      }),
  },
  {
    what: "a Kubernetes API that is not there",
    check: "kubernetes",
    text: /cannot reach the Kubernetes API at 127\.0\.0\.1:1:/,
    made: (here) =>
      withApi(here, "server", {}, async (path) => {
        const text = (await Deno.readTextFile(path)).replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1");
        await Deno.writeTextFile(path, text);
      }),
  },
  {
    what: "a server that may not keep leases",
    check: "rbac",
    text: /^may not update, delete, which --enable-lease-controller needs: bind a role/,
    made: (here) =>
      withApi(here, "server", {
        refuses: (resource, verb) => resource === "leases" && (verb === "update" || verb === "delete"),
      }),
  },
  {
    what: "a server that may not have tokens reviewed",
    check: "rbac",
    text: /^may not create, which --authentication-audience needs/,
    made: (here) => {
      usingTokens(here);
      return withApi(here, "server", { refuses: (resource) => resource === "tokenreviews" });
    },
  },
  {
    what: "an agent that may not see leases",
    check: "rbac",
    text: /^may not list, watch, which --count-server-leases needs/,
    made: (here) => withApi(here, "agent", { refuses: () => true }),
  },
  {
    what: "a clock that is minutes behind",
    check: "clock",
    text: /^this machine's clock is \d+ s behind that of the Kubernetes API: certificates, tokens and leases/,
    made: (here) => withApi(here, "server", { clockMs: 300_000 }),
  },
  {
    what: "a clock that is seconds ahead",
    check: "clock",
    outcome: "warning",
    text: /^this machine's clock is \d+ s ahead of that of the Kubernetes API: have both follow NTP$/,
    made: (here) => withApi(here, "server", { clockMs: -20_000 }),
  },
  {
    what: "an agent that counts leases which no server holds",
    check: "leases",
    text: /^no server holds one, so this agent makes one link: give servers --enable-lease-controller/,
    made: (here) => withApi(here, "agent", { leases: 0 }),
  },
  {
    what: "a token that is none",
    check: "token",
    text: /holds no token of a service account \(a JWT\)/,
    made: async (here) => {
      here.agent["service-account-token-path"] = await here.write("token", "secret");
      return await agent(here);
    },
  },
  {
    what: "a token that has ended",
    check: "token",
    text: /ended on \d{4}-\d\d-\d\dT\d\d:\d\d: whoever writes it has stopped/,
    made: (here) => tokenOf(here, { exp: 1_700_000_000 }),
  },
  {
    what: "a token for another audience",
    check: "token",
    text: /is for https:\/\/kubernetes\.default\.svc, and the server asks for system:konnectivity-server/,
    made: (here) => tokenOf(here, { aud: ["https://kubernetes.default.svc"] }),
  },
  {
    what: "a token of another service account",
    check: "token",
    text: /is of system:serviceaccount:default:default, and the server takes .*kube-system:konnectivity-agent alone/,
    made: (here) => tokenOf(here, { sub: "system:serviceaccount:default:default" }),
  },
  {
    what: "an agent without a token that the server asks for",
    check: "token",
    text: /it is not set, and the server asks for a token for system:konnectivity-server/,
    made: (here) => agent(here, `--audience=${audience}`),
  },
  {
    what: "a pod that projects a token for another audience",
    check: "token",
    text: /projects a token for konnectivity, and the server asks for system:konnectivity-server \(--audience\)/,
    made: async (here) => {
      here.agent["service-account-token-path"] = "/tokens/token";
      const volumes = [
        { name: "files", hostPath: { path: here.folder } },
        { name: "t", projected: { sources: [{ serviceAccountToken: { path: "token", audience: "konnectivity" } }] } },
      ];
      const volumeMounts = [{ name: "files", mountPath: here.folder }, { name: "t", mountPath: "/tokens" }];
      const file = await here.manifest(here.pod("agent", { pod: { volumes }, container: { volumeMounts } }));
      return await here.check("-f", file, `--audience=${audience}`);
    },
  },
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
  {
    what: "a memory limit as the original's manifests have it",
    check: "memory",
    text: /memory limit is 30 MiB, and 40 MiB are needed under load: raise it to 64Mi or more/,
    made: (here) => pod(here, "agent", { container: { resources: { limits: { memory: "30Mi" } } } }),
  },
  {
    what: "a memory limit for one worker where there are four",
    check: "memory",
    text: /memory limit is 64 MiB, and 130 MiB are needed under load by 4 workers/,
    made: (here) => {
      here.server["workers"] = "4";
      return pod(here, "server", { container: { resources: { limits: { memory: "64Mi" } } } });
    },
  },
  {
    what: "an empty volume over what the image remembers, with little memory",
    check: "memory",
    text: /an empty volume hides \/cache of the image/,
    made: (here) =>
      pod(here, "agent", {
        pod: { volumes: [{ name: "files", hostPath: { path: here.folder } }, { name: "c", emptyDir: {} }] },
        container: {
          resources: { limits: { memory: "48Mi" } },
          volumeMounts: [{ name: "files", mountPath: here.folder }, { name: "c", mountPath: "/cache" }],
        },
      }),
  },
  {
    what: "a limit of open files that leaves nothing for tunnels",
    check: "descriptors",
    text: /^64 files may be open: hardly one tunnel; raise the hard limit/,
    made: (here) => {
      here.env["KONNECTIVITY_MAX_FDS"] = "64";
      return server(here);
    },
  },
  {
    what: "a file that no volume holds",
    check: "pod",
    text: /--ca-cert is .*ca\.crt, and no volume is mounted there/,
    made: (here) => pod(here, "agent", { container: { volumeMounts: [] } }),
  },
  {
    what: "a volume that the pod does not have",
    check: "pod",
    text: /in the volume files, which the pod does not have: add it/,
    made: (here) => pod(here, "agent", { pod: { volumes: [] } }),
  },
  {
    what: "a variable that the container does not define",
    check: "pod",
    text: /has \$\(NODE_IP\), which its env does not define/,
    made: (here) => {
      here.agent["agent-identifiers"] = "ipv4=$(NODE_IP)";
      return pod(here, "agent", {});
    },
  },
  {
    what: "a probe at another port",
    check: "pod",
    text: /livenessProbe asks port 8134, and --health-server-port is \d+: the kubelet would restart it/,
    made: (here) => pod(here, "agent", { container: { livenessProbe: { httpGet: { path: "/healthz", port: 8134 } } } }),
  },
  {
    what: "less time to end than tunnels are given",
    check: "pod",
    outcome: "warning",
    text: /--graceful-shutdown-timeout is 60 s, and the pod is killed after 30 s/,
    made: (here) => {
      here.server["graceful-shutdown-timeout"] = "1m";
      return pod(here, "server", {});
    },
  },
  {
    what: "an admin port where nothing listens",
    check: "status",
    text: /^nothing listens at 127\.0\.0\.1:\d+: name the admin port/,
    made: (here) => here.check("--admin", `127.0.0.1:${here.server["admin-port"]}`),
  },
  {
    what: "a server that runs without agents",
    check: "status",
    text: /^none is connected, every dial fails: look at an agent/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      return await here.check("--admin", `127.0.0.1:${here.server["admin-port"]}`);
    },
  },
];

for (const { what, check, outcome = "failed", text, made } of mistakes) {
  leakTest(`a check tells ${what}`, async () => {
    await using here = await Installation.make();
    const findings = await made(here);
    const told = findings.filter((each) => each.check === check && each.outcome === outcome && text.test(each.text));
    assert.ok(told.length > 0, JSON.stringify(findings, undefined, 2));
  });
}

Deno.test("at least 25 mistakes are told, and some by each check; each check has its chapter", async () => {
  assert.ok(mistakes.length >= 25, String(mistakes.length));
  assert.deepEqual([...new Set(mistakes.map(({ check }) => check))].sort(), [...checkNames].sort());
  const text = await Deno.readTextFile(new URL("../../../../docs/checks.md", import.meta.url));
  for (const check of checkNames) {
    assert.equal(chapterOf({ check }), `docs/checks.md#${check}`);
    assert.match(text, new RegExp(`^## ${check}$`, "im"));
  }
});

leakTest(
  "a sound installation is told to be sound: a server, its agent, their API and kube-apiserver's side",
  async () => {
    await using here = await Installation.make();
    await using api = await startFakeKubeApi();
    api.handle = apiThat();
    const selector = await here.write(
      "egress.yaml",
      stringify({
        apiVersion: "apiserver.k8s.io/v1beta1",
        kind: "EgressSelectorConfiguration",
        egressSelections: [bySocket(here), direct, { ...direct, name: "etcd" }],
      }),
    );
    here.server["enable-lease-controller"] = "true";
    here.server["kubeconfig"] = await here.kubeconfig(api);
    here.agent["count-server-leases"] = "true";
    here.agent["kubeconfig"] = here.server["kubeconfig"];
    here.agent["service-account-token-path"] = await here.token({
      aud: [audience],
      exp: Math.floor(Date.now() / 1000) + 3_600,
      sub: "system:serviceaccount:kube-system:konnectivity-agent",
    });
    const sound = (findings: readonly Finding[]) =>
      assert.deepEqual(findings.filter(({ outcome }) => outcome !== "ok"), []);
    const hosts = ["--server-host=localhost", "--server-host=127.0.0.1,::1"];
    sound(await server(here, "--egress-selector", selector, ...hosts));
    const flags = here.flagsOf("server").filter((flag) => !/^--(?:enable-lease|kubeconfig)/.test(flag));
    await using _server = await startServer(flags);
    sound(await agent(here, `--audience=${audience}`));
    const files = await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")), ...hosts);
    assert.deepEqual(files.filter(({ outcome }) => outcome === "failed" || outcome === "warning"), []);
    assert.deepEqual(
      [...new Set(files.filter(({ outcome }) => outcome === "skipped").map(({ check }) => check))].sort(),
      ["descriptors", "kubernetes", "reach"],
      "what a pod will have cannot be seen from here",
    );
  },
);
