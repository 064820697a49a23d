/** Types of records (RFC 1035, RFC 3596). */
export const recordType = { A: 1, AAAA: 28 } as const;
export type RecordType = typeof recordType[keyof typeof recordType];

/** What is asked for. */
export interface Question {
  /** With a final dot. */
  readonly name: string;
  readonly type: RecordType;
}

/** A name server's answer, as far as this program needs it. */
export interface Answer {
  readonly id: number;
  /** It did not fit into a datagram. */
  readonly truncated: boolean;
  readonly code: number;
  /** The server can answer at all: it is responsible for the name, or asks others. */
  readonly capable: boolean;
  readonly addresses: readonly string[];
}

export const responseCode = { ok: 0, serverFailure: 2, noSuchName: 3 } as const;

const headerBytes = 12;
const classInternet = 1;
/** RFC 6891: a datagram of this size passes every network without being cut in pieces. */
const datagramBytes = 1232;
const typeOpt = 41;
/** More pointers than a name has labels lead in a circle. */
const maxPointers = 127;

/** Writes a query for one name and type, which asks the server to ask others. */
export function encodeQuery(id: number, { name, type }: Question): Uint8Array {
  const labels = name.slice(0, -1).split(".");
  const nameBytes = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  const bytes = new Uint8Array(headerBytes + nameBytes + 4 + 11);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  let at = headerBytes;
  for (const label of labels) {
    bytes[at++] = label.length;
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i);
  }
  at++;
  view.setUint16(at, type);
  view.setUint16(at + 2, classInternet);
  // The OPT record of EDNS: root name, type, size of datagrams; flags and data are empty.
  view.setUint16(at + 5, typeOpt);
  view.setUint16(at + 7, datagramBytes);
  return bytes;
}

/**
 * Reads an answer to a question. Addresses count whatever name they stand under, since aliases lead there.
 * @returns undefined when it is malformed, or answers something else
 */
export function decodeAnswer(bytes: Uint8Array, question: Question): Answer | undefined {
  try {
    return new Reader(bytes).answer(question);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Reads beyond the end throw RangeError, as DataView's do. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  answer(question: Question): Answer | undefined {
    const id = this.#uint16();
    const flags = this.#uint16();
    const questions = this.#uint16();
    const answers = this.#uint16();
    this.#at = headerBytes;
    if ((flags & 0x8000) === 0 || questions !== 1) return undefined;
    const name = this.#name();
    const type = this.#uint16();
    if (name.toLowerCase() !== question.name.toLowerCase() || type !== question.type) return undefined;
    if (this.#uint16() !== classInternet) return undefined;
    const truncated = (flags & 0x0200) !== 0;
    const code = flags & 0x000f;
    const addresses = truncated || code !== responseCode.ok ? [] : this.#addresses(answers, question.type);
    return { id, truncated, code, capable: (flags & 0x0480) !== 0, addresses };
  }

  #addresses(records: number, wanted: RecordType): string[] {
    const found: string[] = [];
    for (let i = 0; i < records; i++) {
      this.#name();
      const type = this.#uint16();
      const recordClass = this.#uint16();
      this.#at += 4;
      const length = this.#uint16();
      const data = this.#bytes.subarray(this.#at, this.#at + length);
      this.#at += length;
      if (data.length < length) throw new RangeError("record is cut off");
      if (type !== wanted || recordClass !== classInternet) continue;
      if (length === 4 && wanted === recordType.A) found.push(data.join("."));
      if (length === 16 && wanted === recordType.AAAA) found.push(formatIPv6(data));
    }
    return found;
  }

  /** The name here, with a final dot; a byte that is no printable ASCII is shown as `?`, since no name of ours has one. */
  #name(): string {
    let text = "";
    let end: number | undefined;
    for (let pointers = 0;;) {
      const length = this.#uint8();
      if (length === 0) break;
      if ((length & 0xc0) === 0xc0) {
        if (++pointers > maxPointers) throw new RangeError("name goes in a circle");
        const target = (length & 0x3f) << 8 | this.#uint8();
        end ??= this.#at;
        this.#at = target;
        continue;
      }
      if ((length & 0xc0) !== 0 || text.length > 255) throw new RangeError("name is malformed");
      for (let i = 0; i < length; i++) {
        const byte = this.#uint8();
        text += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
      }
      text += ".";
    }
    if (end !== undefined) this.#at = end;
    return text === "" ? "." : text;
  }

  #uint8(): number {
    return this.#view.getUint8(this.#at++);
  }

  #uint16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }
}

/** The text of an address as RFC 5952 wants it: the longest row of zeros is left out. */
function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8 | (bytes[2 * i + 1] ?? 0)).toString(16));
  const text = groups.join(":");
  const [row] = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].sort((a, b) => b[0].length - a[0].length);
  if (row === undefined) return text;
  const before = text.slice(0, row.index).replace(/:$/, "");
  const after = text.slice(row.index + row[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}
