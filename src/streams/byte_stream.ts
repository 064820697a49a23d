/** What a byte stream reports to its owner. After {@link onClose} nothing more comes. */
export interface ByteStreamHandler {
  /** Bytes from the peer; the view may be kept. */
  onData(bytes: Uint8Array): void;
  /** The stream takes bytes again after a write returned false. */
  onDrain(): void;
  /** The peer sends no more; this side still may. */
  onEnd(): void;
  /** Called once, when both sides are done or the stream broke; the error says why it broke. */
  onClose(error: Error | undefined): void;
}

/** A connection's bytes both ways: a client's, an agent's socket to a destination, or a channel of the link between them. */
export interface ByteStream {
  /** Starts delivery to `handler`. Called once. */
  start(handler: ByteStreamHandler): void;
  /**
   * Writes bytes without a copy: the caller must not change them any more.
   * @returns false when the caller should pause until `onDrain`; the bytes were taken all the same
   */
  write(bytes: Uint8Array): boolean;
  /** Stops delivery. What was read already may still come. */
  pause(): void;
  resume(): void;
  /** Ends this side in order, after everything written. */
  end(): void;
  /** Ends both sides at once, because of an error where there is one. */
  destroy(error?: Error): void;
}
