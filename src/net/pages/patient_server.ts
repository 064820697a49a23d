import { follow, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Admission } from "../edge/accepting.ts";
import { ListenError } from "../tcp/listen.ts";
import { type HttpAddress, type HttpHandler, type HttpServer, serveHttp } from "./http_server.ts";

/** How often a port that could not be opened is tried again, in milliseconds. */
const retryMs = 1_000;

/** What is heard of a port that could not be opened at once. */
export interface PatientEvents {
  /** It cannot be opened now: reported once, whatever follows. */
  failed(error: ListenError): void;
  /** It is open at last. */
  opened(): void;
}

/**
 * Serves pages for operators as {@link serveHttp} does, and waits for an address that is not to be had: somebody else has
 * it, such as the program that this one takes over from on the same machine, or no interface has it yet. What the pages
 * are about goes on meanwhile.
 * @returns a server whose port is the one that was asked for until it is open
 * @throws {ListenError} where the permission sandbox does not allow it, which no waiting changes
 */
export async function serveHttpPatiently(
  address: HttpAddress,
  fetch: HttpHandler,
  clock: Clock,
  events: PatientEvents,
  admission?: Admission,
): Promise<HttpServer> {
  let server: HttpServer | undefined;
  let closing: Promise<void> | undefined;
  let wake = () => {};
  const closed = Promise.withResolvers<void>();

  /** @returns undefined once it is open */
  const attempt = async (): Promise<ListenError | undefined> => {
    try {
      server = await serveHttp(address, fetch, clock, admission);
      return undefined;
    } catch (error) {
      if (error instanceof ListenError && error.cause !== undefined) return error;
      throw error;
    }
  };
  const retry = async () => {
    while (closing === undefined) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(retryMs, resolve, ownerOf("listener"));
        wake = () => {
          timer.cancel();
          resolve();
        };
      });
      if (closing !== undefined) return;
      if (await attempt() === undefined) return events.opened();
    }
  };
  let retrying: Promise<void> | undefined;
  const end = async (graceMs?: number) => {
    wake();
    await retrying?.catch(() => {});
    await server?.close(graceMs);
    closed.resolve();
  };
  const close = (graceMs?: number) => closing ??= end(graceMs);

  const failure = await attempt();
  if (failure !== undefined) {
    events.failed(failure);
    retrying = retry();
    follow(ownerOf("listener"), retrying);
  }
  return {
    get port() {
      return server?.port ?? address.port;
    },
    closed: closed.promise,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
