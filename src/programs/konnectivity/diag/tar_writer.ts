/** A file of an archive. */
export interface TarEntry {
  /** Path in the archive: ASCII, at most 100 characters. */
  readonly name: string;
  /** In order; they are not copied. */
  readonly pieces: readonly Uint8Array[];
}

const blockBytes = 512;

/** What eleven octal digits hold. */
const longestFile = 8 ** 11 - 1;

const encoder = new TextEncoder();

/**
 * A file as a tar archive has it (POSIX.1-1988, ustar): a header, its bytes, and zeros up to the next block. It is its
 * owner's alone.
 * @throws {RangeError} where the form has no room for its name or size
 */
export function* tarFile({ name, pieces }: TarEntry, modifiedMs: number): Generator<Uint8Array> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  yield header(name, length, modifiedMs);
  yield* pieces;
  const over = length % blockBytes;
  if (over > 0) yield new Uint8Array(blockBytes - over);
}

/** What ends an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * blockBytes);
}

function header(name: string, length: number, modifiedMs: number): Uint8Array {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) {
    throw new RangeError(`no name of a file of an archive: ${JSON.stringify(name)}`);
  }
  if (length > longestFile) {
    throw new RangeError(`${name} has ${length} bytes, and an archive has room for ${longestFile}`);
  }
  const block = new Uint8Array(blockBytes);
  const text = (at: number, value: string) => block.set(encoder.encode(value), at);
  // Numbers are octal, as long as their field, and a zero byte ends them.
  const number = (at: number, size: number, value: number) => text(at, value.toString(8).padStart(size - 1, "0"));
  text(0, name);
  number(100, 8, 0o600);
  number(108, 8, 0); // user
  number(116, 8, 0); // group
  number(124, 12, length);
  number(136, 12, Math.max(0, Math.floor(modifiedMs / 1000)));
  text(148, " ".repeat(8)); // the checksum, which counts itself as blanks
  text(156, "0"); // a regular file
  text(257, "ustar\0" + "00");
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** A text that others chose as a part of a file's name. */
export function fileName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+/, "").slice(-48);
  return plain === "" ? "file" : plain;
}
