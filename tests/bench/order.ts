/** Length of an order to the benchmarks' source and sink. */
export const orderBytes = 16;

/** How many bytes a source shall send, or a sink will get: a decimal number, padded with blanks. */
export function order(bytes: number): Uint8Array {
  return new TextEncoder().encode(String(bytes).padStart(orderBytes));
}
