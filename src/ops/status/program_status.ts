import { rounded } from "./status_page.ts";

/** What `/status` of every program says of itself. */
export interface ProgramStatus {
  /** Of the form of this answer: it changes when something is taken away or means something else. */
  readonly version: 1;
  readonly program: {
    readonly name: "proxy-server" | "proxy-agent";
    /** Of this program. */
    readonly version: string;
    /** ISO 8601, in UTC. */
    readonly startedAt: string;
    readonly uptimeSeconds: number;
  };
  readonly ready: boolean;
  /** Why it should get no traffic; absent when it should. */
  readonly notReady?: string;
  readonly draining: boolean;
  readonly listeners: readonly ListenerStatus[];
  readonly certificates: readonly CertificateStatus[];
}

/** A port or socket that the program listens on. */
export interface ListenerStatus {
  readonly name: "client" | "agent" | "health" | "admin";
  /** `HOST:PORT`, without a host for every address of the machine; or the path of a Unix socket. */
  readonly address: string;
  readonly protocol: "grpc" | "http-connect" | "http";
  readonly tls: boolean;
}

/** A certificate of the program's own. */
export interface CertificateStatus {
  readonly name: "server" | "cluster" | "agent";
  /** ISO 8601, in UTC. */
  readonly expiresAt: string;
  /** Negative once it has expired. */
  readonly expiresInSeconds: number;
}

/** What is asked of a program for its {@link ProgramStatus}. */
export interface ProgramFacts {
  readonly name: ProgramStatus["program"]["name"];
  readonly version: string;
  /** Why it should get no traffic; undefined when it should. */
  notReady(): string | undefined;
  draining(): boolean;
  listeners(): readonly ListenerStatus[];
  /** When each certificate ends, in seconds since the epoch; undefined: there is none. */
  certificates(): readonly { readonly name: CertificateStatus["name"]; readonly expirySeconds: number | undefined }[];
}

/** When the process began. */
const startedMs = Date.now() - performance.now();

/** Which program it is. */
export function programEntry({ name, version }: Pick<ProgramFacts, "name" | "version">): ProgramStatus["program"] {
  return {
    name,
    version,
    startedAt: new Date(startedMs).toISOString(),
    uptimeSeconds: rounded(performance.now() / 1000),
  };
}

export function programStatus(facts: ProgramFacts): ProgramStatus {
  const now = Date.now();
  const notReady = facts.notReady();
  return {
    version: 1,
    program: programEntry(facts),
    ready: notReady === undefined,
    ...(notReady === undefined ? {} : { notReady }),
    draining: facts.draining(),
    listeners: facts.listeners(),
    certificates: facts.certificates().flatMap(({ name, expirySeconds }): CertificateStatus[] =>
      expirySeconds === undefined ? [] : [{
        name,
        expiresAt: new Date(expirySeconds * 1000).toISOString(),
        expiresInSeconds: Math.round(expirySeconds - now / 1000),
      }]
    ),
  };
}
