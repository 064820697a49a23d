import { clientFault, plainMaterial } from "../runtime/tls/pem.ts";
import { systemClock } from "../runtime/system_clock.ts";
import type { GrpcTarget } from "../net/http2/grpc_client.ts";
import { type ClientEvents, noClientEvents } from "./client_events.ts";
import { ConnectDialler } from "./connect_dialler.ts";
import { GrpcDialler } from "./grpc_dialler.ts";
import { DiallingClient, newPacketCounts, type ProxyClient } from "./proxy_client.ts";
import { ProxyError } from "./proxy_error.ts";
import { Code, ConnectError } from "@connectrpc/connect";

/** How this client and the proxy trust each other, as PEM text. */
export interface ProxyTls {
  /** Authorities that the proxy's certificate must come from; the runtime's own when absent. */
  readonly ca?: string;
  /** Certificate chain that this client shows, where the proxy asks for one. */
  readonly cert?: string;
  /** Private key of `cert`. */
  readonly key?: string;
  /** Name that the proxy's certificate must carry; the host when absent. */
  readonly serverName?: string;
}

/** Where a proxy listens: on TCP, always with TLS, or on a Unix socket. */
export type ProxyAddress =
  | { readonly transport: "tls"; readonly host: string; readonly port: number; readonly tls?: ProxyTls }
  | { readonly transport: "unix"; readonly path: string };

/** How to reach a proxy, and how patiently. */
export type ConnectOptions = ProxyAddress & {
  /** What the proxy speaks; its `--mode`. */
  readonly mode: "grpc" | "http-connect";
  /** Name of this client in the proxy's logs. Default `konnectivity-deno`. */
  readonly userAgent?: string;
  /** Milliseconds that a dial may take, connecting to the proxy included. Default 30,000. */
  readonly dialTimeoutMs?: number;
  /** Milliseconds that the proxy may take to confirm the end of a tunnel. Default 10,000. */
  readonly closeTimeoutMs?: number;
  /** Called as things fail, for metrics. */
  readonly events?: Partial<ClientEvents>;
  /** Gives connecting up when it aborts. */
  readonly signal?: AbortSignal;
};

/**
 * Connects to a proxy.
 *
 * In mode `grpc` one HTTP/2 connection carries all tunnels; it is made now, and anew by the next dial after it was lost.
 * In mode `http-connect` each dial makes a connection of its own, so that nothing is connected yet, and an unreachable
 * proxy shows at the first dial.
 * @throws {ProxyError} `proxy-unreachable`, `bad-tls` or `cancelled`
 */
export async function connect(options: ConnectOptions): Promise<ProxyClient> {
  const {
    mode,
    userAgent = "konnectivity-deno",
    dialTimeoutMs = 30_000,
    closeTimeoutMs = 10_000,
    signal = new AbortController().signal,
  } = options;
  const events = { ...noClientEvents, ...options.events };
  const packets = newPacketCounts();
  const clock = systemClock;
  const settings = { clock, dialTimeoutMs, closeTimeoutMs, events, packets };
  const target = targetOf(options);
  if (mode === "http-connect") return new DiallingClient(new ConnectDialler(target, userAgent, clock), settings);
  const dialler = new GrpcDialler({
    target,
    clock,
    userAgent,
    connectTimeoutMs: dialTimeoutMs,
    packets,
    onStreamFailed: (error) => {
      events.streamFailed("to_client", Code[ConnectError.from(error).code] ?? "Unknown", "Unknown");
    },
  });
  try {
    await dialler.connect(signal);
  } catch (error) {
    await dialler.close();
    throw error instanceof ProxyError
      ? error
      : new ProxyError("cancelled", "connecting to the proxy was cancelled", { cause: error });
  }
  return new DiallingClient(dialler, settings);
}

/** An address as both kinds of proxy connections take it. @throws {ProxyError} `bad-tls` */
function targetOf(address: ProxyAddress): GrpcTarget {
  if (address.transport === "unix") return { kind: "unix", path: address.path };
  const { serverName, ...tls } = address.tls ?? {};
  const fault = clientFault(tls);
  if (fault !== undefined) throw new ProxyError("bad-tls", `cannot use the given certificates: ${fault}`);
  const { host, port } = address;
  return { kind: "tls", host, port, tls: plainMaterial(tls), ...(serverName === undefined ? {} : { serverName }) };
}
