import type { Finding } from "../../../src/programs/konnectivity/check/finding.ts";
import { startFakeKubeApi } from "../fakes/fake_kube_api.ts";
import { apiThat, type Installation } from "../in_process/installation.ts";
import { agent, type Mistake, pod, server } from "./mistake.ts";

/** Whom agents' tokens are for. */
export const audience = "system:konnectivity-server";

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

/** Mistakes with the Kubernetes API, tokens and manifests. */
export const clusterMistakes: readonly Mistake[] = [
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
    what: "a token that ended before there were dates",
    check: "token",
    text: /ended on 1970-01-01T00:00: whoever writes it has stopped/,
    made: (here) => tokenOf(here, { exp: -1e300 }),
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
];
