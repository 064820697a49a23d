/** A line that never ends must not fill the memory. */
const maxLineChars = 4 * 1024 * 1024;

/** A stream of JSON values, one a line, holds something else. */
export class JsonLineError extends Error {
  override readonly name = "JsonLineError";
  readonly code = "bad-json-line";
}

/** Cuts a stream of JSON values, one a line, into the values. */
export class JsonLines {
  readonly #decoder = new TextDecoder();
  #rest = "";

  /** @returns the values that are complete with this chunk @throws {JsonLineError} */
  push(chunk: Uint8Array): unknown[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > maxLineChars) throw new JsonLineError(`a line is longer than ${maxLineChars} characters`);
    return lines.filter((line) => line.trim() !== "").map(parseLine);
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new JsonLineError("a line is not JSON", { cause });
  }
}
