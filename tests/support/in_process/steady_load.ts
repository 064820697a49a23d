import type { ProxyClient } from "../../../src/client/mod.ts";
import { Conversation } from "./conversation.ts";

/** One request through one server. Times are milliseconds on the monotonic clock. */
export interface LoadRequest {
  readonly server: string;
  readonly startedAt: number;
  /** When its tunnel was open; Infinity if it never was. */
  dialledAt: number;
  endedAt: number;
  /** Why it failed; undefined when every byte came back. */
  failure: string | undefined;
}

/** A time in which something was done to a component that requests may have gone through. */
export interface Disturbance {
  readonly name: string;
  /** The server that it concerns; undefined: a killed agent, which any request may have used. */
  readonly server: string | undefined;
  /** The component was killed: what was in flight on it may fail. Else it drains, and what was dialled before must not. */
  readonly killed: boolean;
  readonly from: number;
  /** When its traces were gone: a server is ready again, an agent is known to be lost everywhere. */
  to: number;
}

/** How long a request may take before it counts as failed: it would have waited for ever. */
const hangLimitMs = 20_000;
/** Requests alternate between one exchange and some, so that there are always tunnels that have been open for a while. */
const exchanges = [1, 8];
const pauseMs = 40;
/** How soon a client tries again after a failure. */
const retryMs = 25;
const workersPerServer = 2;

/** Sends requests through every server, one behind another, and keeps what became of each. */
export class SteadyLoad implements AsyncDisposable {
  readonly requests: LoadRequest[] = [];
  readonly disturbances: Disturbance[] = [];
  readonly #destination: string;
  readonly #workers: Promise<void>[] = [];
  #stopped = false;

  /** @param destination an echo */
  constructor(destination: string) {
    this.#destination = destination;
  }

  /** Begins to send requests through a server. The client is the load's from now on. */
  through(server: string, connect: () => Promise<ProxyClient>): void {
    for (let worker = 0; worker < workersPerServer; worker++) this.#workers.push(this.#work(server, connect, worker));
  }

  /** Notes that something is being done to a component, from now until the result is called. */
  disturb(name: string, server: string | undefined, killed: boolean): () => void {
    const disturbance = { name, server, killed, from: performance.now(), to: Infinity };
    this.disturbances.push(disturbance);
    return () => disturbance.to = performance.now();
  }

  /** Requests through a server that have succeeded, of those that began after a time. */
  served(server: string, since: number): number {
    return this.requests.filter((each) => each.server === server && each.startedAt >= since && succeeded(each)).length;
  }

  /** Waits until the last request has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Failures that no disturbance excuses, as sentences. */
  faults(): string[] {
    return this.requests.filter((each) => each.failure !== undefined && !isExcused(each, this.disturbances)).map((
      each,
    ) => `a request through ${each.server} failed: ${each.failure} (${this.#story(each)})`);
  }

  #story({ startedAt, dialledAt, endedAt }: LoadRequest): string {
    const at = (time: number) => `${Math.round(time - startedAt)} ms`;
    const around = this.disturbances.map(({ name, from, to }) => `${name} from ${at(from)} to ${at(to)}`);
    return `dialled after ${at(dialledAt)}, ended after ${at(endedAt)}; ${around.join(", ")}`;
  }

  async #work(server: string, connect: () => Promise<ProxyClient>, worker: number): Promise<void> {
    let client: ProxyClient | undefined;
    try {
      for (let at = worker; !this.#stopped; at++) {
        const request: LoadRequest = {
          server,
          startedAt: performance.now(),
          dialledAt: Infinity,
          endedAt: Infinity,
          failure: undefined,
        };
        try {
          client ??= await connect();
          await this.#send(client, request, exchanges[at % exchanges.length] ?? 1);
        } catch (error) {
          request.failure = error instanceof Error ? error.message : String(error);
        }
        request.endedAt = performance.now();
        this.requests.push(request);
        if (request.failure !== undefined) await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    } finally {
      await client?.close();
    }
  }

  async #send(client: ProxyClient, request: LoadRequest, count: number): Promise<void> {
    const hang = new AbortController();
    const timer = setTimeout(() => hang.abort(new Error(`no end after ${hangLimitMs} ms`)), hangLimitMs);
    const hung = new Promise<never>((_, reject) => {
      hang.signal.addEventListener("abort", () => reject(hang.signal.reason));
    });
    hung.catch(() => {});
    try {
      const tunnel = await client.dial(this.#destination, { signal: hang.signal });
      request.dialledAt = performance.now();
      const conversation = new Conversation(tunnel);
      try {
        for (let at = 0; at < count; at++) {
          const said = `${request.server} ${at} ${"x".repeat(1000)}`;
          const heard = await Promise.race([conversation.ask(said), hung]);
          if (heard !== said) throw new Error(`the tunnel ended after ${at} of ${count} exchanges`);
          if (at + 1 < count) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      } finally {
        await Promise.race([tunnel.close(), hung]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Whether a request's failure is one of what the original would not have served either: what was in flight on a component
 * that was killed, or came before that was noticed; and what had no tunnel yet when its server began to stop.
 */
export function isExcused(
  { server, startedAt, dialledAt, endedAt }: Omit<LoadRequest, "failure">,
  disturbances: readonly Disturbance[],
): boolean {
  return disturbances.some((each) => {
    if (each.server !== undefined && each.server !== server) return false;
    if (endedAt < each.from || startedAt > each.to) return false;
    return each.killed || dialledAt > each.from;
  });
}

function succeeded({ failure, endedAt }: LoadRequest): boolean {
  return failure === undefined && endedAt < Infinity;
}
