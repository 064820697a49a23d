import { byteAt } from "../../wire/bytes.ts";
import { DynamicTable, fieldBytes, type HeaderField, staticTable } from "./header_table.ts";
import { decodeHuffman } from "./huffman.ts";

/** A header block is not well formed: the connection cannot go on, because both sides' tables differ from here. */
export class HpackError extends Error {
  override readonly name = "HpackError";
  readonly code = "bad-header-block";
}

/** The headers of one block, in order. */
export interface DecodedHeaders {
  readonly fields: readonly HeaderField[];
  /** The list was larger than the limit; `fields` holds only its beginning. */
  readonly tooLarge: boolean;
}

/** Largest integer that a block may hold: far above every limit, and safe for 32-bit arithmetic. */
const maxInteger = 0x0fffffff;

/** Decodes the header blocks of one connection (RFC 7541). */
export class HeaderDecoder {
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  readonly #table: DynamicTable;
  #bytes = new Uint8Array(0);
  #at = 0;

  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /** @throws {HpackError} */
  decode(block: Uint8Array): DecodedHeaders {
    this.#bytes = block as Uint8Array<ArrayBuffer>;
    this.#at = 0;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    while (this.#at < block.length) {
      const field = this.#field(fields.length === 0 && listBytes === 0);
      if (field === undefined) continue;
      listBytes += fieldBytes(field[0], field[1]);
      if (listBytes <= this.#maxListBytes) fields.push(field);
    }
    return { fields, tooLarge: listBytes > this.#maxListBytes };
  }

  /** The next field; undefined for an update of the table's size, which only stands `atStart`. */
  #field(atStart: boolean): HeaderField | undefined {
    const first = byteAt(this.#bytes, this.#at);
    if (first >= 0x80) return this.#indexed(this.#integer(7));
    if (first >= 0x40) {
      const field = this.#literal(6);
      this.#table.add(field);
      return field;
    }
    if (first >= 0x20) {
      const size = this.#integer(5);
      if (!atStart) throw new HpackError("table size update behind a header");
      if (size > this.#maxTableBytes) throw new HpackError(`table size ${size} is above ${this.#maxTableBytes}`);
      this.#table.resize(size);
      return undefined;
    }
    return this.#literal(4);
  }

  #indexed(index: number): HeaderField {
    const field = index <= staticTable.length
      ? staticTable[index - 1]
      : this.#table.get(index - staticTable.length - 1);
    if (field === undefined) throw new HpackError(`no header has the index ${index}`);
    return field;
  }

  #literal(prefixBits: number): HeaderField {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#indexed(index)[0];
    return [name, this.#string()];
  }

  /** RFC 7541, section 5.1. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#next() & mask;
    if (value < mask) return value;
    for (let shift = 0;; shift += 7) {
      const byte = this.#next();
      value += (byte & 127) * 2 ** shift;
      if (value > maxInteger || shift > 28) throw new HpackError("integer too large");
      if (byte < 128) return value;
    }
  }

  /** RFC 7541, section 5.2. Each byte becomes one character. */
  #string(): string {
    const huffman = byteAt(this.#bytes, this.#at) >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    const to = from + length;
    if (to > this.#bytes.length) throw new HpackError("string beyond the end of its block");
    this.#at = to;
    if (huffman) {
      const text = decodeHuffman(this.#bytes, from, to);
      if (text === undefined) throw new HpackError("string is not Huffman-coded as its flag says");
      return text;
    }
    let text = "";
    for (let at = from; at < to; at++) text += String.fromCharCode(byteAt(this.#bytes, at));
    return text;
  }

  #next(): number {
    if (this.#at >= this.#bytes.length) throw new HpackError("header block is cut off");
    return byteAt(this.#bytes, this.#at++);
  }
}
