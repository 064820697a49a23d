/** First byte of the PING behind a GOAWAY, whose answer says that the peer has received it, and of a keepalive PING. */
const drainPing = 0x64;
const probePing = 0x70;

/** Tells the answers to this side's pings apart. Peers answer in order (RFC 9113, section 6.7). */
export class Pings {
  #probes: (() => void)[] | undefined;
  #onDrained: (() => void) | undefined;

  /** The payload of a keepalive PING. */
  probe(onPong: () => void): Uint8Array {
    this.#probes ??= [];
    this.#probes.push(onPong);
    return Uint8Array.of(probePing, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The payload of the PING behind a GOAWAY. */
  drain(onPong: () => void): Uint8Array {
    this.#onDrained = onPong;
    return Uint8Array.of(drainPing, 0, 0, 0, 0, 0, 0, 0);
  }

  /** The peer answered; an answer to nothing is ignored. */
  answered(payload: Uint8Array): void {
    if (payload[0] === probePing) this.#probes?.shift()?.();
    if (payload[0] !== drainPing) return;
    const onDrained = this.#onDrained;
    this.#onDrained = undefined;
    onDrained?.();
  }
}
