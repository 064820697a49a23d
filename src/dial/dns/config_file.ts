import type { Clock } from "../../runtime/clock.ts";

/** How long what was read of a file counts before the file's times are compared again, in milliseconds: Go's. */
const recheckMs = 5_000;

/**
 * A small file of the system's configuration, parsed. It is read again after it changed, which is noticed within
 * {@link recheckMs}. Reading is synchronous: an asynchronous read waits for one of the threads that name look-ups of the
 * runtime, files and the log share.
 */
export class ConfigFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  readonly #clock: Clock;
  #value: T;
  #checkedAt = -Infinity;
  #version = "";

  /** @param parse is called with an empty text where there is no file */
  constructor(path: string, parse: (text: string) => T, clock: Clock) {
    this.#path = path;
    this.#parse = parse;
    this.#clock = clock;
    this.#value = parse("");
  }

  /** What the file says. */
  read(): T {
    const now = this.#clock.now();
    if (now - this.#checkedAt < recheckMs) return this.#value;
    this.#checkedAt = now;
    const version = this.#versionNow();
    if (version === this.#version) return this.#value;
    try {
      this.#value = this.#parse(version === "" ? "" : Deno.readTextFileSync(this.#path));
      this.#version = version;
    } catch {
      // Replaced at this very moment, or not readable for a while: what it said before counts until the next check.
    }
    return this.#value;
  }

  /** What changes whenever the file does; empty where there is none. */
  #versionNow(): string {
    try {
      const { ino, mtime, size, dev } = Deno.statSync(this.#path);
      return `${dev} ${ino} ${mtime?.getTime()} ${size}`;
    } catch {
      return "";
    }
  }
}
