import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import { fault, reportFault } from "../../faults/fault.ts";
import { guard } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ByteStream } from "../../streams/byte_stream.ts";
import { isNotAllowed } from "../../wire/destination/destination_policy.ts";
import { parseHostPort } from "../../wire/destination/host_port.ts";
import type { PeerIdentity } from "../../wire/peer_identity.ts";
import { traceparentKey } from "../../wire/trace_context.ts";
import { wireLimits } from "../../wire/limits.ts";
import type { Admission } from "../admission.ts";
import type { AuditTrail } from "../audit_trail.ts";
import type { BackendPool } from "../backend_pool.ts";
import { HttpConnectClient } from "./http_connect_client.ts";
import { type DialFailure, shuttingDown } from "../dial_outcome.ts";
import { ServerTunnel } from "../tunnel.ts";

const log = getLogger(["server", "connect-frontend"]);

/** What the listener hands to a handler, and takes from it. */
export interface ConnectBindings {
  /** Who asks, by what the connection proves. */
  readonly peer: PeerIdentity;
  /** Names and values of the request's headers by turns. */
  readonly rawHeaders: readonly string[];
  /** Set by a handler that accepts a CONNECT: called with the client's bytes once the 200 has been written. */
  tunnel?: (client: ByteStream) => void;
}

/** The status for a dial that failed in an agent, by the words of its error as the original maps them. */
function statusOf(failure: DialFailure): 403 | 502 | 503 | 504 {
  if (failure.reason === "backend_dial_timeout") return 504;
  if (failure.reason !== "error_response") return 502;
  // An agent of ours refused the destination.
  if (isNotAllowed(failure.message)) return 403;
  const text = failure.message.toLowerCase();
  if (/timeout|deadline exceeded/.test(text)) return 504;
  return text.includes("too many open files") ? 503 : 502;
}

function bodyOf(failure: DialFailure): string {
  switch (failure.reason) {
    case "backend_dial_timeout":
      return `Backend dial timeout: ${failure.message}\r\n`;
    case "backend_close":
      return `Backend context error: ${failure.message}\r\n`;
    default:
      return failure.message;
  }
}

/** The value of a header that came once; undefined where there is none, or another one too. @param name in lower case */
function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue;
    if (value !== undefined) return undefined;
    value = rawHeaders[at + 1];
  }
  return value;
}

/** The HTTP CONNECT frontend: each accepted request is a tunnel, everything else is refused. */
export class ConnectFrontend {
  readonly #pool: BackendPool;
  readonly #clock: Clock;
  readonly #app = new Hono<{ Bindings: ConnectBindings }>();
  readonly #clients = new Set<HttpConnectClient>();
  #requests = 0;

  constructor(pool: BackendPool, admission: Admission, clock: Clock, audit?: AuditTrail) {
    this.#pool = pool;
    this.#clock = clock;
    this.#app.on("CONNECT", "*", async (c) => {
      const refusal = admission.refusal(c.env.peer);
      if (refusal !== undefined) {
        audit?.clientRefused(c.env.peer, "http-connect", targetOf(c.req.url), refusal.rawMessage);
        return c.text(`${refusal.rawMessage}\n`, 403, plain);
      }
      const target = targetOf(c.req.url);
      const parsed = parseHostPort(target);
      if (target.length > wireLimits.maxAddressLength) {
        return c.text(`dial tcp: address of ${target.length} characters is longer than any can be\n`, 400, plain);
      }
      if (typeof parsed === "string") return c.text(`dial tcp: address ${target}: ${parsed}\n`, 400, plain);
      const traceparent = this.#pool.traces ? headerOf(c.env.rawHeaders, traceparentKey) : undefined;
      const client = new HttpConnectClient(c.env.peer, clock, (gone) => this.#clients.delete(gone), traceparent);
      const tunnel = this.#pool.dial({ protocol: "tcp", address: target }, client);
      if (!(tunnel instanceof ServerTunnel)) {
        if (tunnel.reason === "not_allowed") return c.text(`${tunnel.message}\n`, 403, plain);
        return tunnel === shuttingDown
          ? c.text(`${tunnel.message}\n`, 503, plain)
          : c.text(`currently no tunnels available: ${tunnel.message}`, 500, plain);
      }
      this.#clients.add(client);
      let outcome: DialFailure | undefined;
      try {
        outcome = await client.dialed(tunnel, c.req.raw.signal);
      } catch (error) {
        fault(tunnel, error);
        throw error;
      }
      if (outcome !== undefined) return c.text(bodyOf(outcome), statusOf(outcome), plain);
      c.env.tunnel = (stream) => guard(client, () => client.attach(stream));
      return c.body(null, 200);
    });
    // Hono writes to the console and answers in its own words where nothing is set.
    this.#app.onError((error, c) => {
      reportFault("request", error);
      return c.text("internal error of the proxy server\n", 500, plain);
    });
    this.#app.all("*", (c) => c.text("this proxy only supports CONNECT passthrough\n", 405, nosniff));
  }

  /** The Fetch handler; a CONNECT comes as `/<authority, percent-encoded>`. */
  readonly fetch = async (request: Request, bindings: ConnectBindings): Promise<Response> => {
    this.#requests++;
    const since = this.#clock.now();
    try {
      const response = await this.#app.fetch(request, bindings);
      log.debug("{method} {target} {status}", () => ({
        method: request.method,
        target: targetOf(request.url),
        status: response.status,
        milliseconds: Math.round(this.#clock.now() - since),
      }));
      return response;
    } finally {
      this.#requests--;
    }
  };

  /** Requests in progress, open tunnels included. */
  get requestCount(): number {
    // A tunnel's request is over with its 200, but the connection lives on.
    let open = this.#requests;
    for (const client of this.#clients) if (client.attached) open++;
    return open;
  }

  /** Clients whose reading is paused now. */
  get heldClients(): number {
    let held = 0;
    for (const client of this.#clients) if (client.paused) held++;
    return held;
  }
}

const plain = { "content-type": "text/plain; charset=utf-8" };
const nosniff = { ...plain, "x-content-type-options": "nosniff" };

function targetOf(url: string): string {
  // A query is nobody's target, and may hold what should not be logged.
  const [path = ""] = url.slice(url.indexOf("/", "http://".length) + 1).split("?", 1);
  try {
    return decodeURIComponent(path);
  } catch {
    // A path that is no percent-encoding was no CONNECT either.
    return path;
  }
}
