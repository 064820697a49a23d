/** A line that is longer is none of an event: one of ours has some thousand characters. */
const maxLine = 1024 * 1024;

/** What was read is no stream of server-sent events. */
export class EventFormError extends Error {
  override readonly name = "EventFormError";
  readonly code = "no-events";
}

/** Takes server-sent events apart, as far as the programs use them: the data of each, whatever its type or number. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #rest = "";
  #data: string[] = [];

  /** @returns the data of the events that this piece ends @throws {EventFormError} */
  push(piece: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(piece, { stream: true })).split("\n");
    // Not whole yet.
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > maxLine) {
      throw new EventFormError(`a line has more than ${maxLine} characters`);
    }
    const found: string[] = [];
    for (const each of lines) {
      const line = each.endsWith("\r") ? each.slice(0, -1) : each;
      if (line.startsWith("data:")) this.#data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
      if (line !== "" || this.#data.length === 0) continue;
      found.push(this.#data.join("\n"));
      this.#data = [];
    }
    return found;
  }
}
