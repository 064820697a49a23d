import { getLogger } from "@logtape/logtape";
import { Hono } from "hono";
import type { ByteStream } from "../tunnel/byte_stream.ts";
import { parseHostPort } from "../wire/host_port.ts";
import { wireLimits } from "../wire/limits.ts";
import type { BackendPool } from "./backend_pool.ts";
import { ConnectClient } from "./connect_client.ts";
import { type DialFailure, shuttingDown } from "./dial_outcome.ts";
import { ServerTunnel } from "./tunnel.ts";

const log = getLogger(["server", "connect-frontend"]);

/** What the listener hands to a handler, and takes from it. */
export interface ConnectBindings {
  /** Set by a handler that accepts a CONNECT: called with the client's bytes once the 200 has been written. */
  tunnel?: (client: ByteStream) => void;
}

/** The status for a dial that failed in an agent, by the words of its error as the original maps them. */
function statusOf(failure: DialFailure): 502 | 503 | 504 {
  if (failure.reason === "backend_dial_timeout") return 504;
  if (failure.reason !== "error_response") return 502;
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

/** The HTTP CONNECT frontend: each accepted request is a tunnel, everything else is refused. */
export class ConnectFrontend {
  readonly #pool: BackendPool;
  readonly #app = new Hono<{ Bindings: ConnectBindings }>();
  readonly #clients = new Set<ConnectClient>();
  #requests = 0;

  constructor(pool: BackendPool) {
    this.#pool = pool;
    this.#app.on("CONNECT", "*", async (c) => {
      const target = targetOf(c.req.url);
      const parsed = parseHostPort(target);
      if (target.length > wireLimits.maxAddressLength) {
        return c.text(`dial tcp: address of ${target.length} characters is longer than any can be\n`, 400, plain);
      }
      if (typeof parsed === "string") return c.text(`dial tcp: address ${target}: ${parsed}\n`, 400, plain);
      const client = new ConnectClient((gone) => this.#clients.delete(gone));
      const tunnel = this.#pool.dial({ protocol: "tcp", address: target }, client);
      if (!(tunnel instanceof ServerTunnel)) {
        return tunnel === shuttingDown
          ? c.text(`${tunnel.message}\n`, 503, plain)
          : c.text(`currently no tunnels available: ${tunnel.message}`, 500, plain);
      }
      this.#clients.add(client);
      const outcome = await client.dialed(tunnel, c.req.raw.signal);
      if (outcome !== undefined) return c.text(bodyOf(outcome), statusOf(outcome), plain);
      c.env.tunnel = (stream) => client.attach(stream);
      return c.body(null, 200);
    });
    this.#app.all("*", (c) => c.text("this proxy only supports CONNECT passthrough\n", 405, nosniff));
  }

  /** The Fetch handler; a CONNECT comes as `/<authority, percent-encoded>`. */
  readonly fetch = async (request: Request, bindings: ConnectBindings): Promise<Response> => {
    this.#requests++;
    const since = performance.now();
    try {
      const response = await this.#app.fetch(request, bindings);
      log.debug("{method} {target} {status}", () => ({
        method: request.method,
        target: targetOf(request.url),
        status: response.status,
        milliseconds: Math.round(performance.now() - since),
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

  /** Clients whose reading is held back now. */
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
