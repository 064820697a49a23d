import { connect, type Socket } from "node:net";
import { type AddressOptions, Dial, type DialContext } from "../../dial/dial.ts";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import { connectZoned, hasZone } from "../../runtime/zoned_socket.ts";
import type { HostPort } from "../../wire/destination/host_port.ts";
import { describeDialFailure, describeLookupFailure, describeRefusal, describeTimeout } from "./dial_failure.ts";
import type { DialFailure } from "./dial_failure.ts";
import type { DialOptions } from "./dial_tcp.ts";
import { SocketStream } from "./socket_stream.ts";

/** A dial to a destination ended: with a connection, or with the reason in the words of Go's net package. */
export type DialResult = { readonly ok: true; readonly stream: SocketStream } | {
  readonly ok: false;
  readonly failure: DialFailure;
};

/** What is dialled, as it was asked for. */
export interface DestinationDial {
  readonly network: string;
  readonly address: string;
  readonly target: HostPort;
  readonly options: DialOptions;
}

/** Idle time before TCP keepalive probes an endpoint, as Go's dialler does. */
const tcpKeepaliveMs = 15_000;

function open(to: AddressOptions): Socket {
  if (to.host !== undefined && hasZone(to.host)) return connectZoned({ host: to.host, port: to.port });
  return connect({
    ...to,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepaliveMs,
  });
}

/** Connects to an address, which most dials ask for: nothing is resolved, and there is nothing to race. */
export function connectAddress(host: string, clock: Clock, { network, address, target, options }: DestinationDial) {
  return new Promise<DialResult>((resolve) => {
    const socket = open({ host, port: target.port });
    const finish = (result: DialResult) => {
      limit.cancel();
      options.signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const giveUp = (failure: DialFailure) => {
      socket.removeAllListeners();
      // A destroyed socket may still report an error, and nobody would be there to take it.
      socket.on("error", () => {});
      socket.destroy();
      finish({ ok: false, failure });
    };
    const owner = ownerOf("dial", () => giveUp(internalError(network, address)));
    const onAbort = owned(owner, () => giveUp(canceled(network, address)));
    const limit = clock.after(options.timeoutMs, () => giveUp(describeTimeout(network, address, [])), owner);
    const onError = owned(owner, (error: Error) => {
      giveUp(describeDialFailure(network, address, [{ address: host, error }]));
    });
    const onConnect = owned(owner, () => {
      socket.removeListener("error", onError);
      finish({ ok: true, stream: new SocketStream(socket) });
    });
    options.signal.addEventListener("abort", onAbort);
    socket.once("error", onError);
    socket.once("connect", onConnect);
    if (options.signal.aborted) onAbort();
  });
}

/** Resolves a name and connects to one of its addresses. */
export function connectName(
  family: 0 | 4 | 6,
  context: DialContext,
  { network, address, target, options }: DestinationDial,
) {
  return new Promise<DialResult>((resolve) => {
    const { host, port } = target;
    const { refusal } = options;
    const finish = (result: DialResult) => {
      limit.cancel();
      options.signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const fail = (failure: DialFailure) => finish({ ok: false, failure });
    const giveUp = (failure: DialFailure) => {
      dial.cancel();
      fail(failure);
    };
    const owner = ownerOf("dial", () => giveUp(internalError(network, address)));
    const dial = new Dial<Socket>(
      {
        host,
        port,
        family,
        ...(refusal === undefined ? {} : { refusal: (each: string) => refusal(host, port, each) }),
      },
      open,
      context,
      {
        onConnected: (socket) => finish({ ok: true, stream: new SocketStream(socket) }),
        onUnresolved: (error) => fail(describeLookupFailure(network, host, error)),
        onRefused: (reason) => fail(describeRefusal(network, address, reason)),
        onFailed: (failures) => fail(describeDialFailure(network, address, failures)),
      },
      owner,
      options.asker,
    );
    const onAbort = owned(owner, () => giveUp(canceled(network, address)));
    const limit = context.clock.after(options.timeoutMs, () => {
      giveUp(
        dial.resolving
          ? { reason: "timeout", message: `dial ${network}: lookup ${host}: i/o timeout` }
          : describeTimeout(network, address, dial.failures),
      );
    }, owner);
    options.signal.addEventListener("abort", onAbort);
    if (options.signal.aborted) return onAbort();
    dial.begin();
  });
}

function canceled(network: string, address: string): DialFailure {
  return { reason: "unknown", message: `dial ${network} ${address}: operation was canceled` };
}

function internalError(network: string, address: string): DialFailure {
  return { reason: "unknown", message: `dial ${network} ${address}: internal error` };
}
