import type { DestinationStream } from "../../src/agent/dialler.ts";
import type { PacketStream } from "../../src/streams/packet_stream.ts";

/** A fault that is planted in the code under test, to show that a run finds it. */
export interface Mutant {
  readonly aroundLink?: (stream: PacketStream) => PacketStream;
  readonly aroundClient?: (stream: PacketStream) => PacketStream;
  readonly aroundDestination?: (stream: DestinationStream) => DestinationStream;
  /** Stands in for somebody who deletes the leases of servers that live. */
  readonly deletesLeases?: boolean;
}
