import { stringify } from "yaml";
import { checkOptions, checkProgram } from "../../../src/programs/konnectivity/check/check_command.ts";
import type { Finding } from "../../../src/programs/konnectivity/check/finding.ts";
import { findingsOf } from "../../../src/programs/konnectivity/check/run_check.ts";
import { parseProgramFlags } from "../../../src/flags/program.ts";
import { freePort } from "../processes/free_port.ts";
import type { FakeCall, FakeKubeApi } from "../fakes/fake_kube_api.ts";
import { leaseValue } from "../fakes/fake_kube_api.ts";
import { type TestCertificateFiles, testCertificates, writeTestCertificates } from "./test_certificates.ts";

/** Flags by their names; undefined takes one away. */
export type FlagTable = Readonly<Record<string, string | undefined>>;

/** A server and an agent that are set up well, for tests to spoil. */
export class Installation implements AsyncDisposable {
  readonly folder: string;
  readonly files: TestCertificateFiles;
  readonly server: Record<string, string | undefined>;
  readonly agent: Record<string, string | undefined>;
  /** Of the programs that are checked. */
  readonly env: Record<string, string> = { KONNECTIVITY_MAX_FDS: "4096" };

  private constructor(folder: string, files: TestCertificateFiles, ports: readonly number[]) {
    this.folder = folder;
    this.files = files;
    const [agentPort, healthPort, adminPort, agentHealth, agentAdmin] = ports.map(String);
    this.server = {
      "mode": "grpc",
      "uds-name": `${folder}/frontend.sock`,
      "server-port": "0",
      "cluster-ca-cert": files.caCert,
      "cluster-cert": files.serverCert,
      "cluster-key": files.serverKey,
      "agent-port": agentPort,
      "agent-bind-address": "127.0.0.1",
      "health-port": healthPort,
      "health-bind-address": "127.0.0.1",
      "admin-port": adminPort,
    };
    this.agent = {
      "ca-cert": files.caCert,
      "agent-cert": files.clientCert,
      "agent-key": files.clientKey,
      "proxy-server-host": "127.0.0.1",
      "proxy-server-port": agentPort,
      "health-server-port": agentHealth,
      "health-server-host": "127.0.0.1",
      "admin-server-port": agentAdmin,
    };
  }

  static async make(): Promise<Installation> {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-check-" });
    const files = await writeTestCertificates(folder, await testCertificates());
    const ports: number[] = [];
    for (let at = 0; at < 5; at++) ports.push(await freePort());
    return new Installation(folder, files, ports);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.folder, { recursive: true });
  }

  /** Writes a file of the test's own. @returns its path */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.folder}/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  }

  /** A token that nobody has signed, since nobody here verifies it. */
  token(claims: Readonly<Record<string, unknown>>): Promise<string> {
    const part = (value: unknown) =>
      new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
    return this.write("token", `${part({ alg: "none" })}.${part(claims)}.c2lnbmF0dXJl`);
  }

  /** A kubeconfig for an API that a test plays. */
  async kubeconfig(api: FakeKubeApi): Promise<string> {
    const ca = btoa(api.certificates.ca.certPem);
    return await this.write(
      "kubeconfig",
      stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: api.url, "certificate-authority-data": ca } }],
        users: [{ name: "u", user: { token: "t" } }],
      }),
    );
  }

  flagsOf(role: "server" | "agent"): string[] {
    return Object.entries(this[role]).flatMap(([name, value]) => value === undefined ? [] : [`--${name}=${value}`]);
  }

  /** A pod of either program, whose files are the node's. */
  pod(role: "server" | "agent", changes: { readonly pod?: object; readonly container?: object } = {}): object {
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `konnectivity-${role}`, namespace: "kube-system" },
      spec: {
        containers: [{
          name: role,
          image: `konnectivity/proxy-${role}:v0.37.0`,
          command: [`/proxy-${role}`],
          args: this.flagsOf(role),
          volumeMounts: [{ name: "files", mountPath: this.folder }],
          resources: { limits: { memory: "256Mi" } },
          ...changes.container,
        }],
        volumes: [{ name: "files", hostPath: { path: this.folder } }],
        ...changes.pod,
      },
    };
  }

  /** Writes objects as the documents of one manifest. @returns its path */
  manifest(...objects: readonly object[]): Promise<string> {
    return this.write("manifest.yaml", objects.map((each) => stringify(each)).join("---\n"));
  }

  /** What `konnectivity check` finds with a command line. */
  async check(...args: readonly string[]): Promise<readonly Finding[]> {
    const parsed = parseProgramFlags(checkProgram, args, checkOptions);
    if (parsed.kind !== "options") throw new Error(JSON.stringify(parsed));
    return await findingsOf(parsed.options, (name) => this.env[name]);
  }
}

/** Answers as an API that allows everything but some verbs of some resources, and has leases of some servers. */
export function apiThat(
  { refuses = () => false, leases = 1, clockMs = 0 }: {
    readonly refuses?: (resource: string, verb: string) => boolean;
    readonly leases?: number;
    /** How much its clock is ahead. */
    readonly clockMs?: number;
  } = {},
): (call: FakeCall) => void {
  return (call) => {
    const date = new Date(Date.now() + clockMs).toUTCString();
    if (call.path.endsWith("/selfsubjectaccessreviews")) {
      const { spec } = call.body as { spec: { resourceAttributes: { resource: string; verb: string } } };
      const { resource, verb } = spec.resourceAttributes;
      return call.answer(201, { status: { allowed: !refuses(resource, verb) } }, { date });
    }
    if (!call.path.endsWith("/leases")) return call.fail(404, "NotFound");
    const items = Array.from({ length: leases }, (_, at) => leaseValue(`s${at}`, { renewed: Date.now(), seconds: 30 }));
    call.answer(200, { metadata: { resourceVersion: "1" }, items }, { date });
  };
}
