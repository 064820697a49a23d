import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { issueAuthority, type IssuedPair, issueLeaf } from "../../src/programs/certs/issue.ts";
import { freePort } from "../support/processes/free_port.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import type { KubeBinaries } from "./binaries.ts";

/** How a cluster differs from a plain one. */
export interface ClusterOptions {
  /** Text of an EgressSelectorConfiguration; kube-apiserver then dials through the proxy that it names. */
  readonly egress?: string;
  /** kube-apiserver's port on 127.0.0.1. Default: a free one. */
  readonly port?: number;
  /** Names for kube-apiserver's certificate, beside its own. */
  readonly names?: readonly string[];
  /** Words before kube-apiserver's command line, to have it run somewhere else. */
  readonly inside?: readonly string[];
}

/** What kubectl did. */
export interface KubectlResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** How long etcd and kube-apiserver may take to end in order. They hold nothing that has to be kept. */
const endLimitMs = 3_000;
/** How long a kubectl may take on a busy machine. */
const kubectlLimitMs = 120_000;
const adminToken = "token-of-the-admin";

/** What the server expects in agents' tokens; kube-apiserver issues tokens for it. */
export const agentAudience = "system:konnectivity-server";

/** etcd and a real kube-apiserver on loopback, with what is needed to reach them in every way. */
export class Cluster implements AsyncDisposable {
  readonly dir: string;
  readonly binaries: KubeBinaries;
  readonly port: number;
  /** Authority of kube-apiserver's certificate, and of clients' and the kubelet's. */
  readonly ca: IssuedPair;
  readonly #programs: Program[] = [];
  readonly #etcdPort: number;
  /** kube-apiserver's command line. */
  readonly #command: readonly string[];

  private constructor(
    dir: string,
    binaries: KubeBinaries,
    ports: { readonly api: number; readonly etcd: number },
    ca: IssuedPair,
    command: readonly string[],
  ) {
    this.dir = dir;
    this.binaries = binaries;
    this.port = ports.api;
    this.#etcdPort = ports.etcd;
    this.ca = ca;
    this.#command = command;
  }

  /** Starts one, and waits until it is ready: some seconds. */
  static async start(binaries: KubeBinaries, options: ClusterOptions = {}): Promise<Cluster> {
    const dir = await Deno.makeTempDir({ prefix: "kube-" });
    const write = async (name: string, text: string): Promise<string> => {
      await Deno.writeTextFile(`${dir}/${name}`, text, { mode: 0o600 });
      return `${dir}/${name}`;
    };
    const ca = await issueAuthority({ commonName: "kube-ca", keyKind: "p-256" });
    const own = await issueLeaf(ca, {
      commonName: "kube-apiserver",
      usages: ["server", "client"],
      names: ["localhost", "kubernetes", ...(options.names ?? [])],
      addresses: ["127.0.0.1", "10.0.0.1"],
      keyKind: "p-256",
    });
    const accounts = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = await write("apiserver.crt", own.certPem);
    const key = await write("apiserver.key", own.keyPem);
    const caFile = await write("ca.crt", ca.certPem);
    const accountKey = await write("sa.key", String(accounts.privateKey.export({ type: "pkcs8", format: "pem" })));
    const accountPub = await write("sa.pub", String(accounts.publicKey.export({ type: "spki", format: "pem" })));
    const tokens = await write("tokens.csv", `${adminToken},admin,admin,system:masters\n`);
    const egress = options.egress === undefined
      ? []
      : [`--egress-selector-config-file=${await write("egress.yaml", options.egress)}`];
    const ports = { api: options.port ?? await freePort(), etcd: await freePort() };
    const cluster = new Cluster(dir, binaries, ports, ca, [
      ...(options.inside ?? []),
      binaries.apiserver,
      `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
      `--secure-port=${ports.api}`,
      "--bind-address=127.0.0.1",
      `--tls-cert-file=${cert}`,
      `--tls-private-key-file=${key}`,
      `--client-ca-file=${caFile}`,
      `--token-auth-file=${tokens}`,
      "--service-account-issuer=https://kubernetes",
      `--service-account-key-file=${accountPub}`,
      `--service-account-signing-key-file=${accountKey}`,
      `--api-audiences=https://kubernetes,${agentAudience}`,
      "--authorization-mode=Node,RBAC",
      "--service-cluster-ip-range=10.0.0.0/24",
      `--kubelet-client-certificate=${cert}`,
      `--kubelet-client-key=${key}`,
      `--kubelet-certificate-authority=${caFile}`,
      "--kubelet-preferred-address-types=InternalIP",
      // Pods get no tokens, as no controller makes the accounts' objects.
      "--disable-admission-plugins=ServiceAccount",
      ...egress,
      "-v=1",
    ]);
    try {
      await cluster.#startEtcd();
      await cluster.startApi();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    await write("kubeconfig", cluster.kubeconfig({ token: adminToken }));
    return cluster;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The cluster admin's. */
  get adminKubeconfig(): string {
    return `${this.dir}/kubeconfig`;
  }

  /** A kubeconfig's text, as JSON, for a user that is described as in one. */
  kubeconfig(user: Readonly<Record<string, string>>): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: this.url, "certificate-authority-data": btoa(this.ca.certPem) } }],
      users: [{ name: "u", user }],
    });
  }

  /** Writes a kubeconfig and returns its path. */
  async writeKubeconfig(name: string, user: Readonly<Record<string, string>>): Promise<string> {
    const path = `${this.dir}/${name}.kubeconfig`;
    await Deno.writeTextFile(path, this.kubeconfig(user), { mode: 0o600 });
    return path;
  }

  /** Credentials of a user by client certificate, as a kubeconfig's user has them. */
  async userCertificate(commonName: string): Promise<Record<string, string>> {
    const pair = await issueLeaf(this.ca, { commonName, usages: ["client"], keyKind: "p-256" });
    return { "client-certificate-data": btoa(pair.certPem), "client-key-data": btoa(pair.keyPem) };
  }

  /** A service account's token for some audience. The account has to exist. */
  async createToken(namespace: string, account: string, audience: string): Promise<string> {
    return await this.kubectlText("create", "token", account, `-n=${namespace}`, `--audience=${audience}`);
  }

  /** Runs kubectl as the cluster's admin, or with another kubeconfig that is named; kills it when it takes too long. */
  async kubectl(args: readonly string[], stdin: Uint8Array = new Uint8Array()): Promise<KubectlResult> {
    const child = this.spawnKubectl(args);
    const timer = setTimeout(() => child.kill("SIGKILL"), kubectlLimitMs);
    const sent = (async () => {
      const writer = child.stdin.getWriter();
      try {
        await writer.write(stdin);
        await writer.close();
      } catch {
        // It ended without reading to the end; its code and words say why.
      }
    })();
    const [{ code, stdout, stderr }] = await Promise.all([child.output(), sent]);
    clearTimeout(timer);
    return { code, stdout, stderr: new TextDecoder().decode(stderr) };
  }

  /** Starts kubectl with pipes; the caller ends it. */
  spawnKubectl(args: readonly string[]): Deno.ChildProcess {
    const named = args.some((arg) => arg.startsWith("--kubeconfig="));
    return new Deno.Command(this.binaries.kubectl, {
      args: [...(named ? [] : [`--kubeconfig=${this.adminKubeconfig}`]), ...args],
      env: { HOME: this.dir },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Runs kubectl and returns what it printed, trimmed. @throws when it fails */
  async kubectlText(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    return new TextDecoder().decode(stdout).trim();
  }

  /** Applies objects given as values. @returns kubectl's words */
  async apply(...objects: readonly unknown[]): Promise<string> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    const { code, stdout, stderr } = await this.kubectl(
      ["apply", "-f", "-"],
      new TextEncoder().encode(JSON.stringify(list)),
    );
    assert.equal(code, 0, stderr);
    return new TextDecoder().decode(stdout).trim();
  }

  /** Posts an object to a path of the API. */
  async create(path: string, object: unknown): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(object));
    const { code, stderr } = await this.kubectl(["create", `--raw=${path}`, "-f", "-"], text);
    assert.equal(code, 0, stderr);
  }

  /** Says of an object what only those say who look after it. */
  async patchStatus(kind: string, name: string, status: unknown, namespace: string = "default"): Promise<void> {
    const patch = `--patch=${JSON.stringify({ status })}`;
    await this.kubectlText("patch", kind, name, `-n=${namespace}`, "--subresource=status", "--type=merge", patch);
  }

  async #startEtcd(): Promise<void> {
    const peers = `http://127.0.0.1:${await freePort()}`;
    const clients = `http://127.0.0.1:${this.#etcdPort}`;
    const etcd = new Program("etcd", [
      "etcd",
      `--data-dir=${this.dir}/etcd`,
      `--listen-client-urls=${clients}`,
      `--advertise-client-urls=${clients}`,
      `--listen-peer-urls=${peers}`,
      `--initial-advertise-peer-urls=${peers}`,
      `--initial-cluster=default=${peers}`,
      // What is written need not survive the machine.
      "--unsafe-no-fsync",
    ]);
    this.#programs.push(etcd);
    await this.#ready(etcd, async () => (await httpGet(this.#etcdPort, "/health")).status === 200);
  }

  /** Starts kube-apiserver, also after it was stopped, with flags beside its own. */
  async startApi(...flags: readonly string[]): Promise<void> {
    const api = new Program("kube-apiserver", [...this.#command, ...flags]);
    this.#programs.push(api);
    await this.#ready(api, async () => {
      const { code } = await new Deno.Command(this.binaries.kubectl, {
        args: [
          `--server=${this.url}`,
          `--certificate-authority=${this.dir}/ca.crt`,
          `--token=${adminToken}`,
          "get",
          "--raw=/readyz",
        ],
        env: { HOME: this.dir },
        stdout: "null",
        stderr: "null",
      }).output();
      return code === 0;
    });
  }

  /** Stops kube-apiserver alone: what it keeps stays. */
  async stopApi(): Promise<void> {
    const api = this.#programs.pop();
    if (api !== undefined) await end(api);
  }

  async #ready(program: Program, isReady: () => Promise<boolean>): Promise<void> {
    try {
      await until(`${program.name} is ready`, () => {
        if (program.status !== undefined) throw new Error(`${program.name} ended with code ${program.status.code}`);
        return isReady();
      }, 120_000);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${program.tail()}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs.reverse()) await end(program);
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** A kube-apiserver that has lost its etcd never ends on SIGTERM. */
async function end(program: Program): Promise<void> {
  if (program.status !== undefined) return;
  program.signal("SIGTERM");
  const timer = setTimeout(() => program.signal("SIGKILL"), endLimitMs);
  await program.ended;
  clearTimeout(timer);
}
