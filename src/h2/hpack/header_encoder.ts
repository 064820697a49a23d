import { type HeaderField, staticTable } from "./header_table.ts";

/** Index of each name's first entry in the static table, and of each whole field that it has. */
const nameIndex = new Map<string, number>();
const fieldIndex = new Map<string, number>();
staticTable.forEach(([name, value], at) => {
  if (!nameIndex.has(name)) nameIndex.set(name, at + 1);
  if (value !== "") fieldIndex.set(`${name}\0${value}`, at + 1);
});

/**
 * Encodes headers without a dynamic table: from the static table where it has them, else as literals. Names are in lower
 * case; a character of a value is written as one byte.
 * @param resetsTable begins with an update of the table's size to zero, which a peer that lowered its limit waits for
 * (RFC 7541, section 4.2)
 */
export function encodeHeaders(fields: Iterable<HeaderField>, resetsTable = false): Uint8Array<ArrayBuffer> {
  const out: number[] = resetsTable ? [0x20] : [];
  for (const [name, value] of fields) {
    const whole = fieldIndex.get(`${name}\0${value}`);
    if (whole !== undefined) {
      writeInteger(out, 0x80, 7, whole);
      continue;
    }
    const known = nameIndex.get(name);
    writeInteger(out, 0x00, 4, known ?? 0);
    if (known === undefined) writeString(out, name);
    writeString(out, value);
  }
  return Uint8Array.from(out);
}

function writeInteger(out: number[], flags: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.push(flags | value);
    return;
  }
  out.push(flags | mask);
  let rest = value - mask;
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128);
  out.push(rest);
}

function writeString(out: number[], text: string): void {
  writeInteger(out, 0x00, 7, text.length);
  for (let at = 0; at < text.length; at++) out.push(text.charCodeAt(at) & 255);
}
