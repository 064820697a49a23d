import { owned, ownerOf } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import { PacketCounts } from "../wire/packet_counts.ts";
import type { ClientEvents, ClientGauges } from "./client_events.ts";
import type { Dialler } from "./dialled_stream.ts";
import { dialFailureReason, ProxyError } from "./proxy_error.ts";
import { type Tunnel, WebTunnel } from "./tunnel.ts";
import { exchange, prepare, type TunnelRequestInit } from "./tunnel_fetch.ts";

/** How to dial. */
export interface DialOptions {
  /** Gives the dial up when it aborts; the proxy is informed. It has no effect once the dial is done. */
  readonly signal?: AbortSignal;
}

/** A proxy through which destinations are dialled. */
export interface ProxyClient extends AsyncDisposable {
  /**
   * Connects to a destination.
   * @param address host:port, as the agent shall resolve and dial it; an IPv6 host stands in brackets
   * @throws {ProxyError} whose `code` says what failed
   * @throws {TypeError} the address has blanks or control characters
   */
  dial(address: string, options?: DialOptions): Promise<Tunnel>;
  /**
   * Requests a URL through a tunnel of its own, as {@link fetchOver} describes. The tunnel is closed when the body was
   * read or cancelled.
   * @throws {ProxyError} whose `code` says what failed; the signal's reason when it aborts
   */
  fetch(input: Request | URL | string, init?: TunnelRequestInit): Promise<Response>;
  /** Fulfilled by {@link close}; a lost proxy does not end a client, since the next dial connects anew. Never rejects. */
  readonly closed: Promise<void>;
  /** What metrics show; counts go on from the beginning of the client. */
  readonly gauges: ClientGauges;
  /**
   * Ends the client: dials fail with `tunnel-closed`, open tunnels are closed in order (at most 10 seconds), then the
   * connection to the proxy. Never rejects; further calls wait for the same end.
   */
  close(): Promise<void>;
}

/** Bounds and hooks of a client, all given. */
export interface ProxyClientSettings {
  readonly clock: Clock;
  readonly dialTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly events: ClientEvents;
  readonly packets: ClientGauges["packets"];
}

/** Counters for a client's two directions. */
export function newPacketCounts(): ClientGauges["packets"] {
  return { from_client: new PacketCounts(), to_client: new PacketCounts() };
}

/** The dials and tunnels of one proxy, whichever way it is spoken to. */
export class DiallingClient implements ProxyClient, ClientGauges {
  readonly closed: Promise<void>;
  readonly packets: ClientGauges["packets"];
  readonly #dialler: Dialler;
  readonly #settings: ProxyClientSettings;
  readonly #closed = Promise.withResolvers<void>();
  /** Dials in progress, by what aborts them, and what is to be waited for when closing. */
  readonly #dials = new Map<AbortController, Promise<unknown>>();
  readonly #tunnels = new Set<WebTunnel>();
  #closing: Promise<void> | undefined;

  constructor(dialler: Dialler, settings: ProxyClientSettings) {
    this.#dialler = dialler;
    this.#settings = settings;
    this.packets = settings.packets;
    this.closed = this.#closed.promise;
  }

  get gauges(): ClientGauges {
    return this;
  }

  get dialing(): number {
    return this.#dials.size;
  }

  get open(): number {
    return this.#tunnels.size;
  }

  async dial(address: string, options: DialOptions = {}): Promise<Tunnel> {
    // deno-lint-ignore no-control-regex
    if (address === "" || /[\s\x00-\x20\x7f]/.test(address)) {
      throw new TypeError(`address ${JSON.stringify(address)} is empty or has blanks; give host:port`);
    }
    const abort = new AbortController();
    const dial = this.#dial(address, abort, options.signal);
    this.#dials.set(abort, dial);
    try {
      return await dial;
    } catch (error) {
      this.#settings.events.dialFailed(dialFailureReason(error));
      throw error;
    } finally {
      this.#dials.delete(abort);
    }
  }

  async fetch(input: Request | URL | string, init: TunnelRequestInit = {}): Promise<Response> {
    const prepared = await prepare(input, init);
    const { signal } = prepared.request;
    let tunnel: Tunnel;
    try {
      tunnel = await this.dial(authorityOf(prepared.url), { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
    return await exchange(tunnel, prepared, () => void tunnel.close());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #dial(address: string, abort: AbortController, signal: AbortSignal | undefined): Promise<Tunnel> {
    if (this.#closing !== undefined) throw clientClosed();
    const { clock, dialTimeoutMs, closeTimeoutMs } = this.#settings;
    const owner = ownerOf("dial", (error) => abort.abort(error));
    const onAbort = owned(owner, () => {
      abort.abort(new ProxyError("cancelled", `dial of ${address} cancelled`, { cause: signal?.reason }));
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort);
    const timeout = `dial timeout, backstop: no answer for ${address} in ${dialTimeoutMs / 1000} s`;
    const late = () => abort.abort(new ProxyError("dial-timeout", timeout));
    const patience = clock.after(dialTimeoutMs, late, owner);
    try {
      abort.signal.throwIfAborted();
      const tunnel = new WebTunnel(address, await this.#dialler.dial(address, abort.signal), closeTimeoutMs, clock);
      this.#tunnels.add(tunnel);
      tunnel.closed.catch(() => {}).finally(() => this.#tunnels.delete(tunnel));
      return tunnel;
    } finally {
      patience.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #close(): Promise<void> {
    for (const abort of this.#dials.keys()) abort.abort(clientClosed());
    // A dial that had its answer already becomes a tunnel in the meantime.
    await Promise.allSettled(this.#dials.values());
    await Promise.all([...this.#tunnels].map((tunnel) => tunnel.close()));
    await this.#dialler.close();
    this.#closed.resolve();
  }
}

function clientClosed(): ProxyError {
  return new ProxyError("tunnel-closed", "tunnel closed: the proxy client is closed");
}

/** host:port that a URL's connection goes to. */
function authorityOf(url: URL): string {
  return `${url.hostname}:${url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port}`;
}
