import { request } from "node:http";
import { owned, ownerOf } from "../../../faults/owned.ts";
import { printable } from "../text_style.ts";
import { bareHost } from "../../../wire/destination/host_port.ts";

/** An answer of an admin port, whole. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
  /** Where it is to be found instead; empty: here. */
  readonly location: string;
}

/** Why an admin port cannot be asked: `refused`, nothing listens there; `failed`, something else. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly code: "refused" | "failed";

  constructor(code: "refused" | "failed", message: string, options?: ErrorOptions) {
    // It may hold what a stranger has answered.
    super(printable(message, { colour: false, unicode: true }), options);
    this.code = code;
  }
}

/** A page of a thousand agents has half a megabyte. */
const maxBytes = 64 * 1024 * 1024;

/** What to do where nobody answers. */
const findIt = "name the admin port of a running program with --admin (its flag is --admin-port at the server, " +
  "--admin-server-port at the agent; where it is on a loopback address, run this on the same machine or in the same pod, " +
  "or behind kubectl port-forward)";

/**
 * Asks an admin port, without a proxy, over a connection of its own.
 * @param path with the query
 * @throws {AdminError} saying what is wrong and what to do; the signal's reason when it aborts
 */
export async function askAdmin(
  admin: URL,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AdminAnswer> {
  const late = AbortSignal.timeout(timeoutMs);
  const both = AbortSignal.any([signal, late]);
  try {
    const { status, location, pieces } = await openAdmin(admin, path, timeoutMs, both);
    return { status, location, body: textOf(await gathered(admin, pieces, maxBytes)) };
  } catch (error) {
    if (late.aborted && !signal.aborted) throw lateError(admin, timeoutMs);
    throw error;
  }
}

/** An answer of an admin port whose body is still to come. */
export interface AdminStream {
  readonly status: number;
  /** What the body is, in lower case. */
  readonly contentType: string;
  readonly location: string;
  /**
   * The body, once; whoever stops reading closes the connection.
   * @throws {AdminError} where it breaks off; the signal's reason when it aborts
   */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/**
 * As {@link askAdmin}, for a body that is long or has no end.
 * @param timeoutMs until the body begins
 */
export function openAdmin(admin: URL, path: string, timeoutMs: number, signal: AbortSignal): Promise<AdminStream> {
  const host = bareHost(admin.hostname);
  const port = Number(admin.port || 80);
  return new Promise((resolve, reject) => {
    const owner = ownerOf("request", reject);
    const sent = request({ host, port, path, agent: false, signal });
    const late = setTimeout(
      owned(owner, () => {
        reject(lateError(admin, timeoutMs));
        sent.destroy();
      }),
      timeoutMs,
    );
    sent.on(
      "error",
      owned(owner, (cause: Error) => {
        clearTimeout(late);
        reject(signal.aborted ? signal.reason : adminError(admin, cause));
      }),
    );
    sent.once(
      "response",
      owned(owner, (response) => {
        clearTimeout(late);
        const { statusCode = 0, headers } = response;
        signal.addEventListener("abort", owned(owner, () => response.destroy()), { once: true });
        resolve({
          status: statusCode,
          contentType: (headers["content-type"] ?? "").toLowerCase(),
          location: headers.location ?? "",
          pieces: piecesOf(response, (cause) => signal.aborted ? signal.reason : brokenOff(admin, cause)),
        });
      }),
    );
    sent.end();
  });
}

async function* piecesOf(
  response: AsyncIterable<Uint8Array> & { readonly complete: boolean },
  failed: (cause: Error) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response;
    // A connection that ends early is not always an error.
    if (!response.complete) throw new Error("its end is missing");
  } catch (error) {
    throw failed(error instanceof Error ? error : new Error(String(error)));
  }
}

/** All of a body, in pieces. @throws {AdminError} also where it is longer than it may be */
export async function gathered(
  admin: URL,
  pieces: AsyncIterable<Uint8Array>,
  atMostBytes: number,
): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    all.push(piece);
    length += piece.length;
    if (length > atMostBytes) {
      throw adminError(admin, new Error(`its answer is longer than ${atMostBytes} bytes`));
    }
  }
  return all;
}

/** The text of a body in pieces. */
export function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
}

/**
 * Asks the first admin port where something listens.
 * @throws {AdminError} naming them all where nothing does; what `ask` throws
 */
export async function askFirst<T>(admins: readonly URL[], ask: (admin: URL) => Promise<T>): Promise<T> {
  let refused: AdminError | undefined;
  for (const each of admins) {
    try {
      return await ask(each);
    } catch (error) {
      if (!(error instanceof AdminError) || error.code !== "refused") throw error;
      refused ??= error;
    }
  }
  if (admins.length < 2 || refused === undefined) throw refused ?? new AdminError("failed", "no admin port is named");
  const also = admins.slice(1).map(({ host }) => host).join(" nor at ");
  throw new AdminError(
    "refused",
    refused.message.replace(/^nothing listens at ([^:]+:\d+)/, `nothing listens at $1 nor at ${also}`),
  );
}

function brokenOff(admin: URL, cause: Error): AdminError {
  return new AdminError(
    "failed",
    `${admin.host} has broken off its answer: the program was killed, or the way to it is gone (${cause.message})`,
    { cause },
  );
}

function lateError(admin: URL, timeoutMs: number): AdminError {
  return new AdminError(
    "failed",
    `${admin.host} has not answered within ${
      timeoutMs / 1000
    } s: the program is overloaded or stopped, or a firewall ` +
      "drops the connection",
  );
}

function adminError(admin: URL, cause: Error): AdminError {
  const code: unknown = Reflect.get(cause, "code");
  if (code === "ECONNREFUSED") {
    return new AdminError("refused", `nothing listens at ${admin.host}: ${findIt}`, { cause });
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new AdminError("failed", `the name ${admin.hostname} cannot be resolved: use an address in --admin`, {
      cause,
    });
  }
  if (code === "ECONNRESET" || code === "EPIPE" || (typeof code === "string" && code.startsWith("HPE_"))) {
    return new AdminError("failed", `what listens at ${admin.host} speaks no HTTP, so it is no admin port: ${findIt}`, {
      cause,
    });
  }
  return new AdminError("failed", `cannot reach ${admin.host}: ${cause.message}`, { cause });
}
