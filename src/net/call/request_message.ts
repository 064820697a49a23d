import { Code, ConnectError } from "@connectrpc/connect";
import { readUint32 } from "../../wire/bytes.ts";
import { grpcPrefixBytes } from "../../wire/limits.ts";

/** Reads the one message of a request, and never keeps more of it than it may be long. */
export class RequestMessage {
  readonly #maxBytes: number;
  readonly #prefix = new Uint8Array(grpcPrefixBytes);
  #prefixBytes = 0;
  #message: Uint8Array | undefined;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes of the body.
   * @returns the message, once it is whole; what may follow it is nobody's
   * @throws {ConnectError} it is compressed, or longer than it may be
   */
  push(bytes: Uint8Array): Uint8Array | undefined {
    const head = bytes.subarray(0, grpcPrefixBytes - this.#prefixBytes);
    this.#prefix.set(head, this.#prefixBytes);
    this.#prefixBytes += head.length;
    if (this.#prefixBytes < grpcPrefixBytes) return undefined;
    this.#message ??= new Uint8Array(this.#announced());
    const rest = bytes.subarray(head.length).subarray(0, this.#message.length - this.#bytes);
    this.#message.set(rest, this.#bytes);
    this.#bytes += rest.length;
    return this.#bytes === this.#message.length ? this.#message : undefined;
  }

  /** Why a body that ends now is none. */
  get incomplete(): ConnectError {
    return this.#prefixBytes === 0
      ? new ConnectError("request without a message, expected one", Code.Unimplemented)
      : new ConnectError("request ends within its message", Code.Internal);
  }

  #announced(): number {
    const [flags = 0] = this.#prefix;
    if (flags !== 0) {
      throw new ConnectError(`message with flags ${flags}, expected one that is not compressed`, Code.Unimplemented);
    }
    const length = readUint32(this.#prefix, 1);
    if (length > this.#maxBytes) {
      throw new ConnectError(`message of ${length} bytes, expected ${this.#maxBytes} at most`, Code.ResourceExhausted);
    }
    return length;
  }
}
