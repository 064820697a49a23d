import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { TestCertificates } from "../support/in_process/test_certificates.ts";
import type { Random } from "./random.ts";

/** What a listener speaks. */
export type Speaks = "http2" | "agents" | "http-connect" | "pages";

/** A listener that is fuzzed. */
export interface FuzzTarget {
  /** Of the program and the port, for the report. */
  readonly name: string;
  readonly speaks: Speaks;
  /** A port on 127.0.0.1, or the path of a Unix socket. */
  readonly at: number | string;
  /** How peers prove themselves; undefined: clear text. */
  readonly tls?: { readonly certificateDemanded: boolean };
}

/** The certificates that fuzzed connections show. */
export interface FuzzCredentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Of an authority that nobody trusts. */
  readonly strangerCert: string;
  readonly strangerKey: string;
}

/** What fuzzed connections show, of two sets of certificates. */
export function credentialsOf(trusted: TestCertificates, stranger: TestCertificates): FuzzCredentials {
  return {
    ca: trusted.ca.certPem,
    cert: trusted.client.certPem,
    key: trusted.client.keyPem,
    strangerCert: stranger.client.certPem,
    strangerKey: stranger.client.keyPem,
  };
}

/** How a connection to a target came about. */
export interface Opened {
  readonly socket: Socket;
  /** The protocol that TLS has agreed on; empty without. */
  readonly alpn: string;
  /** A TLS session of another connection was taken up again. */
  readonly resumed: boolean;
}

/** How long a connection may take, its handshake included, in milliseconds. */
const openLimitMs = 10_000;

/** TLS sessions of all listeners, one of which is taken up again now and then, wherever. */
const sessions: Uint8Array[] = [];
const mostSessions = 64;

/**
 * Opens a connection: with the right certificate most of the time, else without one, with a stranger's, or with a TLS
 * session that any listener has given out.
 * @returns undefined when the target refused it
 */
export function open(random: Random, target: FuzzTarget, credentials: FuzzCredentials): Promise<Opened | undefined> {
  const { at, tls } = target;
  if (tls === undefined || random.chance(0.05)) return plain(at);
  const kind = random.below(20);
  const shown = kind === 0
    ? {}
    : kind === 1
    ? { cert: credentials.strangerCert, key: credentials.strangerKey }
    : { cert: credentials.cert, key: credentials.key };
  const session = sessions.length > 0 && random.chance(0.1) ? sessions[random.below(sessions.length)] : undefined;
  const alpn = target.speaks === "agents"
    ? random.pick([["konnectivity-link/1", "h2"], ["konnectivity-link/1"], ["h2"], ["h2"]])
    : random.chance(0.95)
    ? [target.speaks === "http2" ? "h2" : "http/1.1"]
    : random.pick([[], ["konnectivity-link/1"], ["spdy/1"]]);
  const version = random.chance(0.3) ? "TLSv1.2" : "TLSv1.3";
  return opened((done) => {
    const socket: TLSSocket = connectTls({
      host: "127.0.0.1",
      port: Number(at),
      ca: credentials.ca,
      ...shown,
      ALPNProtocols: alpn,
      minVersion: version,
      maxVersion: version,
      ...(session === undefined ? {} : { session: session as never }),
      // The stranger does not care whom it talks to.
      rejectUnauthorized: false,
    });
    socket.once("secureConnect", () => {
      done({ socket, alpn: socket.alpnProtocol || "", resumed: socket.isSessionReused() });
    });
    socket.on("session", (given: Uint8Array) => {
      if (sessions.length < mostSessions) sessions.push(given);
      else sessions[random.below(mostSessions)] = given;
    });
    return socket;
  });
}

function plain(at: number | string): Promise<Opened | undefined> {
  return opened((done) => {
    const socket = typeof at === "string"
      ? connectPlain({ path: at, allowHalfOpen: true })
      : connectPlain({ host: "127.0.0.1", port: at, allowHalfOpen: true });
    socket.once("connect", () => done({ socket, alpn: "", resumed: false }));
    return socket;
  });
}

function opened(connect: (done: (opened: Opened) => void) => Socket): Promise<Opened | undefined> {
  return new Promise((resolve) => {
    const finish = (result: Opened | undefined) => {
      clearTimeout(timer);
      resolve(result);
    };
    const socket = connect(finish);
    const timer = setTimeout(() => socket.destroy(), openLimitMs);
    socket.on("error", () => finish(undefined));
    socket.on("close", () => finish(undefined));
  });
}
