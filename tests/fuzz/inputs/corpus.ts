/**
 * Inputs as lines of text, so that a change of a corpus can be read: printable ASCII as it is, every other byte, and the
 * backslash, as `\xHH`.
 * @module
 */

/** Writes an input as a line. */
export function formatInput(input: Uint8Array): string {
  let text = "";
  for (const byte of input) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}"`;
}

/** Reads a line. @throws {SyntaxError} when it is no input */
export function parseInput(line: string): Uint8Array<ArrayBuffer> {
  if (!/^"(?:[^\\]|\\x[0-9a-f]{2})*"$/.test(line)) throw new SyntaxError(`no input: ${line}`);
  const text = line.slice(1, -1).replace(/\\x(..)/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Where a target's inputs are kept; `found` holds those that once broke something. */
export function corpusFile(kind: "corpus" | "found", target: string): URL {
  return new URL(`../${kind}/${target}.txt`, import.meta.url);
}

/** Reads a file of inputs; none where there is no file. Lines that begin with `#` are for people. */
export async function readInputs(file: URL): Promise<Uint8Array<ArrayBuffer>[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map(parseInput);
}

/** Replaces a file of inputs. */
export async function writeInputs(file: URL, inputs: readonly Uint8Array[]): Promise<void> {
  await Deno.mkdir(new URL(".", file), { recursive: true });
  await Deno.writeTextFile(file, inputs.map((input) => `${formatInput(input)}\n`).join(""));
}

/** Adds an input that broke something, with what it broke. */
export async function keepFound(target: string, input: Uint8Array, reason: string): Promise<void> {
  const file = corpusFile("found", target);
  await Deno.mkdir(new URL(".", file), { recursive: true });
  const comment = reason.split("\n", 1)[0] ?? "";
  await Deno.writeTextFile(file, `# ${comment}\n${formatInput(input)}\n`, { append: true });
}
