import type { PacketStream, PacketStreamHandler } from "../../../src/streams/packet_stream.ts";

/** What a wrapper does otherwise than the stream that it stands around. */
export interface StreamChanges {
  /** Sees what comes before the owner of the stream does. */
  readonly incoming?: (handler: PacketStreamHandler) => Partial<PacketStreamHandler>;
  /** What is sent, and the like. */
  readonly outgoing?: Partial<PacketStream>;
}

/** A packet stream around another. */
export function wrapped(inner: PacketStream, { incoming = () => ({}), outgoing = {} }: StreamChanges): PacketStream {
  const stream: PacketStream = {
    get roundTripMs() {
      return inner.roundTripMs;
    },
    measure: (onAnswer) => inner.measure(onAnswer),
    start: (handler) =>
      inner.start({
        onData: (id, payload) => handler.onData(id, payload),
        onPacket: (packet) => handler.onPacket(packet),
        onDrain: () => handler.onDrain(),
        onEnd: () => handler.onEnd(),
        onClose: (end) => handler.onClose(end),
        ...incoming(handler),
      }),
    sendPacket: (packet) => inner.sendPacket(packet),
    sendData: (id, payload) => inner.sendData(id, payload),
    interactive: (forMs) => inner.interactive?.(forMs),
    pause: () => inner.pause(),
    resume: () => inner.resume(),
    end: (error) => inner.end(error),
    destroy: (error) => inner.destroy(error),
  };
  return Object.defineProperties(stream, Object.getOwnPropertyDescriptors(outgoing));
}
