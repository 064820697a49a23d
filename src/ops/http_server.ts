import { internalError, refusal } from "./http_answers.ts";

/** Where an HTTP server listens. */
export interface HttpAddress {
  /** Empty: every address of the machine. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** An HTTP server that is open. */
export interface HttpServer extends AsyncDisposable {
  /** The port that was chosen. */
  readonly port: number;
  /** Fulfilled when the server is closed. Never rejects. */
  readonly closed: Promise<void>;
  /** Takes no new requests, lets those under way end for `graceMs` milliseconds, and drops the rest. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

/** An HTTP server could not be opened. */
export class HttpListenError extends Error {
  override readonly name = "HttpListenError";
  readonly code = "listen-failed";
}

const defaultGraceMs = 1_000;

/**
 * Serves requests over the runtime's own HTTP server. The runtime bounds the size of a request's header, but not the time
 * that a client takes to send it, and has no option for that: a port that strangers reach needs a firewall.
 * @throws {HttpListenError} naming the address and the cause
 */
export async function serveHttp(
  address: HttpAddress,
  fetch: (request: Request) => Response | Promise<Response>,
): Promise<HttpServer> {
  const abort = new AbortController();
  const underWay = new Set<Promise<void>>();
  let closing: Promise<void> | undefined;
  const server = await listen(address, abort.signal, (request, { completed }) => {
    if (closing !== undefined) return refusal("503 shutting down", 503, { connection: "close" });
    const done = completed.catch(() => {}).finally(() => underWay.delete(done));
    underWay.add(done);
    return fetch(request);
  });
  const end = async (graceMs: number) => {
    // The runtime's graceful shutdown cannot be cut short once it has begun, so what is to be dropped is dropped before.
    if (await endsWithin(underWay, graceMs)) await server.shutdown();
    else abort.abort();
    await server.finished;
  };
  const close = (graceMs = defaultGraceMs) => closing ??= end(graceMs);
  return {
    port: server.addr.port,
    closed: server.finished,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

async function listen(
  address: HttpAddress,
  signal: AbortSignal,
  handler: Deno.ServeHandler<Deno.NetAddr>,
): Promise<Deno.HttpServer<Deno.NetAddr>> {
  // "::" takes IPv4 too; without IPv6 on the machine, or in the permissions, IPv4 is all there is.
  const hosts = address.host === "" ? ["::", "0.0.0.0"] : [address.host.replace(/^\[(.*)\]$/, "$1")];
  let failure: unknown;
  for (const hostname of hosts) {
    if (!await isAllowed(hostname, address.port)) continue;
    try {
      return Deno.serve({ hostname, port: address.port, signal, onListen: () => {}, onError: internalError }, handler);
    } catch (error) {
      failure = error;
      if (!isWithoutIpv6(error)) break;
    }
  }
  const name = hostPort(address.host, address.port);
  if (failure === undefined) {
    throw new HttpListenError(
      `cannot listen on ${name}: the permission sandbox does not allow it, run with --allow-net=${
        hostPort(address.host === "" ? "0.0.0.0" : address.host, address.port)
      }`,
    );
  }
  throw new HttpListenError(`cannot listen on ${name}: ${describe(failure)}`, { cause: failure });
}

/** Whether promises, which never reject, are all fulfilled within the limit. */
async function endsWithin(work: Iterable<Promise<void>>, limitMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), limitMs));
  const inTime = await Promise.race([Promise.all(work).then(() => true), timeout]);
  clearTimeout(timer);
  return inTime;
}

/** Asked beforehand, because on a terminal the runtime would ask the user. */
async function isAllowed(hostname: string, port: number): Promise<boolean> {
  const status = await Deno.permissions.query({ name: "net", host: hostPort(hostname, port) });
  return status.state === "granted";
}

function isWithoutIpv6(error: unknown): boolean {
  if (error instanceof Deno.errors.AddrNotAvailable) return true;
  return error instanceof Error && Reflect.get(error, "code") === "EAFNOSUPPORT";
}

function describe(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "address already in use, stop who uses it or choose another port";
  if (error instanceof Deno.errors.AddrNotAvailable) return "no interface of this machine has the address";
  return error instanceof Error ? error.message : String(error);
}

function hostPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}
