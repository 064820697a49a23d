import type { ApiRequest, ApiResponse, ApiTransport } from "../../../src/kube/client/api_transport.ts";
import { KubeError } from "../../../src/kube/client/kube_error.ts";
import { memberOf, textMember } from "../../../src/kube/client/json_value.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import type { VirtualClock } from "../../support/fakes/virtual_clock.ts";
import { LeaseStore } from "../../support/fakes/lease_store.ts";
import type { Network } from "../network/network.ts";
import type { SimSocket } from "../network/sim_socket.ts";
import { hosts, ports } from "./ports.ts";

/** How the API is. */
export type ApiMood = "sound" | "slow" | "throttled" | "fails" | "wrong";

const slowMs = 8_000;

/** A request that came. */
export interface SeenRequest {
  readonly atMs: number;
  readonly from: string;
  readonly method: string;
  readonly name: string;
}

/** The Kubernetes API of a run: the leases, over connections of the simulated network, in whatever mood it is. */
export class SimKubeApi {
  readonly store = new LeaseStore();
  readonly requests: SeenRequest[] = [];
  mood: ApiMood = "sound";
  /** When each lease was renewed last, in the world's time. */
  readonly renewals = new Map<string, number>();
  readonly #clock: VirtualClock;
  readonly #network: Network;
  readonly #onDeleted: (name: string, by: string) => void;

  /** @param onDeleted a lease is about to be deleted that is there */
  constructor(clock: VirtualClock, network: Network, onDeleted: (name: string, by: string) => void) {
    this.#onDeleted = onDeleted;
    this.#clock = clock;
    this.#network = network;
    network.listen(hosts.kubernetes, ports.kubernetes, (socket, from) => this.#serve(socket, from));
  }

  /** How a process on a host reaches it. */
  transport(host: string): ApiTransport {
    const connect = this.#network.from(host);
    return async (request, signal) => {
      let socket: SimSocket;
      try {
        socket = await connect(hosts.kubernetes, ports.kubernetes, signal);
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        throw new KubeError("unreachable", "cannot reach the Kubernetes API", { cause });
      }
      return await exchange(socket, request, signal);
    };
  }

  #serve(socket: SimSocket, from: string): void {
    let text = "";
    const decoder = new TextDecoder();
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      if (bytes instanceof Uint8Array) text += decoder.decode(bytes, { stream: true });
      if (!text.endsWith("\n")) return;
      const request: ApiRequest = JSON.parse(text);
      const delayMs = this.mood === "slow" ? slowMs : 1;
      this.#clock.after(delayMs, () => this.#answer(socket, from, request), ownerOf("kube"));
    });
    socket.on("end", () => socket.end());
  }

  #answer(socket: SimSocket, from: string, { method, path, body }: ApiRequest): void {
    const url = new URL(path, "https://api");
    const name = decodeURIComponent(url.pathname.split("/leases")[1]?.slice(1) ?? "");
    const watches = url.searchParams.get("watch") === "true";
    const seen = { atMs: this.#clock.now(), from, method: watches ? "WATCH" : method, name };
    this.requests.push(seen);
    const head = (status: number, headers = {}) => {
      const date = new Date(this.#clock.timeOfDay()).toUTCString();
      socket.write(encode(`${JSON.stringify({ status, headers: { date, ...headers } })}\n`));
    };
    const answer = (status: number, value: unknown, headers = {}) => {
      head(status, headers);
      socket.end(encode(JSON.stringify(value)));
    };
    const fail = (status: number, reason: string, message = reason) =>
      answer(status, { kind: "Status", code: status, reason, message });
    if (this.mood === "throttled") {
      return answer(429, { reason: "TooManyRequests", message: "too many requests" }, { "retry-after": "1" });
    }
    if (this.mood === "fails") return fail(500, "InternalError");
    if (this.mood === "wrong") {
      head(200);
      return void socket.end(encode('{"kind":"Lea'));
    }
    const content: unknown = body === undefined ? undefined : JSON.parse(body);
    const { names } = this.store;
    this.store.answer({
      method,
      path: url.pathname,
      query: url.searchParams,
      body: content,
      answer: (status, value) => {
        this.#note(method, name === "" ? textMember(memberOf(content, "metadata"), "name") : name);
        if (method === "DELETE" && names.includes(name)) this.#onDeleted(name, from);
        answer(status, value);
      },
      fail,
      stream: () => {
        head(200);
        const end = () => socket.end();
        this.#clock.after(1000 * Number(url.searchParams.get("timeoutSeconds")), end, ownerOf("kube"));
        return { send: (value) => void socket.write(encode(`${JSON.stringify(value)}\n`)), end };
      },
    });
  }

  #note(method: string, name: string): void {
    if (method === "PUT" || method === "POST") this.renewals.set(name, this.#clock.now());
  }
}

const encoder = new TextEncoder();

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Sends a request, and waits for the head of its answer. */
function exchange(socket: SimSocket, request: ApiRequest, signal: AbortSignal): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const body = new Body(socket);
    let text = "";
    let headed = false;
    const gone = () => {
      socket.destroy();
      const error = signal.aborted ? signal.reason : new KubeError("unreachable", "the connection was lost");
      reject(error);
      body.end(error);
    };
    if (signal.aborted) return gone();
    signal.addEventListener("abort", gone);
    socket.on("error", () => {});
    socket.on("close", gone);
    socket.on("end", () => {
      body.complete = headed;
      body.end();
      socket.end();
    });
    socket.on("data", (bytes) => {
      if (!(bytes instanceof Uint8Array)) return;
      if (headed) return body.push(bytes);
      text += new TextDecoder().decode(bytes);
      const at = text.indexOf("\n");
      if (at < 0) return;
      headed = true;
      const { status, headers } = JSON.parse(text.slice(0, at));
      body.statusCode = status;
      body.headers = headers;
      if (at + 1 < text.length) body.push(encode(text.slice(at + 1)));
      resolve(body);
    });
    socket.write(encode(`${JSON.stringify(request)}\n`));
  });
}

/** An answer as it comes. */
class Body implements ApiResponse {
  statusCode = 0;
  headers: ApiResponse["headers"] = {};
  complete = false;
  readonly #socket: SimSocket;
  readonly #chunks: Uint8Array[] = [];
  #over: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(socket: SimSocket) {
    this.#socket = socket;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#wake();
  }

  end(error?: unknown): void {
    this.#over ??= { error };
    this.#wake();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#over !== undefined) {
        if (this.#over.error !== undefined) throw this.#over.error;
        return;
      } else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** All of an answer's body. */
export async function bodyOf(response: ApiResponse): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response) text += decoder.decode(chunk, { stream: true });
  return text;
}
