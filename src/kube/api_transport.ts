import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type Socket } from "node:net";
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

/**
 * Sends a request and waits for the head of its response, whose body has yet to be read. Each request has a connection of
 * its own: they are few, certificates that were replaced are in use at once, and the runtime sends a request that was given up
 * on a kept connection again on a new one.
 * @param signal drops the request, and the response as long as its body is read
 * @throws {KubeError} `unreachable` or `bad-credentials`; the signal's reason when it aborts
 */
export async function sendRequest(
  access: ApiAccess,
  userAgent: string,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const credentials = await access.credentials();
  checkCredentials(credentials);
  const { server, proxy } = access;
  const tls = tlsOptions(access, credentials);
  const secured = proxy === undefined ? undefined : await connectThrough(proxy, server, tls, signal);
  signal.throwIfAborted();
  const { body } = request;
  const options: RequestOptions = {
    // The runtime lets only agents bring connections of their own.
    agent: secured === undefined ? false : Object.assign(new Agent(), { createConnection: () => secured }),
    host: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port === "" ? (server.protocol === "http:" ? 80 : 443) : Number(server.port),
    method: request.method,
    path: server.pathname.replace(/\/$/, "") + request.path,
    headers: {
      "accept": "application/json",
      "user-agent": userAgent,
      ...(credentials.authorization === undefined ? {} : { authorization: credentials.authorization }),
      ...(body === undefined ? {} : {
        "content-type": "application/json",
        "content-length": String(new TextEncoder().encode(body).length),
      }),
    },
    signal,
  };
  return await new Promise((resolve, reject) => {
    // What comes secured is not to be secured again.
    const plain = server.protocol === "http:" || secured !== undefined;
    const sent = plain ? httpRequest(options) : httpsRequest({ ...tls, ...options });
    sent.once("response", (message) => {
      // A response may break later; whoever reads it learns that from the reading.
      message.on("error", () => {});
      resolve(message);
    });
    sent.on("error", (cause) => reject(signal.aborted ? signal.reason : unreachable(server, cause)));
    // The agent leaves open what it did not open.
    sent.once("close", () => secured?.destroy());
    sent.end(body);
  });
}

function unreachable(server: URL, cause: Error): KubeError {
  return new KubeError("unreachable", `cannot reach the Kubernetes API at ${server.host}: ${textOf(cause)}`, { cause });
}

async function connectThrough(
  proxy: URL,
  server: URL,
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await openProxyTunnel(proxy, server, signal);
  if (server.protocol === "http:") return socket;
  return await new Promise((resolve, reject) => {
    const host = server.hostname.replace(/^\[|\]$/g, "");
    const secured = connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, socket });
    secured.once("close", () => socket.destroy());
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      secured.off("error", onError).off("secureConnect", onSecure);
    };
    const onSecure = () => {
      settle();
      resolve(secured);
    };
    const onError = (cause: Error) => {
      settle();
      secured.on("error", () => {});
      secured.destroy();
      reject(unreachable(server, cause));
    };
    const onAbort = () => {
      reject(signal.reason);
      onError(new Error("given up"));
    };
    secured.once("error", onError).once("secureConnect", onSecure);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

function tlsOptions({ serverName, insecure }: ApiAccess, { ca, cert, key }: ApiCredentials): ConnectionOptions {
  return {
    rejectUnauthorized: !insecure,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : nameCheck(serverName)),
  };
}

/** TLS has no names for addresses (RFC 6066 section 3); the certificate is held against them all the same. */
function nameCheck(serverName: string): ConnectionOptions {
  if (isIP(serverName) === 0) return { servername: serverName };
  return { checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate) };
}
