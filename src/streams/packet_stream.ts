import type { ConnectId } from "../wire/connect_id.ts";
import type { Packet } from "../wire/packet.ts";
import type { PacketSink } from "../wire/packet_reader.ts";

/** Why a packet stream ended: in order, or with the error that the peer gave or that this side met. */
export type StreamEnd = { readonly kind: "ended" } | { readonly kind: "failed"; readonly error: Error };

/** What a packet stream reports to its owner. After {@link onClose} nothing more comes. */
export interface PacketStreamHandler extends PacketSink {
  /** The stream takes data again after a send returned false. */
  onDrain(): void;
  /** The peer sends no more packets; this side still may. */
  onEnd(): void;
  /** Called once, when the stream is gone for whatever reason. */
  onClose(end: StreamEnd): void;
}

/**
 * Packets both ways over one stream, whatever carries it: an HTTP/2 stream, a typed RPC stream, a pair in memory.
 * Sending never fails: on a stream that is gone it does nothing, and {@link PacketStreamHandler.onClose} says so.
 */
export interface PacketStream {
  /** The packets are frames of a direct link, not messages of a gRPC stream. */
  readonly direct?: true;
  /** The shortest time in which the peer has answered a ping, in milliseconds; 0 while it is not known. */
  readonly roundTripMs: number;
  /**
   * Pings the peer, where the stream can, so that {@link roundTripMs} becomes known.
   * @param onAnswer called with the answer, behind which everything that was sent before has arrived; at once where the
   * stream cannot ping, never when it ends before
   */
  measure(onAnswer?: () => void): void;
  /** Starts delivery to `handler`. Called once. */
  start(handler: PacketStreamHandler): void;
  /** Sends a packet that is not DATA. Small and never queued behind data; false as in {@link sendData}. */
  sendPacket(packet: Packet): boolean;
  /**
   * Sends a non-empty payload as one DATA packet, without a copy: the caller must not write to it any more.
   * @returns false when the caller should pause until `onDrain`; the payload was taken all the same
   */
  sendData(id: ConnectId, payload: Uint8Array): boolean;
  /**
   * Says that a tunnel is interactive for so many milliseconds from now on: somebody waits for each of its small payloads.
   * A stream that would otherwise have much in flight keeps it small meanwhile.
   */
  interactive?(forMs: number): void;
  /** Stops delivery of packets, and with it reading from the peer. What was read already may still arrive. */
  pause(): void;
  resume(): void;
  /** Ends this side in order: everything sent before still goes out. With `error`, the peer learns why. */
  end(error?: Error): void;
  /** Drops the stream at once, with what was not sent yet. */
  destroy(error: Error): void;
}
