/**
 * How the corpus of command lines describes what distributions run: facts of public manifests, in words of its own. One
 * {@link FieldCase} is a server and its agents as one distribution starts them; `field_run.ts` runs it as a kubelet would.
 * @module
 */

/** Address of the machine or pod that the server runs in. */
export const controlPlaneIp = "10.0.0.1";
/** Address of the node that the agent runs on; in a pod network, the agent's own. */
export const nodeIp = "10.0.0.2";
/** Port of the node's kubelet, to which requests go. */
export const kubeletPort = 10_250;

/** The user that the original's images and ours run as, where a manifest names no other. */
export const imageUser: FieldUser = { uid: 65_532, gid: 65_532 };
/** Where keys lie in folders of the host that are root's own. */
export const root: FieldUser = { uid: 0, gid: 0 };

/** `runAsUser`, `runAsGroup` and `supplementalGroups`. */
export interface FieldUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
}

/** What a file that a manifest mounts holds. */
export type FieldContent =
  /** The authorities of every certificate here, PEM. */
  | "ca"
  /** Of the server, for clients and for agents. */
  | "server-cert"
  | "server-key"
  /** Of the agent. */
  | "agent-cert"
  | "agent-key"
  /** Of the server, as a user of the Kubernetes API. */
  | "user-cert"
  | "user-key"
  /** A service account's token for `tokenAudience`, as a projected volume has it. */
  | "token"
  /** A service account's token for the Kubernetes API itself. */
  | "api-token"
  /** A kubeconfig with a certificate and its key in it. */
  | "kubeconfig"
  /** A kubeconfig with a token, of an API whose certificate is not verified. */
  | "kubeconfig-insecure-token"
  /** A kubeconfig whose certificates are files beside it, named without a folder. */
  | "kubeconfig-relative"
  /** An empty file, for a log. */
  | "log"
  /** A folder that the program may write to. */
  | "folder";

/** A file or folder, and whose it is; without that it is root's, and readable for everybody as a Secret's files are. */
export interface FieldFile {
  readonly content: FieldContent;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** As `chmod` takes it. */
  readonly mode?: number;
}

/** An `httpGet` probe; what is left out has the API's default. */
export interface FieldProbe {
  readonly path: string;
  readonly port: number;
  /** Default: the pod's address. */
  readonly host?: string;
  /** Default `HTTP`. */
  readonly scheme?: "HTTP" | "HTTPS";
  /** Default 0. */
  readonly initialDelaySeconds?: number;
  /** Default 1. */
  readonly timeoutSeconds?: number;
  /** Default 10. */
  readonly periodSeconds?: number;
  /** Default 3. */
  readonly failureThreshold?: number;
}

/** One container. */
export interface FieldProgram {
  /** `command` and `args`, with `$(NAME)` as the manifest has it; the first is the program's path in the image. */
  readonly command: readonly string[];
  /** Variables, with the values that a kubelet finds for them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default {@link imageUser}. */
  readonly user?: FieldUser;
  /** `capabilities: { drop: [ALL] }`. */
  readonly dropsCapabilities?: boolean;
  /** `allowPrivilegeEscalation: false`. */
  readonly noNewPrivileges?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  /** What is mounted, by path. */
  readonly files: Readonly<Record<string, FieldContent | FieldFile>>;
  /** Names in /etc/hosts, as `hostAliases` or a cluster's DNS have them, with their addresses. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly startup?: FieldProbe;
  readonly liveness?: FieldProbe;
  readonly readiness?: FieldProbe;
  /** Seconds of `terminationGracePeriodSeconds` that are left when SIGTERM comes. Default 30. */
  readonly graceSeconds?: number;
  /** `limits.memory` in MiB. */
  readonly memoryLimitMi?: number;
  /** Ours takes more than that: the document says so, and the test fails once it does not. */
  readonly overLimit?: true;
  /** Port of `/metrics`, `/healthz` and `/readyz`. Default: what the flags say, or the program's default. */
  readonly healthPort: number;
}

/** A metric that a distribution's rules, dashboards or checks read. */
export interface FieldMetric {
  readonly of: "server" | "agent";
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram" | "summary";
  /** A label that is read, with a value that it has after one request and one dial that failed. */
  readonly label?: readonly [name: string, value: string];
  /** The original has it only once something has happened that does not happen here. */
  readonly onlyOnUse?: true;
  /** Ours has it not: it stands in the document, and the test fails once it is there. */
  readonly missing?: true;
}

/** A program that does not start as it is given. */
export interface FieldRefusal {
  readonly of: "server" | "agent";
  /** What it says before it ends with 1; a part of a line. */
  readonly says: string;
  /** Whether the original refuses it, too: then nothing more is expected of the case. */
  readonly original: "refuses" | "runs";
  /** What makes it start, as arguments to add and to take away; absent where the original refuses it. */
  readonly edit?: { readonly add?: readonly string[]; readonly replace?: Readonly<Record<string, string>> };
}

/** What a distribution's programs need of the Kubernetes API. */
export type FieldApi = "none" | "tokens" | "leases";

/** A server and an agent as one distribution runs them. */
export interface FieldCase {
  /** Lines of the list of command lines that it stands for. */
  readonly rows: readonly string[];
  /** As people call it, unique. */
  readonly distribution: string;
  /** Where its manifests or commands are public. */
  readonly source: string;
  readonly mode: "grpc" | "http-connect";
  /** Path of the Unix socket that clients use, or the TCP port, which wants a client certificate. */
  readonly frontend: { readonly uds: string; readonly group?: number } | { readonly port: number };
  /** How agents prove themselves; "nobody" guards their port. */
  readonly agents: "token" | "certificate" | "nobody";
  /** Whom the agent's token is for. Default `system:konnectivity-server`. */
  readonly tokenAudience?: string;
  readonly api: FieldApi;
  readonly server: FieldProgram;
  readonly agent: FieldProgram;
  /** Where the request goes. Default: the node's kubelet. */
  readonly destination?: string;
  /** The port on {@link controlPlaneIp} that a balancer takes agents at, when it is not the server's own. */
  readonly balancerPort?: number;
  /** Name and port by which an HTTP proxy on the node, at port 3128, leads to the server. */
  readonly throughProxy?: string;
  /** Why the agent never is ready as it is given, with either implementation; nothing is requested then. */
  readonly neverReady?: string;
  readonly metrics?: readonly FieldMetric[];
  readonly refusal?: FieldRefusal;
  /** A probe that fails with either implementation. */
  readonly brokenProbe?: { readonly of: "server" | "agent"; readonly kind: "liveness" | "readiness" };
  /** Flags that the original's commit 4f8517c1 does not know, though its next release does. */
  readonly newerThanOriginal?: true;
  /** What must be edited for ours, for the document; absent: nothing. */
  readonly edit?: string;
  /** What is special, for the document. */
  readonly notes: string;
}
