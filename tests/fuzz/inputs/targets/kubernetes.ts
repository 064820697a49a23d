import { ApiAccessError } from "../../../../src/kube/access/api_access.ts";
import { parseAnswer } from "../../../../src/kube/client/api_answer.ts";
import { JsonLineError, JsonLines } from "../../../../src/kube/client/json_lines.ts";
import { KubeError } from "../../../../src/kube/client/kube_error.ts";
import { parseKubeconfig } from "../../../../src/kube/access/kubeconfig.ts";
import { isLeaseValid, leaseEndMs, leaseOf, leaseTimeMs } from "../../../../src/kube/leases/lease.ts";
import { tokenEndMs, tokenKey, VerdictCache } from "../../../../src/kube/tokens/verdict_cache.ts";
import { VirtualClock } from "../../../support/fakes/virtual_clock.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf } from "./chunks.ts";
import { attempt, holds, prototypeNames, textOf } from "./texts.ts";

const clock = new VirtualClock();

const kubeconfig = `apiVersion: v1
kind: Config
current-context: a
contexts:
- name: a
  context: {cluster: c, user: u}
clusters:
- name: c
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: QUJD, proxy-url: "http://p:1"}
users:
- name: u
  user: {token: t, client-certificate-data: QUJD, client-key-data: QUJD}
`;

/** Kubeconfigs. */
export const kubeconfigs: FuzzTarget = {
  name: "kubeconfigs",
  modules: ["src/kube/access/kubeconfig.ts", "src/kube/client/json_value.ts", "src/dial/proxy/http_proxy.ts"],
  seeds: [
    kubeconfig,
    kubeconfig.replace("token: t", "tokenFile: /no/such/file, username: u, password: p"),
    JSON.stringify({
      "current-context": "a",
      contexts: [{ name: "a", context: { cluster: "c" } }],
      clusters: [{ name: "c", cluster: { server: "http://a", "insecure-skip-tls-verify": true } }],
    }),
    "a: &a [1]\nb: *a\n<<: *a\n",
  ],
  dictionary: [...prototypeNames, "&a ", "*a", "<<: ", "!!binary ", "exec: {}", "tls-server-name: ", "- ", "? "],
  maxBytes: 800,
  // The library takes seconds for what is larger and no YAML; the file is the operator's own.
  largeBytes: 2048,
  async run(input) {
    const access = attempt(() => parseKubeconfig(textOf(input), "/config", clock), ApiAccessError);
    if (access instanceof Error) return;
    holds(/^https?:$/.test(access.server.protocol), () => access.server.protocol);
    // What it names in other files is not there.
    if (access.files.length === 0) await access.credentials();
  },
};

const lease = {
  metadata: { name: "one", namespace: "kube-system", uid: "u", resourceVersion: "1", labels: { app: "server" } },
  spec: {
    holderIdentity: "one",
    renewTime: "2026-01-01T00:00:00.000000Z",
    acquireTime: "2026-01-01T00:00:00.000000Z",
    leaseDurationSeconds: 30,
  },
};

/** Leases, and other answers of the Kubernetes API. */
export const leases: FuzzTarget = {
  name: "leases",
  modules: ["src/kube/leases/lease.ts", "src/kube/client/json_value.ts", "src/kube/client/api_answer.ts"],
  seeds: [JSON.stringify(lease), JSON.stringify({ ...lease, spec: {} }), "[]", "null"],
  dictionary: [...prototypeNames, "1e309", "-0", '"renewTime":"0000-00-00T00:00:00Z"', "+275760-09-13T00:00:00.000Z"],
  run(input) {
    const value = attempt(() => parseAnswer(textOf(input), "get lease"), KubeError);
    if (value instanceof Error) return;
    const read = leaseOf(value);
    if (read === undefined) return;
    holds(!Number.isNaN(leaseEndMs(read) ?? 0) && !Number.isNaN(leaseTimeMs(read) ?? 0), () => "times are numbers");
    holds((read.durationSeconds ?? 0) >= 0, () => `duration ${read.durationSeconds}`);
    isLeaseValid(read, 0);
  },
};

const token = ["{}", '{"exp":1700000000,"sub":"a"}', "x"].map((part) => new TextEncoder().encode(part).toBase64()).join(
  ".",
);

/** Tokens of service accounts, as far as they are looked into before the API has judged them. */
export const tokens: FuzzTarget = {
  name: "tokens",
  modules: ["src/kube/tokens/verdict_cache.ts"],
  seeds: [token, token.replaceAll("=", ""), "a.b.c", "..", "x"],
  dictionary: ["eyJleHAiOjFlMzA5fQ", "eyJleHAiOm51bGx9", "bnVsbA", "W10"],
  run(input) {
    const text = textOf(input);
    holds(!Number.isNaN(tokenEndMs(text)), () => "a token ends at some time");
    const cache = new VerdictCache<string>({ goodMs: 1000, badMs: 10, maxEntries: 2 }, clock);
    for (const key of [tokenKey(text), "b", "c"]) cache.set(key, "verdict", true, tokenEndMs(text));
    holds(cache.size === 2, () => `${cache.size} verdicts are kept`);
  },
};

function linesIn(chunks: readonly Uint8Array[]): string {
  const lines = new JsonLines();
  const values: unknown[] = [];
  for (const chunk of chunks) {
    const found = attempt(() => lines.push(chunk), JsonLineError);
    if (found instanceof Error) return "no JSON";
    values.push(...found);
  }
  return JSON.stringify(values);
}

/** Watches of the Kubernetes API: JSON, a value a line. */
export const jsonLines: FuzzTarget = {
  name: "json-lines",
  modules: ["src/kube/client/json_lines.ts"],
  seeds: ['{"type":"ADDED","object":{"metadata":{"name":"ü"}}}\n{"type":"BOOKMARK"}\n', "\n\n[1]\n2"],
  run(input) {
    const whole = linesIn([input]);
    const cut = linesIn(chunksOf(input));
    holds(whole === cut, () => `in one piece ${whole}, cut ${cut}`);
  },
};
