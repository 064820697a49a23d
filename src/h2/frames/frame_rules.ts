import { frameFlag, frameType, h2Code } from "./frame.ts";

/** Why a peer's bytes end its connection: an error code, and a text for the peer's log. */
export interface Fault {
  readonly code: number;
  readonly message: string;
}

/** What is wrong with a frame regardless of the connection's state (RFC 9113, section 6); undefined when nothing is. */
export function frameFault(type: number, flags: number, streamId: number, length: number): Fault | undefined {
  switch (type) {
    case frameType.headers:
      // Also the connection's 0: clients open streams with odd numbers.
      return streamId % 2 === 0 ? protocol(`HEADERS on stream ${streamId}`) : undefined;
    case frameType.priority:
      return streamId === 0 ? protocol("PRIORITY on the connection") : undefined;
    case frameType.rstStream:
      return length !== 4 ? size("RST_STREAM", length) : undefined;
    case frameType.settings: {
      if (streamId !== 0) return protocol("SETTINGS on a stream");
      const ack = (flags & frameFlag.ack) !== 0;
      return (ack ? length > 0 : length % 6 !== 0) ? size("SETTINGS", length) : undefined;
    }
    case frameType.pushPromise:
      return protocol("PUSH_PROMISE from a client");
    case frameType.ping:
      if (streamId !== 0) return protocol("PING on a stream");
      return length !== 8 ? size("PING", length) : undefined;
    case frameType.goaway:
      if (streamId !== 0) return protocol("GOAWAY on a stream");
      return length < 8 ? size("GOAWAY", length) : undefined;
    case frameType.windowUpdate:
      return length !== 4 ? size("WINDOW_UPDATE", length) : undefined;
    default:
      return undefined;
  }
}

function protocol(message: string): Fault {
  return { code: h2Code.protocolError, message };
}

function size(frame: string, length: number): Fault {
  return { code: h2Code.frameSizeError, message: `${frame} of ${length} bytes` };
}
