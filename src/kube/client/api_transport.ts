import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from "node:http";
import { connect, isIP, type Socket } from "node:net";
import { connectTo } from "../../dial/connector.ts";
import type { DialContext } from "../../dial/dial.ts";
import { connectSecureThrough, openTunnel } from "../../dial/proxy/proxy_tunnel.ts";
import { connectSecure, type ExplicitTls } from "../../dial/secure_connect.ts";
import { owned, ownerOf } from "../../faults/owned.ts";
import { plainMaterial } from "../../runtime/tls/pem.ts";
import { verifiedServer } from "../../runtime/tls/server_identity.ts";
import { hostPortOf } from "../../wire/destination/host_port.ts";
import type { ApiAccess, ApiCredentials } from "../access/api_access.ts";
import { checkCredentials } from "../access/check_credentials.ts";
import { KubeError, textOf } from "./kube_error.ts";

/** One request to the API. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Begins with a slash; the query included. */
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
}

/** The head of a response, and its body, which is still to be read. */
export interface ApiResponse extends AsyncIterable<Uint8Array> {
  readonly statusCode?: number | undefined;
  readonly statusMessage?: string | undefined;
  readonly headers: { readonly "date"?: string | undefined; readonly "retry-after"?: string | undefined };
  /** The body was read to its end, and nothing of it is missing. */
  readonly complete: boolean;
  /** Drops the rest of the body. */
  destroy(): unknown;
}

/**
 * Carries requests to the API; {@link sendRequest} does it over the network.
 * @throws {KubeError} where there is no response; the signal's reason when it aborts
 */
export type ApiTransport = (request: ApiRequest, signal: AbortSignal) => Promise<ApiResponse>;

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
  context: DialContext,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const credentials = await access.credentials();
  checkCredentials(credentials);
  const { server } = access;
  const socket = await connectApi(access, tlsOptions(access, credentials), context, signal);
  if (signal.aborted) {
    socket.destroy();
    throw signal.reason;
  }
  const { body } = request;
  const options: RequestOptions = {
    // The runtime takes a connection of ours only from an `http.Agent`.
    agent: Object.assign(new Agent(), { createConnection: () => socket }),
    ...hostPortOf(server),
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
    const sent = httpRequest(options);
    const owner = ownerOf("kube", reject);
    sent.once(
      "response",
      owned(owner, (message: IncomingMessage) => {
        // A response may break later; whoever reads it learns that from the reading.
        message.on("error", () => {});
        resolve(message);
      }),
    );
    sent.on(
      "error",
      owned(owner, (cause: Error) => {
        reject(signal.aborted ? signal.reason : unreachable(server, cause));
      }),
    );
    // What comes from a proxy without TLS is paused, and the runtime's parser listens by now.
    sent.once("socket", owned(owner, () => void socket.resume()));
    // The agent leaves open what it did not open.
    sent.once("close", () => socket.destroy());
    sent.end(body);
  });
}

function unreachable(server: URL, cause: Error): KubeError {
  return new KubeError("unreachable", `cannot reach the Kubernetes API at ${server.host}: ${textOf(cause)}`, { cause });
}

/** The API is reached through its proxy or not at all. */
async function connectApi(
  { server, proxy }: ApiAccess,
  tls: ExplicitTls,
  context: DialContext,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = hostPortOf(server);
  const plain = server.protocol === "http:";
  try {
    if (proxy !== undefined) {
      return plain
        ? await openTunnel(proxy, host, port, signal, context)
        : await connectSecureThrough(proxy, host, port, tls, signal, context);
    }
    if (!plain) return await connectSecure(host, port, tls, signal, context);
    return (await connectTo({ host, port, family: 0 }, (to) => connect(to), signal, context)).socket;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw unreachable(server, error instanceof Error ? error : new Error(String(error)));
  }
}

function tlsOptions({ serverName, insecure }: ApiAccess, credentials: ApiCredentials): ExplicitTls {
  const { ca, cert, key } = plainMaterial(credentials);
  return {
    ...(insecure ? { rejectUnauthorized: false } : verifiedServer(ca, serverName)),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // TLS has no names for addresses (RFC 6066 section 3); the certificate is held against them all the same.
    ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }),
  };
}
