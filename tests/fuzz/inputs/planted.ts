/** A fault behind conditions within conditions, and one behind a number of four bytes. */
export class PlantedFault extends Error {
  override readonly name = "PlantedFault";
}

/** Ends in a fault for inputs that begin with certain bytes. @throws {PlantedFault} */
export function nested(input: Uint8Array): void {
  if (input[0] === 0xc7) {
    if (input[1] === 0x3d) {
      if (input[2] === 0x9a) {
        if (input[3] === 0x51) throw new PlantedFault("behind four conditions");
      }
    }
  }
}

/** Ends in a fault for inputs that hold a certain number. @throws {PlantedFault} */
export function magic(input: Uint8Array): void {
  if (input.length < 12) return;
  const number = new DataView(input.buffer, input.byteOffset).getUint32(8);
  if (number === 0x9e37_79b9) throw new PlantedFault("behind a number");
}

/** Goes on without an end for inputs that hold a certain text. */
export function endless(input: Uint8Array): void {
  for (let at = 0; at < input.length; at++) {
    if (input[at] === 0x7b && input[at + 1] === 0x7b) at -= 1;
  }
}

/** Takes time by the square of the input's length. */
export function quadratic(input: Uint8Array): number {
  let pairs = 0;
  for (const byte of input) {
    for (const other of input) if (byte === other) pairs++;
  }
  return pairs;
}
