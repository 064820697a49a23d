/** The head of a proxy's answer to CONNECT. */
export interface ConnectAnswerHead {
  readonly status: number;
  /** Reason phrase; may be empty. */
  readonly reason: string;
  readonly headers: Headers;
  /** Bytes behind the head that came with it: of the tunnel, or of the answer's body. */
  readonly rest: Uint8Array;
}

/** What is wrong with an answer: it is no HTTP/1, its head is too large or has a bad line, or it switches protocols. */
export type AnswerFault = "not-http" | "too-large" | "bad-header" | "switching";

/** The proxy's bytes are no HTTP/1.x answer. The message quotes them, and they may repeat the request with its password. */
export class ConnectAnswerError extends Error {
  override readonly name = "ConnectAnswerError";
  readonly code = "malformed";
  readonly fault: AnswerFault;

  constructor(fault: AnswerFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** Bytes of a head at most, interim answers included, unless its reader says otherwise. */
const defaultMaxHeadBytes = 64 * 1024;

const statusLine = /^HTTP\/1\.[01] ([1-9]\d\d)(?: (.*))?$/;
const beginning = "HTTP/1.";
const lineFeed = 0x0a;

/** Takes a proxy's answer in pieces, interim answers (1xx) skipped, until its head is complete. */
export class ConnectAnswerReader {
  readonly #maxHeadBytes: number;
  #head = new Uint8Array(0);
  /** Bytes of interim answers that were skipped. */
  #interimBytes = 0;

  /** @param maxHeadBytes interim answers included */
  constructor(maxHeadBytes: number = defaultMaxHeadBytes) {
    this.#maxHeadBytes = maxHeadBytes;
  }

  /**
   * Takes the next bytes.
   * @returns the head, once it is complete; the reader must not be used afterwards
   * @throws {ConnectAnswerError} as soon as the bytes cannot become an answer
   */
  push(bytes: Uint8Array): ConnectAnswerHead | undefined {
    const joined = new Uint8Array(this.#head.length + bytes.length);
    joined.set(this.#head);
    joined.set(bytes, this.#head.length);
    this.#head = joined;
    for (;;) {
      const end = headEnd(this.#head);
      if (end === undefined) break;
      const head = parseHead(this.#head.subarray(0, end), this.#head.subarray(end));
      if (head.status >= 200) return head;
      // 101 would hand the connection to another protocol, which nobody asked for.
      if (head.status === 101) {
        throw new ConnectAnswerError("switching", "proxy answered CONNECT with 101 Switching Protocols");
      }
      this.#head = this.#head.subarray(end);
      this.#interimBytes += end;
      // What follows may be the tunnel's.
      if (this.#interimBytes > this.#maxHeadBytes) throw this.#tooLarge();
    }
    const start = text(this.#head.subarray(0, beginning.length));
    if (!beginning.startsWith(start)) throw notHttp(this.#head);
    if (this.#interimBytes + this.#head.length > this.#maxHeadBytes) throw this.#tooLarge();
    return undefined;
  }

  #tooLarge(): ConnectAnswerError {
    return new ConnectAnswerError("too-large", `proxy's answer has a head of more than ${this.#maxHeadBytes} bytes`);
  }

  /** Whether any byte came. */
  get begun(): boolean {
    return this.#interimBytes + this.#head.length > 0;
  }
}

/** Offset behind the empty line that ends a head. A bare line feed ends a line too (RFC 9112 section 2.2). */
function headEnd(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at + 1] === lineFeed) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === lineFeed) return at + 3;
  }
  return undefined;
}

function parseHead(bytes: Uint8Array, rest: Uint8Array): ConnectAnswerHead {
  const [first = "", ...lines] = text(bytes).split(/\r?\n/);
  const match = statusLine.exec(first);
  if (match === null) throw notHttp(bytes);
  const headers = new Headers();
  for (const line of lines) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    try {
      if (colon < 1) throw new TypeError("no header name");
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    } catch (cause) {
      throw new ConnectAnswerError("bad-header", `proxy's answer has a bad header line ${quote(line)}`, { cause });
    }
  }
  return { status: Number(match[1]), reason: match[2] ?? "", headers, rest };
}

function notHttp(bytes: Uint8Array): ConnectAnswerError {
  const [line = ""] = text(bytes.subarray(0, 80)).split(/\r?\n/);
  return new ConnectAnswerError("not-http", `proxy's answer is not HTTP/1: ${quote(line)}`);
}

/** Enough of a peer's text to recognise it, with control characters escaped. */
function quote(line: string): string {
  return JSON.stringify(line.slice(0, 60));
}

/** Heads are bytes of ISO 8859-1 (RFC 9112 section 2.2). */
function text(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
