import type { DestinationStream } from "../../src/agent/dialler.ts";
import type { PacketStream } from "../../src/streams/packet_stream.ts";
import { type ConnectId, connectId } from "../../src/wire/connect_id.ts";
import { PacketType } from "../../src/wire/packet.ts";
import { wrapped } from "./processes/wrapped_stream.ts";

/** A fault that is planted around the code under test, to show that a run finds it. */
export interface Mutant {
  readonly aroundLink?: (stream: PacketStream) => PacketStream;
  readonly aroundClient?: (stream: PacketStream) => PacketStream;
  readonly aroundDestination?: (stream: DestinationStream) => DestinationStream;
  /** Somebody deletes the leases of servers that live. */
  readonly deletesLeases?: boolean;
}

interface Data {
  readonly id: ConnectId;
  readonly payload: Uint8Array;
}

/** Has each tenth DATA packet that comes over a link handed on otherwise. Counts over all links of a run. */
function eachTenth(change: (data: Data, hand: (data: Data) => void) => void): Mutant {
  let count = 0;
  return {
    aroundLink: (stream) =>
      wrapped(stream, {
        incoming: (handler) => ({
          onData(id, payload) {
            const hand = (data: Data) => handler.onData(data.id, data.payload);
            if (++count % 10 === 0) change({ id, payload }, hand);
            else hand({ id, payload });
          },
        }),
      }),
  };
}

/** A fault of each kind, made anew for each run. */
export const mutants: Readonly<Record<string, () => Mutant>> = {
  "a lost packet": () => eachTenth(() => {}),
  "a packet twice": () =>
    eachTenth((data, hand) => {
      hand(data);
      hand(data);
    }),
  "a packet cut short": () => eachTenth(({ id, payload }, hand) => hand({ id, payload: payload.subarray(1) })),
  "two packets in each other's place": () => {
    let held: Data | undefined;
    return {
      aroundLink: (stream) =>
        wrapped(stream, {
          incoming: (handler) => ({
            onData(id, payload) {
              if (held === undefined) return void (held = { id, payload });
              handler.onData(id, payload);
              handler.onData(held.id, held.payload);
              held = undefined;
            },
          }),
        }),
    };
  },
  "a packet for another tunnel": () =>
    eachTenth(({ id, payload }, hand) =>
      hand({ id: connectId(BigInt(id) > 1n ? BigInt(id) - 1n : BigInt(id) + 1n), payload })
    ),
  "a dial answered twice": () => ({
    aroundClient: (stream) =>
      wrapped(stream, {
        outgoing: {
          sendPacket(packet) {
            if (packet.type === PacketType.DIAL_RSP) stream.sendPacket(packet);
            return stream.sendPacket(packet);
          },
        },
      }),
  }),
  "a dial that is never answered": () => ({
    aroundClient: (stream) =>
      wrapped(stream, {
        outgoing: { sendPacket: (packet) => packet.type === PacketType.DIAL_RSP || stream.sendPacket(packet) },
      }),
  }),
  "an end that is swallowed": () => ({
    aroundLink: (stream) =>
      wrapped(stream, {
        incoming: (handler) => ({
          onPacket(packet) {
            if (packet.type !== PacketType.CLOSE_WRITE) handler.onPacket(packet);
          },
        }),
      }),
  }),
  "a socket that is never closed": () => ({
    aroundDestination: (stream) => ({
      start: (handler) =>
        stream.start({
          onData: (bytes) => handler.onData(bytes),
          onDrain: () => handler.onDrain(),
          onEnd: () => handler.onEnd(),
          onClose: () => {},
        }),
      write: (bytes) => stream.write(bytes),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
      end: () => stream.end(),
      destroy: () => stream.destroy(),
    }),
  }),
  "credit that does not come back": () => ({
    aroundLink: (stream) =>
      wrapped(stream, {
        incoming: (handler) => ({
          onPacket(packet) {
            if (packet.type !== PacketType.WINDOW) handler.onPacket(packet);
          },
        }),
      }),
  }),
  "a lease deleted while its server lives": () => ({ deletesLeases: true }),
};
