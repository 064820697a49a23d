import { beforeAbort } from "../faults/before_abort.ts";
import { follow, owned, ownerOf } from "../faults/owned.ts";
import { ProxyService } from "../../gen/client/client_pb.ts";
import { connectGrpc, type GrpcConnection, type GrpcTarget, type OpenedCall } from "../net/http2/grpc_client.ts";
import type { Clock } from "../runtime/clock.ts";
import { isTlsFailure } from "../net/tls/tls_failure.ts";
import { formatFeatures, metadataKeys, parseFeatures } from "../wire/metadata.ts";
import type { PacketCounts } from "../wire/packet_counts.ts";
import type { ClientSegment } from "./client_events.ts";
import type { DialledStream, Dialler } from "./dialled_stream.ts";
import { PacketTunnel } from "./packet_tunnel.ts";
import { ProxyError } from "./proxy_error.ts";

const proxyPath = `/${ProxyService.typeName}/${ProxyService.method.proxy.name}`;

/** How often a dial is made whose stream the proxy refuses unseen. */
const maxAttempts = 3;

/** What a gRPC dialler needs to know. */
export interface GrpcDiallerOptions {
  readonly target: GrpcTarget;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Milliseconds for connecting to the proxy, however many dials wait for it. */
  readonly connectTimeoutMs: number;
  readonly packets: Readonly<Record<ClientSegment, PacketCounts>>;
  readonly onStreamFailed: (error: Error) => void;
}

/** Dials over one HTTP/2 connection, one stream for each; a connection that is lost is made anew by the next dial. */
export class GrpcDialler implements Dialler {
  readonly #options: GrpcDiallerOptions;
  readonly #closing = new AbortController();
  #connection: GrpcConnection | undefined;
  #connecting: Promise<GrpcConnection> | undefined;

  constructor(options: GrpcDiallerOptions) {
    this.#options = options;
  }

  /** Connects unless that is done. The signal ends only this caller's waiting. @throws {ProxyError} */
  async connect(signal: AbortSignal): Promise<GrpcConnection> {
    if (this.#connection?.usable === true) return this.#connection;
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return await beforeAbort(this.#connecting, signal);
  }

  async dial(address: string, signal: AbortSignal): Promise<DialledStream> {
    for (let attempt = 1;; attempt++) {
      const call = await this.#opened(signal);
      try {
        return await this.#dialOn(call, address, signal);
      } catch (error) {
        // A proxy that goes away refuses what it has not looked at; another connection leads to the next one.
        if (!call.refused || attempt === maxAttempts) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new ProxyError("tunnel-closed", "proxy client is closed"));
    await this.#connecting?.catch(() => {});
    this.#connection?.close();
    await this.#connection?.closed;
  }

  /** A call on a connection that takes one: a connection may be lost between the moment it was there and the call. */
  async #opened(signal: AbortSignal): Promise<OpenedCall> {
    for (let attempt = 1;; attempt++) {
      const connection = await this.connect(signal);
      try {
        return this.#call(connection);
      } catch (error) {
        if (connection.usable || attempt === maxAttempts) throw error;
      }
    }
  }

  #call(connection: GrpcConnection): OpenedCall {
    try {
      return connection.open(proxyPath, {
        [metadataKeys.features]: formatFeatures(["early-data", "half-close"]),
        "user-agent": this.#options.userAgent,
      }, { sent: this.#options.packets.from_client, received: this.#options.packets.to_client });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new ProxyError("tunnel-closed", `connection to the proxy was lost: ${message}`, { cause: error });
    }
  }

  #dialOn(call: OpenedCall, address: string, signal: AbortSignal): Promise<DialledStream> {
    return new Promise((resolve, reject) => {
      const owner = ownerOf("dial", reject);
      const onAbort = owned(owner, () => tunnel.giveUp(signal.reason));
      const tunnel = new PacketTunnel(call.stream, { protocol: "tcp", address }, randomDialId(), {
        onStreamFailed: this.#options.onStreamFailed,
        onDialed: (error) => {
          signal.removeEventListener("abort", onAbort);
          if (error === undefined) resolve(tunnel);
          else reject(error);
        },
      });
      signal.addEventListener("abort", onAbort);
      // Without metadata there is no tunnel either, and the dial says why.
      const answered = call.metadata.then((answer) => {
        if (parseFeatures(answer(metadataKeys.features)[0]).has("half-close")) tunnel.allowHalfClose();
      }, () => {});
      follow(owner, answered);
      tunnel.dial();
      if (signal.aborted) onAbort();
    });
  }

  async #open(): Promise<GrpcConnection> {
    const { target, clock, connectTimeoutMs } = this.#options;
    const limit = new AbortController();
    const timeout = new ProxyError("proxy-unreachable", `no answer from the proxy in ${connectTimeoutMs / 1000} s`);
    const patience = clock.after(connectTimeoutMs, () => limit.abort(timeout), ownerOf("dial"));
    try {
      this.#connection = await connectGrpc(target, AbortSignal.any([limit.signal, this.#closing.signal]), clock);
      return this.#connection;
    } catch (error) {
      if (error instanceof ProxyError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new ProxyError(isTlsFailure(error) ? "bad-tls" : "proxy-unreachable", message, { cause: error });
    } finally {
      patience.cancel();
    }
  }
}

/** A number of 63 random bits, as the protocol wants it. */
function randomDialId(): bigint {
  return (crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n) >> 1n;
}
