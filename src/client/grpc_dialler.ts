import { ProxyService } from "../../gen/client/client_pb.ts";
import { connectGrpc, type GrpcConnection, type GrpcTarget, type OpenedCall } from "../net/grpc_client.ts";
import { isTlsFailure } from "../net/tls_failure.ts";
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
      const call = this.#call(await this.connect(signal));
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
      const onAbort = () => tunnel.giveUp(signal.reason);
      const tunnel = new PacketTunnel(call.stream, { protocol: "tcp", address }, randomDialId(), {
        onStreamFailed: this.#options.onStreamFailed,
        onDialed: (error) => {
          signal.removeEventListener("abort", onAbort);
          if (error === undefined) resolve(tunnel);
          else reject(error);
        },
      });
      signal.addEventListener("abort", onAbort);
      call.metadata.then((answer) => {
        if (parseFeatures(answer(metadataKeys.features)[0]).has("half-close")) tunnel.allowHalfClose();
      }, () => {
        // Without metadata there is no tunnel either, and the dial says why.
      });
      tunnel.dial();
      if (signal.aborted) onAbort();
    });
  }

  async #open(): Promise<GrpcConnection> {
    const { target, connectTimeoutMs } = this.#options;
    const limit = new AbortController();
    const timeout = new ProxyError("proxy-unreachable", `no answer from the proxy in ${connectTimeoutMs / 1000} s`);
    const patience = setTimeout(() => limit.abort(timeout), connectTimeoutMs);
    try {
      this.#connection = await connectGrpc(target, AbortSignal.any([limit.signal, this.#closing.signal]));
      return this.#connection;
    } catch (error) {
      if (error instanceof ProxyError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new ProxyError(isTlsFailure(error) ? "bad-tls" : "proxy-unreachable", message, { cause: error });
    } finally {
      clearTimeout(patience);
    }
  }
}

/** The promise's outcome, or the signal's reason if that comes first. */
async function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A number of 63 random bits, as the protocol wants it. */
function randomDialId(): bigint {
  return (crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n) >> 1n;
}
