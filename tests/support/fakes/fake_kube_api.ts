import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { type TestCertificates, testCertificates } from "../in_process/test_certificates.ts";

/** A call that a client made. */
export interface FakeCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** The client certificate's common name; empty without one. */
  readonly commonName: string;
  readonly body: unknown;
  /** Answers with JSON. */
  answer(status: number, value: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Answers with an error as the API describes it. */
  fail(status: number, reason: string, message?: string, headers?: Readonly<Record<string, string>>): void;
  /** Begins an answer of JSON lines. */
  stream(): { send(value: unknown): void; end(): void };
  /** Breaks the connection. */
  drop(): void;
}

/** A Kubernetes API that a test plays, over TLS on 127.0.0.1. */
export class FakeKubeApi implements AsyncDisposable {
  readonly certificates: TestCertificates;
  readonly calls: FakeCall[] = [];
  /** Connections that were made. */
  connections = 0;
  /** Streams that are open. */
  streams = 0;
  /** What it does with a call. */
  handle: (call: FakeCall) => void = (call) => call.fail(404, "NotFound");
  readonly #server: Server;

  constructor(certificates: TestCertificates, server: Server) {
    this.certificates = certificates;
    this.#server = server;
  }

  get port(): number {
    // A TCP server that listens has this form of address.
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Stops to listen, and breaks every connection. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
  }
}

/** Starts a fake API that asks for client certificates and takes clients without one too. */
export async function startFakeKubeApi(port: number = 0): Promise<FakeKubeApi> {
  const certificates = await testCertificates();
  const { ca, server: own } = certificates;
  const server = createServer({
    cert: own.certPem,
    key: own.keyPem,
    ca: ca.certPem,
    requestCert: true,
    rejectUnauthorized: false,
  }, (request, response) => void take(api, request, response));
  const api = new FakeKubeApi(certificates, server);
  server.on("secureConnection", () => api.connections++);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  return api;
}

async function take(api: FakeKubeApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  request.on("error", () => {});
  response.on("error", () => {});
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    // The client gave up while it was still asking.
    return;
  }
  const text = chunks.map(String).join("");
  const url = new URL(request.url ?? "/", "https://api");
  // Every connection of an HTTPS server is one of TLS.
  const { socket } = request;
  const commonName = (socket as TLSSocket).getPeerCertificate?.()?.subject?.CN;
  const answer: FakeCall["answer"] = (status, value, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
  const call: FakeCall = {
    method: request.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    commonName: typeof commonName === "string" ? commonName : "",
    body: text === "" ? undefined : JSON.parse(text),
    answer,
    fail: (status, reason, message = reason, headers = {}) =>
      answer(status, { kind: "Status", status: "Failure", code: status, reason, message }, headers),
    stream() {
      api.streams++;
      response.on("close", () => api.streams--);
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      return { send: (value) => response.write(`${JSON.stringify(value)}\n`), end: () => response.end() };
    },
    drop: () => socket.destroy(),
  };
  api.calls.push(call);
  api.handle(call);
}

/** A lease as the API sends it. Times are milliseconds since the epoch. */
export function leaseValue(
  name: string,
  { renewed, acquired, seconds, labels = {}, version = "1", uid = `uid-${name}` }: {
    readonly renewed?: number;
    readonly acquired?: number;
    readonly seconds?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly version?: string;
    readonly uid?: string;
  },
): Record<string, unknown> {
  const time = (ms: number) => new Date(ms).toISOString().replace("Z", "000Z");
  return {
    metadata: { name, namespace: "kube-system", uid, resourceVersion: version, labels },
    spec: {
      holderIdentity: name,
      ...(renewed === undefined ? {} : { renewTime: time(renewed) }),
      ...(acquired === undefined ? {} : { acquireTime: time(acquired) }),
      ...(seconds === undefined ? {} : { leaseDurationSeconds: seconds }),
    },
  };
}
