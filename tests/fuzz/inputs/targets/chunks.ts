/** More pieces show nothing new, and take the time of other inputs. */
const mostChunks = 24;

/** Cuts an input at places that follow from the input alone: sometimes each byte, sometimes in few pieces. */
export function chunksOf(input: Uint8Array): Uint8Array[] {
  let state = 0x811c_9dc5;
  for (let at = 0; at < input.length; at++) state = Math.imul(state ^ (input[at] ?? 0), 0x0100_0193) >>> 0;
  const longest = Math.max(Math.ceil(2 * input.length / mostChunks), 1 + (state % 7 === 0 ? 0 : state % 61));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < input.length;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const end = at + 1 + (state >>> 8) % longest;
    chunks.push(input.subarray(at, end));
    at = end;
  }
  return chunks;
}

/** Joins pieces. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}
