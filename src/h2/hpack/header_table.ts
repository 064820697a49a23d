/** A header's name and value. */
export type HeaderField = readonly [name: string, value: string];

/** The static table (RFC 7541, appendix A); index 1 is the first. */
export const staticTable: readonly HeaderField[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** What an entry counts for beside its name and value (RFC 7541, section 4.1). */
export const fieldOverheadBytes = 32;

/** A field's size as RFC 7541 counts it; each character of a decoded field is one byte. */
export function fieldBytes(name: string, value: string): number {
  return name.length + value.length + fieldOverheadBytes;
}

/** The dynamic table of a decoder (RFC 7541, section 2.3.2): the newest entry first, the oldest fall out. */
export class DynamicTable {
  readonly #entries: HeaderField[] = [];
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The entry at `index`, from 0. */
  get(index: number): HeaderField | undefined {
    return this.#entries[index];
  }

  add(field: HeaderField): void {
    this.#entries.unshift(field);
    this.#bytes += fieldBytes(field[0], field[1]);
    this.#evict();
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#entries.pop();
      if (oldest === undefined) return;
      this.#bytes -= fieldBytes(oldest[0], oldest[1]);
    }
  }
}
