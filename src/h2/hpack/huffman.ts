import { byteAt } from "../../wire/bytes.ts";

/**
 * Lengths in bits of the Huffman codes of the bytes 0 to 255 and of EOS (RFC 7541, appendix B). The code is canonical:
 * codes of one length are consecutive in the order of their symbols, so that the lengths say everything.
 */
// deno-fmt-ignore
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const eos = 256;

/**
 * The code as a tree: the node behind node n for bit b stands at 2n + b. Positive is another node, negative is the
 * symbol -(value + 1).
 */
const tree: Int16Array = buildTree();

function buildTree(): Int16Array {
  const nodes: number[] = [0, 0];
  const symbols = codeLengths.map((length, symbol) => ({ length, symbol }))
    .sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let previous = 0;
  for (const { length, symbol } of symbols) {
    code *= 2 ** (length - previous);
    previous = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const at = 2 * node + ((code >>> bit) & 1);
      if (nodes[at] === 0) {
        nodes[at] = nodes.length / 2;
        nodes.push(0, 0);
      }
      node = nodes[at] ?? 0;
    }
    nodes[2 * node + (code & 1)] = -(symbol + 1);
    code++;
  }
  return Int16Array.from(nodes);
}

/**
 * Decodes a Huffman-coded string of bytes `from` to `to`, each decoded byte as one character.
 * @returns undefined when it is not well coded: EOS within it, or padding that is longer than seven bits or not of ones
 */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  let node = 0;
  /** Bits since the last symbol, and whether all of them were ones. */
  let bits = 0;
  let ones = true;
  for (let at = from; at < to; at++) {
    const byte = byteAt(bytes, at);
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >>> shift) & 1;
      const next = tree[2 * node + bit] ?? 0;
      if (next > 0) {
        node = next;
        bits++;
        ones &&= bit === 1;
        continue;
      }
      if (next === -(eos + 1)) return undefined;
      text += String.fromCharCode(-next - 1);
      node = 0;
      bits = 0;
      ones = true;
    }
  }
  return bits < 8 && ones ? text : undefined;
}
