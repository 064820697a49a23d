import { type IssuedPair, issueLeaf } from "../../src/programs/certs/issue.ts";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type FakeConnectProxy, startConnectProxy } from "../support/fakes/fake_connect_proxy.ts";
import { controlPlaneIp, type FieldContent, kubeletPort, nodeIp } from "./field_case.ts";
import { type FieldKubeApi, serverUser } from "./field_api.ts";
import { Lane, type Machine } from "./lane.ts";

/** What the node answers every request with. */
export const nodeAnswer = "the node has answered";
/** Where pods find the Kubernetes API. */
const apiAddress = "127.0.0.1:6443";
/** Where a node finds an HTTP proxy. */
const proxyAddress = `${nodeIp}:3128`;
/** Names that the server's certificate has. */
export const serverNames = {
  service: "konnectivity-server.kube-system.svc.cluster.local",
  shortService: "konnectivity-server",
  public: "konnectivity.example.com",
  lima: "host.lima.internal",
} as const;

/** Certificates and keys of a case, all of one authority. */
export interface FieldCertificates {
  readonly ca: string;
  readonly server: IssuedPair;
  readonly agent: IssuedPair;
  /** Of kube-apiserver, which is the server's client. */
  readonly client: IssuedPair;
  /** Of the server as a user of the API. */
  readonly user: IssuedPair;
}

async function issueAll(ca: IssuedPair): Promise<FieldCertificates> {
  const leaf = (commonName: string) => issueLeaf(ca, { commonName, usages: ["client"], keyKind: "p-256" });
  return {
    ca: ca.certPem,
    // In most distributions it is kube-apiserver's own, which is good for both sides.
    server: await issueLeaf(ca, {
      commonName: "kube-apiserver",
      usages: ["server", "client"],
      names: ["localhost", ...Object.values(serverNames)],
      addresses: ["127.0.0.1", controlPlaneIp],
      keyKind: "p-256",
    }),
    agent: await leaf("konnectivity-agent"),
    client: await leaf("kube-apiserver"),
    user: await leaf(serverUser),
  };
}

/** A socket of this machine that takes what comes out of a lane. */
function listenAt(server: Server, path: string): Promise<AsyncDisposable> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(path, () =>
      resolve({
        [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
      }));
  });
}

/** Leads every connection to a port of this machine, or to a socket. */
function forwarder(to: { readonly port: number } | { readonly path: string }): Server {
  return createServer({ allowHalfOpen: true }, (client) => {
    const target: Socket = "port" in to
      ? connect({ port: to.port, host: "127.0.0.1", allowHalfOpen: true })
      : connect({ path: to.path, allowHalfOpen: true });
    for (const [one, other] of [[client, target], [target, client]] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.end());
      one.pipe(other);
    }
  });
}

/** Where cases of one file run, one after another: a lane, and what stands around the programs in it. */
export class FieldWorld implements AsyncDisposable {
  readonly lane: Lane;
  readonly folder: string;
  readonly api: FieldKubeApi;
  readonly certificates: FieldCertificates;
  readonly #owned: AsyncDisposableStack;
  #pods = 0;

  private constructor(
    parts: { readonly lane: Lane; readonly folder: string; readonly api: FieldKubeApi },
    certificates: FieldCertificates,
    owned: AsyncDisposableStack,
  ) {
    this.lane = parts.lane;
    this.folder = parts.folder;
    this.api = parts.api;
    this.certificates = certificates;
    this.#owned = owned;
  }

  static async open(api: FieldKubeApi): Promise<FieldWorld> {
    await using undo = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "field-" });
    undo.defer(() => Deno.remove(folder, { recursive: true }));
    // Programs that are not root have to get through.
    await Deno.chmod(folder, 0o755);
    const lane = undo.use(await Lane.open(folder));
    const node = createHttpServer((_, response) => response.end(nodeAnswer));
    undo.use(await listenAt(node, `${folder}/node`));
    undo.use(await listenAt(forwarder(api), `${folder}/api`));
    await lane.outOf("agent", `${nodeIp}:${kubeletPort}`, `${folder}/node`);
    for (const machine of ["server", "agent"] as const) await lane.outOf(machine, apiAddress, `${folder}/api`);
    const certificates = await issueAll(api.ca);
    return new FieldWorld({ lane, folder, api }, certificates, undo.move());
  }

  /** A path for the root of one more pod. */
  podRoot(): string {
    return `${this.folder}/pod-${++this.#pods}`;
  }

  /** A port on 127.0.0.1 of this machine that leads to one of a machine, until it is disposed of. */
  async portTo(machine: Machine, to: string): Promise<{ readonly port: number } & AsyncDisposable> {
    const server = forwarder({ path: await this.lane.into(machine, to) });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return {
      port: address.port,
      [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
    };
  }

  /** An HTTP proxy on the node, the only way to a name. @param port of the server's machine, to which it leads */
  async proxyTo(authority: string, port: number): Promise<FakeConnectProxy & AsyncDisposable> {
    await using undo = new AsyncDisposableStack();
    const server = undo.use(await this.portTo("server", `127.0.0.1:${port}`));
    const proxy = undo.use(await startConnectProxy({ targets: { [authority]: server.port } }));
    const path = `${this.folder}/proxy`;
    undo.use(await listenAt(forwarder(proxy), path));
    await this.lane.outOf("agent", proxyAddress, path);
    const owned = undo.move();
    return Object.assign(Object.create(proxy) as FakeConnectProxy, {
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    });
  }

  /** What a mounted file holds; undefined for a folder. */
  async textOf(content: FieldContent, audience: string): Promise<string | undefined> {
    const { ca, server, agent, user } = this.certificates;
    switch (content) {
      case "ca":
        return ca;
      case "server-cert":
        return server.certPem;
      case "server-key":
        return server.keyPem;
      case "agent-cert":
        return agent.certPem;
      case "agent-key":
        return agent.keyPem;
      case "user-cert":
        return user.certPem;
      case "user-key":
        return user.keyPem;
      case "token":
        return await this.api.agentToken(audience);
      case "api-token":
        return await this.api.agentToken();
      case "kubeconfig":
        return kubeconfig({ "certificate-authority-data": btoa(ca) }, {
          "client-certificate-data": btoa(user.certPem),
          "client-key-data": btoa(user.keyPem),
        });
      case "kubeconfig-insecure-token":
        return kubeconfig({ "insecure-skip-tls-verify": true }, { token: this.api.bearer });
      case "kubeconfig-relative":
        return kubeconfig({ "certificate-authority": "ca.crt" }, {
          "client-certificate": "konnectivity.crt",
          "client-key": "konnectivity.key",
        });
      case "log":
        return "";
      case "folder":
        return undefined;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

function kubeconfig(cluster: Record<string, unknown>, user: Record<string, string>): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "field",
    contexts: [{ name: "field", context: { cluster: "field", user: "field" } }],
    clusters: [{ name: "field", cluster: { server: `https://${apiAddress}`, ...cluster } }],
    users: [{ name: "field", user }],
  });
}
