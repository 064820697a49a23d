/**
 * Why a peer's bytes are no packet stream:
 * - `malformed`: a message that protobuf cannot decode
 * - `compressed`: a message with the compressed flag; this service offers no compression
 * - `too-large`: a message beyond the limit
 * - `truncated`: the stream ended inside a message
 */
export type PacketErrorCode = "malformed" | "compressed" | "too-large" | "truncated";

/** A peer broke the framing or the encoding; its stream ends, and nothing else does. */
export class PacketError extends Error {
  override readonly name = "PacketError";
  readonly code: PacketErrorCode;

  constructor(code: PacketErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
