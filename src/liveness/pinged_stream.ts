import { Code, ConnectError } from "@connectrpc/connect";
import type { PacketStream, PacketStreamHandler } from "../streams/packet_stream.ts";
import type { ConnectId } from "../wire/connect_id.ts";
import { type Packet, PacketType, ping, pong } from "../wire/packet.ts";
import { Keepalive, type KeepaliveClock, type KeepaliveOptions } from "./keepalive.ts";

/**
 * A link whose ends have the feature `ping`: its pings are packets. An HTTP proxy between the ends answers the pings of
 * HTTP/2 by itself, and so shows neither that the other end lives nor how far away it is, nor does it take them for a sign
 * that the call is in use.
 *
 * It begins with a ping: nginx (1.22) passes the headers of a response on with the first message behind them, so that an
 * agent would not learn that it was accepted.
 */
export class PingedStream implements PacketStream {
  readonly #inner: PacketStream;
  readonly #clock: KeepaliveClock;
  readonly #keepalive: Keepalive | undefined;
  /** What waits for a PONG each, the oldest first. */
  readonly #waiting: (() => void)[] = [];
  #roundTripMs = 0;
  #activity = 0;

  /** @param keepalive when the peer is given up, and the link with it; absent: that is not looked at here */
  constructor(inner: PacketStream, clock: KeepaliveClock, keepalive?: KeepaliveOptions) {
    this.#inner = inner;
    this.#clock = clock;
    if (keepalive !== undefined) this.#keepalive = new Keepalive(this.#watched(keepalive), keepalive, clock);
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  measure(onAnswer?: () => void): void {
    if (onAnswer === undefined && this.#waiting.length > 0) return;
    const since = this.#clock.now();
    this.#waiting.push(() => {
      const tookMs = this.#clock.now() - since;
      this.#roundTripMs = this.#roundTripMs === 0 ? tookMs : Math.min(this.#roundTripMs, tookMs);
      onAnswer?.();
    });
    this.#inner.sendPacket(ping());
  }

  start(handler: PacketStreamHandler): void {
    this.#inner.start({
      onData: (id, payload) => {
        this.#activity++;
        handler.onData(id, payload);
      },
      onPacket: (packet) => {
        this.#activity++;
        if (!this.#take(packet)) handler.onPacket(packet);
      },
      onDrain: () => {
        this.#activity++;
        handler.onDrain();
      },
      onEnd: () => handler.onEnd(),
      onClose: (end) => {
        this.#keepalive?.stop();
        handler.onClose(end);
      },
    });
    this.#keepalive?.start();
    this.measure();
  }

  sendPacket(packet: Packet): boolean {
    return this.#inner.sendPacket(packet);
  }

  sendData(id: ConnectId, payload: Uint8Array): boolean {
    return this.#inner.sendData(id, payload);
  }

  interactive(forMs: number): void {
    this.#inner.interactive?.(forMs);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  end(error?: Error): void {
    this.#inner.end(error);
  }

  destroy(error: Error): void {
    this.#inner.destroy(error);
  }

  /** @returns whether the packet was one of these; a PONG that nobody waits for is ignored */
  #take({ type }: Packet): boolean {
    if (type === PacketType.PING) this.#inner.sendPacket(pong());
    else if (type === PacketType.PONG) this.#waiting.shift()?.();
    else return false;
    return true;
  }

  #watched({ timeoutMs }: KeepaliveOptions) {
    const activity = () => this.#activity;
    return {
      get activity() {
        return activity();
      },
      probe: () => new Promise<void>((resolve) => this.measure(resolve)),
      onTimeout: () => {
        const why = `peer has not answered a ping for ${timeoutMs / 1000} s`;
        this.#inner.destroy(new ConnectError(why, Code.Unavailable));
      },
    };
  }
}
