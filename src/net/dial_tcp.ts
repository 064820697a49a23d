import { connect, isIP } from "node:net";
import { describeDialFailure, type DialFailure } from "./dial_failure.ts";
import { SocketStream } from "./socket_stream.ts";
import { timeLimit } from "../time/time_limit.ts";
import { parseHostPort } from "../wire/host_port.ts";

/** A dial to a destination ended: with a connection, or with the reason in the words of Go's net package. */
export type DialResult = { readonly ok: true; readonly stream: SocketStream } | {
  readonly ok: false;
  readonly failure: DialFailure;
};

/** Bounds of one dial. */
export interface DialOptions {
  /** Milliseconds for resolving and connecting together. */
  readonly timeoutMs: number;
  /** Gives the dial up; its result is then never looked at. */
  readonly signal: AbortSignal;
}

/** Idle time before TCP keepalive probes an endpoint, as Go's dialler does. */
const tcpKeepaliveMs = 15_000;

/**
 * Connects to a destination over TCP. Names are resolved here, in the agent; all their addresses are tried, both families
 * at once where there are both (RFC 8305).
 * @param network `tcp`, `tcp4` or `tcp6`; every other name is refused as Go refuses an unknown one
 * @param address host:port
 */
export function dialTcp(network: string, address: string, options: DialOptions): Promise<DialResult> {
  const failed = (failure: DialFailure): DialResult => ({ ok: false, failure });
  const family = network === "tcp" ? 0 : network === "tcp4" ? 4 : network === "tcp6" ? 6 : undefined;
  if (family === undefined) {
    return Promise.resolve(failed({ reason: "unknown", message: `dial ${network}: unknown network ${network}` }));
  }
  const target = parseHostPort(address);
  if (typeof target === "string") {
    return Promise.resolve(failed({ reason: "unknown", message: `dial ${network}: address ${address}: ${target}` }));
  }
  const literal = isIP(target.host);
  if (family !== 0 && literal !== 0 && literal !== family) {
    const message = `dial ${network}: address ${target.host}: no suitable address found`;
    return Promise.resolve(failed({ reason: "unknown", message }));
  }
  // The runtime throws at a host with such a byte, which a peer may well send.
  if (target.host.includes("\0")) {
    return Promise.resolve(
      failed({ reason: "unknown", message: `dial ${network}: lookup ${target.host}: no such host` }),
    );
  }
  return new Promise((resolve) => {
    const socket = connect({
      host: target.host,
      port: target.port,
      ...(family === 0 ? {} : { family }),
      autoSelectFamily: literal === 0,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: tcpKeepaliveMs,
    });
    const finish = (result: DialResult) => {
      limit.lift();
      options.signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const giveUp = (error: Error) => {
      socket.removeAllListeners();
      // A destroyed socket may still report an error, and nobody would be there to take it.
      socket.on("error", () => {});
      socket.destroy();
      finish(failed(describeDialFailure(network, address, error)));
    };
    const onAbort = () => giveUp(new Error("operation was canceled"));
    const limit = timeLimit(options.timeoutMs, () => giveUp(timeoutError()));
    options.signal.addEventListener("abort", onAbort);
    socket.once("error", giveUp);
    socket.once("connect", () => {
      socket.removeListener("error", giveUp);
      finish({ ok: true, stream: new SocketStream(socket) });
    });
    if (options.signal.aborted) onAbort();
  });
}

function timeoutError(): Error {
  return Object.assign(new Error("i/o timeout"), { code: "ETIMEDOUT" });
}
