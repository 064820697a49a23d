import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, type AgentOptions, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions } from "node:tls";
import { type ApiAccess, type ApiCredentials, checkCredentials } from "./api_access.ts";
import { KubeError, textOf } from "./kube_error.ts";
import { openProxyTunnel } from "./proxy_tunnel.ts";

/** One request to the API. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Begins with a slash; the query included. */
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
}

/** A response whose body has yet to be read. */
export interface ApiResponse {
  readonly message: IncomingMessage;
  /** The authorization that was sent; empty: none. */
  readonly authorization: string;
}

const maxConnections = 16;

/** Sends requests over connections that are kept, made anew when the certificates in use change. */
export class ApiTransport {
  readonly #access: ApiAccess;
  readonly #userAgent: string;
  #agent: HttpAgent | undefined;
  #agentFor = "";
  #closed = false;

  constructor(access: ApiAccess, userAgent: string) {
    this.#access = access;
    this.#userAgent = userAgent;
  }

  /**
   * Sends a request and waits for the head of its response.
   * @param signal drops the request, and the response as long as its body is read
   * @throws {KubeError} `unreachable` or `bad-credentials`; the signal's reason when it aborts
   */
  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiResponse> {
    const credentials = await this.#access.credentials();
    signal.throwIfAborted();
    if (this.#closed) throw new KubeError("unreachable", "the Kubernetes client is closed");
    const { server } = this.#access;
    const { authorization = "" } = credentials;
    const options: RequestOptions = {
      agent: this.#agentOf(credentials),
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: server.port === "" ? (server.protocol === "http:" ? 80 : 443) : Number(server.port),
      method: request.method,
      path: server.pathname.replace(/\/$/, "") + request.path,
      headers: {
        "accept": "application/json",
        "user-agent": this.#userAgent,
        ...(authorization === "" ? {} : { authorization }),
        ...(request.body === undefined ? {} : {
          "content-type": "application/json",
          "content-length": String(new TextEncoder().encode(request.body).length),
        }),
      },
      signal,
    };
    for (;;) {
      const message = await this.#exchange(options, request.body, signal);
      if (message !== undefined) return { message, authorization };
    }
  }

  /** @returns undefined when a kept connection had been closed by the API before the request came: it can be sent again */
  #exchange(
    options: RequestOptions,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage | undefined> {
    return new Promise((resolve, reject) => {
      const sent = this.#access.server.protocol === "http:" ? httpRequest(options) : httpsRequest(options);
      sent.once("response", (message) => {
        // A response may break later; whoever reads it learns that from the reading.
        message.on("error", () => {});
        resolve(message);
      });
      sent.on("error", (cause: Error & { code?: string }) => {
        if (signal.aborted) return reject(signal.reason);
        if (sent.reusedSocket && (cause.code === "ECONNRESET" || cause.code === "EPIPE")) return resolve(undefined);
        if (cause instanceof KubeError) return reject(cause);
        const { host } = this.#access.server;
        reject(
          new KubeError("unreachable", `cannot reach the Kubernetes API at ${host}: ${textOf(cause)}`, { cause }),
        );
      });
      sent.end(body);
    });
  }

  #agentOf(credentials: ApiCredentials): HttpAgent {
    const { ca, cert, key } = credentials;
    const wanted = JSON.stringify([ca, cert, key]);
    if (this.#agent !== undefined && wanted === this.#agentFor) return this.#agent;
    checkCredentials(credentials);
    if (this.#agent !== undefined) retire(this.#agent);
    this.#agentFor = wanted;
    this.#agent = this.#newAgent(credentials);
    return this.#agent;
  }

  #newAgent({ ca, cert, key }: ApiCredentials): HttpAgent {
    const { server, proxy, serverName, insecure } = this.#access;
    if (server.protocol === "http:") return new HttpAgent({ keepAlive: true, maxSockets: maxConnections });
    const options: AgentOptions = {
      keepAlive: true,
      maxSockets: maxConnections,
      rejectUnauthorized: !insecure,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : nameCheck(serverName)),
    };
    const agent = new HttpsAgent(options);
    if (proxy !== undefined) {
      // The agent's own way to let others make its connections.
      Object.assign(agent, {
        createConnection: (
          options: ConnectionOptions & { signal?: AbortSignal },
          created: (error: Error | null, socket?: unknown) => void,
        ) => {
          openProxyTunnel(proxy, server, options.signal ?? new AbortController().signal).then((socket) => {
            const secured = connectTls({ ...options, socket });
            secured.once("secureConnect", () => created(null, secured));
            secured.once("error", created);
          }, created);
        },
      });
    }
    return agent;
  }

  /** Drops every connection and what is under way on it. */
  close(): void {
    this.#closed = true;
    this.#agent?.destroy();
  }
}

/** TLS has no names for addresses (RFC 6066 section 3); the certificate is held against them all the same. */
function nameCheck(serverName: string): AgentOptions {
  if (isIP(serverName) === 0) return { servername: serverName };
  return { checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate) };
}

/** Connections under other certificates are not used again; what is under way on them ends in its own time. */
function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}
