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
export function askAdmin(admin: URL, path: string, timeoutMs: number, signal: AbortSignal): Promise<AdminAnswer> {
  const host = bareHost(admin.hostname);
  const port = Number(admin.port || 80);
  return new Promise((resolve, reject) => {
    const owner = ownerOf("request", reject);
    const fail = (cause: Error) => {
      sent.destroy();
      reject(signal.aborted ? signal.reason : adminError(admin, cause));
    };
    const late = AbortSignal.timeout(timeoutMs);
    const sent = request({ host, port, path, agent: false, signal: AbortSignal.any([signal, late]) });
    sent.on(
      "error",
      owned(owner, (cause: Error) => {
        if (!late.aborted || signal.aborted) return fail(cause);
        const what = `${admin.host} has not answered within ${timeoutMs / 1000} s: `;
        reject(
          new AdminError("failed", `${what}the program is overloaded or stopped, or a firewall drops the connection`),
        );
      }),
    );
    sent.once(
      "response",
      owned(owner, (response) => {
        const decoder = new TextDecoder();
        let body = "";
        let bytes = 0;
        response.on("error", owned(owner, fail));
        response.on(
          "data",
          owned(owner, (chunk: Uint8Array) => {
            bytes += chunk.length;
            if (bytes > maxBytes) return fail(new Error(`its answer is longer than ${maxBytes} bytes`));
            body += decoder.decode(chunk, { stream: true });
          }),
        );
        response.once(
          "end",
          owned(owner, () => {
            resolve({ status: response.statusCode ?? 0, body, location: response.headers.location ?? "" });
          }),
        );
      }),
    );
    sent.end();
  });
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
