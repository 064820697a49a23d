/** What a client's first message (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) says of versions and of an earlier session. */
export interface ClientHello {
  readonly versions: ReadonlySet<"TLSv1.2" | "TLSv1.3">;
  /** It offers to resume a session of TLS 1.3: it sends a pre-shared key. */
  readonly offersKey: boolean;
  /** It offers to resume a session of TLS 1.2: it sends a ticket. */
  readonly offersTicket: boolean;
}

/** A ClientHello that is longer, or cut into more records, is no honest one; it is left to the runtime. */
const maxHelloBytes = 64 * 1024;
const maxRecords = 16;

const contentHandshake = 22;
const messageClientHello = 1;
const extension = { sessionTicket: 35, preSharedKey: 41, supportedVersions: 43 } as const;

/**
 * Reads the ClientHello at the beginning of a connection, across records.
 * @returns how many bytes there have to be at least to say more; `other` for what is no ClientHello
 */
export function readClientHello(bytes: Uint8Array): ClientHello | number | "other" {
  const message = handshakeMessage(bytes);
  if (!(message instanceof Uint8Array)) return message;
  try {
    return parse(new Reader(message));
  } catch (error) {
    if (error instanceof RangeError) return "other";
    throw error;
  }
}

/** The body of the first handshake message, which may be cut into several records. */
function handshakeMessage(bytes: Uint8Array): Uint8Array | number | "other" {
  const pieces: Uint8Array[] = [];
  let collected = 0;
  let wanted = 4;
  for (let at = 0; collected < wanted;) {
    if (at < bytes.length && bytes[at] !== contentHandshake) return "other";
    if (at + 5 > bytes.length) return at + 5;
    const length = byte(bytes, at + 3) * 256 + byte(bytes, at + 4);
    if (length === 0 || pieces.length === maxRecords) return "other";
    if (at + 5 + length > bytes.length) return at + 5 + length;
    const piece = bytes.subarray(at + 5, at + 5 + length);
    pieces.push(piece);
    collected += piece.length;
    at += 5 + length;
    if (collected >= 4 && wanted === 4) {
      const head = joined(pieces);
      if (head[0] !== messageClientHello) return "other";
      wanted = 4 + byte(head, 1) * 65536 + byte(head, 2) * 256 + byte(head, 3);
      if (wanted > maxHelloBytes) return "other";
    }
  }
  return joined(pieces).subarray(4, wanted);
}

function parse(hello: Reader): ClientHello {
  hello.skip(2 + 32);
  hello.skip(hello.uint8());
  hello.skip(hello.uint16());
  hello.skip(hello.uint8());
  const versions = new Set<"TLSv1.2" | "TLSv1.3">(["TLSv1.2"]);
  let offersKey = false;
  let offersTicket = false;
  if (hello.remaining === 0) return { versions, offersKey, offersTicket };
  const extensions = new Reader(hello.take(hello.uint16()));
  while (extensions.remaining > 0) {
    const type = extensions.uint16();
    const value = extensions.take(extensions.uint16());
    if (type === extension.preSharedKey) offersKey = true;
    else if (type === extension.sessionTicket) offersTicket = value.length > 0;
    else if (type === extension.supportedVersions) {
      versions.clear();
      const list = new Reader(value.subarray(1));
      while (list.remaining > 0) {
        const version = list.uint16();
        if (version === 0x0303) versions.add("TLSv1.2");
        if (version === 0x0304) versions.add("TLSv1.3");
      }
    }
  }
  return { versions, offersKey, offersTicket };
}

/** Reads numbers and bytes in order. @throws {RangeError} beyond the end */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Uint8Array {
    if (length > this.remaining) throw new RangeError("message ends early");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(length: number): void {
    this.take(length);
  }

  uint8(): number {
    return byte(this.take(1), 0);
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8();
  }
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
