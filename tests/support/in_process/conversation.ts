import type { Tunnel } from "../../../src/client/mod.ts";

/** Says things to a destination through a tunnel of the client library, and hears what comes back. */
export class Conversation {
  readonly tunnel: Tunnel;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(tunnel: Tunnel) {
    this.tunnel = tunnel;
    this.#writer = tunnel.writable.getWriter();
    this.#reader = tunnel.readable.getReader();
    // What a test wants to know of an end it asks by reading.
    this.#writer.closed.catch(() => {});
    this.#reader.closed.catch(() => {});
  }

  /** Says something to an echo. @returns as many bytes as were said, or fewer before the end */
  async ask(text: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(text));
    let heard = "";
    while (heard.length < text.length) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      heard += new TextDecoder().decode(value);
    }
    return heard;
  }

  /** Waits until nothing more comes. @returns the error that ended it, if any */
  async end(): Promise<Error | undefined> {
    try {
      while (!(await this.#reader.read()).done);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
