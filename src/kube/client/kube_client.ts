import { dialContext } from "../../dial/connector.ts";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { ApiAccess } from "../access/api_access.ts";
import { brokenError, checkStatus, parseAnswer, readText, statusError } from "./api_answer.ts";
import { type ApiRequest, type ApiResponse, type ApiTransport, sendRequest } from "./api_transport.ts";
import { JsonLineError, JsonLines } from "./json_lines.ts";
import { KubeError } from "./kube_error.ts";
import { pause } from "./pause.ts";
import { RateLimiter } from "./rate_limiter.ts";

/** How the API is called. */
export interface KubeClientOptions {
  /** Requests a second, and at once; 0: 5 and 10, as Kubernetes' own clients. */
  readonly qps?: number;
  readonly burst?: number;
  readonly userAgent: string;
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** A call has to wait: for its turn of the rate, or since the API asked for it. */
  readonly onThrottled?: (by: "rate" | "api") => void;
  readonly clock: Clock;
  /** Uniform in [0, 1); a parameter so that tests can choose. */
  readonly random?: () => number;
  /** Absent: the network. */
  readonly transport?: ApiTransport;
}

/** One call. */
export interface KubeCall {
  readonly method: ApiRequest["method"];
  /** Without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Doing it twice is as good as once: it is tried again when it is not known whether it was done. Default: GET only. */
  readonly repeatable?: boolean;
}

/** The API's answer to a call. */
export interface KubeAnswer {
  readonly value: unknown;
  /** What the API took for the time of day, in milliseconds since the epoch; undefined where it did not say. */
  readonly apiTimeMs: number | undefined;
}

const defaultQps = 5;
const defaultBurst = 10;
const defaultTimeoutMs = 10_000;
const attemptLimit = 3;
const retryBaseMs = 200;
const retryCapMs = 5_000;

/** Calls the Kubernetes API in JSON: at a bounded rate, in bounded time, again where that helps. */
export class KubeClient implements Disposable {
  readonly #access: ApiAccess;
  readonly #closed = new AbortController();
  readonly #limiter: RateLimiter;
  readonly #clock: Clock;
  readonly #send: ApiTransport;
  readonly #timeoutMs: number;
  readonly #random: () => number;
  readonly #onThrottled: (by: "rate" | "api") => void;

  constructor(access: ApiAccess, options: KubeClientOptions) {
    this.#access = access;
    const { clock, userAgent } = options;
    this.#clock = clock;
    this.#send = options.transport ??
      ((request, signal) => sendRequest(access, userAgent, request, dialContext("links", clock), signal));
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#random = options.random ?? Math.random;
    this.#onThrottled = options.onThrottled ?? (() => {});
    const burst = Math.max(1, options.burst || defaultBurst);
    this.#limiter = new RateLimiter(options.qps || defaultQps, burst, this.#clock);
  }

  /**
   * Calls and reads the whole answer.
   * @throws {KubeError} the signal's reason when it aborts
   */
  call(call: KubeCall, signal: AbortSignal): Promise<KubeAnswer> {
    const repeatable = call.repeatable ?? call.method === "GET";
    return this.#repeat(signal, repeatable, async () => {
      using attempt = new Attempt(signal, this.#closed.signal);
      attempt.limit(this.#clock, this.#timeoutMs, call);
      const message = await this.#send(requestOf(call), attempt.signal);
      const text = await readText(message, nameOf(call), attempt.signal);
      checkStatus(message, text, nameOf(call));
      const date = Date.parse(message.headers.date ?? "");
      return { value: parseAnswer(text, nameOf(call)), apiTimeMs: Number.isNaN(date) ? undefined : date };
    });
  }

  /**
   * Calls for an answer that goes on: JSON values, one a line, until the API ends it.
   * @param idleMs how long it may be silent
   * @throws {KubeError} the signal's reason when it aborts, both also while it is read
   */
  async stream(call: KubeCall, idleMs: number, signal: AbortSignal): Promise<AsyncIterable<unknown>> {
    const attempt = new Attempt(signal, this.#closed.signal);
    try {
      attempt.limit(this.#clock, this.#timeoutMs, call);
      const message = await this.#repeat(attempt.signal, false, async () => {
        const message = await this.#send(requestOf(call), attempt.signal);
        if (message.statusCode === 200) return message;
        const text = await readText(message, nameOf(call), attempt.signal);
        throw statusError(message, text, nameOf(call));
      });
      return this.#values(message, call, idleMs, attempt);
    } catch (error) {
      attempt[Symbol.dispose]();
      throw error;
    }
  }

  async *#values(
    message: ApiResponse,
    call: KubeCall,
    idleMs: number,
    attempt: Attempt,
  ): AsyncIterable<unknown> {
    using _attempt = attempt;
    const lines = new JsonLines();
    try {
      attempt.limit(this.#clock, idleMs, call);
      for await (const chunk of message) {
        attempt.limit(this.#clock, idleMs, call);
        yield* lines.push(chunk);
      }
      attempt.signal.throwIfAborted();
    } catch (cause) {
      attempt.signal.throwIfAborted();
      if (cause instanceof JsonLineError) throw new KubeError("malformed", `${nameOf(call)}: ${cause.message}`);
      throw brokenError(nameOf(call), cause);
    } finally {
      message.destroy();
    }
  }

  /** Drops every connection and what is in flight on it. */
  close(): void {
    this.#closed.abort(new KubeError("unreachable", "the Kubernetes client is closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #repeat<T>(signal: AbortSignal, repeatable: boolean, attempt: () => Promise<T>): Promise<T> {
    let renewed = false;
    for (let attempts = 1;; attempts++) {
      if (!this.#limiter.free) this.#onThrottled("rate");
      await this.#limiter.turn(signal);
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof KubeError) || signal.aborted) throw error;
        if (error.status === 429) this.#onThrottled("api");
        if (error.status === 401 && !renewed) {
          // A token may have been replaced since it was read.
          renewed = true;
          this.#access.expire();
          continue;
        }
        if (attempts >= attemptLimit || !mayHelp(error, repeatable)) throw error;
        const backoffMs = Math.min(retryBaseMs * 2 ** (attempts - 1), retryCapMs) * (1 + this.#random());
        await pause(this.#clock, Math.max(backoffMs, error.retryAfterMs ?? 0), signal);
      }
    }
  }
}

/** One attempt's bounds: its caller may give it up, the client may be closed, and it may take too long. */
class Attempt implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: readonly AbortSignal[];
  readonly #onAbort = owned(ownerOf("kube"), () => {
    this.#controller.abort(this.#outer.find(({ aborted }) => aborted)?.reason);
  });
  #limit: Deadline | undefined;

  constructor(...outer: readonly AbortSignal[]) {
    this.#outer = outer;
    for (const signal of outer) signal.addEventListener("abort", this.#onAbort);
    if (outer.some(({ aborted }) => aborted)) this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends it `ms` milliseconds from now, in place of an earlier limit. */
  limit(clock: Clock, ms: number, call: KubeCall): void {
    this.#limit?.cancel();
    this.#limit = clock.after(ms, () => {
      this.#controller.abort(new KubeError("timeout", `${nameOf(call)}: nothing came in ${ms} ms`));
    }, ownerOf("kube"));
  }

  [Symbol.dispose](): void {
    this.#limit?.cancel();
    for (const signal of this.#outer) signal.removeEventListener("abort", this.#onAbort);
  }
}

/** Whether a call may succeed when it is made again. */
function mayHelp(error: KubeError, repeatable: boolean): boolean {
  // The API did not begin with it.
  if (error.status === 429) return true;
  if (!repeatable) return false;
  return error.code === "unreachable" || error.code === "timeout" ||
    (error.status !== undefined && error.status >= 500);
}

function requestOf({ method, path, query = {}, body }: KubeCall): ApiRequest {
  const search = new URLSearchParams(query).toString();
  return {
    method,
    path: search === "" ? path : `${path}?${search}`,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}

function nameOf({ method, path }: KubeCall): string {
  return `${method} ${path}`;
}
