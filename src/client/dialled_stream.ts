import type { ByteStream } from "../streams/byte_stream.ts";

/** A connection to a destination as the two kinds of proxy give it; what its Web Streams stand on. */
export interface DialledStream extends ByteStream {
  /**
   * Ends both ways in order: what was written still arrives, what still comes is dropped. The handler's `onClose` says
   * when the proxy has confirmed it.
   */
  close(): void;
}

/** Makes such connections: one for each kind of proxy. */
export interface Dialler {
  /**
   * Dials a destination. The signal's reason, a ProxyError, is what an aborted dial rejects with.
   * @throws {ProxyError}
   */
  dial(address: string, signal: AbortSignal): Promise<DialledStream>;
  /** Drops whatever is open. */
  close(): Promise<void>;
}
